"""Which fields of a context structure a program may read and write, by where it attaches.

After the types' `is_valid_access` of net/core/filter.c and kernel/bpf/cgroup.c, measured on Linux 6.18 with an
access of every size at every offset. A field that no row names is read whole and never written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Mapping

Places: TypeAlias = frozenset[AttachType]


@dataclass(frozen=True, slots=True)
class FieldRules:
    """The rules of one program type.

    `partial` are fields that may be read in part wherever it is aligned, `from_start` from their first byte alone;
    `wide` are arrays of which two elements may be accessed at once. `writable` says where a field may be written, None
    for everywhere; `only_in` where a field is seen at all. `kept` are the bytes that the kernel keeps of fields that
    it keeps in fewer than the structure has. `spill` are fields that may be read with the hole behind them.
    """

    partial: frozenset[str] = frozenset()
    from_start: frozenset[str] = frozenset()
    wide: frozenset[str] = frozenset()
    writable: Mapping[str, Places | None] = field(default_factory=dict)
    only_in: Mapping[str, Places] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)
    spill: Mapping[str, int] = field(default_factory=dict)


def _places(words: str) -> Places:
    """Return the attach types whose names hold one of the words."""
    names = {name: place for name, place in AttachType.__members__.items() if name.startswith("CGROUP_")}
    return frozenset(place for name, place in names.items() if any(word in name for word in words.split()))


IPV4_ADDRESSES: Final = _places("INET4_BIND INET4_CONNECT UDP4 INET4_GETPEERNAME INET4_GETSOCKNAME")
IPV6_ADDRESSES: Final = _places("INET6_BIND INET6_CONNECT UDP6 INET6_GETPEERNAME INET6_GETSOCKNAME")
WITHOUT_RETVAL: Final = _places("RECVMSG GETPEERNAME GETSOCKNAME INET_INGRESS INET_EGRESS SOCK_OPS")
"""Where get_retval and set_retval are not to be had."""
MUST_ALLOW: Final = _places("RECVMSG GETPEERNAME GETSOCKNAME")
"""Where 1 is all that a program may return."""
BINDS: Final = _places("INET4_BIND INET6_BIND")
"""Where a program may return 2 and 3 as well: the second bit allows ports that need a privilege."""
CONNECTS: Final = _places("INET4_CONNECT INET6_CONNECT")
"""Where the helper bind may be called."""
_POST_BIND: Final = _places("POST_BIND")
_WHOLE_LIFE: Final = _places("SOCK_CREATE SOCK_RELEASE")
_GETS: Final = frozenset({AttachType.CGROUP_GETSOCKOPT})
_SETS: Final = frozenset({AttachType.CGROUP_SETSOCKOPT})
_ADDRESSES: Final = frozenset({"user_ip4", "user_ip6", "user_port", "msg_src_ip4", "msg_src_ip6"})
_LIFE_FIELDS: Final = ("bound_dev_if", "mark", "priority")

RULES: Final[Mapping[ProgType, FieldRules]] = MappingProxyType(
    {
        ProgType.CGROUP_DEVICE: FieldRules(partial=frozenset({"access_type"})),
        ProgType.CGROUP_SYSCTL: FieldRules(partial=frozenset({"write", "file_pos"}), writable={"file_pos": None}),
        ProgType.CGROUP_SOCK: FieldRules(
            partial=frozenset({"src_ip4", "src_ip6", "dst_ip4", "dst_ip6", "dst_port"}),
            from_start=frozenset({"family", "type", "protocol", "src_port", "state", "rx_queue_mapping"}),
            writable=dict.fromkeys(_LIFE_FIELDS, _WHOLE_LIFE),
            only_in={
                **dict.fromkeys(_LIFE_FIELDS, _WHOLE_LIFE),
                "src_ip4": frozenset({AttachType.CGROUP_INET4_POST_BIND}),
                "src_ip6": frozenset({AttachType.CGROUP_INET6_POST_BIND}),
                "src_port": _POST_BIND,
            },
            spill={"dst_port": 4},
        ),
        ProgType.CGROUP_SOCK_ADDR: FieldRules(
            partial=_ADDRESSES,
            wide=frozenset({"user_ip6", "msg_src_ip6"}),
            writable=dict.fromkeys(_ADDRESSES),
            only_in={
                "user_ip4": IPV4_ADDRESSES,
                "user_ip6": IPV6_ADDRESSES,
                "msg_src_ip4": frozenset({AttachType.CGROUP_UDP4_SENDMSG}),
                "msg_src_ip6": frozenset({AttachType.CGROUP_UDP6_SENDMSG}),
            },
            kept={"user_port": 2},
        ),
        ProgType.CGROUP_SOCKOPT: FieldRules(
            writable={"optlen": None, "retval": _GETS, "level": _SETS, "optname": _SETS},
            only_in={"retval": _GETS},
        ),
        ProgType.SOCK_OPS: FieldRules(
            from_start=frozenset({"skb_tcp_flags"}), writable={"reply": None, "sk_txhash": None}
        ),
        ProgType.SK_MSG: FieldRules(),
    }
)
"""The rules of the types whose context is a structure of plain fields."""
