"""Maps of sockets: XSKMAP, SOCKMAP, SOCKHASH, REUSEPORT_SOCKARRAY.

Sockets of the process, by their descriptors, and of the simulated world, by their cookies, can be put in and taken
out; nothing is sent through them: a redirect to one becomes an event.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.array import IndexedMap
from bpflab.sim.maps.base import EXIST, NOEXIST, SimMap
from bpflab.sim.process_sockets import find_socket, mirror
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.targets import shares_port, socket_cookie

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec
    from bpflab.sim.sockets import Socket

COOKIE_SIZE: Final = 8
STREAM_AND_DATAGRAM: Final = frozenset({socket.SOCK_STREAM, socket.SOCK_DGRAM})


class SocketMap(SimMap):
    """Cookies of sockets by key. A lookup gives the cookie, if values have room for it."""

    can_be_inner: ClassVar[bool] = True

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self.cookies: dict[bytes, int] = {}

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return the socket's cookie; ENOSPC when values are too small for it, ENOENT."""
        del flags
        refuse_if(self.value_size != COOKIE_SIZE, Errno.ENOSPC)
        if key not in self.cookies:
            raise Refusal(Errno.ENOENT)
        return self.cookies[key].to_bytes(COOKIE_SIZE, self.byteorder)

    def socket_at(self, key: bytes) -> Socket | None:
        """Return the socket at a key."""
        cookie = self.cookies.get(key)
        return None if cookie is None else find_socket(self.kernel.world, cookie)

    def lookup(self, key: bytes) -> int:
        """Return the address of the socket at a key, 0 where there is none."""
        found = self.socket_at(key)
        return 0 if found is None else found.address

    def read_socket(self, value: bytes) -> int:
        """Return the cookie of the socket whose descriptor is the value; EOPNOTSUPP for an unfit socket.

        A socket of the simulated world has no descriptor: its cookie stands for it.
        """
        fd = int.from_bytes(value, self.byteorder)
        if any(sock.cookie == fd for sock in self.kernel.world.sockets):
            return fd
        refuse_if(fd > (1 << 31) - 1)
        kind, cookie = socket_cookie(fd)
        refuse_if(kind not in STREAM_AND_DATAGRAM, Errno.EOPNOTSUPP)
        mirror(self.kernel.world, fd, cookie)
        return cookie

    def put_socket(self, key: bytes, cookie: int, flags: int) -> int:
        """Put a socket at a key, as the flags allow."""
        if key in self.cookies and flags == NOEXIST:
            return -Errno.EEXIST
        if key not in self.cookies and flags == EXIST:
            return -Errno.ENOENT
        self.cookies[key] = cookie
        return 0


class SockMap(SocketMap, IndexedMap):
    """SOCKMAP: sockets by index."""

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Put a socket at an index."""
        return self.update_socket(key, self.read_socket(value), flags)

    def update_socket(self, key: bytes, cookie: int, flags: int) -> int:
        """Put a socket at an index, by its cookie."""
        if flags > EXIST:
            return -Errno.EINVAL
        if self.index(key) >= self.max_entries:
            return -Errno.E2BIG
        return self.put_socket(key, cookie, flags)

    def delete(self, key: bytes) -> int:
        """Take a socket out; EINVAL for an index past the end or empty."""
        return 0 if self.cookies.pop(key, None) is not None else -Errno.EINVAL


class SockHash(SocketMap):
    """SOCKHASH: sockets by any key."""

    too_big: ClassVar[frozenset[str]] = frozenset({"key_size"})

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Put a socket at a key; E2BIG when the map is full."""
        return self.update_socket(key, self.read_socket(value), flags)

    def update_socket(self, key: bytes, cookie: int, flags: int) -> int:
        """Put a socket at a key, by its cookie."""
        if flags > EXIST:
            return -Errno.EINVAL
        if key not in self.cookies and flags != EXIST and len(self.cookies) >= self.max_entries:
            return -Errno.E2BIG
        return self.put_socket(key, cookie, flags)

    def delete(self, key: bytes) -> int:
        """Take a socket out; ENOENT."""
        return 0 if self.cookies.pop(key, None) is not None else -Errno.ENOENT

    def next_key(self, key: bytes | None) -> bytes:
        """Return the key put in after this one; the first for one that is not there."""
        keys = list(self.cookies)
        place = keys.index(key) + 1 if key in self.cookies else 0
        if place == len(keys):
            raise Refusal(Errno.ENOENT)
        return keys[place]


class ReuseportSockArray(SockMap):
    """REUSEPORT_SOCKARRAY: sockets that share a port."""

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Put a socket at an index."""
        if flags > EXIST:
            return -Errno.EINVAL
        if self.index(key) >= self.max_entries:
            return -Errno.E2BIG
        cookie = self.read_socket(value)
        refused = self.put_socket(key, cookie, flags)
        if not refused and not self._shares_port(cookie, int.from_bytes(value, self.byteorder)):
            del self.cookies[key]
            return -Errno.EINVAL
        return refused

    def _shares_port(self, cookie: int, fd: int) -> bool:
        own = next((sock for sock in self.kernel.world.sockets if sock.cookie == cookie), None)
        return shares_port(fd) if own is None else own.reuseport

    def delete(self, key: bytes) -> int:
        """Take a socket out; E2BIG past the end, ENOENT for an empty index."""
        if self.index(key) >= self.max_entries:
            return -Errno.E2BIG
        return 0 if self.cookies.pop(key, None) is not None else -Errno.ENOENT


class XskMap(IndexedMap):
    """XSKMAP: AF_XDP sockets by queue, of which there are none here: EOPNOTSUPP for any other socket."""

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Refuse every socket, since none is AF_XDP."""
        if flags > EXIST:
            return -Errno.EINVAL
        if self.index(key) >= self.max_entries:
            return -Errno.E2BIG
        socket_cookie(int.from_bytes(value, self.byteorder))
        return -Errno.EOPNOTSUPP

    def delete(self, key: bytes) -> int:
        """Empty an index, which is empty."""
        return -Errno.EINVAL if self.index(key) >= self.max_entries else 0

    def sys_lookup(self, key: bytes, flags: int) -> NoReturn:
        """Refuse: sockets have no number to show."""
        del key, flags
        raise Refusal(Errno.EOPNOTSUPP)


TYPES = {
    MapType.XSKMAP: XskMap,
    MapType.SOCKMAP: SockMap,
    MapType.SOCKHASH: SockHash,
    MapType.REUSEPORT_SOCKARRAY: ReuseportSockArray,
}
