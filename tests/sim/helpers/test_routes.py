"""fib_lookup finds the way that the running kernel finds; check_mtu answers alike."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import SkBuff
from bpflab.asm import W, add, call, exit_, ldx, mov, r0, r1, r2, r3, r4, r5, r10
from bpflab.asm import st as store
from bpflab.backend.select import kernel_refusal


def test_every_way_is_the_kernels(bpf_backend: str) -> None:
    if bpf_backend != "kernel" or kernel_refusal() or not shutil.which("ip"):
        pytest.skip(kernel_refusal() or "iproute2's ip is not here, or --bpf=kernel was not asked for")
    script = Path(__file__).with_name("routed_namespace.py")
    told = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert "different:" not in told.stdout
    assert told.stdout.startswith("asked"), told.stderr


LENGTHS = st.sampled_from([0, 1, 1500, 65522, 65536, 65537, -1])
DIFFERENCES = st.sampled_from([0, 1, -1, 65536, 65486, 65473, -100_000, 2**31 - 1])
QUESTIONS = st.tuples(LENGTHS, DIFFERENCES, st.sampled_from([0, 1, 9999]), st.integers(0, 2))


@pytest.mark.parametrize("prog_type", ["xdp", "sched_cls"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.sampled_from([14, 64, 1500]), question=QUESTIONS, gso_size=st.sampled_from([0, 500]))
def test_a_packet_fits_a_device_alike(
    same: Callable[..., Any], prog_type: str, size: int, question: tuple[int, int, int, int], gso_size: int
) -> None:
    length, difference, ifindex, flags = question
    ask = [mov(r2, ifindex), mov(r3, r10), add(r3, -4), mov(r4, difference), mov(r5, flags), call("check_mtu")]
    show = [ldx(W, r1, r10, -4), add(r0, 100), add(r0, r1), exit_()]
    ctx = SkBuff(gso_size=gso_size) if prog_type == "sched_cls" else None
    same([store(W, r10, -4, length), *ask, *show], bytes(size), ctx, type=prog_type)
