"""The rules of PROG_TEST_RUN's input, said in words before the call; the kernel answers them all with EINVAL."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any

from bpflab.abi.flags import RunFlag
from bpflab.abi.run_rules import ETH_HLEN, INSTEAD, IP_HEADERS, RULES, SIMULATED, XDP_MAX_META, RunRule, Want
from bpflab.contexts import AnyContext, RawContext, XdpMd, context_class, context_layout
from bpflab.errors import CannotRunError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.abi.layout import ByteOrder
    from bpflab.abi.prog_types import ProgType


def rule_of(prog_type: ProgType, *, simulated: bool = False) -> RunRule:
    """Return what a test run of this type takes; CannotRunError with what to do instead when there is none.

    `simulated` asks for a run by the simulated kernel, which runs more types than others.
    """
    rule = (SIMULATED.get(prog_type) if simulated else None) or RULES.get(prog_type)
    if rule is None:
        instead = INSTEAD.get(prog_type, "test it through the hook it attaches to")
        elsewhere = " The simulated kernel can: --bpf=sim, Lab('sim')." if prog_type in SIMULATED else ""
        raise CannotRunError(f"The kernel cannot run {prog_type.name} programs on demand; {instead}.{elsewhere}")
    return rule


def packet_bytes(data: object) -> bytes:
    """Return the packet as bytes; scapy packets and everything else with `__bytes__` are converted."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    convert: Callable[[], bytes] | None = getattr(data, "__bytes__", None)
    if convert is None or isinstance(data, type):
        raise InputError(f"The packet is a {type(data).__name__}; expected bytes or something that bytes() takes.")
    return convert()


def check_data(prog_type: ProgType, rule: RunRule, size: int) -> None:
    """Check the packet's length against the rule; InputError in words."""
    name = prog_type.name
    if not rule.takes_data:
        if size:
            raise InputError(f"{name} programs take no packet, and {size} bytes were given; pass ctx only.")
    elif size < rule.min_data:
        raise InputError(
            f"The packet has {size} bytes; {_a(name)} program is run with at least the {rule.min_data} bytes "
            f"of an {rule.first_header}."
        )
    elif size > rule.max_data:
        raise InputError(f"The packet has {size} bytes; {_a(name)} test run takes at most {rule.max_data}.")


def ip_header_mistake(prog_type: ProgType, rule: RunRule, packet: bytes) -> str:
    """Say in words that a packet which was refused with EINVAL has no whole IP header; empty when it needs none.

    Asked afterwards, as older kernels run such packets.
    """
    said = int.from_bytes(packet[ETH_HLEN - 2 : ETH_HLEN])
    header, size = IP_HEADERS.get(said, ("", 0)) if rule.whole_ip else ("", 0)
    if not size or len(packet) >= ETH_HLEN + size:
        return ""
    return (
        f"The packet has {len(packet)} bytes, and its Ethernet type says {header}; {_a(prog_type.name)} program is run "
        f"with the whole {header} header, at least {ETH_HLEN + size} bytes. Append what is missing of it, or set "
        f"another Ethernet type."
    )


def check_options(prog_type: ProgType, rule: RunRule, *, repeat: int, flags: int, cpu: int | None, batch: int) -> None:
    """Check the other numbers of a run; InputError in words."""
    name = prog_type.name
    given: dict[str, object] = {"repeat": repeat, "flags": flags, "cpu": cpu or 0, "batch_size": batch}
    for what, value in given.items():
        if not isinstance(value, int) or not 0 <= value < 1 << 32:
            raise InputError(f"{what}={value!r} for {_a(name)} program; expected a number of 32 bits.")
    if repeat < 1 or (repeat > 1 and not rule.repeat):
        wanted = "a positive count" if rule.repeat else "1, as this type runs once a call"
        raise InputError(f"repeat={repeat} for {_a(name)} program; expected {wanted}.")
    if flags & ~int(rule.flags):
        allowed = rule.flags.name or "no flags"
        raise InputError(f"flags={flags:#x} for {_a(name)} program; expected {allowed}.")
    if cpu is not None and not rule.flags & RunFlag.RUN_ON_CPU:
        raise InputError(f"cpu={cpu} for {_a(name)} program; only RAW_TRACEPOINT programs run on a chosen CPU.")
    if batch and not flags & RunFlag.XDP_LIVE_FRAMES:
        raise InputError(f"batch_size={batch} without flags=RunFlag.XDP_LIVE_FRAMES, which it belongs to.")


