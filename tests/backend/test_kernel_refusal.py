from __future__ import annotations

import subprocess
import sys

import pytest

from bpflab.abi.capabilities import Capability

NOBODY = 65534

# Imports first: the user that it turns into may not be able to read them. prctl(2) keeps the permitted capabilities
# over setuid(2), and capset(2) leaves those that are wanted.
CODE = """
import ctypes, os
import bpflab.backend.kernel
from bpflab.backend.select import kernel_refusal
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(8, 1, 0, 0, 0)
os.setuid({user})
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
low, high = {mask} & 0xFFFFFFFF, {mask} >> 32
assert libc.capset(header, (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)) == 0, ctypes.get_errno()
print(kernel_refusal())
"""


def refusal_with(*capabilities: Capability) -> str:
    """Ask in a process of nobody's that has these capabilities."""
    mask = sum(1 << capability for capability in capabilities)
    code = CODE.format(user=NOBODY, mask=mask)
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.bpf(backend="kernel", capability=["CAP_BPF", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"])
@pytest.mark.parametrize(
    "capabilities",
    [(Capability.CAP_BPF, Capability.CAP_NET_ADMIN), (Capability.CAP_SYS_ADMIN,)],
    ids=["BPF and NET_ADMIN", "SYS_ADMIN"],
)
def test_whoever_may_load_network_programs_can_use_the_kernel(capabilities: tuple[Capability, ...]) -> None:
    assert refusal_with(*capabilities) == "None"


@pytest.mark.bpf(backend="kernel", capability=["CAP_BPF", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"])
@pytest.mark.parametrize("capabilities", [(), (Capability.CAP_NET_ADMIN,)], ids=["none", "NET_ADMIN"])
def test_whoever_may_not_is_told_what_is_missing(capabilities: tuple[Capability, ...]) -> None:
    assert "CAP_BPF and CAP_NET_ADMIN" in refusal_with(*capabilities)
