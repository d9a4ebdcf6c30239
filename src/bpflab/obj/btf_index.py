"""Where the types of a large BTF start, and their order by name, kept on disk for the next process.

To find both takes a pass over all types; the file is found by a hash of the blob, so it is never out of date.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from typing import TYPE_CHECKING, Final

from bpflab.obj.btf_table import BtfTable, name_order, read_table, sections
from bpflab.obj.compile_cache import default_directory, write_whole

if TYPE_CHECKING:
    from pathlib import Path

LARGE: Final = 1 << 20
"""Blobs from this many bytes on are worth a file."""
DIGEST: Final = 20


def indexed_table(data: bytes, directory: Path | None = None) -> BtfTable:
    """Read a blob's table, with the help of the file that an earlier process left; writes the file if there is none.

    A file that is damaged, or cannot be written, costs time and nothing else.
    """
    if len(data) < LARGE:
        return read_table(data)
    file = _file(data, directory or default_directory())
    found = _kept(data, file)
    if found is None:
        found = read_table(data)
        found.order = name_order(found)
        _keep(found, file)
    return found


def _file(data: bytes, directory: Path) -> Path:
    return directory / "btf" / f"{hashlib.blake2b(data, digest_size=DIGEST).hexdigest()}.{sys.byteorder}.1"


def _kept(data: bytes, file: Path) -> BtfTable | None:
    try:
        content = file.read_bytes()
    except OSError:
        return None
    digest, body = content[:DIGEST], content[DIGEST:]
    if hashlib.blake2b(body, digest_size=DIGEST).digest() != digest or len(body) % 8:
        return None
    half = len(body) // 2
    byteorder, words, strings = sections(data)
    return BtfTable(byteorder, words, strings, array("I", body[:half]), array("I", body[half:]))


def _keep(table: BtfTable, file: Path) -> None:
    body = table.starts.tobytes() + (table.order or array("I")).tobytes()
    try:
        write_whole(file, hashlib.blake2b(body, digest_size=DIGEST).digest() + body)
    except OSError:
        return  # a cache that cannot be written is no cache
