"""Connection tracking: entries found, made, put in, changed (net/netfilter/nf_conntrack_bpf.c, nf_nat_bpf.c)."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.conntrack import (
    BOTH_DIRECTIONS,
    FIRST_TIMEOUT,
    FIXED,
    NO_NETNS,
    OPTIONS_SIZE,
    PROTOCOLS,
    SHORT_OPTIONS_SIZE,
    STAYS,
    TUPLES,
    UNCHANGEABLE,
    CtStatus,
    NatManip,
)
from bpflab.abi.errno import Errno
from bpflab.sim.conntrack import REPLY, Connection, Flow, Zone
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.holds import hold, let_go
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.test_run import Environment

ERROR: Final = 4
DIRECTION: Final = 9
ZONE_DIRECTIONS: Final = 12
"""Where struct bpf_ct_opts has the fields that a call writes."""
NS: Final = 10**9
MS: Final = 10**6
HELD: Final = "conntrack entry"


def bpf_xdp_ct_alloc(env: Environment, ctx: int, tuple: int, tuple_size: int, opts: int, opts_size: int) -> int:
    """Make an entry that is not in the table yet."""
    del ctx
    return _answer(env, opts, opts_size, lambda: _allocate(env, tuple, tuple_size, opts, opts_size))


def bpf_skb_ct_alloc(env: Environment, ctx: int, tuple: int, tuple_size: int, opts: int, opts_size: int) -> int:
    """Make an entry that is not in the table yet."""
    return bpf_xdp_ct_alloc(env, ctx, tuple, tuple_size, opts, opts_size)


def bpf_xdp_ct_lookup(env: Environment, ctx: int, tuple: int, tuple_size: int, opts: int, opts_size: int) -> int:
    """Find an entry by the flow of either direction."""
    del ctx
    return _answer(env, opts, opts_size, lambda: _look_up(env, tuple, tuple_size, opts, opts_size))


def bpf_skb_ct_lookup(env: Environment, ctx: int, tuple: int, tuple_size: int, opts: int, opts_size: int) -> int:
    """Find an entry by the flow of either direction."""
    return bpf_xdp_ct_lookup(env, ctx, tuple, tuple_size, opts, opts_size)


def bpf_ct_insert_entry(env: Environment, nfct_i: int) -> int:
    """Put an allocated entry into the table; null, and the entry is gone, where its flow is there already."""
    made, table = _entry(env, nfct_i), env.kernel.world.conntrack
    let_go(env, nfct_i)
    made.status |= CtStatus.CONFIRMED
    if made.expires is not None:
        made.expires += env.kernel.clock.now
    if not table.insert(made, env.kernel.clock.now):
        table.free(made)
        return 0
    return hold(env, nfct_i, HELD)


def bpf_ct_release(env: Environment, nfct: int) -> None:
    """Give an entry back."""
    made = _entry(env, nfct)
    let_go(env, nfct)
    if not made.status & CtStatus.CONFIRMED:
        env.kernel.world.conntrack.free(made)


def bpf_ct_set_timeout(env: Environment, nfct: int, timeout: int) -> None:
    """Say in how many milliseconds an allocated entry expires, from when it is put in."""
    _entry(env, nfct).expires = timeout * MS


def bpf_ct_change_timeout(env: Environment, nfct: int, timeout: int) -> int:
    """Say in how many milliseconds from now an entry expires."""
    made = _entry(env, nfct)
    if made.status & CtStatus.FIXED_TIMEOUT:
        return -Errno.EPERM
    made.expires = env.kernel.clock.now + timeout * MS
    return -Errno.ETIME if made.status & CtStatus.DYING else 0


def bpf_ct_set_status(env: Environment, nfct: int, status: int) -> int:
    """Set bits of an allocated entry's status."""
    return _change_status(_entry(env, nfct), status)


def bpf_ct_change_status(env: Environment, nfct: int, status: int) -> int:
    """Set bits of an entry's status."""
    return _change_status(_entry(env, nfct), status)


