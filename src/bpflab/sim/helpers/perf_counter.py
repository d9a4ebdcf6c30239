"""Perf counters and branch records, as the test set them (kernel/trace/bpf_trace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.maps.perf_event_array import PerfEventArrayMap
    from bpflab.sim.probes import Counter
    from bpflab.sim.test_run import Environment

INDEX: Final = 0xFFFFFFFF
VALUE_SIZE: Final = 24
"""Bytes of struct bpf_perf_event_value, and of struct perf_branch_entry."""
SIZE_ALONE: Final = 1
"""BPF_F_GET_BRANCH_RECORDS_SIZE of linux/bpf.h."""


def perf_event_read(env: Environment, map: PerfEventArrayMap, flags: int) -> int:
    """Give a counter's value; EINVAL, E2BIG, ENOENT look like values."""
    found = _counter(env, map, flags)
    return -found if isinstance(found, Errno) else found.value


def perf_event_read_value(env: Environment, map: PerfEventArrayMap, flags: int, buf: Buffer, buf_size: int) -> int:
    """Copy a counter's value and times; zeros with an error."""
    return _write(env, buf, buf_size, Errno.EINVAL if buf_size != VALUE_SIZE else _counter(env, map, flags))


def perf_prog_read_value(env: Environment, ctx: object, buf: Buffer, buf_size: int) -> int:
    """Copy the counter of the event that runs the program."""
    del ctx
    return _write(env, buf, buf_size, env.kernel.world.own_counter)


def read_branch_records(env: Environment, ctx: object, buf: Buffer | None, size: int, flags: int) -> int:
    """Copy the branches that came with the event, or give how many bytes they take; ENOENT without any."""
    del ctx
    if flags & ~SIZE_ALONE:
        return -Errno.EINVAL
    records = _branches(env)
    if not records:
        return -Errno.ENOENT
    if flags & SIZE_ALONE:
        return len(records)
    if buf is None or size % VALUE_SIZE:
        return -Errno.EINVAL
    buf.write(records[:size])
    return min(size, len(records))


def get_branch_snapshot(env: Environment, entries: Buffer, size: int, flags: int) -> int:
    """Copy the branches that the processor recorded last; EINVAL for flags, ENOENT without any."""
    if flags:
        return -Errno.EINVAL
    records = _branches(env)[: size - size % VALUE_SIZE]
    if not records:
        return -Errno.ENOENT
    entries.write(records)
    return len(records)


def _counter(env: Environment, map: PerfEventArrayMap, flags: int) -> Counter | Errno:
    index = env.kernel.cpu if flags & INDEX == INDEX else flags & INDEX
    if flags & ~INDEX:
        return Errno.EINVAL
    if index >= map.max_entries:
        return Errno.E2BIG
    found = env.kernel.world.counters.get((map.name, index))
    return Errno.ENOENT if found is None else found


def _write(env: Environment, buf: Buffer, size: int, found: Counter | Errno) -> int:
    if size != VALUE_SIZE or isinstance(found, Errno):
        buf.fill(b"")
        return -(found if isinstance(found, Errno) else Errno.EINVAL)
    numbers = (found.value, found.enabled, found.running)
    buf.write(b"".join(each.to_bytes(8, env.kernel.memory.order) for each in numbers))
    return 0


def _branches(env: Environment) -> bytes:
    order = env.kernel.memory.order
    entries = ((*pair, 0) for pair in env.kernel.world.branches)
    return b"".join(number.to_bytes(8, order) for entry in entries for number in entry)
