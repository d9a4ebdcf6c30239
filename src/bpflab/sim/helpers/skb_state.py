"""What the kernel knows of a packet beside its bytes: for whom it is, when it came, whether there was congestion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.ethernet import EtherType, PacketType
from bpflab.sim import checksum
from bpflab.sim.skb import Summed
from bpflab.sim.skb_vlan import protocol_behind_tags

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment

IPV4_LENGTH, IPV6_LENGTH = 20, 40
ECN_CE: Final = 3
"""Both bits of ECN: congestion was experienced (RFC 3168)."""
REALTIME, MONOTONIC, TAI = range(3)
"""Clocks of a packet's time (BPF_SKB_CLOCK_* of linux/bpf.h)."""


def skb_change_type(env: Environment, skb: Skb, type: int) -> int:
    """Say for whom the packet is; only of the first four types, and only to them."""
    del env
    if skb.context["pkt_type"] > PacketType.OTHERHOST or type > PacketType.OTHERHOST:
        return -Errno.EINVAL
    skb.context["pkt_type"] = type
    return 0


def skb_set_tstamp(env: Environment, skb: Skb, tstamp: int, tstamp_type: int) -> int:
    """Set the time and its clock; a time of 0 only has the clock of real time."""
    del env
    if skb.protocol not in {EtherType.IP, EtherType.IPV6}:
        return -Errno.EOPNOTSUPP
    if tstamp_type > TAI or (tstamp_type != REALTIME and not tstamp):
        return -Errno.EINVAL
    skb.context["tstamp"] = tstamp
    skb.context["tstamp_type"] = tstamp_type
    return 0


def skb_ecn_set_ce(env: Environment, skb: Skb) -> int:
    """Mark congestion if the sender can take it; 1 if the mark is there now, whoever set it."""
    del env
    protocol = protocol_behind_tags(skb)
    if protocol == EtherType.IP and _has_header(skb, IPV4_LENGTH):
        return _mark_ipv4(skb)
    return _mark_ipv6(skb) if protocol == EtherType.IPV6 and _has_header(skb, IPV6_LENGTH) else 0


def _has_header(skb: Skb, size: int) -> bool:
    return skb.linear_length >= size and skb.network_header + size <= skb.tail - skb.nonlinear


def _mark_ipv4(skb: Skb) -> int:
    at, buffer, order = skb.network_header, skb.buffer, skb.order
    ecn = buffer[at + 1] & ECN_CE
    if ecn in {0, ECN_CE}:
        return ecn & 1
    # The field grows by 1 or 2, and the check is mended for that.
    grown = int.from_bytes((0xFFFB + ecn + 1).to_bytes(2, "big"), order)
    check = checksum.add_half(int.from_bytes(buffer[at + 10 : at + 12], order), grown)
    buffer[at + 10 : at + 12] = check.to_bytes(2, order)
    buffer[at + 1] |= ECN_CE
    return 1


def _mark_ipv6(skb: Skb) -> int:
    at, order = skb.network_header, skb.order
    old = bytes(skb.buffer[at : at + 4])
    if not old[1] & 0x30:
        return 0
    new = bytes((old[0], old[1] | ECN_CE << 4, *old[2:]))
    skb.buffer[at : at + 4] = new
    if skb.summed is Summed.COMPLETE:
        difference = checksum.sub(skb.csum, int.from_bytes(old, order))
        skb.csum = checksum.add(difference, int.from_bytes(new, order))
    return 1
