"""Work that a program leaves to be done later: a bpf_wq in a map's value (process_wq_func in kernel/bpf/verifier.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.check.frames import wait_for_callback
from bpflab.sim.check.types import Kind

if TYPE_CHECKING:
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State

MISSING: Final = -Errno.EINVAL
"""What the kernel takes for the offset of a field that a value does not have."""


def init(checker: Checker, state: State) -> None:
    """Check that r2 is the map in whose value the work is."""
    start(checker, state)
    value, given = state.regs[1], state.regs[2]
    if Kind.ANY in {value.kind, given.kind} or value.map is None:
        return
    if given.kind is not Kind.MAP_PTR or given.map is None:
        checker.refuse("pointer in R2 isn't map pointer", Errno.EINVAL)
    if given.map.id != value.map.id:
        checker.refuse("workqueue pointer in R1 doesn't match map pointer in R2", Errno.EINVAL)


def set_callback(checker: Checker, state: State) -> None:
    """Follow the function that does the work."""
    start(checker, state)
    function = state.regs[2]
    if function.kind is Kind.FUNC:
        wait_for_callback(checker, state, function.off, ())
    elif function.kind is not Kind.ANY:
        checker.refuse("arg1 expected pointer to func", Errno.EINVAL)


def start(checker: Checker, state: State) -> None:
    """Check that r1 is the work in a map's value."""
    value = state.regs[1]
    if value.kind is Kind.ANY:
        return
    if value.kind is not Kind.MAP_VALUE or value.map is None or value.nullable:
        checker.refuse("arg#0 doesn't point to a map value", Errno.EINVAL)
    place = MISSING if value.map.work is None else value.map.work
    if not value.varies and value.off != place:
        checker.refuse(f"off {value.off} doesn't point to 'struct bpf_wq' that is at {place}", Errno.EINVAL)
