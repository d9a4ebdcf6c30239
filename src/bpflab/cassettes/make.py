"""From a test's journal to its cassette, and back to a backend that plays it."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING, Final

from bpflab.cassettes.cassette import Cassette, CassetteError
from bpflab.cassettes.numbering import numbered
from bpflab.cassettes.read import read
from bpflab.cassettes.replay import ReplayBackend
from bpflab.cassettes.write import write, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.backend.journal import Journal

BTF_DIRECTORY: Final = "kernel_btf"


def save(journal: Journal, path: Path, root: Path, *, test: str, again: str, skipped: str = "") -> None:
    """Write a journal as the cassette of a test. OSError when it cannot be written.

    The kernel's BTF, where the test asked for it, is kept once for all cassettes below `root`.
    """
    digest = _keep_btf(journal.kernel_btf, root) if journal.kernel_btf else ""
    entries = tuple(numbered(journal.entries))
    write(Cassette(test, journal.machine, again, skipped, digest, entries), path)


def open_replay(path: Path, root: Path, test: str) -> ReplayBackend:
    """Return a backend that plays a cassette; CassetteError when it is missing or broken."""
    if not path.exists():
        raise CassetteError(
            f"{test} has no cassette ({path}). Record it where the kernel can be used: pytest --bpf-record '{test}'"
        )
    cassette = read(path)
    return ReplayBackend(cassette, _kept_btf(cassette.kernel_btf, root) if cassette.kernel_btf else None)


def _keep_btf(data: bytes, root: Path) -> str:
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = _btf_path(root, digest)
    if not path.exists():
        write_whole(path, gzip.compress(data, 6, mtime=0))
    return digest


def _kept_btf(digest: str, root: Path) -> bytes:
    path = _btf_path(root, digest)
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise CassetteError(
            f"{path}: the types of the recorded kernel are missing or broken ({error}); record again."
        ) from error


def _btf_path(root: Path, digest: str) -> Path:
    return root / BTF_DIRECTORY / f"{digest}.btf.gz"
