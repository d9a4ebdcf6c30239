"""Copies of this process's memory by address, as the pointers of an attr name it.

A caller may name memory that it does not have, which the kernel answers with an error. So longer reads ask the kernel
to copy (process_vm_readv(2)), which does the same instead of ending the process.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LOWEST: Final = 4096
HIGHEST: Final = 1 << 47
TRUSTED: Final = 256
"""Bytes that are read without asking: keys, values and names, which callers have in full."""
LARGEST: Final = 1 << 28


class _Piece(ctypes.Structure):
    _fields_ = (("address", ctypes.c_void_p), ("size", ctypes.c_size_t))


def is_address(number: int) -> bool:
    """Whether a number can be the address of something in this process."""
    return LOWEST <= number < HIGHEST


def read(address: int, size: int) -> bytes | None:
    """Copy bytes; None when they are not this process's."""
    if not is_address(address) or not 0 <= size <= LARGEST:
        return None
    if size <= TRUSTED:
        return ctypes.string_at(address, size)
    return _copied(address, size)


def read_text(address: int, limit: int) -> bytes | None:
    """Copy text with the zero byte that ends it, at most `limit` bytes; None when it is not this process's."""
    if not is_address(address):
        return None
    text = b""
    while len(text) < limit:
        at = address + len(text)
        piece = read(at, min(limit - len(text), TRUSTED - at % TRUSTED))
        if piece is None:
            return None
        end = piece.find(b"\0")
        if end >= 0:
            return text + piece[: end + 1]
        text += piece
    return text


def write(address: int, data: bytes) -> None:
    """Copy bytes to memory that the caller named for an answer."""
    ctypes.memmove(address, data, len(data))


def _copied(address: int, size: int) -> bytes | None:
    copy = _copier()
    if copy is None:
        return ctypes.string_at(address, size)
    buffer = ctypes.create_string_buffer(size)
    into, source = _Piece(ctypes.addressof(buffer), size), _Piece(address, size)
    number = ctypes.c_ulong
    moved = copy(os.getpid(), ctypes.byref(into), number(1), ctypes.byref(source), number(1), number(0))
    return buffer.raw if moved == size else None


@cache
def _copier() -> Callable[..., int] | None:
    """Return libc's process_vm_readv where it works; a sandbox may forbid it."""
    function = getattr(ctypes.CDLL(None), "process_vm_readv", None)
    if function is None:
        return None
    function.restype = ctypes.c_ssize_t
    probe = ctypes.create_string_buffer(1)
    piece, one = ctypes.byref(_Piece(ctypes.addressof(probe), 1)), ctypes.c_ulong(1)
    works = function(os.getpid(), piece, one, piece, one, ctypes.c_ulong(0)) == 1
    return function if works else None
