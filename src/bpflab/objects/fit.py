"""An object's programs made to fit the kernel of a backend: its types, its symbols, its configuration."""

from __future__ import annotations

import platform
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Protocol

from bpflab.errors import NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bpflab.obj.btf import Btf
    from bpflab.obj.kconfig import KernelConfig
    from bpflab.obj.kernel_types import Modules
    from bpflab.obj.spec import ObjectSpec


class Kernel(Protocol):
    """What fitting asks of a backend."""

    @property
    def name(self) -> str:
        """The backend's name, for messages."""

    @property
    def release(self) -> tuple[int, int, int]:
        """The kernel's version."""

    def kernel_btf(self) -> bytes | None:
        """Return the kernel's types, None where it has none."""


def fitted(
    backend: Kernel,
    spec: ObjectSpec,
    programs: Sequence[str],
    *,
    keep: Collection[str] = (),
    modules: Callable[[Btf], Modules] | None = None,
) -> ObjectSpec:
    """Return the spec with these programs ready for the backend's kernel.

    A kernel without BTF, such as the simulated one, is taken to have the types the programs were compiled with.
    `keep` names values of the configuration that the user has set; `modules` reads the kernel's modules, given the
    types that theirs continue, and is asked when something is missing in these.
    """
    from bpflab.obj.kconfig import configure

    if any(spec.programs[name].needs_kernel_types for name in programs):
        spec = _with_types(backend, spec, programs, modules)
    return configure(spec, _config(backend), keep=keep) if spec.needs_config else spec


def _with_types(
    backend: Kernel, spec: ObjectSpec, programs: Sequence[str], modules: Callable[[Btf], Modules] | None
) -> ObjectSpec:
    from bpflab.obj.core import keep_own_types, relocate
    from bpflab.obj.symbols import read_addresses

    raw = backend.kernel_btf()
    if raw is None:
        _refuse_symbols(backend, spec, programs)
        return keep_own_types(spec)
    addresses = read_addresses(spec.needs_addresses) if spec.needs_addresses else {}
    types = kernel_types(raw)
    ask = partial(modules, types) if modules is not None else None
    return relocate(spec, types, addresses=addresses, programs=programs, modules=ask)


def _refuse_symbols(backend: Kernel, spec: ObjectSpec, programs: Sequence[str]) -> None:
    """Say which symbols of a kernel the programs use, on one that has none to give."""
    used = {each.symbol for name in programs for each in spec.programs[name].relocations if each.kind.about_kernel}
    if used:
        raise NotSupportedError(
            f"{spec.name} uses functions or variables of the kernel ({', '.join(sorted(used))}), and the "
            f"{backend.name} backend's kernel has none."
        )


@lru_cache(maxsize=2)
def kernel_types(raw: bytes) -> Btf:
    """Read a kernel's BTF, once for all objects of a session."""
    from bpflab.obj.btf import Btf

    return Btf(raw)


def _config(backend: Kernel) -> KernelConfig:
    """Return the configuration of the backend's kernel; of a simulated one it says no more than the version."""
    from bpflab.obj.kconfig import KernelConfig

    if backend.name != "kernel":
        return KernelConfig(".".join(map(str, backend.release)), platform.machine())
    return KernelConfig.of_kernel()
