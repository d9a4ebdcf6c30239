"""The packet of a run as it is at the moment: where it lies in memory, and the names of its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.sim.frame import XdpFrame
from bpflab.sim.memory import OFFSET_MASK
from bpflab.sim.skb import Skb
from bpflab.trace.packet import PacketNames

if TYPE_CHECKING:
    from bpflab.sim.memory import Region


@dataclass(frozen=True, slots=True)
class Window:
    """A packet's place: its region, and the offsets in it where it starts and where its directly readable part ends."""

    region: Region
    start: int
    end: int
    mac: bool


class PacketView:
    """The packet of one run; `stale` has to be called whenever its bytes may have changed."""

    def __init__(self, frame: object) -> None:
        self._frame = frame
        self._names: PacketNames | None = None

    @property
    def window(self) -> Window | None:
        """Where the packet lies now; None for a program without one."""
        frame = self._frame
        if isinstance(frame, XdpFrame):
            return Window(frame.region, frame.data, frame.data_end, mac=True)
        if isinstance(frame, Skb):
            return Window(frame.region, frame.data, frame.data + frame.linear_length, mac=frame.with_mac)
        return None

    @property
    def names(self) -> PacketNames:
        """The names of its bytes."""
        if self._names is None:
            window = self.window
            content = bytes(window.region.data[window.start : window.end]) if window else b""
            self._names = PacketNames(content, mac=window is None or window.mac)
        return self._names

    def stale(self) -> None:
        """Forget the names: the packet changed."""
        self._names = None

    def offset(self, address: int) -> int | None:
        """Return how far into the packet an address is, negative before it; None for one that is elsewhere."""
        window = self.window
        if window is None or window.region.address != address & ~OFFSET_MASK:
            return None
        return (address & OFFSET_MASK) - window.start

    @property
    def length(self) -> int:
        """Bytes that can be read directly."""
        window = self.window
        return window.end - window.start if window else 0
