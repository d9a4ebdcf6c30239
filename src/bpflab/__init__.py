"""A laboratory for BPF programs: load them, run them on packets, read their maps, on any backend."""

from __future__ import annotations

from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import CGROUP, SK, TC, TCX, XDP
from bpflab.contexts import FlowKeys, RawContext, SkBuff, SkLookup, XdpMd
from bpflab.errors import BpfError
from bpflab.lab import Lab

__version__ = "0.1.0"

__all__ = [
    "CGROUP",
    "SK",
    "TC",
    "TCX",
    "XDP",
    "BpfError",
    "FlowKeys",
    "Lab",
    "MapType",
    "ProgType",
    "RawContext",
    "SkBuff",
    "SkLookup",
    "XdpMd",
    "__version__",
]
