"""The function or event that runs a program: its address, arguments, result, cookie (kernel/trace/bpf_trace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.errno import Errno
from bpflab.abi.prog_types import ProgType
from bpflab.sim.events import OverrideReturn
from bpflab.sim.fault import Fault
from bpflab.sim.hooks.typed import prototype
from bpflab.sim.registers import number, put

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.test_run import Environment

ARGUMENT: Final = 8
WITH_RESULT: Final = frozenset({AttachType.TRACE_FEXIT, AttachType.MODIFY_RETURN})


def get_func_ip(env: Environment, ctx: object) -> int:
    """Give the address of the traced function: the probe's, a symbol's, or where the registers stand; else 0."""
    del ctx
    world, spec = env.kernel.world, env.program.spec
    if world.probe.function:
        return world.probe.function
    if spec.type is ProgType.KPROBE:
        return number(env, "ip")
    types = spec.kernel_types
    return world.symbols.get(types.name(spec.attach_btf_id), 0) if types and spec.attach_btf_id in types else 0


def get_attach_cookie(env: Environment, ctx: object) -> int:
    """Give the number that the link was given."""
    del ctx
    return env.kernel.world.probe.cookie


def get_func_arg(env: Environment, ctx: object, n: int, value: Buffer) -> int:
    """Copy an argument; EINVAL for one that the function does not have."""
    del ctx
    if n >= _count(env):
        return -Errno.EINVAL
    value.write(_argument(env, n))
    return 0


def get_func_ret(env: Environment, ctx: object, value: Buffer) -> int:
    """Copy what the function returned; EOPNOTSUPP where it did not return yet."""
    del ctx
    if env.program.spec.expected_attach_type not in WITH_RESULT:
        return -Errno.EOPNOTSUPP
    value.write(_argument(env, _count(env)))
    return 0


def get_func_arg_cnt(env: Environment, ctx: object) -> int:
    """Give how many arguments the function has."""
    del ctx
    return _count(env)


def override_return(env: Environment, regs: object, rc: int) -> int:
    """Note that the probed function returns a value without running, and put it into the registers."""
    del regs
    put(env, "result", rc)
    env.kernel.world.record(OverrideReturn(env.running.name, rc))
    return 0


def _count(env: Environment) -> int:
    found = prototype(env.program.spec)
    return len(found[1].parameters) - found[2] if found is not None else 0


def _argument(env: Environment, index: int) -> bytes:
    """Return the eight bytes of an argument, zeros for one that the test did not give."""
    try:
        return env.kernel.memory.read(env.context + ARGUMENT * index, ARGUMENT)
    except Fault:
        return bytes(ARGUMENT)
