"""Bytes of a packet: read, written, made linear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.helper_flags import HeaderStart, StoreBytesFlag
from bpflab.sim import skb_checksum, skb_hash
from bpflab.sim.skb import Skb

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.test_run import Environment

INT_MAX: Final = 0x7FFF_FFFF
LARGEST_RELATIVE: Final = 0xFFFF
"""The largest offset that skb_load_bytes_relative takes."""

STORE_FLAGS: Final = sum(StoreBytesFlag)


def skb_load_bytes(env: Environment, skb: object, offset: int, to: Buffer, len: int) -> int:
    """Copy from the packet; -EFAULT, and zeros, for bytes that are not all there.

    A test run of a FLOW_DISSECTOR program has no socket buffer, which is the same.
    """
    del env
    found = skb.read(offset, len) if isinstance(skb, Skb) and offset <= INT_MAX else None
    return _give(to, found)


def skb_load_bytes_relative(env: Environment, skb: Skb, offset: int, to: Buffer, len: int, start_header: int) -> int:
    """Copy from the linear part, counted from the MAC or the network header, which may lie before the packet."""
    del env
    headers = {HeaderStart.MAC: skb.mac_header, HeaderStart.NET: skb.network_header}
    if offset > LARGEST_RELATIVE or start_header not in headers:
        return _give(to, None)
    start = headers[HeaderStart(start_header)] + offset
    fits = start + len <= skb.tail - skb.nonlinear
    return _give(to, bytes(skb.buffer[start : start + len]) if fits else None)


def skb_store_bytes(env: Environment, skb: Skb, offset: int, from_: bytes, len: int, flags: int) -> int:
    """Copy into the packet, and keep sum and hash right if the flags ask for it."""
    del env
    if flags & ~STORE_FLAGS:
        return -Errno.EINVAL
    if offset > INT_MAX or not skb.reach(offset + len):
        return -Errno.EFAULT
    if flags & StoreBytesFlag.RECOMPUTE_CSUM:
        skb_checksum.removed_at(skb, skb.content[offset : offset + len], offset)
        skb_checksum.added_at(skb, from_, offset)
    skb.write(offset, from_)
    if flags & StoreBytesFlag.INVALIDATE_HASH:
        skb_hash.forget(skb)
    skb.refresh()
    return 0


def skb_pull_data(env: Environment, skb: Skb, len: int) -> int:
    """Make the first bytes linear; all that are linear already for 0."""
    del env
    reached = skb.reach(len or skb.linear_length)
    skb.refresh()
    return 0 if reached else -Errno.ENOMEM


def _give(to: Buffer, found: bytes | None) -> int:
    to.fill(found or b"")
    return -Errno.EFAULT if found is None else 0
