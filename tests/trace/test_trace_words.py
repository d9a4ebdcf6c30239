"""What a trace tells of a run: branches with their values, calls, changes, functions, faults."""

from __future__ import annotations

from itertools import pairwise
from socket import htons
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from bpflab import Lab
from bpflab.cli.demo import example_directory
from bpflab.obj.prebuilt import object_of
from bpflab.trace import Branch, Entered, HelperCall, MapChange, MemoryChange, Trace, Visit
from bpflab.trace.fold import Fold, folded
from bpflab.trace.run import recording

if TYPE_CHECKING:
    from collections.abc import Iterator

FIREWALL = object_of(example_directory() / "firewall.bpf.c")
TELNET = bytes(
    Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="192.0.2.7", dst="192.0.2.1") / TCP(dport=23)
)
PROLOGUE = """
    r6 = *(u32 *)(r1 + 0)
    r7 = *(u32 *)(r1 + 4)
    r2 = r6
    r2 += 54
    if r2 > r7 goto out
"""
EPILOGUE = "\nout:\n    r0 = 2\n    exit"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as opened:
        yield opened


def trace(lab: Lab, body: str, packet: bytes = TELNET, **options: Any) -> Trace:
    return lab.trace(lab.program(PROLOGUE + body + EPILOGUE, name="tested", **options), packet)


def last_branch(traced: Trace) -> str:
    return str(traced.branches[-1])


def test_the_bounds_check_of_a_packet_tells_both_places(lab: Lab) -> None:
    assert str(trace(lab, "r0 = 0").branches[0]) == "not taken: packet+54 (its end) > packet+54 (its end)"
    assert str(trace(lab, "r0 = 0", TELNET[:40]).branches[0]) == "taken: packet+54 > packet+40 (its end)"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("r3 = *(u8 *)(r6 + 22)\nif r3 == 1 goto out", "not taken: ip.ttl == 1 (ip.ttl is 64)"),
        ("r3 = *(u8 *)(r6 + 22)\nif r3 == 64 goto out", "taken: ip.ttl == 64"),
        (f"r3 = *(u16 *)(r6 + 36)\nif r3 == {htons(23)} goto out", "taken: tcp.dport == 23"),
        ("r3 = *(u16 *)(r6 + 36)\nr3 = be16 r3\nif r3 > 1023 goto out",
         "not taken: tcp.dport > 1023 (tcp.dport is 23)"),
        (
            "r3 = *(u16 *)(r6 + 36)\nr3 = le16 r3\nif r3 > 1023 goto out",
            "taken: in reversed byte order, tcp.dport > 1023 (tcp.dport is 5888)",
        ),
        ("r3 = *(u8 *)(r6 + 14)\nr3 &= 15\nr3 <<= 2\nif r3 < 20 goto out", "not taken: ip.ihl < 5 (ip.ihl is 5)"),
        ("r3 = *(u32 *)(r6 + 26)\nif r3 == 0 goto out", "not taken: ip.src == 0.0.0.0 (ip.src is 192.0.2.7)"),
        ("r3 = -1\nif r3 s< 0 goto out", "taken: r3 < 0"),
        ("r3 = *(u8 *)(r6 + 22)\nr4 = *(u8 *)(r6 + 23)\nif r3 == r4 goto out",
         "not taken: ip.ttl == ip.proto (ip.ttl is 64, ip.proto is 6)"),
        ("r3 = *(u8 *)(r6 + 47)\nif r3 & 2 goto out", "taken: tcp.flags & 0x02 (tcp.flags is 0x02)"),
    ],
)  # fmt: skip
def test_a_branch_tells_the_field_and_the_value_that_decided_it(lab: Lab, body: str, told: str) -> None:
    assert last_branch(trace(lab, body)) == told


def test_a_value_keeps_its_name_on_the_stack_and_into_a_function_of_its_own(lab: Lab) -> None:
    body = """
        r3 = *(u8 *)(r6 + 22)
        *(u64 *)(r10 - 8) = r3
        r3 = 0
        r1 = *(u64 *)(r10 - 8)
        call judge
        if r0 == 7 goto out
    out:
        r0 = 2
        exit
    judge:
        r0 = r1
        if r1 == 9 goto +0
        exit
    """
    traced = lab.trace(lab.program(PROLOGUE + body), TELNET)
    assert [str(each) for each in traced.branches[1:]] == [
        "not taken: ip.ttl == 9 (ip.ttl is 64)",
        "not taken: ip.ttl == 7 (ip.ttl is 64)",
    ]
    assert [visit.depth for visit in traced.visits if visit.happenings][1:] == [0, 1, 0]
    assert any(isinstance(each, Entered) for each in traced.happenings())


