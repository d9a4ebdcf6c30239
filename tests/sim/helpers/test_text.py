"""Numbers, comparisons and formats of texts answer as the running kernel's do."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.flags import MapFlag
from bpflab.asm import (
    DW,
    Items,
    add,
    call,
    exit_,
    ld_imm64,
    ld_map_value,
    mov,
    r0,
    r1,
    r2,
    r3,
    r4,
    r5,
    r6,
    r7,
    r10,
    stx,
)
from bpflab.asm import st as store
from bpflab.sim.backend import SimBackend
from bpflab.sim.events import Printk

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SHOWN = 48
PACKET = bytes(64)
AT = -256


def on_stack(content: bytes, at: int) -> Items:
    padded = content.ljust(-(-len(content) // 8) * 8, b"\0")
    words = struct.unpack(f"={len(padded) // 8}Q", padded)
    return [item for n, word in enumerate(words) for item in (ld_imm64(r1, word), stx(DW, r10, r1, at + 8 * n))]


def marked() -> Items:
    return [mov(r6, r1), *(store(DW, r10, -8 * slot, 0x41) for slot in range(1, SHOWN // 8 + 1))]


def shown() -> Items:
    """Copy the top of the stack into the packet, and return what the helper answered."""
    copy = [mov(r1, r6), mov(r2, 0), mov(r3, r10), add(r3, -SHOWN), mov(r4, SHOWN), call("xdp_store_bytes")]
    return [mov(r7, r0), *copy, mov(r0, r7), exit_()]


SPACES = st.sampled_from([b"", b" ", b"\t\n", b"\xa0", b"\x0b \r"])
DIGITS = st.one_of(
    st.integers(0, 1 << 65).map(lambda n: b"%d" % n),
    st.integers(0, 1 << 65).map(lambda n: b"%x" % n),
    st.sampled_from([1 << 63, (1 << 63) - 1, (1 << 64) - 1, 1 << 64]).map(lambda n: b"%d" % n),
    st.text("01789afAFxX- +", max_size=6).map(str.encode),
    st.integers(58, 66).map(lambda n: b"0" * n + b"1"),
)
NUMERALS = st.builds(
    lambda *parts: b"".join(parts),
    SPACES,
    st.sampled_from([b"", b"", b"-", b"+", b"--", b"- "]),
    st.sampled_from([b"", b"", b"0x", b"0X", b"0"]),
    DIGITS,
    st.sampled_from([b"", b" ", b"\0", b"z", b"\n9"]),
)


@pytest.mark.parametrize("helper", ["strtol", "strtoul"])
@SETTINGS
@given(text=NUMERALS, base=st.sampled_from([0, 8, 10, 16, 16, 10, 0, 2, 32, 1 << 32]))
@example(b"12", 2)
@example(b"-9223372036854775808", 10)
@example(b"", 0)
def test_a_text_is_read_as_a_number_alike(same: Callable[..., Any], helper: str, text: bytes, base: int) -> None:
    code = [*marked(), *on_stack(text or b"\0", AT), mov(r1, r10), add(r1, AT), mov(r2, max(len(text), 1))]
    code += [ld_imm64(r3, base), mov(r4, r10), add(r4, -16), call(helper)]
    same([*code, *shown()], PACKET, type="xdp")


def constants(pair: Any, text: bytes) -> Sequence[Any]:
    maps: Sequence[Any] = pair.maps("ARRAY", value=len(text), max_entries=1, name="text", flags=MapFlag.RDONLY_PROG)
    for each in maps:
        each[0] = text
        each.freeze()
    return maps


def agree(pair: Any, text: bytes, code: Items) -> None:
    """Run a program that names the read-only map `text` on both."""
    maps = constants(pair, text)
    try:
        pair.agree(code, PACKET, type="xdp")
    finally:
        for each in maps:
            each.close()


WORDS = st.text("ab\0\xff", max_size=4).map(lambda text: text.encode("latin-1"))


@SETTINGS
@given(first=WORDS, second=WORDS, size=st.integers(1, 6), ended=st.sampled_from([b"\0", b"\0", b"\0x", b""]))
def test_texts_are_compared_alike(pair: Any, first: bytes, second: bytes, size: int, ended: bytes) -> None:
    code = [*on_stack(first.ljust(8, b"\0"), -16), mov(r1, r10), add(r1, -16), mov(r2, size)]
    code += [ld_map_value(r3, "text", 0), call("strncmp"), exit_()]
    agree(pair, (second + ended) or b"\0", code)


CONVERSIONS = st.one_of(
    st.builds(
        lambda flags, width, kind: b"%" + flags + width + kind,
        st.text("0+- ", max_size=3).map(str.encode),
        st.sampled_from([b"", b"", b"1", b"5", b"20", b"1000"]),
        st.sampled_from([b"d", b"i", b"u", b"x", b"X", b"ld", b"lld", b"lu", b"llx", b"lX", b"c", b"s"]),
    ),
    st.sampled_from([b"%", b"%%", b"%q", b"%hd", b"%lc", b"%zd", b"%5%", b"%.3s", b"%pi5", b"%pf", b"%1"]),
)
PLAIN = st.sampled_from([b"", b" ", b"x", b",", b"\n", b"\x80", b"\xa1", b"\x01", b"ab|"])
FORMATS = st.lists(st.one_of(CONVERSIONS, PLAIN), max_size=5).map(b"".join)
VALUES = st.one_of(st.integers(0, (1 << 64) - 1), st.sampled_from([0, 65, 1 << 31, 1 << 63, (1 << 64) - 1, 1 << 32]))
VALUE_LISTS = st.lists(VALUES, max_size=5)


@SETTINGS
@given(fmt=FORMATS, values=VALUE_LISTS, size=st.sampled_from([0, 1, 8, SHOWN]), odd=st.sampled_from([0, 0, 0, 7]))
def test_values_are_formatted_alike(pair: Any, fmt: bytes, values: list[int], size: int, odd: int) -> None:
    array = struct.pack(f"={len(values)}Q", *values) or bytes(8)
    code = [*marked(), *on_stack(array, AT), mov(r1, r10), add(r1, -SHOWN), mov(r2, size)]
    code += [ld_map_value(r3, "text", 0), mov(r4, r10), add(r4, AT), mov(r5, 8 * len(values) - odd if values else 0)]
    agree(pair, fmt + b"\0", [*code, call("snprintf"), *shown()])


@SETTINGS
@given(
    kinds=st.lists(st.sampled_from([b"%s", b"%-9s|", b"%pI4", b"%pi4", b"%pI6", b"%pi6", b"%9pks"]), max_size=3),
    content=st.binary(min_size=16, max_size=16),
    size=st.sampled_from([8, SHOWN]),
)
def test_what_pointers_lead_to_is_formatted_alike(pair: Any, kinds: list[bytes], content: bytes, size: int) -> None:
    kinds = kinds if size == SHOWN else kinds[:1]
    code = [*marked(), *on_stack(content + bytes(8), AT), mov(r1, r10), add(r1, AT)]
    code += [stx(DW, r10, r1, AT + 32 + 8 * n) for n in range(4)]
    code += [mov(r1, r10), add(r1, -SHOWN), mov(r2, size), ld_map_value(r3, "text", 0)]
    code += [mov(r4, r10), add(r4, AT + 32), mov(r5, 8 * len(kinds)), call("snprintf"), *shown()]
    agree(pair, b" ".join(kinds) + b"\0", code)


@pytest.mark.parametrize("kind", [b"%p", b"%px", b"%pK", b"%ps", b"%pS", b"%pB", b"%9p|", b"%-5ps|", b"%s", b"%pI4"])
def test_null_pointers_are_formatted_alike(pair: Any, kind: bytes) -> None:
    code = [*marked(), store(DW, r10, AT, 0), mov(r1, r10), add(r1, -SHOWN), mov(r2, SHOWN)]
    code += [ld_map_value(r3, "text", 0), mov(r4, r10), add(r4, AT), mov(r5, 8), call("snprintf"), *shown()]
    agree(pair, kind + b"\0", code)


@SETTINGS
@given(fmt=FORMATS, values=st.lists(VALUES, min_size=3, max_size=3), ended=st.sampled_from([b"\0", b"\0", b""]))
def test_printing_gives_the_same_length(same: Callable[..., Any], fmt: bytes, values: list[int], ended: bytes) -> None:
    text = fmt + ended or b"\0"
    code = [*on_stack(text, AT), mov(r1, r10), add(r1, AT), mov(r2, len(text))]
    code += [*map(ld_imm64, (r3, r4, r5), values), call("trace_printk"), exit_()]
    same(code, PACKET, type="xdp")


@SETTINGS
@given(fmt=FORMATS, values=VALUE_LISTS, size=st.sampled_from([None, None, 7, 104]), null=st.booleans())
def test_printing_an_array_gives_the_same_length(
    same: Callable[..., Any], fmt: bytes, values: list[int], size: int | None, null: bool
) -> None:
    array = struct.pack(f"={len(values)}Q", *values).ljust(104, b"\0")
    code = [*on_stack(array, -112), *on_stack(fmt + b"\0", AT), mov(r1, r10), add(r1, AT), mov(r2, len(fmt) + 1)]
    code += [mov(r3, 0)] if null else [mov(r3, r10), add(r3, -112)]
    code += [mov(r4, 8 * len(values) if size is None else size), mov(r5, 0), call("trace_vprintk"), exit_()]
    same(code, PACKET, type="xdp")


@pytest.fixture
def sim() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


def test_a_printed_line_is_among_the_worlds_events(sim: Lab) -> None:
    code = [*on_stack(b"port %d\0", -8), mov(r1, r10), add(r1, -8), mov(r2, 8), mov(r3, 23), call("trace_printk")]
    sim.program([*code, exit_()], type="xdp", name="teller").run(PACKET)
    assert isinstance(sim.backend, SimBackend)
    assert sim.backend.kernel.world.seen(Printk) == [Printk("teller", "port 23")]
