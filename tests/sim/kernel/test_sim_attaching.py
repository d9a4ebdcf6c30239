"""The books of attached programs are kept as the running kernel keeps them: tcx, cgroups, XDP, namespaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.abi.attach_types import AttachType
from bpflab.abi.commands import Command
from bpflab.abi.flags import AttachFlag
from bpflab.abi.prog_types import ProgType

Descriptors = tuple[int, int]
Load = Callable[..., Descriptors]
Open = Callable[..., Any]
LOOPBACK, NO_DEVICE, NO_FD = 1, 4321, 9999
TCX, XDP, INGRESS = AttachType.TCX_INGRESS, AttachType.XDP, AttachType.CGROUP_INET_INGRESS
DISSECTOR, LOOKUP = AttachType.FLOW_DISSECTOR, AttachType.SK_LOOKUP
ANY_NETWORK = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


Step = Callable[[Any], object]


def steps_of(flags: list[int], links: list[int]) -> st.SearchStrategy[list[Step]]:
    """Draw steps on a hook: attach and detach programs and links with these flags, and look."""
    which, link = st.integers(0, 3), st.integers(0, 3)
    flag = st.sampled_from(flags)
    revision = st.sampled_from([0, 0, 0, 0, 1, 2, 77])

    def attach(program: int, flags: int, near: int, at: int) -> Step:
        def step(book: Any) -> None:
            near_fd = book.programs[near] if flags & (AttachFlag.BEFORE | AttachFlag.AFTER) else 0
            old = {"replace_bpf_fd": book.programs[near]} if flags & AttachFlag.REPLACE else {}
            book.attach(program, attach_flags=flags, relative_fd=near_fd, expected_revision=at, **old)

        return step

    return st.lists(
        st.one_of(
            st.builds(attach, which, flag, which, revision),
            st.builds(attach, which, st.just(flags[0]), which, st.just(0)),
            which.map(lambda program: lambda book: book.detach(program)),
            st.just(lambda book: book.detach(None)),
            st.builds(
                lambda program, flags: lambda book: book.link(program, flags=flags), which, st.sampled_from(links)
            ),
            st.builds(lambda at, program: lambda book: book.update(at, program), link, which),
            link.map(lambda at: lambda book: book.detach_link(at)),
            st.just(lambda book: book.read()),
            st.just(lambda book: book.read(prog_cnt=1)),
        ),
        max_size=15,
    )


@ANY_NETWORK
@given(steps=steps_of([0, 0, 1, 2, 4, 8, 16, 24, 12], [0, 0, 1, 4, 8]))
def test_tcx_programs_come_and_go_as_in_the_kernel(
    open_book: Open, load: Load, network: int, steps: list[Step]
) -> None:
    del network
    book = open_book([load(ProgType.SCHED_CLS) for _ in range(4)], LOOPBACK, TCX)
    try:
        play(book, steps)
    finally:
        clear(book)
        book.both.close()


@ANY_NETWORK
@given(
    mode=st.sampled_from([0, AttachFlag.ALLOW_OVERRIDE, AttachFlag.ALLOW_MULTI]),
    data=st.data(),
)
def test_programs_of_a_cgroup_come_and_go_as_in_the_kernel(
    open_book: Open, load: Load, cgroup: int, mode: int, data: st.DataObject
) -> None:
    flags = [mode, mode, mode | 4, mode | 8, mode | 16, mode | 64, 0, 1, 2, 3, 128]
    book = open_book([load(ProgType.CGROUP_SKB, 1) for _ in range(4)], cgroup, INGRESS)
    try:
        play(book, data.draw(steps_of(flags, [0, 0, 1, 2, 4, 64])))
    finally:
        clear(book)
        book.both.close()


@pytest.mark.parametrize("side", [AttachFlag.BEFORE, AttachFlag.AFTER], ids=["before", "after"])
@pytest.mark.parametrize("near", [0, 1, 2, None], ids=["first", "second", "third", "end"])
@pytest.mark.parametrize("hook", ["tcx", "cgroup"])
def test_a_program_joins_before_or_after_another(
    open_book: Open, request: pytest.FixtureRequest, hook: str, near: int | None, side: int
) -> None:
    load = request.getfixturevalue("load")
    kind, attach_type, mode = {"tcx": (ProgType.SCHED_CLS, TCX, 0), "cgroup": (ProgType.CGROUP_SKB, INGRESS, 2)}[hook]
    target = request.getfixturevalue("network" if hook == "tcx" else "cgroup")
    book = open_book([load(kind, 1) for _ in range(4)], LOOPBACK if hook == "tcx" else target, attach_type)
    try:
        for which in range(3):
            assert book.attach(which, attach_flags=mode) == 0
        relative = 0 if near is None else book.programs[near]
        assert book.attach(3, attach_flags=mode | side, relative_fd=relative) == 0
        order = book.read()
        others = {AttachFlag.BEFORE: 1, AttachFlag.AFTER: -1}[AttachFlag(side)]
        ends = {1: 0, -1: 2}[others]
        assert order[order.index(3) + others] == (ends if near is None else near)
    finally:
        clear(book)


def play(book: Any, steps: list[Step]) -> None:
    for step in steps:
        step(book)
    book.read()


def clear(book: Any) -> None:
    """Detach all that the example left, so that the next one starts from nothing."""
    for place in range(len(book.links)):
        book.detach_link(place)
    for place in range(len(book.programs)):
        book.detach(place)


def test_an_interface_has_one_xdp_link(open_book: Open, load: Load, network: int) -> None:
    del network
    book = open_book([load(ProgType.XDP) for _ in range(2)], LOOPBACK, XDP)
    book.link(0)
    for flags in (0, 1, 2, 4, 6, 8, 16, 32):
        book.link(1, flags=flags)
    book.link(1, target_fd=NO_DEVICE)
    for _ in range(2):
        book.update(0, 1)
        book.detach_link(0)
    book.link(1, flags=2)
    book.link(0, flags=4)


def test_a_network_namespace_has_one_flow_dissector(open_book: Open, load: Load, network: int) -> None:
    book = open_book([load(ProgType.FLOW_DISSECTOR) for _ in range(2)], network, DISSECTOR)
    book.attach(0)
    for which in (0, 0, 1):
        book.attach(which, target_fd=0)
        book.read()
    book.link(0)
    for which in (0, 1, 1):
        book.detach(which, target_fd=0)
    book.link(0)
    book.link(1)
    book.attach(1, target_fd=0)
    book.detach(0, target_fd=0)
    for values in ({}, {"old_prog_fd": book.programs[0]}, {"flags": 4, "old_prog_fd": book.programs[0]}, {"flags": 1}):
        book.update(0, 1, **values)
        book.read()
    for _ in range(2):
        book.detach_link(0)
        book.read()
    book.update(0, 1)


def test_a_network_namespace_has_many_socket_lookups(open_book: Open, load: Load, network: int) -> None:
    book = open_book([load(ProgType.SK_LOOKUP, 1, expected_attach_type=LOOKUP) for _ in range(2)], network, LOOKUP)
    for which in (0, 1, 0):
        book.link(which)
        book.read()
    book.read(prog_cnt=1)
    book.read(query_flags=1)
    book.link(0, flags=1)
    book.link(0, target_fd=NO_FD)
    book.attach(0, target_fd=0)


@pytest.mark.parametrize("prog_type", [ProgType.SOCKET_FILTER, ProgType.XDP, ProgType.SCHED_CLS, ProgType.CGROUP_SKB])
def test_a_program_attaches_only_where_its_type_does(both: Any, load: Load, prog_type: ProgType) -> None:
    program = load(prog_type, 1)
    for attach_type in range(64):
        for target in (0, NO_FD):
            values = {"attach_bpf_fd": program, "target_fd": target, "attach_type": attach_type}
            both(Command.PROG_ATTACH, **values)
            both(Command.PROG_DETACH, **values)
            both.refused(Command.LINK_CREATE, prog_fd=program, target_fd=target, attach_type=attach_type)
            both(Command.PROG_QUERY, target_fd=target, attach_type=attach_type)


def test_a_link_says_what_it_attaches_where(both: Any, load: Load, network: int, cgroup: int) -> None:
    links = [
        (ProgType.XDP, {"target_fd": LOOPBACK, "attach_type": XDP}),
        (ProgType.SCHED_CLS, {"target_fd": LOOPBACK, "attach_type": TCX}),
        (ProgType.FLOW_DISSECTOR, {"target_fd": network, "attach_type": DISSECTOR}),
        (ProgType.CGROUP_SKB, {"target_fd": cgroup, "attach_type": INGRESS}),
    ]
    for prog_type, values in links:
        link = both.open(Command.LINK_CREATE, prog_fd=load(prog_type, 1), **values)
        for _ in range(2):
            answers = []
            for side in (0, 1):
                data = bytearray(64)
                both.send(side, Command.OBJ_GET_INFO_BY_FD, {"bpf_fd": link[side], "info": data, "info_len": 64})
                answers.append((data[:4], data[16:]))
            assert answers[1] == answers[0]
            both(Command.LINK_DETACH, link_fd=link)


def test_a_raw_tracepoint_tells_its_name(both: Any, load: Load) -> None:
    program = load(ProgType.RAW_TRACEPOINT)
    link = both.open(Command.RAW_TRACEPOINT_OPEN, name=b"sched_process_hang\0", prog_fd=program)
    both(Command.LINK_DETACH, link_fd=link)
    both(Command.LINK_UPDATE, link_fd=link, new_prog_fd=program)
    both.refused(Command.RAW_TRACEPOINT_OPEN, name=b"sched_process_hang\0", prog_fd=load())
    both.refused(Command.RAW_TRACEPOINT_OPEN, prog_fd=program)
