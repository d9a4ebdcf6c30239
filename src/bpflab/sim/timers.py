"""Timers in map values, fired by the simulated clock (kernel/bpf/helpers.c, bpf_timer_*)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.sim.engine import Run, function_at
from bpflab.sim.explain import fault_error
from bpflab.sim.fault import Fault
from bpflab.sim.memory import RegionKind
from bpflab.sim.test_run import Environment

if TYPE_CHECKING:
    from bpflab.sim.clock import Alarm
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.programs import SimProgram


@dataclass(slots=True)
class Timer:
    """A timer in a map's value at `address`: what to call, and the alarm that is set."""

    kernel: SimKernel
    map: SimMap
    address: int
    clock: int
    program: SimProgram | None = None
    callback: int = 0
    alarm: Alarm | None = None
    running: bool = False

    def start(self, when: int) -> None:
        """Set the alarm, in the place of one that is set."""
        self.stop()
        self.alarm = self.kernel.clock.at(when, self.fire)

    def stop(self) -> bool:
        """Cancel the alarm; whether there was one."""
        alarm, self.alarm = self.alarm, None
        if alarm is not None:
            alarm.cancel()
        return alarm is not None

    def fire(self) -> None:
        """Call the program's function with (map, key, value), unless the element is gone."""
        self.alarm = None
        region = self.kernel.memory.find(self.address)
        found = function_at(self.kernel.memory, self.callback)
        if region is None or not region.alive or self.program is None or found is None:
            return
        key = next((key for key, value in self.map.elements() if value == region.address), b"")
        env = Environment(self.kernel, self.program)
        with self.kernel.memory.scope() as scope:
            copy = scope.add(RegionKind.BUFFER, bytearray(key), name="map key", writable=False)
            arguments = (self.map.address, copy.address, region.address)
            run = Run(found[0], scope, arguments=arguments, entry=found[1], env=env, cpu=self.kernel.cpu)
            self.running = True
            try:
                run.execute()
            except Fault as fault:
                raise fault_error(fault, self.program) from None
            finally:
                self.running = False
