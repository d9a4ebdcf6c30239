"""Objects that are shipped beside their source, so that loading the source needs no compiler.

Beside `x.bpf.c` stand `x.bpf.o`, which is little-endian, `x.bpfeb.o`, which is big-endian, and `x.bpf.sha256`, which
lists the hashes of all in the form that sha256sum(1) checks. An object is taken for the source only while both have
the content that is listed: an edited source is compiled anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.errors import CompileError
from bpflab.obj.compile import compile_c
from bpflab.obj.compile_cache import digest
from bpflab.obj.compilers import find_compiler

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder

_SUFFIXES: Final[dict[ByteOrder, str]] = {"little": ".o", "big": "eb.o"}
"""What stands for the `.c` of a source `x.bpf.c`."""


def compiled(source: Path, byteorder: ByteOrder = sys.byteorder) -> Path:
    """Return the object of a C source: the one shipped for this very content, else compiled now.

    CompileError with the compiler's message; where there is no compiler, it says whether a shipped object is stale.
    """
    shipped = shipped_object(source, byteorder)
    if shipped is not None:
        return shipped
    try:
        find_compiler()
    except CompileError as error:
        raise CompileError(f"{source.name}: {error}{_stale(source, byteorder)}") from error
    return compile_c(source, byteorder=byteorder)


def object_of(source: Path, byteorder: ByteOrder = sys.byteorder) -> Path:
    """Return where the object of a source stands that is shipped for machines of a byte order."""
    return source.with_name(f"{source.name.removesuffix('.c')}{_SUFFIXES[byteorder]}")


def shipped_object(source: Path, byteorder: ByteOrder = sys.byteorder) -> Path | None:
    """Return the object of that order shipped beside a source, if both have the hashes that are listed."""
    object_ = object_of(source, byteorder)
    listed = read_sums(sums_of(source))
    current = listed and all(listed.get(path.name) == digest(path) for path in (source, object_))
    return object_ if current else None


def ship(source: Path) -> list[Path]:
    """Compile a source for both byte orders, without paths of this machine; write the objects and hashes beside it."""
    directories = {word: "include" for word in find_compiler().headers if Path(word).is_absolute()}
    maps = {f"{source.absolute().parent}": ".", **directories}
    flags = [f"-ffile-prefix-map={directory}={name}" for directory, name in maps.items()]
    objects = []
    for byteorder in _SUFFIXES:
        built = compile_c(source, flags=[*flags, "-fdebug-compilation-dir=."], byteorder=byteorder)
        objects.append(object_of(source, byteorder))
        objects[-1].write_bytes(built.read_bytes())
    lines = [f"{digest(path)}  {path.name}\n" for path in (source, *objects)]
    sums_of(source).write_text("".join(lines), encoding="utf-8")
    return objects


def sums_of(source: Path) -> Path:
    """Return where the hashes of a source and its object stand."""
    return source.with_suffix(".sha256")


def read_sums(path: Path) -> dict[str, str]:
    """Return the hashes of a file that sha256sum wrote, by file name; empty when there is none."""
    try:
        rows = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        return {}
    return {row[1].removeprefix("*"): row[0] for row in rows if len(row) == 2}


def _stale(source: Path, byteorder: ByteOrder) -> str:
    if not sums_of(source).exists():
        return ""
    return f" {object_of(source, byteorder).name} lies beside it, and was built from another version of the source."
