"""What decoders of infrared signals report (drivers/media/rc/bpf-lirc.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.events import InfraredKey

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment


def rc_repeat(env: Environment, ctx: object) -> int:
    """Note that the last key is still held down."""
    del ctx
    env.kernel.world.record(InfraredKey(env.running.name, repeat=True))
    return 0


def rc_keydown(env: Environment, ctx: object, protocol: int, scancode: int, toggle: int) -> int:
    """Note a key."""
    del ctx
    env.kernel.world.record(InfraredKey(env.running.name, protocol, scancode, int(toggle != 0)))
    return 0


def rc_pointer_rel(env: Environment, ctx: object, rel_x: int, rel_y: int) -> int:
    """Note a movement of the pointer."""
    del ctx
    env.kernel.world.record(InfraredKey(env.running.name, movement=(rel_x, rel_y)))
    return 0
