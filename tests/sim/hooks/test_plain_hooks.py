"""Programs that are given something else than a packet run as on the running kernel, and are refused as there."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.abi.flags import ProgFlag
from bpflab.errors import BpfError
from bpflab.programs.program import Program

SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ATTR = LAYOUTS[Command.PROG_TEST_RUN]
OPTIONS: dict[str, dict[str, Any]] = {
    "raw_tracepoint": {},
    "syscall": {"flags": ProgFlag.SLEEPABLE},
    "flow_dissector": {},
    "sk_lookup": {"expected_attach_type": AttachType.SK_LOOKUP},
    "netfilter": {"expected_attach_type": AttachType.NETFILTER},
}
CODE = {
    "raw_tracepoint": "r0 = *(u64 *)(r1 + 0)\nr2 = *(u32 *)(r1 + 20)\nr0 += r2\nexit",
    "syscall": "r0 = *(u32 *)(r1 + 0)\nr0 += 1\n*(u32 *)(r1 + 0) = r0\n*(u8 *)(r1 + 9) = 3\nexit",
    "flow_dissector": """
        r2 = *(u32 *)(r1 + 76)
        r3 = *(u32 *)(r1 + 80)
        r6 = *(u64 *)(r1 + 144)
        r0 = *(u32 *)(r6 + 48)
        r4 = r2
        r4 += 18
        if r4 > r3 goto out
        r4 = *(u16 *)(r2 + 14)
        r5 = *(u16 *)(r2 + 16)
        *(u16 *)(r6 + 0) = r4
        *(u16 *)(r6 + 2) = r5
    out:
        exit
    """,
    "sk_lookup": """
        r6 = 0
        r2 = *(u64 *)(r1 + 0)
        if r2 != 0 goto out
        r2 = *(u32 *)(r1 + 8)
        r3 = *(u8 *)(r1 + 16)
        r4 = *(u16 *)(r1 + 36)
        r5 = *(u32 *)(r1 + 44)
        r6 = r2
        r6 += r3
        r6 += r4
        r6 += r5
    out:
        r0 = r6
        r0 &= 1
        exit
    """,
    "netfilter": "r2 = *(u64 *)(r1 + 0)\nr0 = *(u8 *)(r2 + 0)\nr3 = *(u8 *)(r2 + 1)\nr0 += r3\nr0 &= 1\nexit",
}
ROOM = 256
"""Bytes behind every pointer: the kernel writes all it has where it is told that there is room for none."""


def address(memory: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(memory)).from_buffer(memory))


def test_run(lab: Lab, program: Program, buffers: dict[str, Any], numbers: dict[str, int]) -> tuple[Any, ...]:
    """Give errno, the attr's answers and every buffer's bytes. A buffer is bytes, or a size for one that is written."""
    values, memory = dict(numbers, prog_fd=program.fileno()), {}
    for name, given_value in buffers.items():
        kind, way = name.split("_")
        content = bytes(given_value) if isinstance(given_value, int) else given_value
        memory[name] = bytearray(content.ljust(ROOM, b"\0"))
        values |= {name: address(memory[name]), f"{kind}_size_{way}": len(content)}
    attr = bytearray(ATTR.pack(values))
    answer = lab.backend.bpf(Command.PROG_TEST_RUN, ctypes.c_void_p(address(attr)), len(attr))
    told = ATTR.unpack(bytes(attr))
    sizes = told["retval"], told["data_size_out"], told["ctx_size_out"]
    return (lab.backend.errno() if answer < 0 else 0, *sizes, {name: bytes(each) for name, each in memory.items()})


test_run.__test__ = False  # type: ignore[attr-defined]  # a helper of these tests, named like the command


@pytest.fixture(scope="module")
def programs(pair: Any) -> dict[str, list[Program]]:
    """Give the program of each type on both kernels."""
    labs = (pair.kernel, pair.sim)
    return {kind: [lab.program(CODE[kind], type=kind, **OPTIONS[kind]) for lab in labs] for kind in CODE}


Agree = Callable[[str, dict[str, Any], dict[str, int]], tuple[Any, ...]]


@pytest.fixture
def agree(pair: Any, programs: dict[str, list[Program]]) -> Agree:
    """Give the function that runs a type's program on both kernels and asserts that they answer the same."""

    def run(kind: str, buffers: dict[str, Any], numbers: dict[str, int]) -> tuple[Any, ...]:
        labs = (pair.kernel, pair.sim)
        kernel, sim = (test_run(lab, each, buffers, numbers) for lab, each in zip(labs, programs[kind], strict=True))
        assert sim == kernel
        return sim

    return run


