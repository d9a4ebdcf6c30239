"""Whatever bytes are read, the answer is a spec or a sentence."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab.errors import BpfError, ObjectError
from bpflab.obj import ObjectSpec, compile_c, read_object
from bpflab.obj.elf_bounds import NOBITS_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.obj.conftest import Compile

BYTES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def outcome(data: bytes) -> ObjectSpec | BpfError:
    """Read, and give the spec or the error; any other exception is a failure of the test."""
    try:
        return read_object(data)
    except BpfError as problem:
        return problem


@pytest.fixture(scope="module")
def valid(compiled: Compile) -> bytes:
    return compiled("maps").read_bytes()


def test_an_object_cut_at_any_byte_is_refused(valid: bytes) -> None:
    kept = [size for size in range(len(valid)) if not isinstance(outcome(valid[:size]), ObjectError)]
    assert kept == []


@BYTES
@given(st.data())
def test_overwritten_bytes_give_a_spec_or_a_sentence(valid: bytes, data: st.DataObject) -> None:
    spoiled = bytearray(valid)
    for at in data.draw(st.lists(st.integers(0, len(valid) - 1), min_size=1, max_size=6)):
        spoiled[at] = data.draw(st.integers(0, 255))
    found = outcome(bytes(spoiled))
    assert isinstance(found, ObjectSpec) or str(found).startswith("object: ")


def headers_at(valid: bytes) -> int:
    """Give the offset of the section headers."""
    start: int = struct.unpack_from("<Q", valid, 40)[0]
    return start


@BYTES
@given(st.data())
def test_spoiled_section_headers_give_a_spec_or_a_sentence(valid: bytes, data: st.DataObject) -> None:
    start = headers_at(valid)
    spoiled = bytearray(valid)
    field = data.draw(st.integers(0, (len(valid) - start) // 4 - 1))
    value = data.draw(st.sampled_from([0, 1, 7, 64, 0x7FFFFFFF, 0xFFFFFFFF]) | st.integers(0, len(valid)))
    struct.pack_into("<I", spoiled, start + 4 * field, value)
    found = outcome(bytes(spoiled))
    assert isinstance(found, ObjectSpec) or str(found).startswith("object: ")


@given(st.binary(max_size=200))
@example(b"\x7fELF")
def test_no_bytes_at_random_are_an_object(data: bytes) -> None:
    assert isinstance(outcome(data), ObjectError)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda _: b"", "the file is empty"),
        (lambda _: b"#!/bin/sh\n", "this is no ELF file"),
        (lambda data: data[:40], "the file is cut"),
        (lambda data: data[:4] + b"\1" + data[5:], "not a 64-bit ELF file"),
        (lambda data: data[:18] + b"\x3e\0" + data[20:], "this is an object for X86_64, not for BPF"),
        (lambda data: data[:16] + b"\3\0" + data[18:], "not a relocatable object"),
        (lambda data: data[:60] + b"\0\0" + data[62:], "the ELF header is malformed"),
    ],
)
def test_what_is_no_bpf_object_is_said_in_words(valid: bytes, spoil: Callable[[bytes], bytes], message: str) -> None:
    with pytest.raises(ObjectError, match=message):
        read_object(spoil(valid))


def test_sections_that_overlap_are_refused_before_they_are_copied(valid: bytes) -> None:
    spoiled = bytearray(valid)
    for index in range(2, 6):
        struct.pack_into("<QQ", spoiled, headers_at(valid) + 64 * index + 24, 0, len(valid))
    with pytest.raises(ObjectError, match="its sections overlap"):
        read_object(bytes(spoiled))


def test_zero_bytes_without_end_are_refused(compiled: Compile) -> None:
    data = bytearray(compiled("variables").read_bytes())
    start = headers_at(bytes(data))
    (bss,) = [at for at in range(start, len(data), 64) if struct.unpack_from("<I", data, at + 4)[0] == 8]
    struct.pack_into("<Q", data, bss + 32, NOBITS_LIMIT + 1)
    with pytest.raises(ObjectError, match="are the most"):
        read_object(bytes(data))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ObjectError, match=r"missing.o: the file cannot be read: No such file"):
        read_object(tmp_path / "missing.o")


def test_a_directory_is_no_object(tmp_path: Path) -> None:
    with pytest.raises(ObjectError, match="the file cannot be read"):
        read_object(tmp_path)


def test_the_message_starts_with_the_path(compiled: Compile, tmp_path: Path) -> None:
    copy = tmp_path / "cut.o"
    shutil.copy(compiled("maps"), copy)
    copy.write_bytes(copy.read_bytes()[:-1])
    with pytest.raises(ObjectError) as caught:
        read_object(copy)
    assert str(caught.value).startswith(f"{copy}: ")


SOURCES = {
    "an unknown field": (
        'struct { __uint(type, 2); __uint(colour, 3); } m SEC(".maps");',
        "map 'm': field 'colour': it is not known; known are type, max_entries",
    ),
    "sizes that disagree": (
        'struct { __uint(type, 2); __type(key, int); __uint(key_size, 8); } m SEC(".maps");',
        "map 'm': field 'key_size': it says key_size = 8, and another field says 4",
    ),
    "an unknown type": ('struct { __uint(type, 999); } m SEC(".maps");', "map 'm' is of type 999"),
    "no type": ('struct { __uint(max_entries, 9); } m SEC(".maps");', "map 'm' has no type"),
    "a plain number": ('struct { int type; } m SEC(".maps");', "map 'm': field 'type': it is of kind INT"),
    "an unknown pinning": ('struct { __uint(type, 2); __uint(pinning, 7); } m SEC(".maps");', "has pinning 7"),
    "values in a hash": (
        'struct i { __uint(type, 2); }; struct { __uint(type, 1); __array(values, struct i); } m SEC(".maps");',
        "map 'm' of type HASH cannot have",
    ),
    "fields for another loader": (
        'struct { int type, key, value, entries, flags, id; } m SEC("maps") = { 2, 4, 4, 1, 0, 5 };',
        "map 'm' in section 'maps' sets fields past map_flags",
    ),
    "a definition that is no struct": ('int m SEC(".maps");', "map 'm' in .maps is defined as INT"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_map_that_cannot_be_is_said_in_words(tmp_path: Path, name: str) -> None:
    source, message = SOURCES[name]
    path = tmp_path / "bad.bpf.c"
    path.write_text(f"#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n{source}\n")
    with pytest.raises(ObjectError, match=message):
        read_object(compile_c(path, cache=tmp_path))


def test_maps_without_btf_are_told_to_compile_with_it(tmp_path: Path) -> None:
    path = tmp_path / "bare.bpf.c"
    path.write_text(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
        'struct { __uint(type, 2); } m SEC(".maps"); SEC("xdp") int p(void *ctx) { return 0; }\n'
    )
    with pytest.raises(ObjectError, match=r"the object has no BTF\. Compile with -g"):
        read_object(compile_c(path, cache=tmp_path, flags=["-g0"]))


def test_a_program_that_refers_to_no_map_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stray.bpf.c"
    path.write_text(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
        'int stray SEC("somewhere"); SEC("xdp") int p(void *ctx) { return stray; }\n'
    )
    with pytest.raises(ObjectError, match="refers to byte 0 of section 'somewhere', where no map or variable is"):
        read_object(compile_c(path, cache=tmp_path))
