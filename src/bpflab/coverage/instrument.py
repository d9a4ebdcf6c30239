"""Loading a program once more with probes in it."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.backend.attr import Attr
from bpflab.coverage.flow import CannotInstrumentError, Flow
from bpflab.coverage.probes import Probes, choose_probes
from bpflab.coverage.request import NO_LOG, LoadAttr
from bpflab.coverage.rewrite import Rewritten, needs_stack, rewrite
from bpflab.coverage.stack import depths_by_form, depths_in_log

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
    from bpflab.backend.base import Backend

LOG_SIZE: Final = 1 << 20
LOG_LEVEL_VERBOSE: Final = 1
LOG_LEVEL_STATS: Final = 4
MAP_NAME: Final = b"bpflab_coverage"
KEPT: Final = 64
"""Programs whose rewriting is remembered: a suite loads the same few again and again."""


@lru_cache(maxsize=KEPT)
def flow_of(insns: tuple[Insn, ...]) -> Flow:
    """Return a program's flow, the same object for the same instructions."""
    return Flow(insns)


@lru_cache(maxsize=KEPT)
def probes_of(insns: tuple[Insn, ...]) -> Probes:
    """Choose the probes of a program."""
    return choose_probes(flow_of(insns))


@lru_cache(maxsize=KEPT)
def _rewritten(insns: tuple[Insn, ...], depths: tuple[int, ...]) -> Rewritten:
    return rewrite(probes_of(insns), depths)


def create_map(backend: Backend, probes: Probes) -> int:
    """Create the map that probes store into and return its descriptor; CannotInstrumentError."""
    attr = Attr(
        Command.MAP_CREATE,
        {
            "map_type": MapType.ARRAY,
            "key_size": 4,
            "value_size": probes.count,
            "max_entries": 1,
            "map_flags": MapFlag.MMAPABLE,
            "map_name": MAP_NAME,
        },
    )
    fd = backend.bpf(Command.MAP_CREATE, attr.pointer, attr.size)
    if fd < 0:
        raise CannotInstrumentError(f"the map for its probes was refused with {_errno(backend)}")
    return fd


def load_instrumented(backend: Backend, attr: LoadAttr, insns: tuple[Insn, ...], map_fd: int) -> int:
    """Load a program with probes and return its descriptor; CannotInstrumentError with the verifier's last word."""
    depths = _depths(backend, attr, insns) if needs_stack(probes_of(insns)) else ()
    changed = attr.changed(_rewritten(insns, depths), map_fd, **NO_LOG)
    fd = changed.send(backend.bpf)
    if fd >= 0:
        return fd
    errno, log = _errno(backend), _log(backend, changed, LOG_LEVEL_VERBOSE)
    said = [
        line for line in log.splitlines() if line and not line.startswith(("processed ", "verification ", "stack "))
    ]
    raise CannotInstrumentError(
        f"the verifier refused it with probes in it, with {errno}{f': {said[-1].strip()}' if said else ''}"
    )


def _depths(backend: Backend, attr: LoadAttr, insns: tuple[Insn, ...]) -> tuple[int, ...]:
    """Return how deep each function uses its stack, by the verifier's word, or by what the instructions could do."""
    by_form = depths_by_form(flow_of(insns))
    told = depths_in_log(_log(backend, attr, LOG_LEVEL_STATS))
    return told if len(told) == len(by_form) else by_form


def _log(backend: Backend, attr: LoadAttr, level: int) -> str:
    """Load a program for the verifier's log alone."""
    buffer = ctypes.create_string_buffer(LOG_SIZE)
    fields = {"log_level": level, "log_size": LOG_SIZE, "log_buf": ctypes.addressof(buffer)}
    fd = attr.with_fields(**fields).send(backend.bpf)
    if fd >= 0:
        backend.close(fd)
    return buffer.value.decode(errors="replace")


def _errno(backend: Backend) -> str:
    number = backend.errno()
    return Errno(number).name if number in set(Errno) else f"errno {number}"
