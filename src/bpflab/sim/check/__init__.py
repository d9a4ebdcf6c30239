"""What the kernel refuses at load, whatever the values: a light verifier.

`check(subject)` follows every path with the types of registers and the constants that are known,
and speaks with the kernel's errnos and texts. It does not follow ranges as far as the kernel does:
where it cannot tell, it lets the program pass, and the interpreter catches the unsafe act itself.
"""

from __future__ import annotations

from bpflab.sim.check.cache import check_once
from bpflab.sim.check.explore import check
from bpflab.sim.check.rewrite import rewrite
from bpflab.sim.check.subject import Checked, CtxField, CtxRule, KfuncFacts, MapFacts, MapReference, Refused, Subject
from bpflab.sim.check.types import Kind

__all__ = [
    "Checked",
    "CtxField",
    "CtxRule",
    "KfuncFacts",
    "Kind",
    "MapFacts",
    "MapReference",
    "Refused",
    "Subject",
    "check",
    "check_once",
    "rewrite",
]