NUMBERS: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.just({}),
    st.just({}),
    st.dictionaries(
        st.sampled_from(["flags", "cpu", "repeat", "batch_size", "duration"]), st.integers(0, 2), max_size=2
    ),
)


def numbers_on_first_cpus(numbers: dict[str, int]) -> dict[str, int]:
    """Leave CPUs out that one of the machines may not have."""
    return {name: value for name, value in numbers.items() if name != "cpu" or value < 2}


ETHERTYPES = st.sampled_from([b"\x08\0", b"\x08\0", b"\x86\xdd", b"\x86\xdd", b"\x08\6"])
PACKETS = st.one_of(
    st.binary(min_size=10, max_size=60),
    st.builds(lambda kind, rest: bytes(12) + kind + rest, ETHERTYPES, st.binary(max_size=48)),
    st.builds(
        lambda a, b, size: bytes(14) + struct.pack("=2H", a, b) + bytes(size),
        *[st.integers(0, 80)] * 2,
        st.integers(0, 60),
    ),
    st.sampled_from([3712, 3713, 4096, 4097]).map(bytes),
)
SIZES = st.sampled_from([0, 8, 48, 56, 72, 100])


def buffers(packets: st.SearchStrategy[bytes] | None, contexts: st.SearchStrategy[bytes]) -> st.SearchStrategy[Any]:
    rare = {"data_out": SIZES, "ctx_out": SIZES, "ctx_in": contexts}
    if packets is None:
        return st.fixed_dictionaries({}, optional={"ctx_in": contexts} | dict.fromkeys(["data_in"], st.just(b"x" * 20)))
    return st.fixed_dictionaries({"data_in": packets}, optional=rare)


