"""The light check of helper calls: what it reports, and what it keeps quiet about."""

from __future__ import annotations

import pytest

from bpflab.abi.prog_types import ProgType
from bpflab.asm import assemble, call, exit_, mov, r1
from bpflab.errors import AssemblyError

LOOKUP = "call map_lookup_elem"


@pytest.mark.parametrize(
    ("text", "unset"),
    [
        (f"{LOOKUP}\nexit", "r2 is"),
        ("call map_update_elem\nexit", "r2 and r3 and r4 are"),
        (f"r1 = m ll\nr2 = r10\n{LOOKUP}\n{LOOKUP}\nexit", "r1 and r2 are"),
        (f"r2 = 1\ncall ktime_get_ns\nr1 = m ll\n{LOOKUP}\nexit", "r2 is"),
        (f"r2 = 1\ncall work\nr1 = m ll\n{LOOKUP}\nwork: exit", "r2 is"),
        (f"r2 = 1\nr6 = r1\nr0 = *(u8 *)skb[0]\nr1 = m ll\n{LOOKUP}\nexit", "r2 is"),
        (f"*(u64 *)(r10 - 8) = r2\n{LOOKUP}\nexit", "r2 is"),
        (f"lock *(u64 *)(r10 - 8) += r2\n{LOOKUP}\nexit", "r2 is"),
        (f"if r1 == 0 goto out\n{LOOKUP}\nout: exit", "r2 is"),
    ],
)
def test_an_argument_that_nothing_has_set_is_reported(text: str, unset: str) -> None:
    with pytest.raises(AssemblyError, match=f"takes r1 = map, r2 = key.*but {unset} not set since the last call"):
        assemble(text)


@pytest.mark.parametrize(
    "text",
    [
        f"r2 = r10\n{LOOKUP}\nexit",
        f"r2 = *(u32 *)(r1 + 0)\n{LOOKUP}\nexit",
        f"r2 = 1 ll\n{LOOKUP}\nexit",
        f"r2 = atomic_fetch_add((u64 *)(r10 - 8), r2)\n{LOOKUP}\nexit",
        f"r2 = load_acquire((u64 *)(r10 - 8))\n{LOOKUP}\nexit",
        f"call work\nexit\nwork: {LOOKUP}\nexit",
        f"call ktime_get_ns\nback: {LOOKUP}\nr1 = 1\nr2 = 2\ngoto back",
        f"call ktime_get_ns\ngoto +1\nexit\n{LOOKUP}\nexit",
        "call ktime_get_ns\ncall get_smp_processor_id\nexit",
        "call 99999\nexit",
    ],
)
def test_what_may_be_set_is_not_reported(text: str) -> None:
    assert assemble(text).insns[-1].opcode in {0x95, 0x05}


def test_the_check_can_be_turned_off() -> None:
    assert len(assemble(f"{LOOKUP}\nexit", check=False).insns) == 2


def test_a_helper_that_the_program_type_may_not_call_is_reported_with_who_may() -> None:
    program = [call("skb_vlan_pop"), exit_()]
    assert assemble(program, prog_type=ProgType.SCHED_CLS).helpers == {0: "skb_vlan_pop"}
    with pytest.raises(AssemblyError, match=r"type XDP may not call bpf_skb_vlan_pop#19; it is for .*SCHED_CLS"):
        assemble(program, prog_type=ProgType.XDP)


def test_an_extension_may_call_what_the_program_it_replaces_may_with_any_argument() -> None:
    assert len(assemble([call("skb_vlan_push"), exit_()], prog_type=ProgType.EXT).insns) == 2


def test_a_report_in_text_points_at_the_call() -> None:
    with pytest.raises(AssemblyError, match=r"line 2, column 5: bpf_map_lookup_elem#1 takes") as caught:
        assemble(f"r3 = 0\n    {LOOKUP} # here\nexit")
    assert str(caught.value).endswith(f"        {LOOKUP} # here\n        {'^' * len(LOOKUP)}")


def test_a_report_in_python_shows_the_item() -> None:
    with pytest.raises(AssemblyError, match=r"item 1 of the program, `call bpf_map_lookup_elem#1`: "):
        assemble([mov(r1, 0), call("map_lookup_elem"), exit_()])
