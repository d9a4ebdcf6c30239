"""What the kernel says of its functions that programs may call, beside their prototypes in BTF.

The rows stand in `kfuncs.txt`: a name, then the words of its flags. Sources: the BTF_ID_FLAGS lists of
Linux 6.18 and Documentation/bpf/kfuncs.rst. Prototypes are the kernel's BTF, read where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

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


@dataclass(frozen=True, slots=True)
class Kfunc:
    """A kernel function by its name, and its flags."""

    name: str
    flags: KfuncFlag = KfuncFlag.NONE


FILE: Final = "kfuncs.txt"


@cache
def kfuncs() -> Mapping[str, Kfunc]:
    """Return all rows by name."""
    text = files("bpflab.abi").joinpath(FILE).read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: Kfunc(name, flags_of(words)) for name, *words in rows}


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
