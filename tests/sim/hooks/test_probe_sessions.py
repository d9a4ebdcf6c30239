"""A session's program runs at the entry of a function and at its return, with eight bytes between."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpflab import Lab
from bpflab.contexts import PtRegs

SOURCE = Path(__file__).with_name("session.bpf.c")


@pytest.mark.usefixtures("kernel_types")
def test_a_session_carries_its_cookie_from_entry_to_return() -> None:
    with Lab("sim") as lab:
        loaded = lab.load(SOURCE)
        loaded.programs.timed.run(ctx=PtRegs.call([1]))
        lab.clock.advance(nanoseconds=500)
        lab.world.probe.returning = True
        loaded.programs.timed.run(ctx=PtRegs.call(ret=0))
        assert loaded.maps[".bss"][0].spent == 500
