"""`struct xdp_md` may be read, and is run with, exactly as the running kernel allows it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.commands import Command
from bpflab.asm import DW, B, H, W, call, exit_, ldx, ldxs, mov, r0, r1, r2, r6
from bpflab.asm import st as store
from bpflab.backend.attr import Attr, AttrValue
from bpflab.sim.events import Redirect

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
    flags=st.sampled_from([0, 1, 2, 4, 8, 16, 1 << 31]),
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


@pytest.mark.parametrize("ctx_room", [0, 24])
@pytest.mark.parametrize("with_ctx", [False, True])
@pytest.mark.parametrize("data_room", [0, 100])
def test_live_frames_are_taken_or_refused_alike(pair: Any, data_room: int, with_ctx: bool, ctx_room: int) -> None:
    rooms: dict[str, AttrValue] = {
        "data_out": bytearray(data_room),
        "data_size_out": data_room,
        "ctx_out": bytearray(ctx_room),
    }
    given_ctx = struct.pack("=6I", 0, 64, 0, 0, 0, 0) if with_ctx else b""
    answers = []
    for lab in (pair.kernel, pair.sim):
        program = lab.program([mov(r0, 1), exit_()], type="xdp")
        values: dict[str, AttrValue] = {"prog_fd": program.fileno(), "data_in": bytes(64), "data_size_in": 64}
        values |= {"flags": 2, "repeat": 4, "ctx_in": given_ctx, "ctx_size_in": len(given_ctx)}
        values |= rooms | {"ctx_size_out": ctx_room}
        attr = Attr(Command.PROG_TEST_RUN, values)
        failed = lab.call.send(Command.PROG_TEST_RUN, attr) < 0
        answers.append((lab.backend.errno() if failed else 0, attr["retval"], attr["data_size_out"]))
        program.close()
    assert answers[1] == answers[0]


def test_live_frames_are_fresh_each_time() -> None:
    with Lab("sim") as lab:
        code = [mov(r6, r1), mov(r2, 4), call("xdp_adjust_head"), mov(r1, 1), mov(r2, 0), call("redirect"), exit_()]
        lab.program(code, type="xdp").run(bytes(64), flags=2, repeat=3)
        assert [len(event.packet) for event in lab.world.seen(Redirect)] == [60, 60, 60]
