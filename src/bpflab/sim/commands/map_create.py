"""MAP_CREATE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.sim.files import BOTH, READ, WRITE
from bpflab.sim.maps import find_map_types
from bpflab.sim.maps.spec import MapSpec
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request

NAME_CHARACTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")


def map_create(kernel: SimKernel, request: Request) -> int:
    """Make a map and return its descriptor."""
    spec = read_spec(request)
    kind = find_map_types().get(spec.type)
    if kind is None:
        raise Refusal(Errno.EINVAL)
    kind.check(spec)
    created = kernel.maps.add(kind(kernel, spec))
    return kernel.files.open(created, file_mode(spec.flags))


def read_spec(request: Request) -> MapSpec:
    """Read the attr; EINVAL for a type, name or flag that is not known."""
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
        name=object_name(request.text("map_name")),
        numa_node=request["numa_node"],
        ifindex=request["map_ifindex"],
        btf_key_type_id=request["btf_key_type_id"],
        btf_value_type_id=request["btf_value_type_id"],
        btf_vmlinux_value_type_id=request["btf_vmlinux_value_type_id"],
    )


def object_name(raw: bytes) -> str:
    """Read a name: letters, digits, `_` and `.`, ended by a zero byte, nothing after it; else EINVAL."""
    name, zero, rest = raw.partition(b"\0")
    refuse_if(not zero or any(rest) or not NAME_CHARACTERS.issuperset(name))
    return name.decode("ascii")


def file_mode(flags: int) -> int:
    """Return what RDONLY and WRONLY leave; both at once are EINVAL."""
    read_only, write_only = flags & MapFlag.RDONLY, flags & MapFlag.WRONLY
    refuse_if(read_only and write_only)
    return READ if read_only else WRITE if write_only else BOTH
