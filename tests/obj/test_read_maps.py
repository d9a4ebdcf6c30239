"""Maps of an object: defined by BTF, by the old section, and made of variables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpflab.abi.btf import BtfKind
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.errors import ObjectError
from bpflab.obj import Btf, MapSpec, compile_c, read_object
from bpflab.obj.btf_types import Datasec, Var
from bpflab.obj.data_maps import kernel_name
from bpflab.obj.spec import Pinning

if TYPE_CHECKING:
    from tests.obj.conftest import Read

    from bpflab.abi.layout import ByteOrder

BOTH_ORDERS = pytest.mark.parametrize("byteorder", ["little", "big"])


@BOTH_ORDERS
def test_a_definition_gives_every_field(read: Read, byteorder: ByteOrder) -> None:
    found = read("maps", byteorder).maps["typed"]
    assert (found.type, found.max_entries, found.flags) == (MapType.LRU_HASH, 128, MapFlag.NO_COMMON_LRU)
    assert (found.key_size, found.value_size, found.numa_node) == (8, 8, 3)
    assert found.pinning is Pinning.BY_NAME


def test_types_of_key_and_value_are_known_by_btf_id(read: Read) -> None:
    spec = read("maps")
    btf = Btf(spec.btf or b"")
    found = spec.maps["typed"]
    assert (btf.name(found.btf_key_type_id), btf.name(found.btf_value_type_id)) == ("pair", "__u64")
    assert found.create_type_ids == (found.btf_key_type_id, found.btf_value_type_id)


@pytest.mark.parametrize("name", ["outer", "events", "sized"])
def test_ids_are_kept_from_the_kernel_where_it_refuses_them(read: Read, name: str) -> None:
    assert read("maps").maps[name].create_type_ids == (0, 0)


def test_sizes_may_be_given_without_types(read: Read) -> None:
    found = read("maps").maps["sized"]
    assert (found.key_size, found.value_size, found.map_extra, found.btf_value_type_id) == (0, 12, 5, 0)


@BOTH_ORDERS
def test_an_outer_map_has_a_template_and_initial_values(read: Read, byteorder: ByteOrder) -> None:
    outer = read("maps", byteorder).maps["outer"]
    assert outer.inner is not None
    assert (outer.inner.type, outer.inner.max_entries, outer.inner.value_size) == (MapType.ARRAY, 4, 8)
    assert (outer.value_size, outer.values) == (4, {0: "one", 2: "two"})


@BOTH_ORDERS
def test_a_program_array_starts_with_programs(read: Read, byteorder: ByteOrder) -> None:
    jumps = read("maps", byteorder).maps["jumps"]
    assert (jumps.value_size, jumps.values) == (4, {1: "target"})


@BOTH_ORDERS
def test_the_old_section_gives_five_numbers_a_map(read: Read, byteorder: ByteOrder) -> None:
    maps = read("legacy", byteorder).maps
    assert maps == {
        "old_hash": MapSpec("old_hash", MapType.HASH, 4, 8, 32, MapFlag.NO_PREALLOC),
        "old_array": MapSpec("old_array", MapType.ARRAY, 4, 16, 2),
    }
    assert [each.symbol for each in read("legacy", byteorder).programs["uses"].relocations] == ["old_array", "old_hash"]


@BOTH_ORDERS
def test_variables_lie_in_the_data_with_their_values(read: Read, byteorder: ByteOrder) -> None:
    spec = read("variables", byteorder)
    values = {
        name: bytes((each.data or b"")[var.offset : var.offset + var.size])
        for each in spec.maps.values()
        for name, var in each.variables.items()
    }
    assert values == {
        "counter": (5).to_bytes(4, byteorder),
        "offset": (7).to_bytes(4, byteorder),
        "limits": (10).to_bytes(4, byteorder) + bytes(4) + (1 << 40).to_bytes(8, byteorder),
        "greeting": b"hello\0\0\0",
        "zero": bytes(8),
        "small": bytes(6),
        "custom": (3).to_bytes(4, byteorder),
        "only_static": (9).to_bytes(4, byteorder),
    }


def test_variables_know_their_types(read: Read) -> None:
    spec = read("variables")
    btf = Btf(spec.btf or b"")
    var = spec.maps[".bss"].variables["zero"]
    assert btf.name(var.type_id) == "__u64"


def test_without_btf_variables_are_known_by_their_symbols(tmp_path: Path) -> None:
    source = Path(__file__).parent / "programs" / "variables.bpf.c"
    data = read_object(compile_c(source, cache=tmp_path, flags=["-g0"])).maps[".data"]
    assert {name: (each.size, each.type_id) for name, each in data.variables.items()} == {
        "counter": (4, 0),
        "offset": (4, 0),
    }


def test_literals_are_data_that_btf_does_not_describe(tmp_path: Path) -> None:
    source = tmp_path / "literal.bpf.c"
    source.write_text(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
        'SEC("xdp") int p(void *ctx) { return bpf_trace_printk("hello", 6); }\n'
    )
    spec = read_object(compile_c(source, cache=tmp_path))
    (name,) = spec.maps
    found = spec.maps[name]
    assert (name.startswith(".rodata"), bytes(found.data or b"")) == (True, b"hello\0")
    assert (found.btf_value_type_id, found.create_type_ids, found.frozen) == (0, (0, 0), True)
    assert [each.symbol for each in spec.programs["p"].relocations] == [name]


def test_read_only_data_is_frozen_and_says_so_to_the_kernel(read: Read) -> None:
    maps = read("variables").maps
    assert {name for name, each in maps.items() if each.frozen} == {".rodata", ".rodata.own"}
    assert {name for name, each in maps.items() if each.flags & MapFlag.RDONLY_PROG} == {".rodata", ".rodata.own"}


def test_data_without_global_variables_is_not_mapped_into_memory(read: Read) -> None:
    maps = read("variables").maps
    assert {name for name, each in maps.items() if not each.flags & MapFlag.MMAPABLE} == {".rodata.own"}


@BOTH_ORDERS
def test_btf_has_every_variable_in_its_place(read: Read, byteorder: ByteOrder) -> None:
    spec = read("variables", byteorder)
    btf = Btf(spec.btf or b"")
    for name, each in spec.maps.items():
        section = btf.get(btf.require(name, BtfKind.DATASEC), Datasec)
        placed = [(btf.get(var.type_id, Var).name, var.offset) for var in section.variables]
        assert section.size == each.value_size
        assert placed == sorted(((var.name, var.offset) for var in each.variables.values()), key=lambda pair: pair[1])


@pytest.mark.parametrize(
    ("section", "name", "expected"),
    [
        (".bss", "firewall.bpf.o", "firewall.bss"),
        (".rodata", "a_long_object_name.o", "a_long_o.rodata"),
        (".bss", "a_long_object_name.o", "a_long_o.bss"),
        (".data.custom", "firewall.o", ".data.custom"),
        (".rodata.str1.1", "firewall.o", ".rodata.str1.1"),
        (".data", "dir/with-dash.o", "with_das.data"),
    ],
)
def test_data_maps_have_the_names_that_libbpf_gives_them(section: str, name: str, expected: str) -> None:
    assert kernel_name(section, name) == expected


def test_a_missing_map_is_answered_with_those_there_are(read: Read) -> None:
    with pytest.raises(ObjectError, match="has no map 'new_hash'; it has old_array, old_hash"):
        read("legacy").map("new_hash")