def context_bytes(
    prog_type: ProgType, rule: RunRule, ctx: AnyContext | bytes | None, size: int, byteorder: ByteOrder
) -> bytes | None:
    """Return the context's bytes, checked against the type; None where none goes in."""
    if ctx is None:
        if rule.ctx is Want.REQUIRED:
            raise InputError(f"{prog_type.name} programs are run with ctx={context_class(prog_type).__name__}(...).")
        return None
    if rule.ctx is Want.FORBIDDEN:
        raise InputError(f"{prog_type.name} programs are run without ctx; the kernel makes their arguments itself.")
    raw = _typed_bytes(prog_type, ctx, size, byteorder)
    if context_layout(prog_type) is None or context_class(prog_type) is RawContext:
        _check_raw(prog_type, rule, raw)
    return raw


def _typed_bytes(prog_type: ProgType, ctx: AnyContext | bytes, size: int, byteorder: ByteOrder) -> bytes:
    expected = context_class(prog_type)
    if isinstance(ctx, (bytes, bytearray, memoryview)):
        return bytes(ctx)
    if not isinstance(ctx, expected):
        raise InputError(
            f"ctx is a {type(ctx).__name__}; {prog_type.name} programs take {expected.__name__}(...) or its bytes."
        )
    return _with_packet_end(ctx, size, byteorder) if isinstance(ctx, XdpMd) else ctx.to_bytes(byteorder)


def _with_packet_end(ctx: XdpMd, size: int, byteorder: ByteOrder) -> bytes:
    """Return the bytes of the fields that a run takes, checked with each other.

    The kernel wants data_end to be the packet's length in every context that is not all zero.
    """
    meta: Any = ctx.data
    interface, queue = ctx.ingress_ifindex, ctx.rx_queue_index
    if meta > min(size - ETH_HLEN, XDP_MAX_META) or meta % 4:
        raise InputError(
            f"XdpMd(data={meta}) says that {meta} bytes at the front are metadata; expected a multiple of 4, at most "
            f"{XDP_MAX_META}, that leaves an Ethernet header of the {size} bytes given."
        )
    if queue and not interface:
        raise InputError("XdpMd(rx_queue_index=...) needs ingress_ifindex, the interface that has the queue.")
    names, packed = _xdp_structure(byteorder)
    values = {"data": meta, "data_end": size, "ingress_ifindex": interface, "rx_queue_index": queue}
    return packed.pack(*[values.get(name, 0) for name in names])


@cache
def _xdp_structure(byteorder: ByteOrder) -> tuple[tuple[str, ...], struct.Struct]:
    """Return the fields of `struct xdp_md`, which lie one behind the other, and the format of them all."""
    fields = XdpMd.layout().fields
    codes = "".join(field.code for field in fields)
    return tuple(field.name for field in fields), struct.Struct(f"{'<' if byteorder == 'little' else '>'}{codes}")


def _check_raw(prog_type: ProgType, rule: RunRule, raw: bytes) -> None:
    limit = rule.max_ctx or 96
    if len(raw) > limit:
        raise InputError(f"ctx has {len(raw)} bytes; {_a(prog_type.name)} program is run with at most {limit}.")


def _a(name: str) -> str:
    """Put the article before a program type: XDP, LWT_IN and SK_LOOKUP begin with a vowel when they are spoken."""
    return f"{'an' if name[0] in 'AEFHILMNORSX' and name[:3] not in SPOKEN_AS_WORDS else 'a'} {name}"


SPOKEN_AS_WORDS = {"SOC", "SCH", "SYS", "FLO", "NET", "RAW", "LIR", "STR"}
