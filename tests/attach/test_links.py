"""A link holds a program at its hook until it is closed."""

from __future__ import annotations

from typing import Any

import pytest

from bpflab import Lab
from bpflab.abi.attach_types import AttachType, LinkType
from bpflab.errors import AttachError
from bpflab.programs.program import Program

LOOPBACK = 1
PASSES = "r0 = 2\nexit"
NEXT = "r0 = -1\nexit"
pytestmark = pytest.mark.usefixtures("own_network")


def program(bpf: Lab, type: str = "xdp", name: str = "passes") -> Program:  # noqa: A002 - the field's own word for it
    return bpf.program(PASSES if type == "xdp" else NEXT, type=type, name=name)


@pytest.mark.parametrize("to", [LOOPBACK, "lo"], ids=["index", "name"])
def test_an_xdp_program_is_attached_until_its_link_is_closed(bpf: Lab, to: object) -> None:
    passes = program(bpf)
    link = bpf.attach(passes, to)
    assert passes.attached
    assert link.info.type == LinkType.XDP
    link.close()
    assert not passes.attached


def test_a_detached_link_stays_open_and_holds_nothing(bpf: Lab) -> None:
    link = bpf.attach(program(bpf), LOOPBACK)
    link.detach()
    bpf.attach(program(bpf, name="other"), LOOPBACK)
    assert not link.closed


def test_a_link_can_be_given_another_program(bpf: Lab) -> None:
    link, other = bpf.attach(program(bpf), LOOPBACK), program(bpf, name="other")
    link.update(other)
    assert link.info.prog_id == other.id


@pytest.mark.parametrize("hook", ["ingress", "egress", AttachType.TCX_INGRESS])
def test_tc_programs_join_in_the_order_that_is_asked_for(bpf: Lab, hook: Any) -> None:
    first, second, third = (program(bpf, "sched_cls", name) for name in ("first", "second", "third"))
    bpf.attach(third, LOOPBACK, hook=hook)
    bpf.attach(first, LOOPBACK, hook=hook, before=third)
    bpf.attach(second, LOOPBACK, hook=hook, after=first)
    with pytest.raises(AttachError, match="EEXIST"):
        bpf.attach(second, LOOPBACK, hook=hook, after=third)


def test_a_raw_tracepoint_program_is_attached_by_name(bpf: Lab) -> None:
    traces = bpf.program("r0 = 0\nexit", type="raw_tracepoint")
    assert bpf.attach(traces, "sys_enter").info.type == LinkType.RAW_TRACEPOINT


def test_a_socket_lookup_program_is_attached_to_its_own_namespace(bpf: Lab) -> None:
    lookup = bpf.program("r0 = 1\nexit", type="sk_lookup", expected_attach_type=AttachType.SK_LOOKUP)
    assert bpf.attach(lookup).info.type == LinkType.NETNS


@pytest.mark.parametrize(
    ("kind", "to", "hook", "said"),
    [
        ("xdp", None, None, "expected its name or index"),
        ("xdp", 4711, None, "could not be attached to 4711"),
        ("sched_cls", LOOPBACK, None, "give hook='ingress', 'egress'"),
        ("sched_cls", LOOPBACK, "sideways", "hook='sideways' is no place"),
        ("cgroup_skb", None, "cgroup_inet_ingress", "the directory of a cgroup"),
        ("cgroup_skb", "/nowhere", "cgroup_inet_ingress", "/nowhere"),
        ("socket_filter", LOOPBACK, None, "are not attached by a link"),
        ("raw_tracepoint", None, None, "expected its name"),
        ("raw_tracepoint", "no_such_event", None, None),
    ],
)
def test_what_cannot_be_attached_is_said_in_words(
    bpf: Lab, kind: str, to: object, hook: str | None, said: str | None
) -> None:
    code = "r0 = 0\nexit" if kind != "xdp" else PASSES
    if said is None:
        if bpf.backend.name == "sim":
            pytest.skip("a simulated kernel takes any name of a raw tracepoint")
        said = "no_such_event"
    with pytest.raises(AttachError, match=said):
        bpf.attach(bpf.program(code, type=kind), to, hook=hook)


def test_closing_the_lab_detaches_everything(bpf_backend: str) -> None:
    with Lab(bpf_backend) as lab:
        lab.attach(program(lab), LOOPBACK)
    with Lab(bpf_backend) as lab:
        assert not lab.attach(program(lab), LOOPBACK).closed


def test_a_pinned_link_keeps_its_program_attached(bpf: Lab) -> None:
    passes = program(bpf)
    link = bpf.attach(passes, LOOPBACK)
    link.pin("kept")
    link.close()
    assert passes.attached
    link.unpin("kept")
    assert not passes.attached
