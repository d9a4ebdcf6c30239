"""Packets and their metadata as dynptrs see them (kernel/bpf/helpers.c, net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.helpers.skb_bytes import skb_store_bytes
from bpflab.sim.memory import Region, RegionKind

if TYPE_CHECKING:
    from bpflab.sim.frame import XdpFrame
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment

LONGEST: Final = 0xFFFF


class SkbBytes:
    """The packet of a socket buffer. What is paged is only reached by copies."""

    def __init__(self, env: Environment, skb: Skb) -> None:
        self.env = env
        self.skb = skb

    def load(self, offset: int, size: int) -> bytes | None:
        """Copy bytes out."""
        return self.skb.read(offset, size)

    def store(self, offset: int, content: bytes, flags: int) -> int:
        """Copy bytes in as bpf_skb_store_bytes does, with its flags."""
        return skb_store_bytes(self.env, self.skb, offset, content, len(content), flags)

    def pointer(self, offset: int, size: int) -> int:
        """Return the address of linear bytes."""
        fits = offset + size <= self.skb.linear_length
        return self.skb.region.address + self.skb.data + offset if fits else 0


class SkbMeta:
    """The metadata in front of a socket buffer's packet."""

    def __init__(self, skb: Skb) -> None:
        self.skb = skb

    @property
    def _start(self) -> int:
        return self.skb.data - self.skb.meta_length

    def load(self, offset: int, size: int) -> bytes | None:
        """Copy bytes out."""
        return bytes(self.skb.buffer[self._start + offset : self._start + offset + size])

    def store(self, offset: int, content: bytes, flags: int) -> int:
        """Copy bytes in; no flags are known."""
        if flags:
            return -Errno.EINVAL
        self.skb.buffer[self._start + offset : self._start + offset + len(content)] = content
        return 0

    def pointer(self, offset: int, size: int) -> int:
        """Return the address of bytes of it."""
        del size
        return self.skb.region.address + self._start + offset


class XdpBytes:
    """The packet of an XDP frame, fragments and all."""

    def __init__(self, env: Environment, frame: XdpFrame) -> None:
        self.env = env
        self.frame = frame
        self._regions: dict[int, Region] = {}

    def load(self, offset: int, size: int) -> bytes | None:
        """Copy bytes out."""
        return self.frame.read(offset, size) if self._refusal(offset, size) == 0 else None

    def store(self, offset: int, content: bytes, flags: int) -> int:
        """Copy bytes in; no flags are known."""
        refusal = -Errno.EINVAL if flags else self._refusal(offset, len(content))
        if not refusal:
            self.frame.write(offset, content)
        return refusal

    def pointer(self, offset: int, size: int) -> int:
        """Return the address of bytes that lie in one part of the frame."""
        if self._refusal(offset, size):
            return 0
        linear = self.frame.data_end - self.frame.data
        if offset < linear:
            return self.frame.region.address + self.frame.data + offset if offset + size <= linear else 0
        offset -= linear
        for fragment in self.frame.fragments:
            if offset < len(fragment):
                return self._address(fragment) + offset if offset + size <= len(fragment) else 0
            offset -= len(fragment)
        return 0

    def _refusal(self, offset: int, size: int) -> int:
        if offset > LONGEST or size > LONGEST:
            return -Errno.EFAULT
        return -Errno.EINVAL if offset + size > self.frame.length else 0

    def _address(self, fragment: bytearray) -> int:
        if id(fragment) not in self._regions:
            self._regions[id(fragment)] = self.env.run.scope.add(RegionKind.PACKET, fragment, name="fragment")
        return self._regions[id(fragment)].address
