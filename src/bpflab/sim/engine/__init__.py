"""The interpreter: decoded instructions and a memory in, r0 or a `Fault` out (RFC 9669).

It knows no program type, no map and no helper by name. `prepare` turns instructions into a
`Program` once; a `Run` executes it. `trace` executes it step by step and tells what each did.
"""

from __future__ import annotations

from bpflab.sim.engine.changes import WriteRecord
from bpflab.sim.engine.program import Program, function_at, prepare
from bpflab.sim.engine.run import DEFAULT_BUDGET, Run
from bpflab.sim.engine.step import HelperFunction, PacketLoad, Registers
from bpflab.sim.engine.trace import CallRecord, Step, trace

__all__ = [
    "DEFAULT_BUDGET",
    "CallRecord",
    "HelperFunction",
    "PacketLoad",
    "Program",
    "Registers",
    "Run",
    "Step",
    "WriteRecord",
    "function_at",
    "prepare",
    "trace",
]