LOOKUP = """
    r3 = *(u16 *)(r6 + 36)
    r3 = be16 r3
    *(u16 *)(r10 - 2) = r3
    r1 = map[name:ports]
    r2 = r10
    r2 += -2
    call map_lookup_elem
    if r0 == 0 goto out
"""


def test_a_lookup_tells_its_key_its_origin_and_what_was_found(lab: Lab) -> None:
    ports = lab.map("hash", key="u16", value="u32", max_entries=4, name="ports")
    missed = trace(lab, LOOKUP)
    assert [str(each) for each in missed.calls] == ["bpf_map_lookup_elem(ports, key=23 (tcp.dport)) = NULL"]
    assert last_branch(missed) == "taken: &ports[23] == NULL"
    ports[23] = 9
    found = trace(lab, LOOKUP + "r3 = *(u32 *)(r0 + 0)\nif r3 == 9 goto out\n")
    assert [str(each) for each in found.calls] == [
        "bpf_map_lookup_elem(ports, key=23 (tcp.dport)) = &ports[23], which is 9"
    ]
    assert last_branch(found) == "taken: ports[23] == 9"


def test_a_write_to_an_entry_tells_the_old_and_the_new(lab: Lab) -> None:
    ports = lab.map("hash", key="u16", value="u32", max_entries=4, name="ports")
    ports[23] = 9
    traced = trace(lab, LOOKUP + "r3 = 1\nlock *(u32 *)(r0 + 0) += r3\n")
    assert [str(each) for each in traced.map_changes] == ["map ports[23]: 9 -> 10"]
    assert ports[23] == 10


@pytest.mark.parametrize(
    ("before", "call", "told"),
    [
        ({}, "r3 = r10\nr3 += -8\nr4 = 0\ncall map_update_elem", ["map ports[23]: nothing -> 7"]),
        ({23: 5}, "r3 = r10\nr3 += -8\nr4 = 0\ncall map_update_elem", ["map ports[23]: 5 -> 7"]),
        ({23: 5}, "call map_delete_elem", ["map ports[23]: 5 -> nothing"]),
        ({}, "call map_delete_elem", []),
    ],
    ids=["insert", "replace", "delete", "delete nothing"],
)
@pytest.mark.parametrize("kind", ["hash", "lru_hash"])
def test_helpers_tell_what_they_change_in_maps(
    lab: Lab, kind: str, before: dict[int, int], call: str, told: list[str]
) -> None:
    ports = lab.map(kind, key="u16", value="u32", max_entries=4, name="ports")
    for key, value in before.items():
        ports[key] = value
    keys = "*(u16 *)(r10 - 2) = 23\n*(u32 *)(r10 - 8) = 7\nr1 = map[name:ports]\nr2 = r10\nr2 += -2\n"
    assert [str(each) for each in trace(lab, keys + call).map_changes] == told


def test_an_errno_of_a_helper_is_called_by_its_name(lab: Lab) -> None:
    lab.map("hash", key="u16", value="u32", max_entries=4, name="ports")
    traced = trace(lab, "*(u16 *)(r10 - 2) = 23\nr1 = map[name:ports]\nr2 = r10\nr2 += -2\ncall map_delete_elem")
    assert str(traced.calls[0]) == "bpf_map_delete_elem(ports, key=23) = -ENOENT"


def test_changes_of_the_packet_are_told_by_field_and_copies_as_one(lab: Lab) -> None:
    traced = trace(lab, f"*(u8 *)(r6 + 22) = 63\n*(u16 *)(r6 + 36) = {htons(80)}")
    assert [str(each) for each in traced.memory_changes] == ["ip.ttl: 64 -> 63", "tcp.dport: 23 -> 80"]
    assert str(traced).endswith("=> XDP.PASS (2), 54 bytes came out, changed")


def test_bytes_that_a_helper_copied_out_of_the_packet_keep_their_names(lab: Lab) -> None:
    body = """
        r1 = r9
        r2 = 36
        r3 = r10
        r3 += -2
        r4 = 2
        call xdp_load_bytes
        r3 = *(u16 *)(r10 - 2)
        if r3 == 0 goto out
    """
    code = "r9 = r1\n" + PROLOGUE + body + EPILOGUE
    traced = lab.trace(lab.program(code), TELNET)
    assert last_branch(traced) == "not taken: tcp.dport == 0 (tcp.dport is 23)"
    (change,) = traced.memory_changes
    assert (change.place, change.new, change.helper) == ("stack fp-2", str(htons(23)), "bpf_xdp_load_bytes")


