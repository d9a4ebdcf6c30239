"""MAP_CREATE."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_btf import WITHOUT_BTF
from bpflab.abi.map_types import MapType
from bpflab.sim import user
from bpflab.sim.btf import SimBtf
from bpflab.sim.files import BOTH, READ, WRITE
from bpflab.sim.maps import find_map_types
from bpflab.sim.maps.spec import MapSpec
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.request import Request

WITH_EXTRA: Final = frozenset({MapType.BLOOM_FILTER, MapType.ARENA})
OFFLOADED: Final = frozenset({MapType.HASH, MapType.ARRAY})
HASH_SIZE: Final = 32
TOKEN_FD: Final = int(MapFlag.TOKEN_FD)
ONLINE_NODES: Final = frozenset({0, 0xFFFFFFFF})
"""The only node there is, and NUMA_NO_NODE."""
NUMA_NODE: Final = int(MapFlag.NUMA_NODE)
WITHOUT_KEY_TYPE: Final = WITHOUT_BTF - {MapType.QUEUE, MapType.STACK} | {
    MapType.ARRAY,
    MapType.PERCPU_ARRAY,
    MapType.LPM_TRIE,
    MapType.BLOOM_FILTER,
}
"""Types that look at the BTF themselves, so that a key without a type is not refused at once."""
NAME_CHARACTERS: Final = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_." + bytes({*range(0xC0, 0x100)} - {0xD7, 0xF7})
)
"""The kernel takes the letters of Latin-1 too (lib/ctype.c)."""


def map_create(kernel: SimKernel, request: Request) -> int:
    """Make a map and return its descriptor."""
    refuse_if(request["btf_vmlinux_value_type_id"] and request["map_type"] != MapType.STRUCT_OPS)
    refuse_if(request["btf_key_type_id"] and not request["btf_value_type_id"])
    refuse_if(request["map_extra"] and request["map_type"] not in WITH_EXTRA)
    flags = request["map_flags"]
    mode = file_mode(flags)
    refuse_if(flags & NUMA_NODE and request["numa_node"] not in ONLINE_NODES)
    created = make_map(kernel, request)
    return kernel.files.open(kernel.maps.add(created), mode)


def make_map(kernel: SimKernel, request: Request) -> SimMap:
    """Make a map that has no id yet; what refuses it leaves nothing behind."""
    spec = read_spec(request)
    kind = find_map_types().get(spec.type)
    if kind is None:
        raise Refusal(Errno.EINVAL)
    kind.check(replace(spec, flags=spec.flags & ~TOKEN_FD))
    if spec.flags & TOKEN_FD:
        kernel.files.get(request["map_token_fd"])
        raise Refusal(Errno.EINVAL)
    check_offload(kernel, spec)
    try:
        made = kind.make(kernel, spec, request)
    except MemoryError:
        raise Refusal(Errno.ENOMEM) from None
    try:
        object_name(request.text("map_name"))
        made.exclusive = exclusive_hash(request)
        if spec.btf_vmlinux_value_type_id:
            kernel.find(request["btf_fd"], SimBtf)
        if spec.btf_key_type_id or spec.btf_value_type_id:
            describe(kernel, made, request["btf_fd"])
    except Refusal:
        made.put()
        raise
    return made


def describe(kernel: SimKernel, made: SimMap, btf_fd: int) -> None:
    """Give a map the BTF of its key and value; their sizes have to be those of the map."""
    btf = kernel.find(btf_fd, SimBtf)
    spec = made.spec
    if spec.btf_key_type_id:
        refuse_if(btf.size_of(spec.btf_key_type_id) != made.key_size)
    else:
        refuse_if(spec.type not in WITHOUT_KEY_TYPE)
    refuse_if(btf.size_of(spec.btf_value_type_id) != made.value_size)
    made.describe(btf)
    refuse_if(spec.type in WITHOUT_BTF, Errno.ENOTSUPP)
    made.check_btf(btf)


def check_offload(kernel: SimKernel, spec: MapSpec) -> None:
    """Refuse a map for a device: EOPNOTSUPP for hash and array maps on one that is there, else EINVAL."""
    refuse_if(spec.ifindex and (spec.type not in OFFLOADED or spec.ifindex not in kernel.world.interfaces))
    refuse_if(spec.ifindex, Errno.EOPNOTSUPP)


def exclusive_hash(request: Request) -> bytes:
    """Return the hash of the only program that may use the map, empty without one."""
    address, size = request["excl_prog_hash"], request["excl_prog_hash_size"]
    refuse_if(size != (HASH_SIZE if address else 0))
    return user.read(address, size)


def read_spec(request: Request) -> MapSpec:
    """Read the attr; EINVAL for a type that is not known."""
    try:
        map_type = MapType(request["map_type"])
    except ValueError:
        raise Refusal(Errno.EINVAL) from None
    return MapSpec(
        type=map_type,
        key_size=request["key_size"],
        value_size=request["value_size"],
        max_entries=request["max_entries"],
        flags=request["map_flags"],
        extra=request["map_extra"],
        name=request.text("map_name").partition(b"\0")[0].decode("latin-1"),
        numa_node=request["numa_node"],
        ifindex=request["map_ifindex"],
        btf_key_type_id=request["btf_key_type_id"],
        btf_value_type_id=request["btf_value_type_id"],
        btf_vmlinux_value_type_id=request["btf_vmlinux_value_type_id"],
    )


def object_name(raw: bytes) -> str:
    """Read a name: letters, digits, `_` and `.`, ended by a zero byte; else EINVAL."""
    name, zero, _ = raw.partition(b"\0")
    refuse_if(not zero or not NAME_CHARACTERS.issuperset(name))
    return name.decode("latin-1")


def file_mode(flags: int) -> int:
    """Return what RDONLY and WRONLY leave; both at once are EINVAL."""
    read_only, write_only = flags & MapFlag.RDONLY, flags & MapFlag.WRONLY
    refuse_if(read_only and write_only)
    return READ if read_only else WRITE if write_only else BOTH
