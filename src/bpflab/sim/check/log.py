"""The verifier's log: the path that led to the refusal, in the kernel's form (kernel/bpf/log.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.insn import REG_COUNT
from bpflab.abi.verifier_rules import MAX_PROCESSED
from bpflab.sim.check.seen import MARK
from bpflab.sim.check.types import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpflab.asm.insn import Insn
    from bpflab.sim.check.state import Path, State
    from bpflab.sim.check.value import Value

MAX_LINES = 2000
"""Lines of the path that are shown; the kernel's buffer ends somewhere too."""


def render(insns: Sequence[Insn], state: State | None) -> str:
    """Show the path that a state came by, an instruction a line."""
    if state is None or state.path is None:
        return ""
    nodes = [node for node in state.path if node.slot != MARK][:MAX_LINES]
    lines = [_line(insns, node) for node in reversed(nodes)]
    return "".join(f"{line}\n" for line in [_start(state), *lines])


def summary(processed: int) -> str:
    """Give the log's last line."""
    return f"processed {processed} insns (limit {MAX_PROCESSED})\n"


def _start(state: State) -> str:
    start = state.frames[0].start
    return f"{start}: R1={'any' if start else 'ctx()'} R10=fp0"


def _line(insns: Sequence[Insn], node: Path) -> str:
    from bpflab.asm import text_at

    if node.came_from >= 0:
        return f"from {node.came_from} to {node.slot}: {registers(node.written)}"
    text = f"{node.slot}: ({insns[node.slot].opcode:02x}) {text_at(insns, node.slot)}"
    return f"{text:<38}; {registers(node.written)}" if node.written else text


def registers(values: Iterable[tuple[int, Value]]) -> str:
    """Show registers that hold something."""
    shown = [f"R{reg}={value}" for reg, value in values if value.kind is not Kind.UNSET and reg < REG_COUNT]
    return " ".join(shown)
