"""Objects that are shipped beside their source, so that loading the source needs no compiler.

Beside `x.bpf.c` stand `x.bpf.o` and `x.bpf.sha256`, which lists the hashes of both in the form that
sha256sum(1) checks. The object is taken for the source only while both have the content that is listed: an edited
source is compiled anew.
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

EI_DATA: Final = 5
"""Where an ELF file says its byte order, 1 for little and 2 for big (elf(5))."""


def compiled(source: Path) -> Path:
    """Return the object of a C source: the one shipped for this very content, else compiled now.

    CompileError with the compiler's message; where there is no compiler, it says whether a shipped object is stale.
    """
    shipped = shipped_object(source)
    if shipped is not None:
        return shipped
    try:
        find_compiler()
    except CompileError as error:
        raise CompileError(f"{source.name}: {error}{_stale(source)}") from error
    return compile_c(source)


def shipped_object(source: Path, byteorder: str = sys.byteorder) -> Path | None:
    """Return the object shipped beside a source, if both have the hashes that are listed and the order fits."""
    object_ = source.with_suffix(".o")
    listed = read_sums(sums_of(source))
    if not listed or any(listed.get(path.name) != digest(path) for path in (source, object_)):
        return None
    data = object_.read_bytes()[EI_DATA]
    return object_ if data == (1 if byteorder == "little" else 2) else None


def ship(source: Path, byteorder: ByteOrder = sys.byteorder) -> Path:
    """Compile a source without paths of this machine in it, and write the object and the hashes beside it."""
    directories = {word: "include" for word in find_compiler().headers if Path(word).is_absolute()}
    maps = {f"{source.absolute().parent}": ".", **directories}
    flags = [f"-ffile-prefix-map={directory}={name}" for directory, name in maps.items()]
    built = compile_c(source, flags=[*flags, "-fdebug-compilation-dir=."], byteorder=byteorder)
    object_ = source.with_suffix(".o")
    object_.write_bytes(built.read_bytes())
    lines = [f"{digest(path)}  {path.name}\n" for path in (source, object_)]
    sums_of(source).write_text("".join(lines), encoding="utf-8")
    return object_


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


def _stale(source: Path) -> str:
    if not sums_of(source).exists():
        return ""
    return f" {source.with_suffix('.o').name} lies beside it, and was built from another version of the source."
