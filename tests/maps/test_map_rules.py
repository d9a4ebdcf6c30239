"""The table of rules against the backend that the tests run on: it accepts what the table allows, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_rules import EXCLUSIVE, RULES, MapOp, Numbers
from bpflab.abi.map_types import MapType
from bpflab.errors import NotSupportedError, SyscallError
from bpflab.maps.batch_call import batch_refusal
from bpflab.maps.walkable import BATCH_OPS, NO_BATCH
from bpflab.testing.samples import sample_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.lab import Lab
    from bpflab.maps.base import Map


def value_size(kind: MapType, flags: int) -> int:
    """Return the size of values that a flag asks for; 0 where the sample's own does."""
    sizes = RULES[kind].value_for(flags)
    return 0 if sizes is RULES[kind].value else sizes.low


TYPES = pytest.mark.parametrize("kind", list(RULES), ids=lambda kind: kind.name.lower())
NEWER_THAN = {MapFlag.RB_OVERWRITE: (6, 19)}
WITHOUT_BTF = pytest.mark.parametrize(
    "kind", [kind for kind in RULES if not RULES[kind].needs_btf], ids=lambda kind: kind.name.lower()
)
SIZES = (0, 1, 2, 3, 4, 5, 6, 8, 12, 16, 32, 64, 128, 256, 260, 261, 512, 513, 1016, 1024, 4096, 32768, 32769)
ENTRIES = (0, 1, 2, 3, 7, 4096, 4097, 8192, 12288)


@pytest.fixture
def accepts(bpf: Lab, make: Callable[..., Map[Any, Any]]) -> Callable[..., bool]:
    """Ask the backend for a map of a type, with some fields of its attr changed; past the library's own checks."""

    def asked(kind: MapType, **changes: int) -> bool:
        shape = make(**sample_arguments(kind)).shape
        fields: dict[str, Any] = {
            "map_type": int(kind),
            "key_size": shape.key_size,
            "value_size": value_size(kind, changes.get("map_flags", 0)) or shape.value_size,
            "max_entries": shape.max_entries,
            "map_flags": int(shape.flags),
        }
        if RULES[kind].inner:
            fields["inner_map_fd"] = bpf.map("array", value="u32", max_entries=1).fileno()
        try:
            answer = bpf.call(Command.MAP_CREATE, **{**fields, **changes})
        except SyscallError:
            return False
        bpf.backend.close(answer.result)
        return True

    return asked


@WITHOUT_BTF
def test_the_flags_of_the_table_are_those_that_the_backend_takes(
    bpf: Lab, accepts: Callable[..., bool], kind: MapType
) -> None:
    rule = RULES[kind]
    known = [flag for flag in MapFlag if NEWER_THAN.get(flag, (0, 0)) <= bpf.backend.release[:2]]
    taken = {flag for flag in known if accepts(kind, map_flags=rule.needed | flag)}
    assert taken == {flag for flag in known if flag in rule.flags}


@WITHOUT_BTF
def test_a_map_is_not_made_without_the_flags_it_needs(accepts: Callable[..., bool], kind: MapType) -> None:
    assert accepts(kind, map_flags=0) is not bool(RULES[kind].needed)


@WITHOUT_BTF
def test_flags_that_exclude_each_other_are_not_taken_together(accepts: Callable[..., bool], kind: MapType) -> None:
    assert not any(accepts(kind, map_flags=RULES[kind].needed | pair) for pair in EXCLUSIVE)


@WITHOUT_BTF
@pytest.mark.parametrize(
    ("field", "rule", "candidates"),
    [("key_size", "key", SIZES), ("value_size", "value", SIZES), ("max_entries", "entries", ENTRIES)],
)
def test_the_sizes_of_the_table_are_those_that_the_backend_takes(
    accepts: Callable[..., bool], kind: MapType, field: str, rule: str, candidates: tuple[int, ...]
) -> None:
    allowed: Numbers = getattr(RULES[kind], rule)
    if kind is MapType.CPUMAP and field == "max_entries":
        candidates = ENTRIES[:5]  # a CPUMAP has at most as many entries as the kernel was built for CPUs
    taken = {number for number in candidates if accepts(kind, **{field: number})}
    assert taken == {number for number in candidates if number in allowed}


@pytest.mark.parametrize("kind", [kind for kind in RULES if RULES[kind].needs_btf], ids=lambda kind: kind.name.lower())
def test_local_storage_takes_its_flags_with_btf(make: Callable[..., Map[Any, Any]], kind: MapType) -> None:
    made = make(**sample_arguments(kind), flags=MapFlag.CLONE)
    assert made.info.flags == MapFlag.NO_PREALLOC | MapFlag.CLONE
    assert made.info.btf_key_type_id > 0


@TYPES
def test_the_batch_commands_of_the_table_are_those_that_the_backend_has(
    bpf: Lab, make: Callable[..., Map[Any, Any]], kind: MapType
) -> None:
    made = make(**sample_arguments(kind))
    had = {command for command in BATCH_OPS if batch_refusal(bpf.backend, made.fileno(), command) not in NO_BATCH}
    assert had == {command for command, op in BATCH_OPS.items() if op in RULES[kind].ops}


@TYPES
def test_a_type_can_be_mapped_into_memory_if_the_table_says_so(
    make: Callable[..., Map[Any, Any]], kind: MapType
) -> None:
    assert hasattr(make(**sample_arguments(kind)), "memory") == (
        MapOp.MMAP in RULES[kind].ops and "RING" not in kind.name
    )


@pytest.mark.parametrize(
    ("numbers", "inside", "outside", "text"),
    [
        (Numbers(only=(4, 8)), (4, 8), (0, 5, 16), "4 or 8"),
        (Numbers(1), (1, 10**9), (0,), "1 or more"),
        (Numbers(8, 1016, step=8), (8, 16, 1016), (0, 9, 1024), "8 to 1016, a multiple of 8"),
        (Numbers(4096, 2**31, power=True), (4096, 8192), (0, 4097, 12288), "a power of two, 4096 to 2147483648"),
    ],
)
def test_numbers_say_what_they_allow(
    numbers: Numbers, inside: tuple[int, ...], outside: tuple[int, ...], text: str
) -> None:
    assert all(number in numbers for number in inside)
    assert not any(number in numbers for number in outside)
    assert str(numbers) == text


@pytest.mark.parametrize("kind", [MapType.STRUCT_OPS, MapType.INSN_ARRAY, MapType.UNSPEC])
def test_types_that_are_made_otherwise_are_refused_by_name(bpf: Lab, kind: MapType) -> None:
    with pytest.raises(NotSupportedError, match=f"{kind.name} maps are not created"):
        bpf.map(kind)
