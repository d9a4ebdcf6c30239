"""Structs of operations: read, changed, registered with the kernel, and their programs run on objects of the test."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from bpflab import Lab
from bpflab.cli import main
from bpflab.errors import AttachError, NoSuchNameError, ObjectError, UnsetFieldWarning
from bpflab.obj import compile_c, read_object
from bpflab.objects.opened import OpenedObject
from bpflab.objects.ops import OpsState
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

HERE = Path(__file__).parent
CONGESTION, SCHEDULER = HERE / "congestion.bpf.c", HERE / "scheduler.bpf.c"
TCP_CONGESTION = 13
AVAILABLE = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")


@pytest.fixture
def typed(bpf: Lab) -> Lab:
    if bpf.backend.kernel_btf() is None:
        pytest.skip("needs the kernel's BTF")
    return bpf


def congestion(lab: Lab) -> OpenedObject:
    """Open the object with names that no other process takes: operations are the whole machine's."""
    obj = lab.open(CONGESTION)
    for name in ("updated", "linked"):
        obj.ops[name].name = f"{name}{os.getpid()}"
    return obj


def test_an_object_says_which_operations_it_implements() -> None:
    spec = read_object(compile_c(CONGESTION))

    assert {name: (each.type_name, each.link) for name, each in spec.ops.items()} == {
        "updated": ("tcp_congestion_ops", False),
        "linked": ("tcp_congestion_ops", True),
    }
    assert spec.ops["linked"].functions["undo_cwnd"] == "lab_undo_cwnd"
    assert spec.programs["lab_init"].implements == ("tcp_congestion_ops", "init")


def test_inspect_shows_operations_with_their_programs() -> None:
    facts = json.loads(CliRunner().invoke(main, ["inspect", str(CONGESTION), "--json"]).output)
    shown = CliRunner().invoke(main, ["inspect", str(SCHEDULER)]).output

    assert [(each["name"], each["struct"], each["link"]) for each in facts["operations"]] == [
        ("updated", "tcp_congestion_ops", False),
        ("linked", "tcp_congestion_ops", True),
    ]
    assert "struct sched_ext_ops lab_scheduler, by a link: select_cpu=lab_select_cpu" in shown


@pytest.mark.parametrize(("name", "inside", "after"), [("updated", "INUSE", "TOBEFREE"), ("linked", "READY", "READY")])
def test_operations_are_registered_until_they_are_closed(typed: Lab, name: str, inside: str, after: str) -> None:
    ops = congestion(typed).load().ops[name]
    assert ops.state is OpsState.INIT

    with ops.register():
        assert ops.state.name == inside
    assert ops.state.name == after


def test_a_name_is_taken_once(typed: Lab) -> None:
    first, second = congestion(typed).load(), congestion(typed).load()

    with first.ops.linked.register(), pytest.raises(AttachError, match=r"'linked' could not be registered .*EEXIST"):
        second.ops.linked.register()
    with second.ops.updated.register():
        assert second.ops.updated.state is OpsState.INUSE


def test_operations_lack_what_the_kernel_needs_of_them(typed: Lab) -> None:
    obj = congestion(typed)
    obj.ops.linked.undo_cwnd = None

    with pytest.raises(AttachError, match=r"'linked' could not be registered as tcp_congestion_ops.*EINVAL"):
        obj.load().ops.linked.register()


def test_values_and_functions_are_changed_before_loading(typed: Lab) -> None:
    obj = congestion(typed)
    obj.ops.linked.name = f"renamed{os.getpid()}"
    obj.ops.linked.init = None
    obj.ops.updated.init = None

    loaded = obj.load()

    assert obj.ops.linked.name == f"renamed{os.getpid()}"
    assert obj.ops.linked.ssthresh == "lab_ssthresh"
    assert "lab_init" not in loaded.programs
    with loaded.ops.linked.register():
        assert set(loaded.ops.linked.programs) == {"ssthresh", "cong_avoid", "undo_cwnd"}


@pytest.mark.bpf(backend="kernel")
def test_a_connection_uses_the_operations(bpf: Lab) -> None:
    loaded, name = congestion(bpf).load(), f"linked{os.getpid()}"

    with loaded.ops.linked.register(), socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, name.encode())
        client.connect(server.getsockname())
        assert AVAILABLE.read_text().split().count(name) == 1

    assert loaded.bss.runs == 1


