"""Programs of probes, tracepoints and perf events run on contexts that a test builds from names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.context import layout
from bpflab.abi.verdicts import PROBE
from bpflab.contexts import LircMode2, PerfEventData, PtRegs, Record
from bpflab.errors import BpfError, CannotRunError, InputError, SyscallError
from bpflab.obj.compile import compile_c
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

SOURCE = Path(__file__).with_name("probes.bpf.c")
SUFFIXES = {"x86_64": "x86", "arm64": "arm64", "s390x": "s390", "riscv64": "riscv"}
WORD = st.integers(0, (1 << 64) - 1)
SIZES = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}
OPEN_FORMAT = """name: sys_enter_openat
ID: 700
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;
\tfield:int dfd;\toffset:16;\tsize:8;\tsigned:0;
\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;
\tfield:char comm[16];\toffset:32;\tsize:16;\tsigned:0;
\tfield:__data_loc char[] name;\toffset:48;\tsize:4;\tsigned:0;
"""


@pytest.fixture(scope="module", params=sorted(SUFFIXES))
def probes(request: pytest.FixtureRequest) -> Any:
    """A Lab with the probes compiled for an architecture, and its name."""
    arch: str = request.param
    order: Any = "big" if arch == "s390x" else "little"
    flags = [f"-U__TARGET_ARCH_{suffix}" for suffix in (*SUFFIXES.values(), "powerpc", "arm", "loongarch")]
    built = compile_c(SOURCE, flags=[*flags, f"-D__TARGET_ARCH_{SUFFIXES[arch]}"], byteorder=order)
    with Lab(SimBackend(Machine(byteorder=order, btf=None))) as lab:
        yield arch, lab.load(built)


@given(values=st.lists(WORD, min_size=7, max_size=7))
def test_a_probe_sees_the_arguments_of_a_call(probes: Any, values: list[int]) -> None:
    arch, loaded = probes
    regs = PtRegs.call(values[:5], arch=arch, ip=values[5], sp=values[6])
    assert loaded.programs["entered"].run(ctx=regs).action is PROBE.FILTER
    assert list(loaded.maps[".bss"][0].seen)[:7] == values


def test_a_return_probe_sees_what_is_returned(probes: Any) -> None:
    arch, loaded = probes
    assert loaded.programs["returned"].run(ctx=PtRegs.call(ret=-2, arch=arch)).action is PROBE.RECORD
    assert loaded.maps[".bss"][0].seen[0] == (1 << 64) - 2


@given(data=st.data(), arch=st.sampled_from(sorted(SUFFIXES)))
def test_registers_read_back_as_they_were_given(data: st.DataObject, arch: str) -> None:
    names = [field.name for field in layout("pt_regs", arch).fields]
    values = data.draw(st.dictionaries(st.sampled_from(names), WORD))
    regs = PtRegs(arch, **values)
    assert PtRegs.from_bytes(regs.to_bytes("big"), "big") == regs
    assert all(getattr(regs, name) == value for name, value in values.items())


@pytest.mark.parametrize("value", [-1, -111, -(1 << 31), 0, (1 << 32) - 1])
def test_a_register_of_32_bits_has_the_lowest_bits_of_a_number(value: int) -> None:
    regs = PtRegs.call(ret=value, arch="armhf")
    assert PtRegs.from_bytes(regs.to_bytes()).ret == value % (1 << 32)


def test_the_kernels_own_names_of_registers_are_known() -> None:
    regs = PtRegs("x86_64", di=1, ip=2)
    assert (regs.rdi, regs.argument(0), regs.ip, regs.si) == (1, 1, 2, 0)


def test_a_system_call_has_its_own_registers() -> None:
    regs = PtRegs.syscall(257, [1, 2, 3, 4], arch="x86_64")
    assert (regs.orig_rax, regs.r10, regs.rcx) == (257, 4, 0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PtRegs("x86_64", rdj=1), "did you mean"),
        (lambda: PtRegs.call(range(7), arch="x86_64"), "x86_64 passes 6 in registers"),
        (
            lambda: PtRegs.call([1 << 32], arch="armhf").to_bytes(),
            "does not fit a register of armhf, .* 32 bits",
        ),
        (lambda: PtRegs.from_bytes(bytes(8)), "8 bytes are the registers of no known architecture"),
        (lambda: PtRegs.call(cast("Any", ["text"])), r"world\.user_memory"),
        (lambda: Record.of_fields({"pid": "u32"}, pid="x").to_bytes(), "pid='x'; expected a number"),
        (lambda: Record.of_fields({"pid": "u33"}), "no type of a record's field"),
        (lambda: Record.of_fields({"pid": "u32"}, pod=1), "no field 'pod'; did you mean pid"),
        (lambda: Record.of_fields({"comm": "char[4]"}, comm="longer").to_bytes(), "takes 7 bytes; there are 4"),
        (lambda: Record.of_format("nothing"), "describes no field"),
        (lambda: Record.of_event("no", "such"), r"Record\.of_fields"),
    ],
)
def test_a_mistake_in_a_context_is_answered_in_words(make: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_the_registers_come_out_of_a_run() -> None:
    with Lab("sim") as lab:
        given_ = PtRegs("x86_64", rax=1)
        assert lab.program("r0 = 0\nexit", type="kprobe").run(ctx=given_).ctx == given_


def test_registers_that_the_program_reads_past_are_refused() -> None:
    with Lab("sim") as lab:
        program = lab.program("r0 = *(u64 *)(r1 + 256)\nexit", type="kprobe")
        assert program.run(ctx=PtRegs("arm64", pc=9)).retval == 9
        with pytest.raises(SyscallError, match="EINVAL"):
            program.run(ctx=PtRegs("x86_64"))


def test_a_record_is_laid_out_by_a_format_description() -> None:
    with Lab("sim") as lab:
        record = Record.of_format(OPEN_FORMAT, dfd=-100, filename=0x1234, comm="cat", name="notes.txt")
        code = "r2 = *(u32 *)(r1 + 48)\nr2 &= 0xffff\nr3 = *(u64 *)(r1 + 24)\nr0 = r2\nr0 <<= 16\nr0 |= r3\nexit"
        assert lab.program(code, type="tracepoint").run(ctx=record).retval == 56 << 16 | 0x1234
    data = record.to_bytes("little")
    assert (data[16:24], data[32:36]) == ((-100).to_bytes(8, "little", signed=True), b"cat\0")
    assert data[56:] == b"notes.txt\0"
    assert record.layout is not None
    assert record.layout.unpack("name", data, "little") == b"notes.txt\0"


@given(values=st.lists(st.integers(0, (1 << 16) - 1), min_size=4, max_size=4), dynamic=st.binary(max_size=20))
def test_a_records_fields_read_back(values: list[int], dynamic: bytes) -> None:
    types = {"a": "u16", "b": "u64", "c": "u32[2]", "d": "__data_loc char[]"}
    record = Record.of_fields(types, a=values[0], b=values[1], c=values[2:], d=dynamic)
    data, layout_ = record.to_bytes("little"), record.layout
    assert layout_ is not None
    assert [layout_.unpack(name, data, "little") for name in types] == [values[0], values[1], values[2:], dynamic]
    assert layout_.field("a").offset == 8


def test_a_perf_event_has_a_period_and_an_address_behind_the_registers() -> None:
    with Lab("sim") as lab:
        code = "r0 = *(u64 *)(r1 + 168)\nr2 = *(u64 *)(r1 + 176)\nr0 += r2\nr2 = *(u64 *)(r1 + 128)\nr0 += r2\nexit"
        data = PerfEventData(PtRegs("x86_64", rip=1), sample_period=20, addr=300)
        assert lab.program(code, type="perf_event").run(ctx=data).retval == 321


def test_a_writable_tracepoint_changes_the_buffer_that_the_test_laid_out() -> None:
    with Lab("sim") as lab:
        code = "r2 = *(u64 *)(r1 + 0)\nr3 = 5\n*(u32 *)(r2 + 4) = r3\nr0 = 0\nexit"
        buffer = lab.world.kernel_memory(bytes(8))
        lab.program(code, type="raw_tracepoint_writable").run(args=[buffer])
        assert lab.world.read(buffer, 8)[4] in {0, 5}
        assert sum(lab.world.read(buffer, 8)) == 5


def test_a_decoder_of_infrared_reads_a_sample() -> None:
    with Lab("sim") as lab:
        program = lab.program("r0 = *(u32 *)(r1 + 0)\nexit", type="lirc_mode2")
        assert program.run(ctx=LircMode2(sample=0x1000123)).retval == 0x1000123


@pytest.mark.bpf(backend="kernel")
@pytest.mark.parametrize("kind", ["kprobe", "tracepoint", "perf_event"])
def test_the_running_kernel_says_that_only_the_simulated_one_runs_them(bpf: Lab, kind: str) -> None:
    with pytest.raises(CannotRunError, match="The simulated kernel can"):
        bpf.program("r0 = 0\nexit", type=kind).run()


@pytest.mark.parametrize("kind", ["kprobe", "tracepoint", "raw_tracepoint_writable", "perf_event"])
@pytest.mark.parametrize("store", [False, True])
def test_accesses_are_allowed_as_the_running_kernel_allows_them(pair: Any, kind: str, store: bool) -> None:
    offsets = (0, 1, 2, 4, 7, 8, 12, 16, 64, 66, 8184, 8190, 8192)
    asked = [(offset, size) for offset in offsets for size in SIZES]
    kernel, sim = ([_loads(lab, kind, *each, store=store) for each in asked] for lab in (pair.kernel, pair.sim))
    assert sim == kernel


def _loads(lab: Lab, kind: str, offset: int, size: int, *, store: bool) -> bool:
    place = f"*({SIZES[size]} *)(r1 + {offset})"
    try:
        lab.program(f"r2 = 0\n{f'{place} = r2' if store else f'r2 = {place}'}\nr0 = 0\nexit", type=kind).close()
    except BpfError:
        return False
    return True
