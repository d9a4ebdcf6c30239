"""Run the suite without privilege, also where root starts it: `python tests/as_nobody.py [pytest's arguments]`.

A user without privilege gets pytest as it is. Root gets it as `nobody`, in a copy that is removed at the end: the
clone, the environment and the interpreter may lie where nobody may not look, and are not nobody's to write to.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
VERSION: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"

NOT_OF_THE_CLONE: Final = shutil.ignore_patterns(".*", "__pycache__", "build", "dist")
NOT_OF_THE_INTERPRETER: Final = shutil.ignore_patterns(
    "__pycache__", "site-packages", "dist-packages", "test", "config-*"
)

KEPT: Final = ("BPFLAB_", "BPF_CLANG", "CI", "HYPOTHESIS_", "LANG", "LC_ALL", "PATH", "PYTEST_ADDOPTS", "TERM")
"""How the names of the variables begin that nobody gets too."""


def main(arguments: list[str]) -> int:
    """Return the exit status of pytest."""
    if os.geteuid() != 0:
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, check=False).returncode
    with tempfile.TemporaryDirectory(prefix="bpflab-nobody-") as made:
        return pytest_as_nobody(Path(made), arguments)


def pytest_as_nobody(directory: Path, arguments: list[str]) -> int:
    """Copy all that is needed into an empty directory, and run pytest there."""
    for name in ("home", "scratch"):
        (directory / name).mkdir()
    shutil.copytree(ROOT, directory / "clone", ignore=NOT_OF_THE_CLONE)
    python = copied_environment(directory / "environment", readable_interpreter(directory / "interpreter"))
    user = pwd.getpwnam("nobody")
    give_away(directory, user.pw_uid, user.pw_gid)
    return subprocess.run(
        [str(python), "-m", "pytest", *arguments],
        cwd=directory / "clone",
        env=variables(directory),
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=(),
        check=False,
    ).returncode


def readable_interpreter(directory: Path) -> Path:
    """Return an interpreter that nobody may run: the one that runs this, or else a copy of it in the directory."""
    binary, library = Path(sys.executable).resolve(), Path(sys.base_prefix) / "lib"
    if all(each.stat().st_mode & 0o001 for each in (binary, *binary.parents)):
        return binary
    shutil.copytree(library / VERSION, directory / "lib" / VERSION, ignore=NOT_OF_THE_INTERPRETER)
    for shared in library.glob("libpython3*.so*"):
        shutil.copy2(shared, directory / "lib" / shared.name)
    (directory / "bin").mkdir()
    return Path(shutil.copy2(binary, directory / "bin" / VERSION))


def copied_environment(directory: Path, interpreter: Path) -> Path:
    """Copy the packages of this virtual environment to one of that interpreter; return its `python`."""
    packages = Path("lib", VERSION, "site-packages")
    shutil.copytree(Path(sys.prefix) / packages, directory / packages, symlinks=True)
    (directory / "pyvenv.cfg").write_text(f"home = {interpreter.parent}\ninclude-system-site-packages = false\n")
    (directory / "bin").mkdir()
    python = directory / "bin" / "python"
    python.symlink_to(interpreter)
    return python


def give_away(directory: Path, uid: int, gid: int) -> None:
    """Make a tree a user's own, without following links."""
    os.chown(directory, uid, gid)
    for parent, directories, files in os.walk(directory):
        for name in (*directories, *files):
            os.chown(Path(parent, name), uid, gid, follow_symlinks=False)


def variables(directory: Path) -> dict[str, str]:
    """Return the environment variables of nobody: homes and caches lie in the directory."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    own = {"HOME": "home", "TMPDIR": "scratch", "XDG_CACHE_HOME": "home/cache", "LD_LIBRARY_PATH": "interpreter/lib"}
    return kept | {name: str(directory / place) for name, place in own.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
