"""A laboratory for BPF programs: load them, run them on packets, read their maps, on any backend.

Names are imported when they are first used, so that `import bpflab.asm` brings the assembler and nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.abi.flags import MapFlag, RunFlag, UpdateFlag
    from bpflab.abi.map_types import MapType
    from bpflab.abi.prog_types import ProgType
    from bpflab.abi.verdicts import CGROUP, LSM, SK, TC, TCX, XDP
    from bpflab.contexts import FlowKeys, RawContext, SkBuff, SkLookup, XdpMd
    from bpflab.errors import BpfError
    from bpflab.lab import Lab
    from bpflab.programs.verifier import VerifierError

__version__ = "0.1.0"

__all__ = [
    "CGROUP",
    "LSM",
    "SK",
    "TC",
    "TCX",
    "XDP",
    "BpfError",
    "FlowKeys",
    "Lab",
    "MapFlag",
    "MapType",
    "ProgType",
    "RawContext",
    "RunFlag",
    "SkBuff",
    "SkLookup",
    "UpdateFlag",
    "VerifierError",
    "XdpMd",
    "__version__",
]

_HOMES: Final = {
    "abi.flags": ("MapFlag", "RunFlag", "UpdateFlag"),
    "abi.map_types": ("MapType",),
    "abi.prog_types": ("ProgType",),
    "abi.verdicts": ("CGROUP", "LSM", "SK", "TC", "TCX", "XDP"),
    "contexts": ("FlowKeys", "RawContext", "SkBuff", "SkLookup", "XdpMd"),
    "errors": ("BpfError",),
    "lab": ("Lab",),
    "programs.verifier": ("VerifierError",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'bpflab' has no attribute {name!r}")
    # Not kept: pytester forgets modules that an inner run imported, and a kept enum would differ from the next one.
    value: object = getattr(import_module(f"bpflab.{_HOME_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
