"""`struct xdp_md` may be read, and is run with, exactly as the running kernel allows it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.abi.attach_types import AttachType
from bpflab.abi.commands import Command
from bpflab.asm import DW, B, H, W, exit_, ldx, ldxs, mov, r0, r1, r2
from bpflab.asm import st as store
from bpflab.backend.attr import Attr, AttrValue

SIZES = (B, H, W, DW)
EDGES = st.sampled_from([0, 1, 3, 4, 8, 63, 64, 65, 216, 220, 9999])


@pytest.mark.parametrize("attach_type", [0, AttachType.XDP_DEVMAP])
@pytest.mark.parametrize("offset", range(0, 28, 2))
def test_an_access_is_taken_or_refused_alike(same: Callable[..., Any], offset: int, attach_type: int) -> None:
    accesses = [ldx(size, r2, r1, offset) for size in SIZES]
    accesses += [ldxs(size, r2, r1, offset) for size in SIZES[:3]] + [store(W, r1, offset, 0)]
    for access in accesses:
        same([access, mov(r0, 1), exit_()], bytes(64), type="xdp", attach_type=attach_type)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.tuples(EDGES, EDGES, st.sampled_from([0, 4]), st.sampled_from([0, 1, 9999]), st.integers(0, 1), EDGES),
    size=st.sampled_from([13, 14, 64, 300]),
    flags=st.sampled_from([0, 1, 4, 8, 16, 1 << 31]),
    tail=st.sampled_from([b"", b"\0" * 8, b"\1"]),
)
def test_a_context_is_taken_or_refused_alike(
    pair: Any, fields: tuple[int, ...], size: int, flags: int, tail: bytes
) -> None:
    context = struct.pack("=6I", *fields) + tail
    answers = []
    for lab in (pair.kernel, pair.sim):
        program = lab.program([mov(r0, 2), exit_()], type="xdp")
        values: dict[str, AttrValue] = {"prog_fd": program.fileno(), "data_in": bytes(size), "data_size_in": size}
        values |= {"ctx_in": context, "ctx_size_in": len(context), "flags": flags}
        attr = Attr(Command.PROG_TEST_RUN, values)
        failed = lab.call.send(Command.PROG_TEST_RUN, attr) < 0
        answers.append((lab.backend.errno() if failed else 0, attr["retval"]))
        program.close()
    assert answers[1] == answers[0]
