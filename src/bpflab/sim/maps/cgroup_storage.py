"""CGROUP_STORAGE and PERCPU_CGROUP_STORAGE: a value for each attachment of a program to a cgroup.

The kernel makes a value when a program is attached, and one for each test run that is gone after it
(net/bpf/test_run.c). Here are those of test runs alone: user space never finds one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from bpflab.abi.errno import Errno
from bpflab.abi.map_rules import RULES
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.base import EXIST, LOCK, SimMap
from bpflab.sim.maps.storage import MAX_VALUE
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.maps.spec import MapSpec
    from bpflab.sim.memory import Scope


class CgroupStorageMap(SimMap):
    """CGROUP_STORAGE."""

    can_be_inner: ClassVar[bool] = False

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do; too large a value is found before wrong flags."""
        rule = RULES[spec.type]
        if spec.key_size in rule.key:
            refuse_if(spec.value_size > min(MAX_VALUE, rule.value.high or MAX_VALUE), Errno.E2BIG)
        super().check(spec)

    def for_run(self, scope: Scope) -> int:
        """Return the address of a value, all zero, that lasts as long as a run: what get_local_storage gives."""
        return scope.add(RegionKind.MAP_VALUE, bytearray(self.value_size), name=self.name, owner=self).address

    def sys_lookup(self, key: bytes, flags: int) -> NoReturn:
        """Find nothing."""
        del key, flags
        raise Refusal(Errno.ENOENT)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Find nothing to replace; values cannot be inserted."""
        del key, value
        return -Errno.EINVAL if flags & ~(LOCK | EXIST) else -Errno.ENOENT

    def delete(self, key: bytes) -> int:
        """Refuse: values go with their attachment."""
        del key
        return -Errno.EINVAL

    def next_key(self, key: bytes | None) -> NoReturn:
        """Find nothing."""
        del key
        raise Refusal(Errno.ENOENT)


class PerCpuCgroupStorageMap(CgroupStorageMap):
    """PERCPU_CGROUP_STORAGE. A run sees the value of its CPU."""

    @property
    def user_value_size(self) -> int:
        """A value for each CPU, each rounded up to 8 bytes."""
        return self.spec.stride * self.kernel.machine.possible_cpus

    def sys_update(self, key: bytes, value: bytes, flags: int) -> int:
        """Find nothing to replace; only the flags ANY and EXIST are known."""
        del key, value
        return -Errno.EINVAL if flags not in {0, EXIST} else -Errno.ENOENT


TYPES = {MapType.CGROUP_STORAGE: CgroupStorageMap, MapType.PERCPU_CGROUP_STORAGE: PerCpuCgroupStorageMap}