@pytest.mark.bpf(backend="sim")
def test_an_operation_runs_on_a_socket_of_the_test(typed: Lab) -> None:
    programs = typed.load(CONGESTION).programs
    socket_ = typed.world.struct("tcp_sock", snd_cwnd=10, snd_ssthresh=12, snd_cwnd_cnt=0, prior_cwnd=30)

    assert programs.lab_ssthresh.run(args=[socket_]).retval == 5
    assert programs.lab_undo_cwnd.run(args=[socket_]).retval == 30
    programs.lab_cong_avoid.run(args=[socket_, 0, 4])
    programs.lab_cong_avoid.run(args=[socket_, 0, 4])
    assert (socket_.snd_cwnd, socket_.snd_cwnd_cnt) == (14, 4)
    programs.lab_init.run(args=[socket_])
    assert socket_.snd_ssthresh == 64


@pytest.mark.bpf(backend="sim")
def test_what_the_socket_was_not_given_is_told(typed: Lab) -> None:
    programs = typed.load(CONGESTION).programs

    with pytest.warns(UnsetFieldWarning, match=re.escape("read snd_cwnd of struct tcp_sock")):
        assert programs.lab_ssthresh.run(args=[typed.world.struct("tcp_sock")]).retval == 2


@pytest.mark.bpf(backend="sim")
def test_a_scheduler_runs_though_the_kernel_has_none(typed: Lab) -> None:
    obj, world = typed.open(SCHEDULER), typed.world
    queued: list[tuple[int, ...]] = []
    world.struct_ops(obj.spec.btf or b"", "sched_ext_ops")
    world.kfunc(
        "void scx_bpf_dsq_insert(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags)",
        lambda _env, *arguments: queued.append(arguments),
    )
    world.kfunc("int scx_bpf_create_dsq(u64 dsq_id, int node)", lambda _env, dsq, node: dsq + node, "sleepable")
    obj.ops.lab_scheduler.timeout_ms = 100
    loaded = obj.load()
    urgent, patient = (world.struct("task_struct", pid=1, prio=prio) for prio in (50, 120))

    with loaded.ops.lab_scheduler.register():
        assert loaded.programs.lab_init.run(args=[]).retval == 0
        assert loaded.programs.lab_select_cpu.run(args=[urgent, 3, 0]).retval == 0
        assert loaded.programs.lab_select_cpu.run(args=[patient, 3, 0]).retval == 3
        loaded.programs.lab_enqueue.run(args=[patient, 9])
    assert queued == [(patient.address, 1, 5000000, 9)]


def test_a_kernel_without_the_operations_is_named(typed: Lab, tmp_path: Path) -> None:
    source = tmp_path / "absent.bpf.c"
    source.write_text(SCHEDULER.read_text().replace("sched_ext_ops", "absent_ops"))

    with pytest.raises(
        ObjectError, match="'lab_scheduler' implements struct absent_ops, which this kernel does not have"
    ):
        typed.load(source)


def test_a_member_that_the_kernel_lacks_must_be_zero(typed: Lab) -> None:
    obj = congestion(typed)
    obj.ops.linked.not_in_the_kernel = 1

    with pytest.raises(
        ObjectError, match="member 'not_in_the_kernel' of tcp_congestion_ops: the kernel does not have it"
    ):
        obj.load()


def test_a_program_that_no_operation_names_is_loaded_when_asked_for_alone(typed: Lab) -> None:
    obj = congestion(typed)
    obj.ops.linked.init = obj.ops.updated.init = None

    with pytest.raises(ObjectError, match="'lab_init' is in no struct of operations"):
        typed.load(obj.spec, programs=["lab_init"])


def test_members_and_programs_of_other_names_are_refused() -> None:
    with Lab(SimBackend(Machine())) as lab:
        obj = lab.open(CONGESTION)
        with pytest.raises(NoSuchNameError, match=r"tcp_congestion_ops has no member 'flag'.*flags"):
            obj.ops.linked.flag = 1
        with pytest.raises(NoSuchNameError, match=r"has no program 'lab_int' for operations.*lab_init"):
            obj.ops.linked.init = "lab_int"
        with pytest.raises(ObjectError, match="program 'lab_init' is tcp_congestion_ops"):
            obj.ops.linked.set_state = "lab_init"
