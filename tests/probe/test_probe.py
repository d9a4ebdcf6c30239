from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.backend.select import open_backend
from bpflab.backend.wrap import WrappedBackend
from bpflab.errors import ArgumentError, UnknownHelperError
from bpflab.probe import Answer, Probe

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Iterator

EPERM = 1


class Counting(WrappedBackend):
    """Counts commands and open descriptors."""

    def __init__(self, name: str) -> None:
        super().__init__(open_backend(name))
        self.commands: Counter[int] = Counter()
        self.open = 0

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        return self._counted

    def _counted(self, command: int, pointer: ctypes.c_void_p, size: int) -> int:
        self.commands[command] += 1
        answer = self.inner.bpf(command, pointer, size)
        self.open += answer >= 0
        return answer

    def close(self, fd: int) -> None:
        self.open -= 1
        self.inner.close(fd)


class Forbidding(WrappedBackend):
    """Answers every command with EPERM, as a kernel does to a process without privilege."""

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        return lambda _command, _pointer, _size: -1

    def errno(self) -> int:
        return EPERM


@pytest.fixture
def backend(bpf_backend: str) -> Iterator[Counting]:
    counting = Counting(bpf_backend)
    yield counting
    counting.shutdown()


@pytest.fixture
def probe(backend: Counting) -> Probe:
    return Probe(backend)


@pytest.fixture
def forbidden(bpf_backend: str) -> Probe:
    return Probe(Forbidding(open_backend(bpf_backend)))


@pytest.mark.parametrize("kind", [ProgType.XDP, "sched_cls", "SOCKET_FILTER"])
def test_program_types_that_every_backend_has_are_found(probe: Probe, kind: ProgType | str) -> None:
    assert probe.program_type(kind).answer is Answer.YES


@pytest.mark.parametrize("kind", [MapType.HASH, "array", "lpm_trie", "percpu_array"])
def test_map_types_that_every_backend_has_are_found(probe: Probe, kind: MapType | str) -> None:
    assert probe.map_type(kind).answer is Answer.YES


def test_a_program_type_that_is_none_is_missing(probe: Probe) -> None:
    assert probe.program_type(ProgType.UNSPEC).answer is Answer.NO


@pytest.mark.parametrize("name", ["map_lookup_elem", "bpf_map_lookup_elem", "xdp_adjust_head"])
def test_helpers_are_found_with_and_without_their_prefix(probe: Probe, name: str) -> None:
    assert probe.helper(name, "xdp").answer is Answer.YES


def test_a_helper_of_other_program_types_is_missing(probe: Probe) -> None:
    assert probe.helper("skb_store_bytes", "xdp").answer is Answer.NO


def test_a_helper_that_some_program_type_can_call_is_there(probe: Probe) -> None:
    assert probe.helper("skb_store_bytes").answer is Answer.YES


def test_a_helper_of_programs_that_need_a_target_is_judged_by_the_version(probe: Probe) -> None:
    assert probe.helper("d_path", "tracing").answer is Answer.YES


def test_every_question_is_put_to_the_backend_once(probe: Probe, backend: Counting) -> None:
    for _ in range(3):
        probe.program_type("xdp")
        probe.map_type("hash")
        probe.helper("map_lookup_elem", "xdp")
    assert backend.commands == {Command.PROG_LOAD: 2, Command.MAP_CREATE: 1}


def test_nothing_stays_open(probe: Probe, backend: Counting) -> None:
    for prog_type in ProgType:
        probe.program_type(prog_type)
    for map_type in MapType:
        probe.map_type(map_type)
    assert backend.open == 0


def test_what_is_not_permitted_is_told_apart_from_what_is_missing(forbidden: Probe) -> None:
    assert forbidden.program_type("xdp").answer is Answer.NOT_PERMITTED
    assert forbidden.map_type("hash").answer is Answer.NOT_PERMITTED
    assert forbidden.helper("map_lookup_elem", "xdp").answer is Answer.NOT_PERMITTED


def test_nothing_is_missing_of_what_is_there(probe: Probe) -> None:
    wanted = {"kernel": "5.4", "program_type": "xdp", "map_type": ["hash", "array"], "helper": "map_lookup_elem"}
    assert list(probe.missing(**wanted)) == []


def test_each_thing_that_is_missing_is_named(probe: Probe) -> None:
    said = list(probe.missing(kernel="99.0", helper=["skb_store_bytes", "map_lookup_elem"], program_type=["xdp"]))
    assert [sentence.partition(";")[0] for sentence in said] == ["needs Linux 99.0", "needs helper skb_store_bytes"]


def test_what_is_not_permitted_counts_as_missing(forbidden: Probe) -> None:
    (said,) = forbidden.missing(map_type="hash")
    assert said.endswith("does not permit it to this process")


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"program_type": "xdpp"}, ArgumentError),
        ({"map_type": 4711}, ArgumentError),
        ({"helper": "map_lookup"}, UnknownHelperError),
        ({"kernel": "latest"}, ArgumentError),
        ({"kernel": 6.1}, ArgumentError),
        ({"capability": "CAP_FLY"}, ArgumentError),
    ],
)
def test_a_name_that_nobody_knows_is_refused(probe: Probe, wanted: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        list(probe.missing(**wanted))
