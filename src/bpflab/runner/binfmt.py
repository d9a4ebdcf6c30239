"""Guests that start programs of their own kind: qemu registered with binfmt_misc, in namespaces that end with them.

A guest's `sys.executable` is a file of another architecture, which the host's kernel refuses to start. The kernel
can be told of an interpreter for such files, and since Linux 6.7 a user namespace has a list of its own
(Documentation/admin-guide/binfmt-misc.rst), so neither root nor a change of the host is needed.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.errors import RunnerError

if TYPE_CHECKING:
    from bpflab.runner.launch import Launch

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUSER: Final = 0x10000000
"""unshare(2)."""
PLACE: Final = Path("/proc/sys/fs/binfmt_misc")
FLAGS: Final = "FPO"
"""F opens the interpreter now, P keeps argv[0], O hands over an open file."""
_IDENT: Final = 16
_LENGTH: Final = 20
"""An ELF header begins with 16 bytes of identity, the type (executable or shared, 2 or 3) and the machine (elf(5))."""


def with_children(launch: Launch) -> Launch:
    """Let this process start the guest's programs, and give a launch whose guest can.

    It enters namespaces, so it is called by a process that becomes the guest. RunnerError says what the kernel does
    not allow. On the host's own architecture there is nothing to do.
    """
    if launch.sysroot is None:
        return launch
    emulator, program = Path(launch.command[0]), Path(launch.command[-1])
    with program.open("rb") as file:
        line = rule(emulator, file.read(_LENGTH))
    try:
        _enter()
        _call("mount", b"binfmt_misc", os.fsencode(PLACE), b"binfmt_misc", 0, None)
        (PLACE / "register").write_bytes(line)
    except OSError as problem:
        raise RunnerError(
            f"A guest whose programs start others (--binfmt) needs Linux 6.7 or later, and leave to make user "
            f"namespaces; here it is refused: {problem.strerror}. Without the option the guest runs, alone."
        ) from problem
    return launch.with_environment({"QEMU_LD_PREFIX": str(launch.sysroot)})


def rule(emulator: Path, header: bytes) -> bytes:
    """Write the rule by which an emulator starts the files that begin as this one, whatever their ABI and type."""
    mask = bytearray(b"\xff" * 7 + bytes(_IDENT - 7) + b"\xff" * 4)
    mask[_IDENT if header[5] == 1 else _IDENT + 1] = 0xFE
    masked = bytes(one & other for one, other in zip(header, mask, strict=True))
    return f":bpflab-{emulator.name}:M:0:{_escaped(masked)}:{_escaped(mask)}:{emulator}:{FLAGS}".encode()


def _escaped(data: bytes | bytearray) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


def _enter() -> None:
    """Enter namespaces of users and of mounts, as the same user and group."""
    user, group = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")


def _call(name: str, *arguments: bytes | int | None) -> None:
    if ctypes.CDLL(None, use_errno=True)[name](*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
