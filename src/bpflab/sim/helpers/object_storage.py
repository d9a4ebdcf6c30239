"""Memory that maps keep for tasks, inodes and cgroups (kernel/bpf/bpf_task_storage.c and its like)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from bpflab.sim.maps.storage import StorageMap
    from bpflab.sim.test_run import Environment

CREATE: Final = 1
"""BPF_LOCAL_STORAGE_GET_F_CREATE of linux/bpf.h."""


def task_storage_get(env: Environment, map: StorageMap, task: int | None, value: bytes | None, flags: int) -> int:
    """Give the task's value, made if the flag asks for it, of `value` if there is one."""
    return _get(env, map, task, value, flags)


def task_storage_delete(env: Environment, map: StorageMap, task: int | None) -> int:
    """Take the task's value away; ENOENT, EINVAL without a task."""
    return _delete(env, map, task)


def inode_storage_get(env: Environment, map: StorageMap, inode: int | None, value: bytes | None, flags: int) -> int:
    """Give the inode's value, made if the flag asks for it, of `value` if there is one."""
    return _get(env, map, inode, value, flags)


def inode_storage_delete(env: Environment, map: StorageMap, inode: int | None) -> int:
    """Take the inode's value away; ENOENT, EINVAL without an inode."""
    return _delete(env, map, inode)


def cgrp_storage_get(env: Environment, map: StorageMap, cgroup: int | None, value: bytes | None, flags: int) -> int:
    """Give the cgroup's value, made if the flag asks for it, of `value` if there is one."""
    return _get(env, map, cgroup, value, flags)


def cgrp_storage_delete(env: Environment, map: StorageMap, cgroup: int | None) -> int:
    """Take the cgroup's value away; ENOENT, EINVAL without a cgroup."""
    return _delete(env, map, cgroup)


def _get(env: Environment, map: StorageMap, address: int | None, value: bytes | None, flags: int) -> int:
    if flags & ~CREATE or not address:
        return 0
    owner = env.kernel.world.identity_at(address)
    element = map.value_of(owner)
    if element is None and flags & CREATE:
        element = map.make_value(owner, value)
    return 0 if element is None else element.address(map)


def _delete(env: Environment, map: StorageMap, address: int | None) -> int:
    return map.drop(env.kernel.world.identity_at(address)) if address else -Errno.EINVAL