def test_a_tail_call_leads_into_the_other_program(lab: Lab) -> None:
    chain = lab.chain("way", ["r7 = 1", "r0 = 1\nexit"])
    with recording(lab.world) as recorder:
        chain.run(TELNET)
    assert recorder.last is not None
    entered = [each for visit in recorder.last.visits for each in visit.happenings if isinstance(each, Entered)]
    assert [(each.name, each.tail_call) for each in entered] == [("way.1", True)]
    assert {visit.program for visit in recorder.last.visits} == {"way.0", "way.1"}


def test_an_unsafe_act_ends_the_trace_at_its_place(lab: Lab) -> None:
    lab.map("hash", key="u16", value="u32", max_entries=4, name="ports")
    lab.world.helpers["map_lookup_elem"] = lambda _env, _map, _key: 0x10
    traced = trace(lab, LOOKUP + "r3 = *(u32 *)(r0 + 0)\nif r3 == 9 goto out\n")
    assert traced.retval is None
    assert traced.result is None
    assert traced.fault.startswith("insn 14: ")
    assert traced.visits[-1].pc == 14
    assert str(traced).splitlines()[-1].startswith("=> stopped: insn 14")


def test_a_compiled_program_is_told_by_its_source_lines(lab: Lab) -> None:
    firewall = lab.load(FIREWALL)
    firewall.maps.blocked_ports[23] = 1
    traced = lab.trace(firewall.programs.firewall, TELNET)
    assert traced.lines[:3] == (493, 495, 123)
    assert traced.visits[0].text == "int firewall(struct xdp_md *ctx)"
    assert "map statistics[3].packets (CPU 0): 0 -> 1" in [str(each) for each in traced.map_changes]
    assert "not taken: answer_ping == 0 (answer_ping is 1)" in [str(each) for each in traced.branches]
    assert traced.result is not None
    assert traced.verdict is traced.result.action


def test_a_program_without_line_info_is_told_by_its_instructions(lab: Lab) -> None:
    traced = lab.trace(lab.program("r0 = 2\nexit", name="plain"), TELNET)
    assert str(traced).splitlines() == [
        "plain was run on a packet of 54 bytes (eth/ip/tcp): 2 instructions.",
        "     0  r0 = 2",
        "     1  exit",
        "=> XDP.PASS (2), the packet unchanged",
    ]


def test_a_traced_run_answers_as_any_other(lab: Lab) -> None:
    program = lab.load(FIREWALL).programs.firewall
    result = lab.trace(program, TELNET).result
    assert result is not None
    assert (result.retval, result.data) == (program.run(TELNET).retval, program.run(TELNET).data)
    assert lab.world.observer is None


def rounds(*lines: int) -> list[Visit]:
    return [Visit("p", 0, line, str(line), "f.c", line) for line in lines]


def test_of_a_loop_the_first_and_the_last_round_are_shown() -> None:
    shown = list(folded(rounds(1, *(2, 3) * 50, 4)))
    assert [each.rounds if isinstance(each, Fold) else each.line for each in shown] == [1, 2, 3, 48, 2, 3, 4]


def test_loops_within_loops_are_folded_too() -> None:
    shown = list(folded(rounds(*(1, *(2,) * 5, 3) * 4)))
    assert [f"x{each.rounds}" if isinstance(each, Fold) else each.line for each in shown] == [
        *(1, 2, "x3", 2, 3),
        "x2",
        *(1, 2, "x3", 2, 3),
    ]


@given(st.lists(st.integers(1, 3), max_size=60))
def test_folding_leaves_no_visit_out_that_it_does_not_count(lines: list[int]) -> None:
    shown = list(folded(rounds(*lines)))
    if not any(isinstance(each, Fold) for each in shown):
        assert [each.line for each in shown if isinstance(each, Visit)] == lines
    assert [each.line for each in shown if isinstance(each, Visit)][:1] == lines[:1]
    assert [each.line for each in shown if isinstance(each, Visit)][-1:] == lines[-1:]
    assert not any(isinstance(one, Fold) and isinstance(other, Fold) for one, other in pairwise(shown))


def test_what_happened_is_there_as_values() -> None:
    branch = Branch(1, taken=True, condition="a == b", values=("a is 1",))
    assert str(branch) == "taken: a == b (a is 1)"
    assert str(HelperCall(1, "bpf_f", (("map", "m"), ("flags", "0")), "7")) == "bpf_f(m, flags=0) = 7"
    assert str(MapChange(1, "m", "m[1]", None, "2")) == "map m[1]: nothing -> 2"
    assert str(MemoryChange(1, "ip.ttl", "64", "63", "bpf_f")) == "ip.ttl: 64 -> 63 (by bpf_f)"
