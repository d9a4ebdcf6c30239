"""What IPsec did to a packet: one state for each transformation (struct bpf_xfrm_state of linux/bpf.h)."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.sockets import Family

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder

SIZE: Final = 28


@dataclass(frozen=True, slots=True)
class XfrmState:
    """A state: its id of the request, its SPI in host byte order, and the address of the other end."""

    reqid: int
    spi: int
    remote: str = "0.0.0.0"

    def to_bytes(self, order: ByteOrder) -> bytes:
        """Return the `struct bpf_xfrm_state`."""
        address = ipaddress.ip_address(self.remote)
        family = Family.INET6 if address.version == 6 else Family.INET
        prefix = "<" if order == "little" else ">"
        head = struct.pack(f"{prefix}I", self.reqid) + struct.pack("!I", self.spi)
        return head + struct.pack(f"{prefix}HH", family, 0) + address.packed.ljust(16, b"\0")
