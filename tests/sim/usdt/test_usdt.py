"""A USDT program finds its arguments where the test says that they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.contexts import PtRegs
from bpflab.contexts.usdt import SPECS, UsdtArgument, constant, memory, register, usdt_spec
from bpflab.errors import ArgumentError, InputError
from bpflab.obj import compile_c
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.objects.loaded import LoadedObject

SOURCE = Path(__file__).with_name("usdt.bpf.c")
NUMBER = 3
MISSING, UNKNOWN = -2, -3
WORD = 1 << 64
BOUND = {size: 1 << 8 * size for size in (1, 2, 4, 8)}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        lab.world.probe.cookie = NUMBER
        yield lab


@pytest.fixture(scope="module")
def server(lab: Lab) -> LoadedObject:
    return lab.load(SOURCE)


def low(value: int, size: int, *, signed: bool) -> int:
    """Give what an argument of so many bytes is as a long."""
    part = value % BOUND[size]
    negative = (signed or size == 8) and part >= BOUND[size] // 2
    return part - BOUND[size] if negative else part


def test_arguments_are_parameters_of_the_program(lab: Lab, server: LoadedObject) -> None:
    regs = PtRegs("x86_64")
    depth = (-2).to_bytes(2, lab.backend.byteorder, signed=True)
    path, stack = lab.world.user_memory(b"/index\0"), lab.world.user_memory(bytes(4) + depth + bytes(10))
    where = (register("rdi", size=4, signed=True), register("rsi"), memory("rsp", 4, size=2, signed=True))
    server.maps[SPECS][NUMBER] = usdt_spec(*where, arch=regs.arch)
    server.programs.request.run(ctx=PtRegs(regs.arch, rdi=0xFFFFFF9C, rsi=path, rsp=stack))
    assert list(server.bss.seen)[:3] == [-100, ord("/"), -2]


@given(value=st.integers(0, WORD - 1), size=st.sampled_from([1, 2, 4, 8]), signed=st.booleans())
@example(value=WORD - 1, size=4, signed=True)
@example(value=WORD - 1, size=4, signed=False)
@example(value=0x80, size=1, signed=True)
def test_an_argument_has_its_size_and_sign_wherever_it_is(
    lab: Lab, server: LoadedObject, value: int, size: int, signed: bool
) -> None:
    place = lab.world.user_memory((value % BOUND[size]).to_bytes(size, lab.backend.byteorder).ljust(8, b"\xaa"))
    where = [
        constant(value, size=size, signed=signed),
        register("rbx", size=size, signed=signed),
        memory("rbp", -8, size=size, signed=signed),
    ]
    server.maps[SPECS][NUMBER] = usdt_spec(*where, arch="x86_64")
    server.programs.looks.run(ctx=PtRegs("x86_64", rbx=value, rbp=int(place) + 8))
    assert list(server.bss["values"])[:3] == [low(value, size, signed=signed)] * 3
    assert list(server.bss.answers)[:3] == [0, 0, 0]
    assert list(server.bss.seen)[:3] == [size] * 3


def test_big_endian_memory_has_the_argument_in_its_first_bytes(tmp_path: Path) -> None:
    flags = ["-U__TARGET_ARCH_x86", "-U__TARGET_ARCH_arm64", "-U__TARGET_ARCH_s390", "-D__TARGET_ARCH_s390"]
    with Lab(SimBackend(Machine(byteorder="big"))) as lab:
        server = lab.load(compile_c(SOURCE, byteorder="big", cache=tmp_path, flags=flags))
        place = lab.world.user_memory(b"\x12\x34\x56\x78\x9a\xbc\xde\xf0")
        server.maps[SPECS][0] = usdt_spec(memory("gpr6", 0, size=2), register("gpr7", size=2), arch="s390x")
        server.programs.looks.run(ctx=PtRegs("s390x", gpr6=int(place), gpr7=0x56789ABC))
        assert list(server.bss["values"])[:2] == [0x1234, 0x9ABC]


def test_what_a_tracepoint_does_not_have_is_an_error_and_0(server: LoadedObject) -> None:
    server.maps[SPECS][NUMBER] = usdt_spec(constant(7), cookie=WORD - 2)
    server.programs.looks.run(ctx=PtRegs.call())
    answers, values = list(server.bss.answers), list(server.bss["values"])
    assert (answers[:3], values[:3]) == ([0, MISSING, MISSING], [7, 0, 0])
    assert (answers[11], answers[10], answers[9], answers[8]) == (MISSING, MISSING, 1, -2)


def test_a_tracepoint_that_is_not_in_the_map_is_not_known(lab: Lab, server: LoadedObject) -> None:
    lab.world.probe.cookie = 256
    try:
        server.programs.looks.run(ctx=PtRegs.call())
    finally:
        lab.world.probe.cookie = NUMBER
    answers = list(server.bss.answers)
    assert (answers[:3], answers[9], answers[8]) == ([UNKNOWN] * 3, UNKNOWN, 0)


def test_a_fault_in_the_memory_of_the_process_is_answered(server: LoadedObject) -> None:
    server.maps[SPECS][NUMBER] = usdt_spec(memory("rdi"), arch="x86_64")
    server.programs.looks.run(ctx=PtRegs("x86_64", rdi=0x10))
    assert (server.bss.answers[0], server.bss["values"][0]) == (-14, 0)


def test_older_kernels_know_the_tracepoint_by_its_address() -> None:
    with Lab(SimBackend(Machine(release=(5, 10, 0)))) as lab:
        server = lab.load(SOURCE)
        server.maps["__bpf_usdt_ip_to_spec_id"][0x4000] = 9
        server.maps[SPECS][9] = usdt_spec(constant(5))
        server.programs.looks.run(ctx=PtRegs.call(ip=0x4000))
        assert (server.bss.answers[9], server.bss["values"][0]) == (1, 5)
        server.programs.looks.run(ctx=PtRegs.call(ip=0x4001))
        assert server.bss.answers[9] == UNKNOWN


@pytest.mark.bpf(backend="kernel")
def test_the_running_kernel_takes_the_program(bpf: Lab) -> None:
    server = bpf.load(SOURCE)
    server.maps[SPECS][NUMBER] = usdt_spec(register("rdi", size=4), cookie=5, arch="x86_64")
    assert server.maps[SPECS][NUMBER].usdt_cookie == 5


def test_mistakes_are_told() -> None:
    with pytest.raises(ArgumentError, match="13 arguments were given; a tracepoint has 12 at most"):
        usdt_spec(*[constant(0)] * 13)
    with pytest.raises(ArgumentError, match="An argument of 3 bytes"):
        register("rdi", size=3)
    with pytest.raises(InputError, match="arm64 has no such register"):
        usdt_spec(register("rdi"), arch="arm64")
    assert constant(1) == UsdtArgument(constant(1).kind, 1)
