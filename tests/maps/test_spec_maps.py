from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bpflab.abi.btf import IntEncoding
from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.backend.descriptor import Descriptor
from bpflab.backend.select import open_backend
from bpflab.backend.wrap import WrappedBackend
from bpflab.errors import ArgumentError, NotPermittedError, NotSupportedError, PinError, SyscallError
from bpflab.lab import Lab
from bpflab.maps.from_spec import map_from_spec
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf
from bpflab.obj.spec import MapSpec, Pinning

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

    from bpflab.maps.base import Map

TYPES = Btf.build(
    [
        t.Int(name="unsigned int", size=4, bits=32),
        t.Int(name="long", size=8, bits=64, encoding=IntEncoding.SIGNED),
        t.Struct(name="counts", size=16, members=(t.Member("packets", 2, 0), t.Member("limit", 2, 64))),
        t.Var(name="limit", type_id=1),
        t.Datasec(name=".data", size=8, variables=(t.SectionVariable(4, 0, 4),)),
        t.Struct(name="bpf_spin_lock", size=4, members=(t.Member("val", 1, 0),)),
        t.Struct(name="guarded", size=8, members=(t.Member("count", 1, 0), t.Member("lock", 6, 32))),
        t.Struct(name="bpf_timer", size=16, members=(t.Member("opaque", 2, 0),)),
        t.Struct(name="timed", size=16, members=(t.Member("timer", 8, 0),)),
    ]
)
COUNTS = MapSpec("counts", MapType.HASH, 4, 16, 8, btf_key_type_id=1, btf_value_type_id=3)


def load(lab: Lab) -> int:
    answer = lab.call(Command.BTF_LOAD, btf=TYPES.data, btf_size=len(TYPES.data))
    return lab.own(Descriptor(lab.backend, answer.result, "The types")).fileno()


def test_a_spec_becomes_a_map_whose_values_are_records(bpf: Lab) -> None:
    counts = map_from_spec(bpf, COUNTS, types=TYPES, btf_fd=load(bpf))
    counts[7] = {"packets": -3}
    assert (counts[7].packets, counts[7].limit) == (-3, 0)
    assert bpf.maps["counts"] is counts
    assert counts.info.btf_value_type_id == 3


def test_a_map_that_is_made_with_btf_tells_the_kernel_of_its_types(bpf: Lab) -> None:
    for btf in (TYPES, TYPES.data):
        counts = bpf.map("percpu_hash", key="unsigned int", value="struct counts", max_entries=8, btf=btf)
        counts[1] = [{"packets": cpu} for cpu in range(bpf.backend.possible_cpus)]
        assert counts[1].field("packets").max() == bpf.backend.possible_cpus - 1
    made = bpf.map("hash", key="unsigned int", value="struct counts", max_entries=8, btf=TYPES)
    assert (made.info.btf_key_type_id, made.info.btf_value_type_id) == (1, 3)


def test_without_btf_integers_are_read_by_their_size_and_other_values_as_bytes(bpf: Lab) -> None:
    counts = map_from_spec(bpf, COUNTS)
    counts[1] = bytes(16)
    assert (counts[1], counts.shape.key.name) == (bytes(16), "u32")


def test_a_map_that_was_loaded_with_btf_is_opened_with_it(bpf: Lab) -> None:
    counts = map_from_spec(bpf, COUNTS, types=TYPES, btf_fd=load(bpf))
    counts[1] = (5, 6)
    assert bpf.open_map(fd=counts.fileno())[1].packets == 5


def test_a_data_map_has_its_content_and_is_frozen(bpf: Lab) -> None:
    spec = MapSpec(
        ".data",
        MapType.ARRAY,
        4,
        8,
        1,
        flags=MapFlag.RDONLY_PROG,
        data=bytearray((9).to_bytes(4, sys.byteorder) + bytes(4)),
        frozen=True,
        btf_value_type_id=5,
        kernel_name="x.data",
    )
    data = map_from_spec(bpf, spec, types=TYPES)
    assert data[0].limit == 9
    with pytest.raises(NotPermittedError):
        data[0] = {"limit": 1}


def test_a_map_of_maps_has_the_template_of_its_spec(bpf: Lab) -> None:
    outer = map_from_spec(
        bpf, MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 2, inner=replace(COUNTS, kernel_name="inner"))
    )
    outer[1] = map_from_spec(bpf, COUNTS)
    assert outer.template.shape.name == "inner"
    with pytest.raises(SyscallError):
        outer[0] = bpf.map("array", value="u32", max_entries=1)


def test_a_perf_event_array_without_a_size_has_an_entry_for_each_cpu(bpf: Lab) -> None:
    events = map_from_spec(bpf, MapSpec("events", MapType.PERF_EVENT_ARRAY, 4, 4, 0))
    assert events.max_entries == bpf.backend.possible_cpus


def test_a_trie_of_eight_bytes_is_one_of_networks_whatever_its_btf(bpf: Lab) -> None:
    routes = map_from_spec(bpf, MapSpec("routes", MapType.LPM_TRIE, 8, 4, 8, flags=MapFlag.NO_PREALLOC))
    routes["10.0.0.0/8"] = 5
    assert routes["10.1.2.3"] == 5


