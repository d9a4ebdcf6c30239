"""Memory that SK_STORAGE maps keep for sockets (net/core/bpf_sk_storage.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.origin import socket_behind
from bpflab.sim.sockets import Socket, identity, socket_at

if TYPE_CHECKING:
    from collections.abc import Hashable

    from bpflab.sim.maps.storage import SkStorageMap
    from bpflab.sim.test_run import Environment

CREATE: Final = 1
"""BPF_SK_STORAGE_GET_F_CREATE of linux/bpf.h."""


def sk_storage_get(env: Environment, map: SkStorageMap, sk: object, value: bytes | None, flags: int) -> int:
    """Give the socket's value, made if the flag asks for it, of `value` if there is one; none for a request."""
    found = _socket(env, sk)
    if flags > CREATE or not sk or (found is not None and not found.is_full):
        return 0
    owner = _owner(env, sk)
    element = map.value_of(owner)
    if element is None and flags == CREATE:
        element = map.make_value(owner, value)
        if found is env.kernel.world.run_socket:
            env.kernel.world.run_storage.append(map)
    return 0 if element is None else element.address(map)


def sk_storage_delete(env: Environment, map: SkStorageMap, sk: object) -> int:
    """Take the socket's value away."""
    found = _socket(env, sk)
    if not sk or (found is not None and not found.is_full):
        return -Errno.EINVAL
    return map.drop(_owner(env, sk))


def _socket(env: Environment, sk: object) -> Socket | None:
    """Return the socket of a pointer, or of the context where that stands for one."""
    return socket_at(env.kernel.memory, sk) if isinstance(sk, int) else socket_behind(env)


def _owner(env: Environment, sk: object) -> Hashable:
    found = _socket(env, sk)
    return identity(env.kernel.memory, sk) if found is None and isinstance(sk, int) else getattr(found, "cookie", 0)
