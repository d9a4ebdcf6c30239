"""Structs of operations of the kernel that programs implement: what each needs before it can be registered.

From net/ipv4/tcp_cong.c (tcp_validate_congestion_control), net/ipv4/bpf_tcp_ca.c and kernel/sched/ext.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

WRAPPER: Final = "bpf_struct_ops_"
"""How the name of the struct begins that is the value of a map of operations."""
WRAPPED: Final = "data"
"""The member of it that holds the operations."""


@dataclass(frozen=True, slots=True)
class OpsRule:
    """What a struct of operations wants: from each group of `needed` one member, and a `name` that no other bears.

    `promoted` are kernel types that an argument of another type is taken for: what is given as a struct sock is one of
    TCP, and its fields can be used without a cast.
    """

    needed: tuple[tuple[str, ...], ...] = ()
    named: bool = False
    promoted: tuple[tuple[str, str], ...] = ()


RULES: Final[Mapping[str, OpsRule]] = {
    "tcp_congestion_ops": OpsRule(
        needed=(("ssthresh",), ("undo_cwnd",), ("cong_avoid", "cong_control")),
        named=True,
        promoted=(("sock", "tcp_sock"),),
    ),
    "sched_ext_ops": OpsRule(named=True),
}
ANY: Final = OpsRule()
"""What is asked of a struct that is not listed."""
