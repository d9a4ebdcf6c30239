"""Contexts of cgroups' programs and of sockets' messages, which the simulated kernel alone runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bpflab.contexts.structure import Context
from bpflab.errors import InputError

if TYPE_CHECKING:
    from typing import Any

    from bpflab.abi.layout import ByteOrder

LONGEST_PATH = 108
"""UNIX_PATH_MAX."""
LONGEST_VALUE = 4096
"""Bytes that are kept free for the value that a program gives a setting."""


class CgroupDevice(Context):
    """`struct bpf_cgroup_dev_ctx`: an access to a device.

    `retval`, which all contexts of cgroups have, is what the system call returns: 0 or a negative errno.
    """

    structure = "bpf_cgroup_dev_ctx"


class Sock(Context):
    """`struct bpf_sock`: a socket that is made, bound or released, of CGROUP_SOCK programs."""

    structure = "bpf_sock"


class SockAddr(Context):
    """`struct bpf_sock_addr`: the address that a socket binds, connects or sends to; `sk` a socket of the world.

    `sun_path` is that of a unix socket as text or bytes, an abstract one with a zero byte in front; read as bytes.
    """

    structure = "bpf_sock_addr"

    def __init__(self, *, sun_path: str | bytes = b"", **values: Any) -> None:  # noqa: ANN401 - Context's own
        path = sun_path.encode() if isinstance(sun_path, str) else bytes(sun_path)
        if len(path) > LONGEST_PATH:
            raise InputError(f"SockAddr(sun_path={sun_path!r}) has {len(path)} bytes; expected {LONGEST_PATH} at most.")
        if path:
            values |= {"path_length": len(path), "path": tuple(path.ljust(LONGEST_PATH, b"\0"))}
        super().__init__(**values)

    @property
    def sun_path(self) -> bytes:
        """The address of a unix socket."""
        path, length = self.path, self.path_length
        return bytes(path)[: length if isinstance(length, int) else 0] if isinstance(path, tuple) else b""


class SockOpt(Context):
    """`struct bpf_sockopt`: a call of getsockopt or setsockopt. The option's bytes are given beside it.

    `optlen` is the length that the caller named; the number of those bytes unless given.
    """

    structure = "bpf_sockopt"


class SockOps(Context):
    """`struct bpf_sock_ops`: what happens to a TCP socket. The segment's TCP header is given beside it.

    `remaining_opt_len` is how many bytes of options are still free: for the program to reserve (HDR_OPT_LEN_CB) or
    to write (WRITE_HDR_OPT_CB); what is left of it comes back.
    """

    structure = "bpf_sock_ops"


class SkMsg(Context):
    """`struct sk_msg_md`: a message that is sent through a socket. Its bytes are given beside it.

    `apply_bytes` and `cork_bytes` come back as the program asked for them.
    """

    structure = "sk_msg_md"


class SkSkb(Context):
    """`struct __sk_buff` of bytes that a socket received: any field may be given."""

    structure = "__sk_buff"
    settable_only = False


class Sysctl(Context):
    """`struct bpf_sysctl`: a read or write of a setting of /proc/sys.

    `name` is its path under /proc/sys, `current` its value, `new` the one that is being written; `new` comes back as
    the program set it. A value that `new` has makes it a write.
    """

    structure = "bpf_sysctl"

    def __init__(
        self,
        *,
        name: str | bytes = "",
        current: str | bytes = "",
        new: str | bytes = "",
        **values: Any,  # noqa: ANN401 - Context's own
    ) -> None:
        self.name = _text("name", name)
        self.current = _text("current", current)
        self.new = _text("new", new)
        if new:
            values.setdefault("write", 1)
        super().__init__(**values)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, byteorder: ByteOrder = sys.byteorder) -> Sysctl:
        """Read a context that came out of a run, with its texts."""
        read = super().from_bytes(data, byteorder)
        assert isinstance(read, Sysctl)
        texts = [*bytes(data)[cls.layout().size :].split(b"\0", 3), b"", b"", b""]
        read.name, read.current, read.new = (text.decode("utf-8", "surrogateescape") for text in texts[:3])
        return read

    def to_bytes(self, byteorder: ByteOrder = sys.byteorder) -> bytes:
        """Return the structure, the texts each with a zero byte behind it, and room for another value."""
        texts = (self.name, self.current, self.new)
        tail = b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in texts)
        return super().to_bytes(byteorder) + tail + bytes(LONGEST_VALUE)

    def __repr__(self) -> str:
        texts = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("name", "current", "new"))
        return f"Sysctl({texts}, write={self.write})"


def _text(what: str, value: object) -> str:
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    if not isinstance(text, str) or "\0" in text:
        raise InputError(f"Sysctl({what}={value!r}): expected text without zero bytes.")
    return text
