"""Sockets by index or key, for programs that redirect streams between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.maps.indexed import IndexedReferences

if TYPE_CHECKING:
    from collections.abc import Iterator


class SockMap(IndexedReferences):
    """SOCKMAP: sockets by index; `m[i] = socket`, `m[i]` is its cookie (not with `value=4`).

    The kernel takes established or listening TCP sockets, UDP and UNIX sockets.
    """

    WHAT = "socket"
    VALUE = 8


class SockHash(SockMap):
    """SOCKHASH: sockets by keys of any kind."""

    KEY = None

    def _single_keys(self) -> Iterator[bytes]:
        return self._next_keys()
