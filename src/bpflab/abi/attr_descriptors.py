"""Which fields of an attr hold descriptors, which commands give them, and which values of maps are descriptors.

From the handlers of each command in kernel/bpf/syscall.c, and the `map_fd_get_ptr` and update functions of map types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.attr_memory import ObjectKind
from bpflab.abi.commands import Command
from bpflab.abi.map_types import MapType

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_MAP: Final = (
    Command.MAP_LOOKUP_ELEM,
    Command.MAP_UPDATE_ELEM,
    Command.MAP_DELETE_ELEM,
    Command.MAP_GET_NEXT_KEY,
    Command.MAP_LOOKUP_AND_DELETE_ELEM,
    Command.MAP_FREEZE,
    Command.MAP_LOOKUP_BATCH,
    Command.MAP_LOOKUP_AND_DELETE_BATCH,
    Command.MAP_UPDATE_BATCH,
    Command.MAP_DELETE_BATCH,
)
_BY_ID: Final = (
    Command.PROG_GET_FD_BY_ID,
    Command.MAP_GET_FD_BY_ID,
    Command.BTF_GET_FD_BY_ID,
    Command.LINK_GET_FD_BY_ID,
)
_ATTACH: Final = ("target_fd", "attach_bpf_fd", "replace_bpf_fd", "relative_fd")

DESCRIPTOR_FIELDS: Final[Mapping[Command, tuple[str, ...]]] = {
    **dict.fromkeys(_OF_MAP, ("map_fd",)),
    **dict.fromkeys(_BY_ID, ("fd_by_id_token_fd",)),
    Command.MAP_CREATE: ("inner_map_fd", "btf_fd", "value_type_btf_obj_fd", "map_token_fd"),
    Command.PROG_LOAD: ("prog_btf_fd", "attach_prog_fd", "prog_token_fd"),
    Command.OBJ_PIN: ("bpf_fd", "path_fd"),
    Command.OBJ_GET: ("path_fd",),
    Command.PROG_ATTACH: _ATTACH,
    Command.PROG_DETACH: _ATTACH,
    Command.PROG_TEST_RUN: ("prog_fd",),
    Command.OBJ_GET_INFO_BY_FD: ("bpf_fd",),
    Command.PROG_QUERY: ("target_fd",),
    Command.RAW_TRACEPOINT_OPEN: ("prog_fd",),
    Command.BTF_LOAD: ("btf_token_fd",),
    Command.TASK_FD_QUERY: ("fd",),
    Command.LINK_CREATE: ("prog_fd", "target_fd", "relative_fd"),
    Command.LINK_UPDATE: ("link_fd", "new_prog_fd", "old_prog_fd"),
    Command.ITER_CREATE: ("link_fd",),
    Command.LINK_DETACH: ("link_fd",),
    Command.PROG_BIND_MAP: ("prog_fd", "map_fd"),
    Command.TOKEN_CREATE: ("bpffs_fd",),
    Command.PROG_STREAM_READ_BY_FD: ("prog_fd",),
    Command.PROG_ASSOC_STRUCT_OPS: ("map_fd", "prog_fd"),
}
"""The fields of each command that are descriptors, under the first of a union's names."""

GIVES: Final[Mapping[Command, ObjectKind | None]] = {
    Command.MAP_CREATE: ObjectKind.MAP,
    Command.PROG_LOAD: ObjectKind.PROGRAM,
    Command.BTF_LOAD: ObjectKind.BTF,
    Command.OBJ_GET: None,
    Command.PROG_GET_FD_BY_ID: ObjectKind.PROGRAM,
    Command.MAP_GET_FD_BY_ID: ObjectKind.MAP,
    Command.BTF_GET_FD_BY_ID: ObjectKind.BTF,
    Command.LINK_GET_FD_BY_ID: ObjectKind.LINK,
    Command.RAW_TRACEPOINT_OPEN: ObjectKind.LINK,
    Command.LINK_CREATE: ObjectKind.LINK,
    Command.ITER_CREATE: ObjectKind.OTHER,
    Command.ENABLE_STATS: ObjectKind.OTHER,
    Command.TOKEN_CREATE: ObjectKind.OTHER,
}
"""The commands whose answer is a new descriptor, and of what; None where only the kernel knows."""

ID_KINDS: Final[Mapping[Command, ObjectKind]] = {
    Command.PROG_GET_FD_BY_ID: ObjectKind.PROGRAM,
    Command.MAP_GET_FD_BY_ID: ObjectKind.MAP,
    Command.BTF_GET_FD_BY_ID: ObjectKind.BTF,
    Command.LINK_GET_FD_BY_ID: ObjectKind.LINK,
}
"""The commands whose `start_id` is the number of an object, and of what kind."""

INTERFACE_TARGETS: Final = frozenset(
    {
        AttachType.XDP,
        AttachType.TCX_INGRESS,
        AttachType.TCX_EGRESS,
        AttachType.NETKIT_PRIMARY,
        AttachType.NETKIT_PEER,
    }
)
"""Attach types whose target is the index of an interface, in the place where others have a descriptor."""

DESCRIPTOR_VALUES: Final[Mapping[MapType, int]] = {
    MapType.PROG_ARRAY: 0,
    MapType.PERF_EVENT_ARRAY: 0,
    MapType.CGROUP_ARRAY: 0,
    MapType.ARRAY_OF_MAPS: 0,
    MapType.HASH_OF_MAPS: 0,
    MapType.SOCKMAP: 0,
    MapType.SOCKHASH: 0,
    MapType.XSKMAP: 0,
    MapType.REUSEPORT_SOCKARRAY: 0,
    MapType.DEVMAP: 4,
    MapType.DEVMAP_HASH: 4,
    MapType.CPUMAP: 4,
}
"""Where in the value that user space writes a descriptor of 32 bits stands, by type of map (`bpf_devmap_val` and
`bpf_cpumap_val` may be so short that they have none)."""
