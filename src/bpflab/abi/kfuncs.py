"""What the kernel says of its functions that programs may call, beside their prototypes in BTF.

The rows stand in `kfuncs.txt`: a name, the words of its flags, the set of program types that may call it. Sources: the
BTF_ID_FLAGS lists of Linux 6.18, what they are registered for (btf_prog_type_to_kfunc_hook), and
Documentation/bpf/kfuncs.rst. Prototypes are the kernel's BTF, read where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class KfuncFlag(IntFlag):
    """The KF_ flags of include/linux/btf.h."""

    NONE = 0
    ACQUIRE = 1 << 0
    RELEASE = 1 << 1
    RET_NULL = 1 << 2
    TRUSTED_ARGS = 1 << 4
    SLEEPABLE = 1 << 5
    DESTRUCTIVE = 1 << 6
    RCU = 1 << 7
    ITER_NEW = 1 << 8
    ITER_NEXT = 1 << 9
    ITER_DESTROY = 1 << 10
    RCU_PROTECTED = 1 << 11
    FASTCALL = 1 << 12


_TRACERS: Final = frozenset({ProgType.TRACING, ProgType.TRACEPOINT, ProgType.PERF_EVENT, ProgType.LSM})
_CGROUP: Final = frozenset(
    {
        *(ProgType.CGROUP_SKB, ProgType.CGROUP_SOCK, ProgType.CGROUP_DEVICE, ProgType.CGROUP_SOCK_ADDR),
        *(ProgType.CGROUP_SOCKOPT, ProgType.CGROUP_SYSCTL, ProgType.SOCK_OPS),
    }
)
_LWT: Final = frozenset({ProgType.LWT_IN, ProgType.LWT_OUT, ProgType.LWT_XMIT, ProgType.LWT_SEG6LOCAL})
_TC: Final = frozenset({ProgType.SCHED_CLS, ProgType.SCHED_ACT})
_SKB: Final = frozenset({ProgType.SOCKET_FILTER, ProgType.SK_SKB, ProgType.NETFILTER})

SETS: Final[Mapping[str, frozenset[ProgType]]] = {
    "xdp": frozenset({ProgType.XDP}),
    "tc": _TC,
    "packets": _TC | {ProgType.XDP},
    "conntrack": frozenset({ProgType.XDP, ProgType.SCHED_CLS}),
    "skb": _TC | _SKB | _LWT | _CGROUP | _TRACERS,
    "cgroup": _CGROUP,
    "syscall": frozenset({ProgType.SYSCALL}),
    "tracers": _TRACERS | {ProgType.SYSCALL, ProgType.STRUCT_OPS},
    "generic": _TRACERS | _CGROUP | {ProgType.XDP, ProgType.SCHED_CLS, ProgType.SYSCALL, ProgType.STRUCT_OPS},
}
"""Program types by the names of the sets in the file."""


@dataclass(frozen=True, slots=True)
class Kfunc:
    """A kernel function by its name, its flags, and the program types that may call it (None: all)."""

    name: str
    flags: KfuncFlag = KfuncFlag.NONE
    programs: frozenset[ProgType] | None = None

    def allows(self, prog_type: ProgType) -> bool:
        """Whether programs of a type may call it."""
        return self.programs is None or prog_type in self.programs


FILE: Final = "kfuncs.txt"


@cache
def kfuncs() -> Mapping[str, Kfunc]:
    """Return all rows by name."""
    text = files("bpflab.abi").joinpath(FILE).read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: _row(name, words) for name, *words in rows}


def _row(name: str, words: list[str]) -> Kfunc:
    sets = [word[1:] for word in words if word.startswith("@")]
    flags = flags_of(word for word in words if not word.startswith("@"))
    return Kfunc(name, flags, SETS[sets[0]] if sets else None)


def kfunc(name: str) -> Kfunc:
    """Return the row of a name; one without flags for a function that has none."""
    return kfuncs().get(name) or Kfunc(name)


def flags_of(words: Iterable[str]) -> KfuncFlag:
    """Return flags by their words; ArgumentError for one that there is not."""
    found = KfuncFlag.NONE
    for word in words:
        if word.upper() not in KfuncFlag.__members__:
            known = ", ".join(flag.lower() for flag in KfuncFlag.__members__)
            raise ArgumentError(f"{word!r} is no flag of a kernel function; there are {known}.")
        found |= KfuncFlag[word.upper()]
    return found
