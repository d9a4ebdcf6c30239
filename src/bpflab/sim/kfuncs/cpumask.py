"""Sets of CPUs (kernel/bpf/cpumask.c). There are as many CPUs as the simulated machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.errno import Errno
from bpflab.obj.btf_layout import field, size_of
from bpflab.sim.holds import hold, let_go
from bpflab.sim.memory import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

HELD: Final = "cpumask"
STRUCT: Final = "bpf_cpumask"
WORD_BITS: Final = 64


def bpf_cpumask_create(env: Environment) -> int:
    """Make an empty set."""
    btf = env.kernel.types.required(STRUCT)
    size = size_of(btf, btf.require(STRUCT, BtfKind.STRUCT))
    region = env.run.memory.add(RegionKind.KERNEL_OBJECT, bytearray(size), name=STRUCT)
    _count(env, region.address, 1)
    return hold(env, region.address, HELD)


def bpf_cpumask_acquire(env: Environment, cpumask: int) -> int:
    """Hold a set once more."""
    _count(env, cpumask, 1)
    return hold(env, cpumask, HELD)


def bpf_cpumask_release(env: Environment, cpumask: int) -> None:
    """Give a set back."""
    let_go(env, cpumask)
    region = env.run.memory.find(cpumask)
    if not _count(env, cpumask, -1) and region is not None:
        env.run.memory.retire(region)


def bpf_cpumask_first(env: Environment, cpumask: int) -> int:
    """Give the lowest CPU of a set; the number of CPUs for an empty one."""
    return _lowest(env, _read(env, cpumask))


def bpf_cpumask_first_zero(env: Environment, cpumask: int) -> int:
    """Give the lowest CPU that is not in a set."""
    return _lowest(env, ~_read(env, cpumask) & _all(env))


def bpf_cpumask_first_and(env: Environment, src1: int, src2: int) -> int:
    """Give the lowest CPU that is in both."""
    return _lowest(env, _read(env, src1) & _read(env, src2))


def bpf_cpumask_any_distribute(env: Environment, cpumask: int) -> int:
    """Give a CPU of a set: always the lowest here, where the kernel takes turns."""
    return bpf_cpumask_first(env, cpumask)


def bpf_cpumask_any_and_distribute(env: Environment, src1: int, src2: int) -> int:
    """Give a CPU that is in both: always the lowest here."""
    return bpf_cpumask_first_and(env, src1, src2)


def bpf_cpumask_set_cpu(env: Environment, cpu: int, cpumask: int) -> None:
    """Put a CPU in; one that there is not is ignored."""
    _write(env, cpumask, _read(env, cpumask) | _bit(env, cpu))


def bpf_cpumask_clear_cpu(env: Environment, cpu: int, cpumask: int) -> None:
    """Take a CPU out."""
    _write(env, cpumask, _read(env, cpumask) & ~_bit(env, cpu))


def bpf_cpumask_test_cpu(env: Environment, cpu: int, cpumask: int) -> int:
    """Tell whether a CPU is in."""
    return int(bool(_read(env, cpumask) & _bit(env, cpu)))


def bpf_cpumask_test_and_set_cpu(env: Environment, cpu: int, cpumask: int) -> int:
    """Put a CPU in, and tell whether it was."""
    before = bpf_cpumask_test_cpu(env, cpu, cpumask)
    bpf_cpumask_set_cpu(env, cpu, cpumask)
    return before


def bpf_cpumask_test_and_clear_cpu(env: Environment, cpu: int, cpumask: int) -> int:
    """Take a CPU out, and tell whether it was in."""
    before = bpf_cpumask_test_cpu(env, cpu, cpumask)
    bpf_cpumask_clear_cpu(env, cpu, cpumask)
    return before


def bpf_cpumask_setall(env: Environment, cpumask: int) -> None:
    """Put all CPUs in."""
    _write(env, cpumask, _all(env))


def bpf_cpumask_clear(env: Environment, cpumask: int) -> None:
    """Take all CPUs out."""
    _write(env, cpumask, 0)


def bpf_cpumask_and(env: Environment, dst: int, src1: int, src2: int) -> int:
    """Keep what is in both; tell whether that is any."""
    both = _read(env, src1) & _read(env, src2)
    _write(env, dst, both)
    return int(bool(both))


def bpf_cpumask_or(env: Environment, dst: int, src1: int, src2: int) -> None:
    """Keep what is in either."""
    _write(env, dst, _read(env, src1) | _read(env, src2))


def bpf_cpumask_xor(env: Environment, dst: int, src1: int, src2: int) -> None:
    """Keep what is in one alone."""
    _write(env, dst, _read(env, src1) ^ _read(env, src2))


def bpf_cpumask_equal(env: Environment, src1: int, src2: int) -> int:
    """Tell whether two sets are equal."""
    return int(_read(env, src1) == _read(env, src2))


def bpf_cpumask_intersects(env: Environment, src1: int, src2: int) -> int:
    """Tell whether two sets have a CPU in common."""
    return int(bool(_read(env, src1) & _read(env, src2)))


def bpf_cpumask_subset(env: Environment, src1: int, src2: int) -> int:
    """Tell whether all of the first are in the second."""
    return int(not _read(env, src1) & ~_read(env, src2))


def bpf_cpumask_empty(env: Environment, cpumask: int) -> int:
    """Tell whether a set has no CPU."""
    return int(not _read(env, cpumask))


def bpf_cpumask_full(env: Environment, cpumask: int) -> int:
    """Tell whether a set has all CPUs."""
    return int(_read(env, cpumask) == _all(env))


def bpf_cpumask_copy(env: Environment, dst: int, src: int) -> None:
    """Copy a set."""
    _write(env, dst, _read(env, src))


def bpf_cpumask_weight(env: Environment, cpumask: int) -> int:
    """Count the CPUs of a set."""
    return _read(env, cpumask).bit_count()


def bpf_cpumask_populate(env: Environment, cpumask: int, src: int, src_size: int) -> int:
    """Take a set from bytes; EACCES where they are too few for all CPUs."""
    size = _words(env) * WORD_BITS // 8
    if src_size < size:
        return -Errno.EACCES
    _write(env, cpumask, _read(env, src))
    return 0


def _count(env: Environment, cpumask: int, change: int) -> int:
    """Change the number of holders, which the structure keeps, and return it."""
    btf = env.kernel.types.required(STRUCT)
    place = cpumask + field(btf, btf.require(STRUCT, BtfKind.STRUCT), "usage").offset
    holders = env.run.memory.load(place, 4) + change
    env.run.memory.store(place, 4, holders)
    return holders


def _words(env: Environment) -> int:
    return -(-env.kernel.machine.possible_cpus // WORD_BITS)


def _all(env: Environment) -> int:
    return (1 << env.kernel.machine.possible_cpus) - 1


def _bit(env: Environment, cpu: int) -> int:
    return 1 << cpu if cpu < env.kernel.machine.possible_cpus else 0


def _lowest(env: Environment, members: int) -> int:
    return (members & -members).bit_length() - 1 if members else env.kernel.machine.possible_cpus


def _read(env: Environment, place: int) -> int:
    words = [env.run.memory.load(place + 8 * at, 8) for at in range(_words(env))]
    return sum(word << WORD_BITS * at for at, word in enumerate(words)) & _all(env)


def _write(env: Environment, place: int, members: int) -> None:
    for at in range(_words(env)):
        env.run.memory.store(place + 8 * at, 8, members >> WORD_BITS * at)
