"""Compile C to a BPF object, or find the object that the same C became before."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.errors import CompileError
from bpflab.obj.compile_cache import CompileCache, digest, fingerprint
from bpflab.obj.compilers import Compiler, architecture, find_compiler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.abi.layout import ByteOrder

_TARGETS: Final[dict[ByteOrder, str]] = {"little": "bpfel", "big": "bpfeb"}
_TIMEOUT: Final = 300
_MISSING: Final = re.compile(r"fatal error: '([^']+)' file not found")


class CompileWarning(UserWarning):
    """What the compiler said of a source that it accepted."""


def compile_c(
    source: str | Path,
    *,
    flags: Sequence[str] = (),
    include: Sequence[str | Path] = (),
    byteorder: ByteOrder = sys.byteorder,
    cpu: str = "v3",
    cache: str | Path | None = None,
) -> Path:
    """Compile a C source for BPF, with debug information and BTF, and give the object's path in the cache.

    `include` are directories searched for headers before the system's (the source's own is searched first);
    `flags` go to the compiler behind all others; `cpu` is its -mcpu; `cache` a directory instead of the
    user's. Warnings of the compiler become a CompileWarning, every time. Raises CompileError with the
    compiler's own message, or saying what to install where there is none.
    """
    path = Path(source).absolute()
    content = digest(path)
    if not content:
        raise CompileError(f"{source} cannot be read; give the path of a C source.")
    compiler = find_compiler()
    directories = [word for each in include for word in ("-I", str(Path(each).absolute()))]
    arguments = (*_target(byteorder, cpu), *directories, *compiler.headers, *flags, "-c", str(path))
    store = CompileCache(Path(cache) if cache else None)
    key = fingerprint(compiler.version, content, str(Path.cwd()) if flags else "", *arguments)
    recipe = store.find(key)
    if recipe is None:
        compiled, headers, said = _run(compiler, arguments, path)
        recipe = store.store(key, f"{path.stem}.o", compiled, headers, said)
    if recipe.warnings:
        warnings.warn(f"{source}:\n{recipe.warnings}", CompileWarning, stacklevel=2)
    return Path(recipe.object)


def _target(byteorder: ByteOrder, cpu: str) -> tuple[str, ...]:
    if byteorder not in _TARGETS:
        raise CompileError(f"byteorder is {byteorder!r}; expected 'little' or 'big'.")
    machine = f"-D__TARGET_ARCH_{architecture()[0]}"
    return "-target", _TARGETS[byteorder], "-O2", "-g", f"-mcpu={cpu}", "-Wall", machine


def _run(compiler: Compiler, arguments: tuple[str, ...], path: Path) -> tuple[bytes, list[str], str]:
    """Compile, and give the object, the files that went into it, and the warnings."""
    with tempfile.TemporaryDirectory(prefix="bpflab-") as scratch:
        output, depends = Path(scratch) / "out.o", Path(scratch) / "out.d"
        command = (*compiler.command, *arguments, "-o", str(output), "-MD", "-MF", str(depends))
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT)
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise CompileError(f"{shlex.join(compiler.command)} cannot be run on {path}: {problem}.") from problem
        said = done.stderr.decode("utf-8", "replace").strip()
        if done.returncode or not output.is_file():
            raise CompileError(_refusal(compiler, path, said))
        return output.read_bytes(), _files(depends.read_text("utf-8", "surrogateescape")), said


def _refusal(compiler: Compiler, path: Path, said: str) -> str:
    message = f"{path.name} does not compile ({shlex.join(compiler.command)}):\n{said}"
    missing = _MISSING.search(said)
    if missing and missing[1].startswith(("linux/", "asm/")):
        return f'{message}\nThe kernel\'s headers are missing: install linux-libc-dev, or pip install "bpflab[clang]".'
    if "No available targets" in said:
        return f'{message}\nThis clang cannot compile for BPF: pip install "bpflab[clang]" has one that can.'
    return message


def _files(rule: str) -> list[str]:
    """Read the files that a make rule names behind its colon; a backslash goes before a space in a name."""
    _, _, listed = rule.replace("\\\n", " ").partition(": ")
    return [each.replace("\\ ", " ") for each in re.split(r"(?<!\\)\s+", listed.strip()) if each]