def bpf_ct_set_nat_info(env: Environment, nfct: int, addr: int, port: int, manip: int) -> int:
    """Translate an end of the connection: what answers go to (SRC) or come from (DST) is changed."""
    made, reply = _entry(env, nfct), _entry(env, nfct).flows[REPLY]
    if port < 0:
        return -Errno.EINVAL
    address = env.run.memory.read(addr, 16)[: len(reply.source)]
    done = CtStatus.SRC_NAT_DONE if manip == NatManip.SRC else CtStatus.DST_NAT_DONE
    changed = CtStatus.SRC_NAT if manip == NatManip.SRC else CtStatus.DST_NAT
    if manip == NatManip.SRC:
        reply = replace(reply, destination=address, destination_port=port or reply.destination_port)
    else:
        reply = replace(reply, source=address, source_port=port or reply.source_port)
    made.status |= done | (changed if reply != made.flows[REPLY] else 0)
    made.flows[REPLY] = reply
    made.write_flows()
    return 0


def _answer(env: Environment, opts: int, size: int, work: Callable[[], int]) -> int:
    """Give what is found; or null, with the errno in the options."""
    try:
        return work()
    except Refusal as refusal:
        if size >= ERROR + 4:
            env.run.memory.store(opts + ERROR, 4, -refusal.errno)
        return 0


def _allocate(env: Environment, place: int, size: int, opts: int, opts_size: int) -> int:
    zone, protocol = _options(env, opts, opts_size, looks_up=False)
    flow = _flow(env, place, size, protocol)
    made = env.kernel.world.conntrack.allocate(flow, zone)
    made.expires = FIRST_TIMEOUT * NS
    return _given(env, made)


def _look_up(env: Environment, place: int, size: int, opts: int, opts_size: int) -> int:
    zone, protocol = _options(env, opts, opts_size, looks_up=True)
    flow = _flow(env, place, size, protocol)
    found = env.kernel.world.conntrack.find(flow, zone, env.kernel.clock.now)
    if found is None:
        raise Refusal(Errno.ENOENT)
    made, direction = found
    env.run.memory.store(opts + DIRECTION, 1, direction)
    return _given(env, made)


def _given(env: Environment, made: Connection) -> int:
    address = made.struct.address
    env.kernel.world.conntrack.given[address] = made
    return hold(env, address, HELD)


def _options(env: Environment, place: int, size: int, *, looks_up: bool) -> tuple[Zone, int]:
    """Read struct bpf_ct_opts: zone and protocol."""
    refuse_if(size not in {OPTIONS_SIZE, SHORT_OPTIONS_SIZE})
    order = "<" if env.run.memory.order == "little" else ">"
    raw = env.run.memory.read(place, size).ljust(OPTIONS_SIZE, b"\0")
    netns, _, protocol, _, zone, directions, *reserved = struct.unpack(f"{order}iiBBHB3B", raw)
    refuse_if(any(reserved) if size == OPTIONS_SIZE else zone)
    unknown = protocol not in PROTOCOLS.values()
    refuse_if(looks_up and unknown, Errno.EPROTO)
    refuse_if(netns < NO_NETNS)
    refuse_if(unknown, Errno.EPROTO)
    refuse_if(netns >= 0, Errno.ENONET)
    if size == OPTIONS_SIZE and not directions:
        directions = BOTH_DIRECTIONS
        env.run.memory.store(place + ZONE_DIRECTIONS, 1, directions)
    return Zone(zone, directions), protocol


def _flow(env: Environment, place: int, size: int, protocol: int) -> Flow:
    refuse_if(size not in TUPLES, Errno.EAFNOSUPPORT)
    _, width = TUPLES[size]
    raw = env.run.memory.read(place, size)
    ports = (int.from_bytes(raw[2 * width + at : 2 * width + at + 2], "big") for at in (0, 2))
    source_port, destination_port = ports
    return Flow(protocol, raw[:width], source_port, raw[width : 2 * width], destination_port)


def _entry(env: Environment, address: int) -> Connection:
    found = env.kernel.world.conntrack.given.get(address)
    if found is None:
        raise Fault(FaultKind.HELPER_ARGUMENT, f"there is no conntrack entry at {address:#x}")
    return found


def _change_status(made: Connection, status: int) -> int:
    changed = int(made.status) ^ status
    if changed & FIXED or changed & STAYS & ~status:
        return -Errno.EBUSY
    known = sum(CtStatus)
    made.status = int(made.status) | status & known & ~UNCHANGEABLE
    return 0
