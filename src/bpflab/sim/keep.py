"""What a test may set in a simulated kernel beside its maps, and how it is set back."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.topology import Interface
    from bpflab.sim.world import World


class KeptWorld:
    """CPU, clock, random numbers, and the world: interfaces, routes, neighbours, helpers, variables, events.

    Objects keep their identity: an interface that a fixture holds is the one that is set back.
    """

    def __init__(self, kernel: SimKernel) -> None:
        world = kernel.world
        self._kernel = kernel
        self._cpu, self._clock, self._random = kernel.cpu, kernel.clock.state(), kernel.random.state()
        self._interfaces = {index: (each, _values(each)) for index, each in world.interfaces.items()}
        self._routes, self._neighbours = list(world.routes), dict(world.neighbours)
        self._helpers, self._events = dict(world.helpers), list(world.events)
        self._variables = {name: each.contents() for name, each in world.variables.items()}

    def __call__(self) -> None:
        """Set everything back."""
        kernel = self._kernel
        with kernel.lock:
            kernel.cpu = self._cpu
            kernel.clock.restore(self._clock)
            kernel.random.restore(self._random)
            self._restore(kernel.world)

    def _restore(self, world: World) -> None:
        world.interfaces.clear()
        for index, (interface, values) in self._interfaces.items():
            world.interfaces[index] = interface
            for name, value in values.items():
                setattr(interface, name, value)
        world.routes[:], world.events[:] = self._routes, self._events
        _refill(world.neighbours, self._neighbours)
        _refill(world.helpers, self._helpers)
        for name, variable in world.variables.items():
            variable.refill(self._variables.get(name, {}))


def _values(interface: Interface) -> dict[str, Any]:
    return {field.name: getattr(interface, field.name) for field in fields(interface)}


def _refill(target: dict[Any, Any], content: dict[Any, Any]) -> None:
    if target != content:
        target.clear()
        target.update(content)
