"""What this process may do: its capabilities, as the kernel tells them in /proc."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bpflab.abi.capabilities import Capability

STATUS: Final = Path("/proc/self/status")


def effective_capabilities(status: Path = STATUS) -> frozenset[Capability]:
    """Return the effective capabilities that BPF asks for; none where there is no /proc."""
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    mask = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return frozenset(capability for capability in Capability if mask >> capability & 1)
