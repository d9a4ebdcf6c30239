"""Objects are written as text as the running kernel writes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab.abi.btf import BtfKind
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf
from bpflab.obj.btf_layout import resolved, size_of
from bpflab.programs.result import signed

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TYPED = pytest.mark.usefixtures("kernel_types")
ROOM, LARGEST = 16384, 512
RAW = 4
SHOWN = (t.Struct, t.Union, t.Int, t.Enum, t.Enum64, t.Typedef, t.Pointer)
KNOWN = [
    *(
        ("iphdr", BtfKind.STRUCT),
        ("in6_addr", BtfKind.STRUCT),
        ("sockaddr", BtfKind.STRUCT),
        ("list_head", BtfKind.STRUCT),
    ),
    *(("bpf_insn", BtfKind.STRUCT), ("pid_t", BtfKind.TYPEDEF), ("bpf_prog_type", BtfKind.ENUM), ("int", BtfKind.INT)),
]
CODE = """
    r1 = map[name:object][0]+0
    *(u64 *)(r10 - 16) = r1
    r1 = {type_id}
    *(u32 *)(r10 - 8) = r1
    r1 = 0
    *(u32 *)(r10 - 4) = r1
    r1 = map[name:text][0]+0
    r2 = {room}
    r3 = r10
    r3 += -16
    r4 = {size}
    r5 = {flags} ll
    call snprintf_btf
    exit
"""


def _small(types: Btf, number: int) -> bool:
    found = resolved(types, number)
    return isinstance(found, SHOWN) and 0 < size_of(types, number) <= LARGEST


class Writing:
    """Writes objects on both kernels."""

    def __init__(self, pair: Any, maps: Any, types: Btf) -> None:
        self.pair, self.maps, self.types = pair, maps, types
        self.shown = [number for number in types if isinstance(types[number], SHOWN) and _small(types, number)]

    def texts(self, data: bytes, **values: int) -> list[tuple[int, bytes]]:
        """Return what each kernel answers and writes for an object."""
        given_ = {"room": ROOM, "size": 16, "flags": RAW} | values
        answers = []
        for lab, (text, kept) in zip((self.pair.kernel, self.pair.sim), self.maps, strict=True):
            text[0], kept[0] = b"\xaa" * ROOM, data.ljust(LARGEST, b"\0")
            with closing(lab.program(CODE.format(**given_), type="raw_tracepoint")) as program:
                answers.append((signed(program.run().retval), bytes(text[0])))
        return answers


@pytest.fixture(scope="module")
def writing(pair: Any, kernel_types: None) -> Iterator[Writing]:
    del kernel_types  # without them there is nothing to compare
    sizes = (("text", ROOM), ("object", LARGEST))
    texts, objects = (pair.maps("ARRAY", value=size, max_entries=1, name=name) for name, size in sizes)
    yield Writing(pair, list(zip(texts, objects, strict=True)), pair.sim.world.types.btf)
    for each in (*texts, *objects):
        each.close()


@SETTINGS
@given(data=st.data(), flags=st.integers(0, 15).map(lambda flags: flags | RAW))
def test_an_object_has_the_running_kernels_text(writing: Writing, data: Any, flags: int) -> None:
    number = data.draw(st.sampled_from(writing.shown))
    size = size_of(writing.types, number)
    sparse = st.lists(st.sampled_from([0, 0, 0, 1, 0x41, 0xFF]), min_size=size, max_size=size).map(bytes)
    content = data.draw(sparse | st.binary(min_size=size, max_size=size))
    kernel, sim = writing.texts(content, type_id=number, flags=flags)
    assert sim == kernel, f"{writing.types.kind(number)} {writing.types.name(number)}"


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("flags", [4, 5, 6, 7, 12, 15])
@pytest.mark.parametrize("content", [b"", b"hello\0world", bytes(range(1, 65)), b"\xff" * 64])
def test_known_types_have_it(writing: Writing, known: tuple[str, BtfKind], flags: int, content: bytes) -> None:
    kernel, sim = writing.texts(content, type_id=writing.types.require(*known), flags=flags)
    assert sim == kernel


@SETTINGS
@given(room=st.integers(1, 400))
@example(room=1)
def test_a_text_is_cut_where_the_buffer_ends(writing: Writing, room: int) -> None:
    number = writing.types.require("iphdr", BtfKind.STRUCT)
    kernel, sim = writing.texts(bytes(range(1, 65)), type_id=number, room=room)
    assert sim == kernel


@pytest.mark.parametrize(
    "values",
    [{"flags": 16}, {"flags": 1 << 32}, {"size": 8}, {"type_id": 0}, {"type_id": 0x7FFFFFFF}, {"type_id": -1}],
)
def test_what_is_no_object_is_refused_alike(writing: Writing, values: dict[str, int]) -> None:
    kernel, sim = writing.texts(b"", **({"type_id": 1} | values))
    assert sim == kernel
