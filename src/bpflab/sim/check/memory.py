"""Memory that a call reads or writes, by what points to it (check_helper_mem_access)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.flags import MapFlag
from bpflab.sim.check import extent, stack
from bpflab.sim.check.extent import Access
from bpflab.sim.check.kernel_fields import refuse_helper
from bpflab.sim.check.types import PACKETS, Kind
from bpflab.sim.check.value import SCALAR, Value

if TYPE_CHECKING:
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State
    from bpflab.sim.check.subject import MapFacts


def check_memory(checker: Checker, state: State, reg: int, pointer: Value, size: int, *, write: bool) -> None:
    """Check that a helper may read or write `size` bytes at a pointer."""
    wanted = Access(reg, 0, size, SCALAR if write else None)
    if write and pointer.kind is Kind.RDONLY_MEM:
        checker.refuse(f"R{reg} cannot write into {pointer.type_name}")
    if pointer.kind in PACKETS:
        extent.check_packet(checker, pointer, wanted)
    elif pointer.kind is Kind.STACK:
        _stack_memory(checker, state, pointer, wanted)
    elif pointer.kind is Kind.MAP_VALUE and pointer.map is not None:
        _value_memory(checker, pointer, pointer.map, wanted)
    elif pointer.size:
        text = f"invalid access to memory, mem_size={pointer.size}"
        extent.check_region(checker, pointer, pointer.size, wanted, text)


def _stack_memory(checker: Checker, state: State, pointer: Value, wanted: Access) -> None:
    stack.check_stack(checker, state, pointer, wanted)
    if wanted.write:
        stack.forget_stack(state, pointer, wanted)


def _value_memory(checker: Checker, pointer: Value, facts: MapFacts, wanted: Access) -> None:
    if facts.flags & (MapFlag.RDONLY_PROG if wanted.write else MapFlag.WRONLY_PROG):
        verb = "write into" if wanted.write else "read from"
        checker.refuse(f"{verb} map forbidden, value_size={facts.value_size} off={pointer.off} size={wanted.size}")
    text = f"invalid access to map value, value_size={facts.value_size}"
    extent.check_region(checker, pointer, facts.value_size, wanted, text)
    refuse_helper(checker, pointer, facts, wanted)
