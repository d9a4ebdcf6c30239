"""Variables and functions of the kernel that a program names by BTF id (check_pseudo_btf_id, kernel/bpf/verifier.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from bpflab.abi.btf import BtfKind
from bpflab.abi.errno import Errno
from bpflab.sim.btf import SimBtf
from bpflab.sim.check.subject import SymbolFacts
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.log import Log
    from bpflab.sim.world import World


def symbol_of(kernel: SimKernel, btf_id: int, module: int, log: Log) -> tuple[int, SymbolFacts]:
    """Return the address of what a BTF id names, and what the check needs to know of it.

    `module` is the descriptor of a module's BTF; there are no modules, so nothing that one names has an address.
    """
    btf = _types(kernel, module, log)
    if btf_id not in btf:
        _refuse(log, f"ldimm64 insn specifies invalid btf_id {btf_id}.", Errno.ENOENT)
    kind = btf.kind(btf_id) if btf_id else None
    if kind not in {BtfKind.VAR, BtfKind.FUNC}:
        _refuse(log, f"pseudo btf_id {btf_id} in ldimm64 isn't KIND_VAR or KIND_FUNC")
    name = btf.name(btf_id)
    if module:
        _refuse(log, f"ldimm64 failed to find the address for kernel symbol '{name}'.", Errno.ENOENT)
    return (function_address(kernel.world, name), SymbolFacts()) if kind is BtfKind.FUNC else _variable(kernel, name)


def _types(kernel: SimKernel, module: int, log: Log) -> Btf:
    if module:
        try:
            return kernel.find(module, SimBtf).types
        except Refusal:
            _refuse(log, "invalid module BTF object FD specified.")
    if kernel.types.btf is None:
        _refuse(log, "kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is specified in Kconfig.")
    return kernel.types.btf


def _variable(kernel: SimKernel, name: str) -> tuple[int, SymbolFacts]:
    from bpflab.sim.variables import variable_of  # brings the layout of structures, which few programs need

    found = variable_of(kernel.world, name)
    kernel.world.symbols.setdefault(name, found.address)
    return found.address, SymbolFacts(found.type_id, found.size, found.per_cpu, found.is_struct)


def function_address(world: World, name: str) -> int:
    """Return where a function of the kernel is: what the test says, or an address at which nothing can be read."""
    if name not in world.symbols:
        world.symbols[name] = world.memory.add(RegionKind.KERNEL_OBJECT, bytearray(), name=name).address
    return world.symbols[name]


def _refuse(log: Log, text: str, errno: Errno = Errno.EINVAL) -> NoReturn:
    log.write(f"{text}\n")
    raise Refusal(errno)
