"""Variables of the kernel are what the test sets, and are named and read by the running kernel's rules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from re import findall

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.btf import BtfKind, IntEncoding, VarLinkage
from bpflab.abi.commands import Command
from bpflab.asm import assemble
from bpflab.asm.insn import Insn
from bpflab.backend.select import kernel_refusal
from bpflab.errors import ArgumentError
from bpflab.obj.btf import Btf
from bpflab.obj.btf_append import append
from bpflab.obj.btf_encode import encode
from bpflab.obj.btf_layout import field
from bpflab.obj.btf_types import Datasec, Int, SectionVariable, Var
from bpflab.programs.verifier import VerifierError
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

SOURCE = Path(__file__).with_name("kernel_variables.bpf.c")
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CPUS = 4
WORDS = st.lists(st.integers(0, (1 << 32) - 1), min_size=CPUS, max_size=CPUS)
pytestmark = pytest.mark.usefixtures("kernel_types")
REFUSED = {
    "reads_it_directly": "R1 is ptr_int access percpu memory: off=0",
    "writes_to_a_copy": "R0 cannot write into rdonly_mem",
    "writes_to_a_structure": "only read is supported",
    "reads_past_a_copy": "invalid access to memory, mem_size=4 off=4 size=4",
    "forgets_to_look": "R0 invalid mem access 'rdonly_mem_or_null'",
    "moves_it_before": "dereference of modified percpu_ptr_ ptr R1 off=4 disallowed",
}
OWN_TYPES = (
    Int(name="int", size=4, bits=32, encoding=IntEncoding.SIGNED),
    Var(name="own", type_id=1, linkage=VarLinkage.GLOBAL),
    Datasec(name=".data", size=4, variables=(SectionVariable(2, 0, 4),)),
)
USES = ("r0 = 0", "r0 = *(u32 *)(r1 + 0)", "*(u32 *)(r1 + 0) = 0\nr0 = 0", "call this_cpu_ptr\nr0 = 0")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(SimBackend(Machine(possible_cpus=CPUS))) as lab:
        yield lab


@pytest.fixture(scope="module")
def labs() -> Iterator[tuple[Lab, Lab]]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab("sim") as sim:
        yield kernel, sim


def naming(btf_id: int, module: int, use: str) -> list[Insn]:
    return [Insn(0x18, 1, 3, 0, btf_id), Insn(0, 0, 0, 0, module), *assemble(f"{use}\nexit").insns]


def load_result(lab: Lab, code: list[Insn]) -> tuple[int, list[str]]:
    try:
        lab.program(code, type="sched_cls").close()
    except VerifierError as error:
        said = [line for line in error.log.splitlines() if not line[:1].isdigit() and "processed" not in line]
        return error.failure.errno or 0, [line for line in said if "R1=ctx" not in line]
    return 0, []


@SETTINGS
@given(queues=WORDS, active=WORDS, cpu=st.integers(0, CPUS + 1), here=st.integers(0, CPUS - 1))
@example(queues=[1] * CPUS, active=[2] * CPUS, cpu=CPUS, here=0)
@example(queues=[1] * CPUS, active=[2] * CPUS, cpu=(1 << 32) - 1, here=CPUS - 1)
def test_each_cpu_has_the_copy_that_the_test_set(queues: list[int], active: list[int], cpu: int, here: int) -> None:
    with Lab(SimBackend(Machine(possible_cpus=CPUS))) as lab:
        for at in range(CPUS):
            lab.world.variable("runqueues", cpu=at, nr_running=queues[at])
            lab.world.variable("bpf_prog_active", active[at], cpu=at)
        loaded = lab.load(SOURCE)
        loaded.bss.cpu = cpu
        found = loaded.programs.counts_on.run(bytes(64)).retval == 0
        assert found == (cpu < CPUS)
        assert list(loaded.bss.seen[:2]) == ([queues[cpu], active[cpu]] if found else [0, 0])
        lab.cpu = here
        loaded.programs.counts_here.run(bytes(64))
        assert list(loaded.bss.seen) == [queues[here], active[here], here]


def test_a_variable_that_no_test_set_is_zero_without_a_warning(lab: Lab) -> None:
    loaded = lab.load(SOURCE)
    loaded.programs.counts_here.run(bytes(64))
    assert list(loaded.bss.seen) == [0, 0, 0]


def test_a_variable_is_set_while_a_program_is_loaded_and_read_back(lab: Lab) -> None:
    loaded = lab.load(SOURCE)
    queue = lab.world.variable("runqueues", cpu=0)
    queue.nr_running = 7
    assert lab.world.variable("bpf_prog_active", -3) == -3
    loaded.programs.counts_here.run(bytes(64))
    assert list(loaded.bss.seen) == [7, (1 << 32) - 3, 0]
    assert lab.world.symbols["runqueues"]


def test_what_a_test_sets_is_set_back_with_the_world(lab: Lab) -> None:
    lab.world.variable("bpf_prog_active", 5)
    assert isinstance(lab.backend, SimBackend)
    set_back = lab.backend.keep()
    lab.world.variable("bpf_prog_active", 6)
    lab.world.variable("runqueues", nr_running=1)
    set_back()
    assert lab.world.variable("bpf_prog_active") == 5
    assert lab.world.variable("runqueues").nr_running == 0


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_a_use_that_the_verifier_forbids_is_refused(lab: Lab, name: str, reason: str) -> None:
    with pytest.raises(VerifierError) as caught:
        lab.load(SOURCE, programs=[name])
    assert (caught.value.failure.errno, reason in caught.value.log) == (13, True)


def test_every_refused_program_has_its_reason() -> None:
    assert findall(r"SEC\(\"\?tc\"\) int (\w+)", SOURCE.read_text()) == list(REFUSED)


@pytest.mark.parametrize("module", [0, 5, 1 << 20])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", ["", "int", "task_struct", "bpf_prog_put", "beyond", "negative"])
def test_an_id_is_taken_or_refused_as_the_running_kernel_does(
    labs: tuple[Lab, Lab], name: str, use: str, module: int
) -> None:
    btf = Btf.of_kernel()
    numbers = {"": 0, "beyond": len(btf), "negative": -1}
    code = naming(numbers[name] if name in numbers else btf.find(name) or 0, module, use)
    kernel, sim = (load_result(lab, code) for lab in labs)
    assert sim == kernel


def test_a_descriptor_of_a_programs_own_types_names_nothing(labs: tuple[Lab, Lab]) -> None:
    answers = []
    for lab in labs:
        own = encode(OWN_TYPES, sys.byteorder)
        module = lab.call(Command.BTF_LOAD, btf=own, btf_size=len(own)).result
        answers.append([load_result(lab, naming(number, module, "r0 = 0")) for number in range(5)])
        lab.backend.close(module)
    assert answers[1] == answers[0]


def test_a_variable_of_one_copy_is_read_without_a_helper() -> None:
    btf = Btf.of_kernel()
    types = [
        Var(name="lab_mode", type_id=btf.require("int", BtfKind.INT), linkage=VarLinkage.GLOBAL),
        Var(name="lab_task", type_id=btf.require("task_struct", BtfKind.STRUCT), linkage=VarLinkage.GLOBAL),
    ]
    with Lab(SimBackend(Machine(btf=append(btf, types).data))) as lab:
        lab.world.variable("lab_mode", 42)
        assert lab.program(naming(len(btf), 0, USES[1]), type="sched_cls").run(bytes(64)).retval == 42
        assert load_result(lab, naming(len(btf), 0, USES[2]))[0] == 13
        lab.world.variable("lab_task", pid=9)
        at = field(btf, btf.require("task_struct", BtfKind.STRUCT), "pid").offset
        read = f"r0 = *(u32 *)(r1 + {at})"
        assert lab.program(naming(len(btf) + 1, 0, read), type="sched_cls").run(bytes(64)).retval == 9


@pytest.mark.parametrize(
    ("name", "options"),
    [("no_such_variable", {}), ("bpf_prog_active", {"cpu": CPUS}), ("bpf_prog_active", {"field": 1})],
)
def test_what_cannot_be_set_is_refused_in_words(lab: Lab, name: str, options: dict[str, int]) -> None:
    with pytest.raises(ArgumentError, match=name if "cpu" not in options else "cpu"):
        lab.world.variable(name, **options)


def test_a_kernel_without_types_has_no_variables() -> None:
    with Lab(SimBackend(Machine(btf=None))) as lab:
        assert load_result(lab, naming(1, 0, "r0 = 0")) == (
            22,
            ["kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is specified in Kconfig."],
        )
