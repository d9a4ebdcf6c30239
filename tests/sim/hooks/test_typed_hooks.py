"""Security hooks, iterators and traced functions get typed arguments from the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bpflab import Lab
from bpflab.abi.btf import BtfKind
from bpflab.abi.verdicts import CGROUP, LSM
from bpflab.errors import BpfError, FaultError
from bpflab.programs.verifier import VerifierError

if TYPE_CHECKING:
    from bpflab.objects.loaded import LoadedObject

SOURCE = Path(__file__).with_name("policy.bpf.c")
TYPED = pytest.mark.usefixtures("kernel_types")
pytestmark = TYPED


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


@pytest.fixture
def policy(lab: Lab) -> LoadedObject:
    return lab.load(SOURCE)


@pytest.mark.parametrize(
    ("name", "uid", "verdict"),
    [
        ("/etc/shadow", 1000, LSM.EACCES),
        ("/etc/shadow", 0, LSM.ALLOW),
        ("/etc/passwd", 1000, LSM.ALLOW),
        ("/a/name/that/is/longer/than/its/buffer", 1000, LSM.ALLOW),
    ],
)
def test_a_policy_for_files_knows_them_by_name(
    lab: Lab, policy: LoadedObject, name: str, uid: int, verdict: LSM
) -> None:
    policy.maps.secret[b"/etc/shadow".ljust(32, b"\0")] = 1
    lab.world.current = lab.world.task(pid=7, uid=uid)
    assert policy.programs.may_open.run(args=[lab.world.file(name), 0]).action is verdict
    assert policy.maps.opened[lab.world.descriptor(lab.world.current)] == 1


def test_what_another_policy_refused_stays_refused(lab: Lab, policy: LoadedObject) -> None:
    assert policy.programs.may_open.run(args=[lab.world.file("/etc/passwd"), -1]).action is LSM.EPERM


@pytest.mark.parametrize(("name", "verdict"), [("/tmp/x", LSM.EPERM), ("/usr/bin/true", LSM.ALLOW), ("", LSM.ALLOW)])
def test_a_policy_for_programs_reads_their_names(lab: Lab, policy: LoadedObject, name: str, verdict: LSM) -> None:
    bprm = lab.world.struct("linux_binprm", filename=name)
    assert policy.programs.may_execute.run(args=[bprm, 0]).action is verdict


def test_an_iterator_writes_a_text_that_the_test_reads(lab: Lab, policy: LoadedObject) -> None:
    file, calls = lab.world.iterations(lab.world.task(pid=7, comm="curl"), lab.world.task(pid=8, comm="wget"))
    for arguments in calls:
        policy.programs.dump_tasks.run(args=arguments)
    assert file.text == "7 curl\n8 wget\n2 tasks\n"


def test_an_iterator_over_a_map_reads_and_changes_its_elements(lab: Lab, policy: LoadedObject) -> None:
    key, value = lab.world.kernel_memory(b"\5\0\0\0"), lab.world.kernel_memory(b"\7" + bytes(7))
    file, calls = lab.world.iterations((0, key, value))
    for arguments in calls:
        policy.programs.dump_map.run(args=arguments)
    assert (file.text, lab.world.read(value, 1)) == ("5: 7\n", b"\x08")


@pytest.mark.parametrize(("flags", "verdict"), [(0, CGROUP.ALLOW), (1, CGROUP.DENY)])
def test_a_cgroups_policy_answers_as_cgroups_do(lab: Lab, policy: LoadedObject, flags: int, verdict: CGROUP) -> None:
    file = lab.world.file("/etc/hosts", f_flags=flags)
    assert policy.programs.may_open_here.run(args=[file]).action is verdict


def test_a_program_after_a_function_sees_what_it_returned(lab: Lab, policy: LoadedObject) -> None:
    policy.programs.has_read.run(args=[lab.world.file("/etc/passwd"), 0, 10, 0, -5])
    assert policy.maps[".bss"][0].returned == -5


def test_a_path_without_a_name_says_how_to_give_one(lab: Lab, policy: LoadedObject) -> None:
    with pytest.raises(FaultError, match=r"world\.file"):
        policy.programs.may_open.run(args=[lab.world.struct("file"), 0])


def test_a_file_has_a_chain_of_directory_entries(lab: Lab) -> None:
    file = lab.world.file("/etc/ssh/config", inode={"i_ino": 5})
    assert (file.f_path.dentry != 0, lab.world.paths[file.f_path.address]) == (True, "/etc/ssh/config")


LOADS = [
    *(("TRACE_ITER", "bpf_iter_bpf_map", at) for at in (0, 8, 16, 24)),
    *(("TRACE_ITER", "bpf_iter_bpf_map_elem", at) for at in (0, 8, 16, 24, 32)),
    *(("TRACE_RAW_TP", "btf_trace_sched_process_exec", at) for at in (0, 8, 16, 24, 4)),
]


@pytest.mark.parametrize("followed", [False, True])
@pytest.mark.parametrize("load", LOADS)
def test_arguments_are_read_as_the_running_kernel_allows(pair: Any, load: tuple[str, str, int], followed: bool) -> None:
    attach, name, offset = load
    number = pair.sim.world.types.btf.find(name)
    code = f"r2 = *(u64 *)(r1 + {offset})\n" + ("r3 = *(u64 *)(r2 + 0)\n" if followed else "") + "r0 = 0\nexit"
    answers = []
    for lab in (pair.kernel, pair.sim):
        try:
            lab.program(code, type="tracing", attach_type=attach, attach_btf_id=number).close()
            answers.append(True)
        except BpfError:
            answers.append(False)
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("attach", "answer"), [("TRACE_FENTRY", False), ("TRACE_FEXIT", True), ("MODIFY_RETURN", True)]
)
def test_a_result_is_read_where_there_is_one(lab: Lab, attach: str, answer: bool) -> None:
    types = lab.world.types.btf
    assert types is not None
    code, number = "r2 = *(u64 *)(r1 + 32)\nr0 = 0\nexit", types.require("vfs_read", BtfKind.FUNC)
    if answer:
        lab.program(code, type="tracing", attach_type=attach, attach_btf_id=number).run(args=[0, 0, 0, 0, 1])
    else:
        with pytest.raises(VerifierError, match="invalid bpf_context access"):
            lab.program(code, type="tracing", attach_type=attach, attach_btf_id=number)


@pytest.mark.parametrize(
    ("hook", "value", "allowed"),
    [("LSM_MAC", -13, True), ("LSM_MAC", 1, False), ("LSM_CGROUP", 1, True), ("LSM_CGROUP", -1, False)],
)
def test_security_hooks_answer_within_their_range(lab: Lab, hook: str, value: int, allowed: bool) -> None:
    types = lab.world.types.btf
    assert types is not None
    number = types.require("bpf_lsm_file_open", BtfKind.FUNC)
    try:
        lab.program(f"r0 = {value}\nexit", type="lsm", attach_type=hook, attach_btf_id=number)
    except VerifierError:
        assert not allowed
    else:
        assert allowed
