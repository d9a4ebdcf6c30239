"""A file descriptor that a backend gave, and that somebody owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.errors import ClosedError

if TYPE_CHECKING:
    from bpflab.backend.base import Backend


class Descriptor:
    """An open descriptor of a backend; closing twice is fine, using it after that is a ClosedError."""

    __slots__ = ("_fd", "backend", "what")

    def __init__(self, backend: Backend, fd: int, what: str) -> None:
        self.backend = backend
        self.what = what
        self._fd = fd

    def fileno(self) -> int:
        """Return the descriptor's number."""
        if self._fd < 0:
            raise ClosedError(f"{self.what} is closed; it closes with its Lab.")
        return self._fd

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._fd < 0

    def close(self) -> None:
        """Close it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self.backend.close(fd)
