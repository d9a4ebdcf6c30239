"""The memory of a program's attachment to a cgroup (kernel/bpf/cgroup.c, kernel/bpf/local_storage.c).

A run is an attachment of its own: the memory is zero when it begins and stays through its repetitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.maps.cgroup_storage import CgroupStorageMap

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment


def get_local_storage(env: Environment, map: SimMap, flags: int) -> int:
    """Give the address of the attachment's value in a map; there always is one."""
    del flags
    key = f"storage of map {map.id}"
    if key not in env.state:
        assert isinstance(map, CgroupStorageMap)
        env.state[key] = map.for_run(env.run.scope)
    address = env.state[key]
    assert isinstance(address, int)
    return address
