"""Helpers of the simulated kernel that return an error instead of doing their work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.helpers import helper
from bpflab.backend.base import simulating
from bpflab.backend.call_names import errno_number
from bpflab.errors import ArgumentError, NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.backend.base import Backend
    from bpflab.backend.schedule import Fault
    from bpflab.sim.world import World

LOW: Final = -(1 << 63)
HIGH: Final = (1 << 64) - 1


class FaultyHelper:
    """Stands in the place of a helper: returns what was asked for when its fault strikes, and calls it otherwise."""

    def __init__(self, world: World, name: str, returns: int, map_name: str | None) -> None:
        self.name = name
        self.returns = returns
        self.map_name = map_name
        self.fault: Fault | None = None
        self._world = world
        self._inner = _function(world, name)

    def install(self, fault: Fault) -> None:
        """Take the helper's place."""
        self.fault = fault
        self._world.helpers[self.name] = self

    def restore(self) -> None:
        """Give the place back; where something was put around it since, every call passes."""
        self.fault = None
        standing: object = self._world.helpers.get(self.name)
        if standing is not self:
            return
        current = self._inner
        while isinstance(current, FaultyHelper) and current.fault is None:
            current = current._inner
        del self._world.helpers[self.name]
        if self._world.helper(self.name) is not current:
            self._world.helpers[self.name] = current

    def __call__(self, env: object, *arguments: object) -> int | None:
        """Answer a program's call."""
        about = self.map_name is None or any(getattr(each, "name", None) == self.map_name for each in arguments)
        if about and self.fault is not None and self.fault.strikes():
            return self.returns
        return self._inner(env, *arguments)

    def __str__(self) -> str:
        return f"bpf_{self.name}{f' of map {self.map_name!r}' if self.map_name else ''} returns {self.returns}"


def faulty_helper(backend: Backend, name: str, returns: object, about: object) -> FaultyHelper:
    """Make what takes a helper's place; errors as `Faults.helper` says."""
    row = helper(name.removeprefix("bpf_"))
    value = _value(row.name, row.returns.c_type, returns)
    return FaultyHelper(_world(backend, row.name), row.name, value, _map_name(about))


def _function(world: World, name: str) -> Callable[..., int | None]:
    try:
        return world.helper(name)
    except LookupError:
        raise NotSupportedError(
            f"The simulated kernel has no helper {name}; put a function of your own into world.helpers first."
        ) from None


def _world(backend: Backend, name: str) -> World:
    try:
        return simulating(backend, "helpers").world
    except NotSupportedError:
        raise NotSupportedError(
            f"The helper {name} cannot be made to fail on {backend.name!r}, where no helper is ours. Run the test on "
            "the simulated kernel (--bpf=sim, or the marker bpf(backend='sim')), or let a system call fail with "
            "faults.fail(...)."
        ) from None


def _value(name: str, c_type: str, returns: object) -> int:
    if isinstance(returns, str | Errno):
        number = -errno_number(returns if isinstance(returns, str) else int(returns))
    elif isinstance(returns, int) and LOW <= returns <= HIGH:
        number = int(returns)
    else:
        raise ArgumentError(f"returns is {returns!r}; expected an integer of 64 bits or an error such as 'ENOMEM'.")
    if "*" in c_type and number:
        raise ArgumentError(f"bpf_{name} returns a pointer ({c_type}); a fault returns 0 (NULL), not {returns!r}.")
    return number


def _map_name(about: object) -> str | None:
    name = getattr(about, "name", about)
    if name is None or (isinstance(name, str) and name):
        return name
    raise ArgumentError(f"map is {about!r}; expected the name of a map, or a map with a name.")
