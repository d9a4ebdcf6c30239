"""CGROUP_ARRAY: cgroups that a program can ask about."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.map_types import MapType
from bpflab.sim.maps.slots import SlotMap
from bpflab.sim.targets import cgroup

if TYPE_CHECKING:
    from bpflab.sim.targets import SimCgroup


class CgroupArrayMap(SlotMap):
    """CGROUP_ARRAY."""

    shows_ids: ClassVar[bool] = False

    def find(self, fd: int) -> SimCgroup:
        """Return the cgroup of a descriptor."""
        return cgroup(fd)


TYPES = {MapType.CGROUP_ARRAY: CgroupArrayMap}
