"""Whether a packet fits a device (net/core/filter.c, bpf_skb_check_mtu and bpf_xdp_check_mtu)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.helper_flags import CheckMtuFlag, CheckMtuResult
from bpflab.abi.run_rules import ETH_HLEN
from bpflab.sim.frame import XdpFrame
from bpflab.sim.skb import Skb

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.test_run import Environment

SEGMENTS = int(CheckMtuFlag.SEGS)


def check_mtu(env: Environment, ctx: object, ifindex: int, mtu_len: Buffer, len_diff: int, flags: int) -> int:
    """Compare the packet's length, or the one given, changed by a number of bytes, with a device's MTU."""
    order = env.kernel.memory.order
    given = int.from_bytes(mtu_len.read(), order)
    allowed = SEGMENTS if isinstance(ctx, Skb) else 0
    if flags & ~allowed or (flags & SEGMENTS and (len_diff or given)):
        return -Errno.EINVAL
    device = env.kernel.world.interfaces.get(ifindex or own_device(ctx))
    if device is None:
        return -Errno.ENODEV
    length = given + ETH_HLEN if given else _length(ctx)
    mtu_len.write(device.mtu.to_bytes(4, order))
    if _int32(length + len_diff) <= device.mtu + ETH_HLEN:
        return CheckMtuResult.SUCCESS
    return _too_long(ctx, device.mtu, flags)


def own_device(ctx: object) -> int:
    """Return the index of the device that a packet came from."""
    if isinstance(ctx, Skb):
        return ctx.context["ifindex"]
    return ctx.ifindex if isinstance(ctx, XdpFrame) else 0


def _int32(value: int) -> int:
    """Wrap as the kernel's int does."""
    return ((value + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def _length(ctx: object) -> int:
    if isinstance(ctx, Skb):
        return ctx.length
    return ctx.data_end - ctx.data if isinstance(ctx, XdpFrame) else 0


def _too_long(ctx: object, mtu: int, flags: int) -> int:
    if isinstance(ctx, Skb) and ctx.context["gso_size"]:
        too_big = flags & SEGMENTS and ctx.context["gso_size"] + ETH_HLEN > mtu
        return CheckMtuResult.SEGS_TOOBIG if too_big else CheckMtuResult.SUCCESS
    return CheckMtuResult.FRAG_NEEDED
