"""The log buffer of PROG_LOAD and BTF_LOAD, with the kernel's rules (kernel/bpf/log.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim import user
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.request import Request

LEVELS: Final = 0b1111
"""Two bits of level, one for statistics, one for FIXED."""
FIXED: Final = 8
"""Keep the start of a log that does not fit, instead of its end."""
MAX_SIZE: Final = (1 << 32) - 1 >> 2


class Log:
    """Text for the caller's buffer. `prefix` is `btf_` for BTF_LOAD: the start of the attr fields' names.

    EINVAL for a level that is not known, a buffer without size or level, or a size without buffer.
    """

    def __init__(self, request: Request, prefix: str = "") -> None:
        self._request = request
        self._true_size = f"{prefix}log_true_size"
        self.level = request[f"{prefix}log_level"]
        self._size = request[f"{prefix}log_size"]
        self._buffer = request[f"{prefix}log_buf"]
        self._parts: list[str] = []
        refuse_if(bool(self._buffer) != bool(self._size) or (self._buffer and not self.level))
        refuse_if(self.level & ~LEVELS or self._size > MAX_SIZE)

    def write(self, text: str) -> None:
        """Add text, which ends its own lines."""
        if self.level:
            self._parts.append(text)

    def finish(self) -> None:
        """Hand the log over, with its true size; ENOSPC when the buffer is too short for it."""
        if not self.level:
            self._request.answer(self._true_size, 0)
            return
        text = "".join(self._parts).encode("utf-8", "replace") + b"\0"
        self._request.answer(self._true_size, len(text))
        if not self._buffer:
            return
        kept = text
        if len(text) > self._size:
            kept = text[: self._size - 1] + b"\0" if self.level & FIXED else text[-self._size :]
        user.write(self._buffer, kept)
        if len(text) > self._size:
            raise Refusal(Errno.ENOSPC)
