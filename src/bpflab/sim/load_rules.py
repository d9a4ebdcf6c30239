"""What PROG_LOAD refuses before it looks at the instructions (kernel/bpf/syscall.c, bpf_prog_load)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_targets import DEFAULT_AT_LOAD, EXPECTED_AT_LOAD
from bpflab.abi.attach_types import AttachType
from bpflab.abi.btf import BtfKind
from bpflab.abi.errno import Errno
from bpflab.abi.flags import ProgFlag
from bpflab.abi.prog_types import ProgType
from bpflab.abi.struct_ops import WRAPPER
from bpflab.obj.btf_types import Struct
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.log import Log
    from bpflab.sim.programs import ProgSpec
    from bpflab.sim.request import Request

HAS_FRAGS: Final = int(ProgFlag.XDP_HAS_FRAGS)
DEV_BOUND: Final = int(ProgFlag.XDP_DEV_BOUND_ONLY)
SLEEPABLE: Final = int(ProgFlag.SLEEPABLE)
WITH_BTF_ID: Final = frozenset({ProgType.TRACING, ProgType.LSM, ProgType.STRUCT_OPS, ProgType.EXT})
OF_PROGRAM: Final = frozenset({ProgType.TRACING, ProgType.EXT})
ON_DEVICE: Final = frozenset({ProgType.XDP, ProgType.SCHED_CLS})
SLEEPERS: Final = frozenset({ProgType.LSM, ProgType.KPROBE, ProgType.STRUCT_OPS, ProgType.SYSCALL})
SLEEPING_HOOKS: Final = frozenset(
    {AttachType.TRACE_FENTRY, AttachType.TRACE_FEXIT, AttachType.MODIFY_RETURN, AttachType.TRACE_ITER}
)


def expected_attach_type(prog_type: ProgType, given: int) -> int:
    """Return the attach type that a program is loaded for; EINVAL for one that its type does not have."""
    if not given:
        given = DEFAULT_AT_LOAD.get(prog_type, 0)
    refuse_if(prog_type in EXPECTED_AT_LOAD and given not in EXPECTED_AT_LOAD[prog_type])
    return given


def check_target(kernel: SimKernel, prog_type: ProgType, request: Request) -> None:
    """Refuse (EINVAL) a BTF id or program to attach to that the type does not take, and what is no program."""
    fd, btf_id = request["attach_prog_fd"], request["attach_btf_id"]
    if fd:
        try:
            kernel.find(fd, SimProgram)
        except Refusal:
            raise Refusal(Errno.EINVAL) from None
    refuse_if(btf_id and prog_type not in WITH_BTF_ID)
    refuse_if(fd and prog_type not in OF_PROGRAM)


def check_device(kernel: SimKernel, prog_type: ProgType, request: Request) -> None:
    """Refuse (EINVAL) a program for a device, but an XDP program that may use the device's metadata."""
    ifindex, flags = request["prog_ifindex"], request["prog_flags"]
    if ifindex:
        refuse_if(prog_type not in ON_DEVICE or flags & ~(HAS_FRAGS | DEV_BOUND))
        refuse_if(flags & DEV_BOUND and prog_type != ProgType.XDP)
        refuse_if(ifindex not in kernel.world.interfaces or not flags & DEV_BOUND)


def check_hook(spec: ProgSpec, log: Log) -> None:
    """Refuse (EINVAL), and say so in the log, what the verifier finds wrong before the instructions."""
    sleeps = bool(spec.flags & SLEEPABLE)
    if spec.type == ProgType.SYSCALL and not sleeps:
        _refuse(log, "Syscall programs can only be sleepable")
    can_sleep = spec.type in SLEEPERS or (spec.type == ProgType.TRACING and spec.expected_attach_type in SLEEPING_HOOKS)
    if sleeps and not can_sleep:
        _refuse(log, "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable")
    if spec.type == ProgType.STRUCT_OPS:
        _check_operation(spec, log)
    if spec.type in WITH_BTF_ID and not spec.attach_btf_id:
        _refuse(log, "Tracing programs must provide btf_id")


def _check_operation(spec: ProgSpec, log: Log) -> None:
    """Refuse what implements no operation (check_struct_ops_btf_id): ENOTSUPP for no struct, EINVAL for no member."""
    from bpflab.sim.hooks.typed import prototype  # brings all checks, as in prog_load

    if not spec.gpl_compatible:
        _refuse(log, "struct ops programs must have a GPL compatible license")
    btf, index = spec.kernel_types, spec.expected_attach_type
    if not spec.attach_btf_id or btf is None or spec.attach_btf_id not in btf:
        raise Refusal(Errno.ENOTSUPP)
    name = btf.name(spec.attach_btf_id)
    if btf.find(WRAPPER + name, BtfKind.STRUCT) is None:
        _refuse(log, f"attach_btf_id {spec.attach_btf_id} is not a supported struct", Errno.ENOTSUPP)
    members = btf.get(spec.attach_btf_id, Struct).members
    if index >= len(members):
        _refuse(log, f"attach to invalid member idx {index} of struct {name}")
    if prototype(spec) is None:
        _refuse(log, f"attach to invalid member {members[index].name}(@idx {index}) of struct {name}")


def _refuse(log: Log, text: str, errno: Errno = Errno.EINVAL) -> None:
    log.write(f"{text}\n")
    raise Refusal(errno)