def test_a_spec_that_breaks_the_rules_of_its_type_is_refused(bpf: Lab) -> None:
    with pytest.raises(ArgumentError, match="max_entries of the HASH map 'counts' is 0"):
        map_from_spec(bpf, replace(COUNTS, max_entries=0))


def test_a_map_that_is_pinned_by_name_is_found_again(bpf: Lab) -> None:
    spec = replace(COUNTS, pinning=Pinning.BY_NAME)
    first = map_from_spec(bpf, spec)
    first[1] = bytes(16)
    second = map_from_spec(bpf, spec)
    assert (second.id, second[1]) == (first.id, bytes(16))
    with pytest.raises(PinError, match=f"pinned at {bpf.pin_root}/counts .*has max_entries 8; 9 was expected"):
        map_from_spec(bpf, replace(spec, max_entries=9))


class WithoutBtf(WrappedBackend):
    """Refuses maps with BTF types, or all maps."""

    def __init__(self, name: str, *, all_maps: bool) -> None:
        super().__init__(open_backend(name))
        self.all_maps = all_maps
        self.tried = 0
        self._refused = False

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        return self.answer

    def answer(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        self._refused = command == Command.MAP_CREATE and (self.all_maps or self.tried == 0)
        self.tried += command == Command.MAP_CREATE
        return -1 if self._refused else self.inner.bpf(command, attr, size)

    def errno(self) -> int:
        return int(Errno.EINVAL) if self._refused else self.inner.errno()


def made_on_an_old_kernel(backend: str, *, all_maps: bool, spec: MapSpec = COUNTS) -> tuple[WithoutBtf, Map[Any, Any]]:
    old = WithoutBtf(backend, all_maps=all_maps)
    with Lab(old) as lab:
        return old, map_from_spec(lab, spec, types=TYPES, btf_fd=load(lab))


def test_a_kernel_that_does_not_take_btf_gets_the_map_without(bpf_backend: str) -> None:
    old, made = made_on_an_old_kernel(bpf_backend, all_maps=False)
    assert old.tried == 2
    assert made.name == "counts"


def test_a_kernel_that_takes_no_such_map_at_all_says_so(bpf_backend: str) -> None:
    with pytest.raises(SyscallError, match="HASH map 'counts' could not be created"):
        made_on_an_old_kernel(bpf_backend, all_maps=True)


GUARDED = MapSpec("guarded", MapType.HASH, 4, 8, 8, btf_key_type_id=1, btf_value_type_id=7)
TIMED = MapSpec("timed", MapType.HASH, 4, 16, 8, btf_key_type_id=1, btf_value_type_id=9)


@pytest.mark.parametrize("kind", ["HASH", "ARRAY", "LRU_HASH", "PERCPU_HASH", "LRU_PERCPU_HASH", "PERCPU_ARRAY"])
@pytest.mark.parametrize(("spec", "field"), [(GUARDED, "bpf_spin_lock at byte 4"), (TIMED, "bpf_timer at byte 0")])
def test_a_map_whose_type_may_not_have_a_field_of_the_kernel_is_refused_in_words(
    bpf: Lab, kind: str, spec: MapSpec, field: str
) -> None:
    wanted = replace(spec, type=MapType[kind])
    allowed = {"HASH", "ARRAY"} | ({"LRU_HASH"} if spec is TIMED else set())
    if kind in allowed:
        assert (
            map_from_spec(bpf, wanted, types=TYPES, btf_fd=load(bpf)).info.btf_value_type_id == spec.btf_value_type_id
        )
        return
    words = rf"{kind} map '{spec.name}' .*EOPNOTSUPP.* have a {field}, which only these types may have: ARRAY, .*HASH"
    with pytest.raises(NotSupportedError, match=words):
        map_from_spec(bpf, wanted, types=TYPES, btf_fd=load(bpf))
    with pytest.raises(NotSupportedError, match=words):
        bpf.map(kind, key="unsigned int", value=f"struct {spec.name}", max_entries=8, name=spec.name, btf=TYPES)


@pytest.mark.parametrize("flag", [MapFlag.RDONLY_PROG, MapFlag.WRONLY_PROG])
def test_a_map_that_programs_may_not_write_has_no_field_of_the_kernel(bpf: Lab, flag: MapFlag) -> None:
    words = f"EACCES.* have a bpf_spin_lock at byte 4, and a map with such a field cannot be {flag.name}"
    with pytest.raises(NotSupportedError, match=words):
        map_from_spec(bpf, replace(GUARDED, flags=int(flag)), types=TYPES, btf_fd=load(bpf))


def test_an_old_kernel_does_not_get_a_map_without_its_btf_when_that_loses_a_lock(bpf_backend: str) -> None:
    with pytest.raises(SyscallError, match=r"HASH map 'guarded' could not be created \(EINVAL"):
        made_on_an_old_kernel(bpf_backend, all_maps=False, spec=GUARDED)
