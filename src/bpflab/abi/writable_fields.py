"""Fields of the kernel's structures that programs may write directly (the btf_struct_access of their types)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKETS: Final = frozenset({ProgType.XDP, ProgType.SCHED_CLS, ProgType.SCHED_ACT})

WRITABLE: Final[Mapping[tuple[str, str], frozenset[ProgType]]] = MappingProxyType(
    {
        ("nf_conn", "mark"): _PACKETS,
        ("nf_conn___init", "mark"): _PACKETS,
    }
)
"""By struct and field, who may write it (net/netfilter/nf_conntrack_bpf.c, _nf_conntrack_btf_struct_access)."""
