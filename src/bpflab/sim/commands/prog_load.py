"""PROG_LOAD: a program is copied, checked, made ready for the engine, and given a descriptor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import ProgFlag
from bpflab.abi.insn import INSN_SIZE, MAX_INSNS
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import decode
from bpflab.sim import user
from bpflab.sim.btf import SimBtf
from bpflab.sim.commands.map_create import object_name
from bpflab.sim.load_rules import check_device, check_hook, check_target, expected_attach_type
from bpflab.sim.log import Log
from bpflab.sim.programs import ProgSpec, Records
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request

KNOWN_FLAGS: Final = int(
    ProgFlag.STRICT_ALIGNMENT
    | ProgFlag.ANY_ALIGNMENT
    | ProgFlag.TEST_RND_HI32
    | ProgFlag.TEST_STATE_FREQ
    | ProgFlag.SLEEPABLE
    | ProgFlag.XDP_HAS_FRAGS
    | ProgFlag.XDP_DEV_BOUND_ONLY
    | ProgFlag.TEST_REG_INVARIANTS
)
LICENSE_SIZE: Final = 128
FUNC_INFO_SIZE: Final = 8
LINE_INFO_SIZE: Final = 16
MAX_RECORD_SIZE: Final = 252
"""MAX_FUNCINFO_REC_SIZE and MAX_LINEINFO_REC_SIZE of kernel/bpf/verifier.c."""


def prog_load(kernel: SimKernel, request: Request) -> int:
    """Load a program and return its descriptor; the verifier's log goes to the caller's buffer."""
    from bpflab.sim.load import load  # brings all checks: a Lab that loads no program does without

    spec = read_spec(kernel, request)
    log = Log(request)
    btf = _btf(kernel, request)
    try:
        check_hook(spec, log)
        program = load(kernel, spec, request, btf, log)
    except Refusal:
        log.finish()
        raise
    try:
        log.finish()
    except Refusal:
        program.put()
        raise
    return kernel.files.open(program)


def read_spec(kernel: SimKernel, request: Request) -> ProgSpec:
    """Read the attr, in the order in which the kernel finds fault with it."""
    refuse_if(request["prog_flags"] & ~KNOWN_FLAGS)
    refuse_if(not 0 < request["insn_cnt"] <= MAX_INSNS, Errno.E2BIG)
    text = user.read_text(request["license"], LICENSE_SIZE)
    try:
        prog_type = ProgType(request["prog_type"])
    except ValueError:
        raise Refusal(Errno.EINVAL) from None
    attach_type = expected_attach_type(prog_type, request["expected_attach_type"])
    check_target(kernel, prog_type, request)
    insns = _insns(kernel, request)
    check_device(kernel, prog_type, request)
    refuse_if(prog_type == ProgType.UNSPEC)
    return ProgSpec(
        type=prog_type,
        insns=insns,
        license=text.decode("utf-8", "replace"),
        name=object_name(request.text("prog_name")),
        flags=request["prog_flags"],
        expected_attach_type=attach_type,
        ifindex=request["prog_ifindex"],
        attach_btf_id=request["attach_btf_id"],
        func_info=_records(request, "func_info", FUNC_INFO_SIZE),
        line_info=_records(request, "line_info", LINE_INFO_SIZE),
        byteorder=kernel.machine.byteorder,
        kernel_types=kernel.types.btf if request["attach_btf_id"] else None,
    )


def _insns(kernel: SimKernel, request: Request) -> tuple[Insn, ...]:
    code = user.read(request["insns"], request["insn_cnt"] * INSN_SIZE)
    return tuple(decode(code, kernel.machine.byteorder))


def _records(request: Request, name: str, least: int) -> Records:
    count, size = request[f"{name}_cnt"], request[f"{name}_rec_size"]
    if not count:
        return Records()
    refuse_if(not least <= size <= MAX_RECORD_SIZE or size % 4)
    return Records(user.read(request[name], count * size), size, count)


def _btf(kernel: SimKernel, request: Request) -> SimBtf | None:
    if not (request["func_info_cnt"] or request["line_info_cnt"]):
        return None
    return kernel.find(request["prog_btf_fd"], SimBtf)
