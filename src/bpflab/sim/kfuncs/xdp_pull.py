"""Fragments of an XDP frame made linear (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.run_rules import PAGE_SIZE, XDP_FRAME_STRUCT, XDP_TAILROOM
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.frame import XdpFrame

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

LINEAR_END: Final = PAGE_SIZE - XDP_TAILROOM


def bpf_xdp_pull_data(env: Environment, x: int, len: int) -> int:
    """Make the first bytes linear, into tail room and then head room; EINVAL where they do not fit."""
    del x
    frame = env.frame
    if not isinstance(frame, XdpFrame):
        raise Fault(FaultKind.HELPER_ARGUMENT, "this run has no frame to pull the data of")
    missing = len - (frame.data_end - frame.data)
    if missing <= 0:
        return 0
    headroom, tailroom = frame.data_meta - XDP_FRAME_STRUCT, LINEAR_END - frame.data_end
    if len > frame.length or missing > tailroom + headroom:
        return -Errno.EINVAL
    _shift(frame, max(missing - tailroom, 0))
    _fill(frame, missing)
    frame.refresh()
    return 0


def _shift(frame: XdpFrame, count: int) -> None:
    moved = bytes(frame.page[frame.data_meta : frame.data_end])
    frame.data_meta -= count
    frame.data -= count
    frame.data_end -= count
    frame.page[frame.data_meta : frame.data_end] = moved


def _fill(frame: XdpFrame, missing: int) -> None:
    while missing and frame.fragments:
        taken = bytes(frame.fragments[0][:missing])
        size = min(missing, len(taken))
        frame.page[frame.data_end : frame.data_end + size] = taken
        frame.data_end += size
        missing -= size
        frame.fragments[0] = frame.fragments[0][size:]
        if not frame.fragments[0]:
            frame.fragments.pop(0)
