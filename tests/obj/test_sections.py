"""Section names say the type of a program, as libbpf reads them."""

from __future__ import annotations

import pytest

from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType
from bpflab.abi.sections import RULES, SectionRule, rule_for, why_unknown


@pytest.mark.parametrize(
    ("section", "prog_type", "attach", "target"),
    [
        ("xdp", ProgType.XDP, AttachType.XDP, None),
        ("xdp.frags/devmap", ProgType.XDP, AttachType.XDP_DEVMAP, None),
        ("tc", ProgType.SCHED_CLS, None, None),
        ("?tcx/egress", ProgType.SCHED_CLS, AttachType.TCX_EGRESS, None),
        ("kprobe/vfs_read", ProgType.KPROBE, None, "vfs_read"),
        ("kprobe", ProgType.KPROBE, None, None),
        ("tp/syscalls/sys_enter_open", ProgType.TRACEPOINT, None, "syscalls/sys_enter_open"),
        ("lsm.s/file_open", ProgType.LSM, AttachType.LSM_MAC, "file_open"),
        ("uprobe//bin/sh:main", ProgType.KPROBE, None, "/bin/sh:main"),
        ("cgroup/connect4", ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT, None),
    ],
)
def test_a_section_name_gives_type_attach_type_and_target(
    section: str, prog_type: ProgType, attach: AttachType | None, target: str | None
) -> None:
    rule = rule_for(section)
    assert rule is not None
    assert (rule.type, rule.attach, rule.attach_to(section.removeprefix("?"))) == (prog_type, attach, target)


@pytest.mark.parametrize("section", ["xdp_firewall", "xdp/ingress", "kprobes", "", "Xdp", "tc/sideways"])
def test_a_name_that_only_looks_like_one_is_unknown(section: str) -> None:
    assert rule_for(section) is None


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    assert (
        why_unknown("xpd") == "The section name 'xpd' does not say what type of program it holds. Similar names: xdp."
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_is_reached_by_its_own_name(rule: SectionRule) -> None:
    assert rule_for(rule.name) is rule


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.name.endswith(".s")], ids=lambda rule: rule.name)
def test_names_that_end_in_s_are_sleepable(rule: SectionRule) -> None:
    assert rule.sleepable
