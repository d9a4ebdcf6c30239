"""State machines of hypothesis over maps: random sequences of operations on a map and on its model.

A machine is a child of MapMachine with `arguments` for `lab.map()`, a model, and rules that do the same to both;
`check_machine(machine, backend)` runs it in a Lab of its own for each sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from bpflab.lab import Lab

if TYPE_CHECKING:
    from bpflab.backend.base import Backend
    from bpflab.maps.base import Map

RUNS: Final = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
"""How many sequences of how many steps are tried, unless a test says otherwise."""


class MapMachine(RuleBasedStateMachine):
    """A map, `self.map`, in a Lab of its own, `self.lab`."""

    arguments: ClassVar[dict[str, Any]]
    """The arguments of `lab.map()`."""

    def __init__(self, backend: str | Backend) -> None:
        super().__init__()
        self.lab = Lab(backend)
        self.map: Map[Any, Any] = self.lab.map(**self.arguments)

    def teardown(self) -> None:
        """Close the Lab, and all that the machine opened in it."""
        self.lab.close()


def check_machine(machine: type[MapMachine], backend: str | Backend, *, runs: settings = RUNS) -> None:
    """Run a machine on a backend; AssertionError with the shortest sequence after which map and model differ.

    NotSupportedError when the backend does not have the type of map.
    """
    machine(backend).teardown()
    factory: Any = lambda: machine(backend)  # noqa: E731 - hypothesis takes any callable, and its types say a class
    run_state_machine_as_test(factory, settings=runs)
