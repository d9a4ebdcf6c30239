"""Sysctl programs of cgroups: reads and writes of /proc/sys (kernel/bpf/cgroup.c).

Behind the structure the context has three texts, each ended by a zero byte: the setting's name under /proc/sys, its
current value, and the value that is being written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType
from bpflab.sim.hooks.cgroup import CgroupHook

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.memory import Scope
    from bpflab.sim.test_run import Environment, RunInput


class Setting:
    """A setting: `name`, `current`, and the `new` value that a write has and that a program may replace."""

    def __init__(self, raw: bytes) -> None:
        texts = [*raw.split(b"\0", 3), b"", b"", b""][:3]
        self.name, self.current, self.new = texts

    def to_bytes(self, size: int) -> bytes:
        """Return the texts as they came, padded to a size."""
        return b"\0".join((self.name, self.current, self.new)).ljust(size, b"\0")


class SysctlHook(CgroupHook):
    """The three texts go in and come back with the value that a program set."""

    def prepare(self, env: Environment, scope: Scope, context: FieldContext, given: RunInput) -> None:
        """Read the texts."""
        del env, scope
        context.about = Setting((given.ctx or b"")[self.whole.size :])

    def given_back(self, context: FieldContext, rest: bytes) -> bytes:
        """Give back the texts as they are now."""
        return super().given_back(context, setting_of(context).to_bytes(len(rest)))


def setting_of(context: object) -> Setting:
    """Return the setting that a context is about."""
    about = getattr(context, "about", None)
    assert isinstance(about, Setting)
    return about


HOOK: Final = SysctlHook(ProgType.CGROUP_SYSCTL, "bpf_sysctl")