def padded(parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    tails = st.sampled_from([b"", b"", b"", bytes(4), b"\0\0\1"])
    return st.builds(lambda head, tail: head + tail, parts, tails)


PLAIN_CONTEXTS = st.one_of(st.binary(min_size=1, max_size=99), st.sampled_from([24, 96, 97, 65535, 65536]).map(bytes))


@pytest.mark.parametrize("kind", ["raw_tracepoint", "syscall"])
@SETTINGS
@given(
    given_buffers=buffers(None, PLAIN_CONTEXTS), numbers=NUMBERS, out=st.sampled_from([None, None, None, "ctx", "data"])
)
@example(given_buffers={"ctx_in": bytes(range(96))}, numbers={}, out=None)
@example(given_buffers={"ctx_in": bytes(96)}, numbers={"flags": 1, "cpu": 1}, out=None)
@example(given_buffers={"ctx_in": bytes(96)}, numbers={"flags": 1, "cpu": 4096}, out=None)
def test_numbers_as_context_are_taken_alike(
    agree: Agree, kind: str, given_buffers: dict[str, Any], numbers: dict[str, int], out: str | None
) -> None:
    given_buffers = given_buffers | ({f"{out}_out": 32} if out else {})
    numbers = numbers if numbers.get("cpu") == 4096 else numbers_on_first_cpus(numbers)
    agree(kind, given_buffers, numbers)


KEYS = padded(
    st.builds(
        lambda flags, at, bit: (keys := bytearray(48) + struct.pack("=II", flags, 0), keys.__setitem__(at, bit))[0],
        st.integers(0, 7),
        st.sampled_from([48, 48, 0, 52]),
        st.integers(0, 1),
    ).map(bytes)
)


@SETTINGS
@given(given_buffers=buffers(PACKETS, st.one_of(KEYS, st.just(bytes(8)))), numbers=NUMBERS)
@example(given_buffers={"data_in": bytes(64), "data_out": 20}, numbers={})
def test_a_flow_is_dissected_alike(agree: Agree, given_buffers: dict[str, Any], numbers: dict[str, int]) -> None:
    agree("flow_dissector", given_buffers, numbers_on_first_cpus(numbers))


LOOKUPS = padded(
    st.builds(
        lambda *values: struct.pack("=QII4s16sHH4s16sII", *values),
        st.sampled_from([0, 0, 0, 1]),
        st.sampled_from([2, 2, 10, 10, 0, 65538]),
        st.sampled_from([6, 17, 65542]),
        *(st.binary(min_size=size, max_size=size) for size in (4, 16)),
        st.integers(0, 65535),
        st.sampled_from([0, 0, 1]),
        *(st.binary(min_size=size, max_size=size) for size in (4, 16)),
        st.sampled_from([80, 65535, 65536]),
        st.sampled_from([0, 0, 0, 1]),
    )
)


@SETTINGS
@given(
    given_buffers=st.fixed_dictionaries({"ctx_in": LOOKUPS}, optional={"ctx_out": SIZES}),
    numbers=NUMBERS,
    more=st.sampled_from([{}, {}, {}, {"data_in": bytes(20)}, {"data_out": 4}]),
)
@example(given_buffers={}, numbers={}, more={})
@example(given_buffers={"ctx_out": 72}, numbers={}, more={})
@example(given_buffers={"ctx_in": struct.pack("=QII", 0, 2, 6)}, numbers={}, more={})
def test_a_socket_is_looked_up_alike(
    agree: Agree, given_buffers: dict[str, Any], numbers: dict[str, int], more: dict[str, Any]
) -> None:
    agree("sk_lookup", given_buffers | more, numbers_on_first_cpus(numbers))


STATES = padded(
    st.builds(
        lambda hook, family, at, bit: bytes([hook, family] + [bit * (at == byte) for byte in range(2, 48)]),
        st.sampled_from([0, 1, 3, 3, 4, 200]),
        st.sampled_from([2, 2, 10, 10, 3]),
        st.sampled_from([2, 8, 16, 47]),
        st.sampled_from([0, 0, 0, 1]),
    )
)


@SETTINGS
@given(given_buffers=buffers(PACKETS, st.one_of(STATES, st.just(b"\3\2"))), numbers=NUMBERS)
def test_netfilter_gives_its_verdict_alike(
    agree: Agree, given_buffers: dict[str, Any], numbers: dict[str, int]
) -> None:
    agree("netfilter", given_buffers, numbers_on_first_cpus(numbers))


def loads(lab: Lab, kind: str, text: str) -> bool:
    try:
        lab.program(text, type=kind, **OPTIONS[kind]).close()
    except BpfError:
        return False
    return True


@pytest.mark.parametrize("kind", CODE)
@SETTINGS
@given(
    size=st.sampled_from([1, 2, 4, 8]),
    offset=st.one_of(st.integers(-1, 100), st.sampled_from([76, 80, 144, 8, 0, 65528, 65534])),
    store=st.sampled_from([False, False, True]),
)
def test_fields_of_the_context_are_reached_alike(pair: Any, kind: str, size: int, offset: int, store: bool) -> None:
    field = f"*(u{8 * size} *)(r1 {'-' if offset < 0 else '+'} {abs(min(offset, 32767))})"
    text = f"{field} = 0\nr0 = 0\nexit" if store else f"r0 = {field}\nr0 = 0\nexit"
    assert loads(pair.sim, kind, text) == loads(pair.kernel, kind, text)


@pytest.mark.parametrize("kind", CODE)
@pytest.mark.parametrize("verdict", [-1, 0, 1, 2, 129])
def test_verdicts_are_allowed_alike(pair: Any, kind: str, verdict: int) -> None:
    text = f"r0 = {verdict}\nexit"
    assert loads(pair.sim, kind, text) == loads(pair.kernel, kind, text)


@pytest.mark.parametrize(("offset", "size"), [(0, 8), (48, 8), (49, 8), (52, 4), (55, 1), (56, 1)])
def test_flow_keys_end_alike(pair: Any, offset: int, size: int) -> None:
    text = f"r2 = *(u64 *)(r1 + 144)\n*(u{8 * size} *)(r2 + {offset}) = 1\nr0 = 0\nexit"
    assert loads(pair.sim, "flow_dissector", text) == loads(pair.kernel, "flow_dissector", text)
