"""Names mean what they mean to libbpf: those of sections, and that of a pinned map."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import pytest

from bpflab.abi.sections import RULES, SectionRule
from bpflab.backend.calls import Call
from bpflab.obj import compile_c, read_object
from bpflab.obj.spec import Pinning

Loader = Callable[[Path], list[Call]]
LATER = {
    "kprobe.session", "uprobe.multi", "uretprobe.multi", "uprobe.session", "uprobe.multi.s", "uretprobe.multi.s",
    "uprobe.session.s", "usdt.s", "tc/ingress", "tc/egress", "tcx/ingress", "tcx/egress", "netkit/primary",
    "netkit/peer", "fsession", "fsession.s", "cgroup/connect_unix", "cgroup/sendmsg_unix", "cgroup/recvmsg_unix",
    "cgroup/getpeername_unix", "cgroup/getsockname_unix", "struct_ops.s", "netfilter", "sk_skb/verdict",
}  # fmt: skip
"""Names that libbpf 1.1 does not have yet."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_section_holds_the_programs_that_libbpf_sees_in_it(rule: SectionRule, library: ctypes.CDLL) -> None:
    kind, attach = ctypes.c_int(-1), ctypes.c_int(-1)

    section = f"{rule.name}/target" if rule.target else rule.name
    known = library.libbpf_prog_type_by_name(section.encode(), ctypes.byref(kind), ctypes.byref(attach)) == 0

    if not known and rule.name in LATER:
        pytest.skip(f"needs a newer libbpf than {library.libbpf_version_string().decode()}")
    assert known
    assert (kind.value, attach.value) == (rule.type, rule.attach or 0)


@pytest.mark.parametrize("name", ["xdp_firewall", "socket1", "kprobe2/x", "tracing", "fentry.t/x", "sk_msg/x"])
def test_what_is_no_name_to_libbpf_is_none_here(name: str, library: ctypes.CDLL) -> None:
    kind, attach = ctypes.c_int(), ctypes.c_int()

    assert library.libbpf_prog_type_by_name(name.encode(), ctypes.byref(kind), ctypes.byref(attach)) < 0
    assert not [rule for rule in RULES if rule.matches(name)]


def test_a_map_is_pinned_where_libbpf_pins_it(library: ctypes.CDLL, tmp_path: Path) -> None:
    path = compile_c(Path(__file__).with_name("pinned.bpf.c"), cache=tmp_path)
    library.bpf_object__find_map_by_name.restype = ctypes.c_void_p
    library.bpf_map__pin_path.restype = ctypes.c_char_p
    opened = ctypes.c_void_p(library.bpf_object__open_file(str(path).encode(), None))
    found = {name: library.bpf_object__find_map_by_name(opened, name.encode()) for name in ("shared", "own")}
    paths = {name: library.bpf_map__pin_path(ctypes.c_void_p(each)) for name, each in found.items()}
    library.bpf_object__close(opened)

    maps = read_object(path).maps

    assert paths == {"shared": b"/sys/fs/bpf/shared", "own": None}
    assert {name: each.pinning for name, each in maps.items()} == {"shared": Pinning.BY_NAME, "own": Pinning.NONE}
