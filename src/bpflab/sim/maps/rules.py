"""Whether a map may be made: the rules of `abi.map_rules`, with the errno of each breach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.map_rules import EXCLUSIVE, RULES
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Collection

    from bpflab.abi.map_rules import MapRule, Numbers
    from bpflab.sim.maps.spec import MapSpec

KMALLOC_MAX: Final = 1 << 22
"""The largest piece of memory that the kernel takes for one element (KMALLOC_MAX_SIZE on 64-bit)."""

LARGEST: Final = 1 << 36
"""Bytes of values past which a simulated map is refused as too much memory."""


def check(spec: MapSpec, too_big: Collection[str] = ()) -> None:
    """Refuse a spec that breaks its type's rule: EINVAL, E2BIG for the fields named when they are too large."""
    rule = RULES[spec.type]
    check_flags(spec.flags, rule)
    big = [
        _is_big(numbers, number, name in too_big)
        for name, numbers, number in (
            ("key_size", rule.key, spec.key_size),
            ("value_size", rule.value_for(spec.flags), spec.value_size),
            ("max_entries", rule.entries, spec.max_entries),
        )
        if number not in numbers
    ]
    refuse_if(any(big), Errno.E2BIG)


def check_flags(flags: int, rule: MapRule) -> None:
    """Refuse (EINVAL) flags that the type does not know, lacks, or that exclude each other."""
    refuse_if(flags & ~int(rule.flags) or int(rule.needed) & ~flags)
    refuse_if(any(flags & int(pair) == int(pair) for pair in EXCLUSIVE))


def _is_big(numbers: Numbers, number: int, allowed: bool) -> bool:
    if not allowed or numbers.high is None or number <= numbers.high:
        raise Refusal(Errno.EINVAL)
    return True


def check_element_size(spec: MapSpec, header: int) -> None:
    """Refuse (E2BIG) keys and values that do not fit one allocation beside a header of so many bytes."""
    refuse_if(spec.key_size + spec.value_size >= KMALLOC_MAX - header, Errno.E2BIG)


def check_preallocated(spec: MapSpec, header: int) -> None:
    """Refuse (ENOMEM) a map whose elements, made in advance, take more memory than there is."""
    check_memory(spec.max_entries * (spec.key_size + spec.value_size + header))


def check_memory(size: int) -> None:
    """Refuse (ENOMEM) a map of more bytes than the simulator takes."""
    refuse_if(size > LARGEST, Errno.ENOMEM)
