"""A security policy for programs and files in the manner of real ones, driven by objects that the test lays out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.objects.loaded import LoadedObject
from bpflab.sim.structs import KernelStruct

SOURCE = Path(__file__).parent / "exec_policy.bpf.c"
PATH_LENGTH = 64
EPERM = -1 & 0xFFFFFFFF
EXECUTE, OPEN, WRITE = 1, 2, 4
FMODE_READ, FMODE_WRITE = 1, 2

pytestmark = pytest.mark.usefixtures("kernel_types")


class Policy:
    """The policy on a simulated kernel, and what happens to the tasks it watches."""

    def __init__(self, lab: Lab, *, mode: int = 1, watch_writes: int = 1, budget: int = 0) -> None:
        self.lab = lab
        self.loaded: LoadedObject = lab.load(SOURCE)
        self.loaded.maps.settings[0] = {"mode": mode, "watch_writes": watch_writes, "budget": budget}
        self.events = self.loaded.maps.events.consumer()
        self.run_as(1000)

    def run_as(self, uid: int, comm: str = "shell", parent: str = "sshd") -> None:
        world = self.lab.world
        above = world.task(pid=1, comm=parent)
        world.current = world.task(pid=4242, tgid=4242, comm=comm, uid=uid, parent=above)

    def rule(self, path: str, acts: int, min_uid: int = 0) -> None:
        raw = path.encode()
        self.loaded.maps.rules[8 * len(raw), raw.ljust(PATH_LENGTH, b"\0")] = {"acts": acts, "min_uid": min_uid}

    def execute(self, path: str) -> int:
        bprm = self.lab.world.struct("linux_binprm", filename=path, argc=1)
        return self.loaded.programs.check_exec.run(args=[bprm, 0]).retval

    def open(self, path: str, mode: int = FMODE_READ) -> int:
        file = self.lab.world.struct("file", f_mode=mode, f_path={"dentry": self.dentry(path)})
        return self.loaded.programs.check_open.run(args=[file, 0]).retval

    def dentry(self, path: str) -> KernelStruct:
        world = self.lab.world
        found = world.struct("dentry", d_name={"name": "/"})
        found.d_parent = found
        for name in path.strip("/").split("/"):
            found = world.struct("dentry", d_name={"name": name}, d_parent=found)
        return found

    def told(self) -> list[tuple[int, int, bytes, bytes, bytes]]:
        """Return uid, act, comm, parent and path of each record."""
        records = [bytes(each) for each in self.events.drain()]
        text = [[part.partition(b"\0")[0] for part in (each[24:40], each[40:56], each[56:120])] for each in records]
        numbers = [[int.from_bytes(each[at : at + 4], sys.byteorder) for at in (12, 16)] for each in records]
        return [(uid, act, *words) for (uid, act), words in zip(numbers, text, strict=True)]  # type: ignore[misc]  # three words


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


def test_a_program_below_a_denied_prefix_cannot_be_started(lab: Lab) -> None:
    policy = Policy(lab)
    policy.rule("/tmp/", 0)
    assert (policy.execute("/tmp/x"), policy.execute("/usr/bin/x")) == (EPERM, 0)


def test_the_longest_prefix_decides(lab: Lab) -> None:
    policy = Policy(lab)
    policy.rule("/opt/", 0)
    policy.rule("/opt/tools/", EXECUTE)
    assert [policy.execute(path) for path in ("/opt/x", "/opt/tools/x", "/opt/tool")] == [EPERM, 0, EPERM]


def test_a_refusal_says_who_did_what(lab: Lab) -> None:
    policy = Policy(lab)
    policy.rule("/tmp/", 0)
    policy.run_as(1001, comm="dropper", parent="nginx")
    policy.execute("/tmp/payload")
    assert policy.told() == [(1001, EXECUTE, b"dropper", b"nginx", b"/tmp/payload")]


def test_permissive_mode_tells_and_lets_it_happen(lab: Lab) -> None:
    policy = Policy(lab, mode=0)
    policy.rule("/tmp/", 0)
    assert policy.execute("/tmp/x") == 0
    assert len(policy.told()) == 1


@pytest.mark.parametrize(("uid", "answer"), [(0, 0), (999, 0), (1000, EPERM), (1001, EPERM)])
def test_users_below_the_first_are_not_restricted(lab: Lab, uid: int, answer: int) -> None:
    policy = Policy(lab)
    policy.rule("/tmp/", 0, min_uid=1000)
    policy.run_as(uid)
    assert policy.execute("/tmp/x") == answer


@pytest.mark.parametrize(
    ("acts", "read", "written"),
    [(0, EPERM, EPERM), (OPEN, 0, EPERM), (WRITE, EPERM, 0), (OPEN | WRITE, 0, 0)],
)
def test_files_are_judged_by_what_they_are_opened_for(lab: Lab, acts: int, read: int, written: int) -> None:
    policy = Policy(lab)
    policy.rule("/etc/", acts)
    assert policy.open("/etc/shadow") == read
    assert policy.open("/etc/shadow", FMODE_READ | FMODE_WRITE) == written


def test_writes_are_not_judged_unless_they_are_watched(lab: Lab) -> None:
    policy = Policy(lab, watch_writes=0)
    policy.rule("/etc/", OPEN)
    assert policy.open("/etc/shadow", FMODE_WRITE) == 0


names = st.text("abcxyz_-.", min_size=1, max_size=6)


@settings(max_examples=15)
@given(st.lists(names, min_size=1, max_size=6))
def test_a_path_is_told_as_it_was_laid_out(parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    with Lab("sim") as lab:
        policy = Policy(lab)
        policy.rule("/", 0)
        assert policy.open(path) == EPERM
        (told,) = policy.told()
        assert path.encode().startswith(told[4])
        assert told[4] == path.encode() or len(told[4]) >= PATH_LENGTH // 2 - 7


def test_a_user_cannot_drown_the_others_in_records(lab: Lab) -> None:
    policy = Policy(lab, budget=3)
    policy.rule("/tmp/", 0)
    assert [policy.execute("/tmp/x") for _ in range(5)] == [EPERM] * 5
    policy.run_as(2000)
    policy.execute("/tmp/y")
    assert [uid for uid, *_ in policy.told()] == [1000] * 3 + [2000]
    assert policy.loaded.bss.untold == 2
    lab.clock.advance(seconds=1)
    policy.run_as(1000)
    policy.execute("/tmp/z")
    assert len(policy.told()) == 1


def test_the_trusted_user_is_set_before_loading(lab: Lab) -> None:
    opened = lab.open(SOURCE)
    opened.rodata.trusted_uid = 1000
    policy = Policy.__new__(Policy)
    policy.lab, policy.loaded = lab, opened.load()
    policy.loaded.maps.settings[0] = {"mode": 1, "watch_writes": 1, "budget": 0}
    policy.rule("/tmp/", 0)
    answers = []
    for uid in (1000, 1001):
        policy.run_as(uid)
        answers.append(policy.execute("/tmp/x"))
    assert answers == [0, EPERM]
