"""A struct of operations as a kernel lays it out: found by name, its members copied by name.

The kernel wraps the struct in another one, `bpf_struct_ops_` and the name, which is the value of the map; what libbpf
copies and refuses is copied and refused here (bpf_map__init_kern_struct_ops).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bpflab.abi.btf import BtfKind
from bpflab.abi.struct_ops import WRAPPER
from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolve, resolved, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.obj.btf import Btf
    from bpflab.obj.struct_ops import OpsSpec


@dataclass(frozen=True, slots=True)
class FittedOps:
    """What a kernel wants: the ids of its types, the map's value, and where in it each function's descriptor goes."""

    value_type_id: int
    value: bytes
    slots: Mapping[str, int]


def fit_ops(ops: OpsSpec, local: Btf, kernel: Btf) -> FittedOps:
    """Lay a struct of operations out for a kernel; ObjectError for what that kernel cannot take."""
    type_id = ops_type(kernel, ops.type_name, ops.name)
    value_id = kernel.find(WRAPPER + ops.type_name, BtfKind.STRUCT)
    if value_id is None:
        raise ObjectError(f"{ops.name!r}: the kernel's struct {ops.type_name} is none that programs can implement.")
    wrapper = kernel.get(value_id, t.Struct)
    start = next((each.bit_offset // 8 for each in wrapper.members if resolve(kernel, each.type_id) == type_id), 0)
    layout = _Layout(ops, local, kernel, start, bytearray(wrapper.size))
    members = {each.name: each for each in kernel.get(type_id, t.Struct).members}
    for member in local.get(ops.type_id, t.Struct).members:
        try:
            layout.copy(member, members.get(member.name))
        except ObjectError as problem:
            raise ObjectError(f"{ops.name!r}: member {member.name!r} of {ops.type_name}: {problem}") from problem
    return FittedOps(value_id, bytes(layout.value), layout.slots)


def ops_type(kernel: Btf, name: str, what: str) -> int:
    """Find a struct of operations in a kernel's types; ObjectError when it has none of the name."""
    found = kernel.find(name, BtfKind.STRUCT)
    if found is None:
        raise ObjectError(f"{what!r} implements struct {name}, which this kernel does not have.")
    return found


def member_index(kernel: Btf, type_id: int, name: str) -> int:
    """Return the number of a member of the kernel's struct, by which programs say which one they are."""
    names = [each.name for each in kernel.get(type_id, t.Struct).members]
    if name not in names:
        raise ObjectError(f"struct {kernel.name(type_id)} of this kernel has no member {name!r}.")
    return names.index(name)


@dataclass(slots=True)
class _Layout:
    """The value of a kernel in the making: operations begin at byte `start` of it."""

    ops: OpsSpec
    local: Btf
    kernel: Btf
    start: int
    value: bytearray
    slots: dict[str, int] = field(default_factory=dict)

    def copy(self, member: t.Member, target: t.Member | None) -> None:
        """Copy a member to its place in the kernel's struct, or note the place of its program."""
        size, at = size_of(self.local, member.type_id), member.bit_offset // 8
        given, program = self.ops.data[at : at + size], self.ops.functions.get(member.name)
        if target is None:
            if program or any(given):
                raise ObjectError("the kernel does not have it. Leave it zero there.")
            return
        place = self.start + target.bit_offset // 8
        if isinstance(self._kind(member, target), t.Pointer):
            if program:
                self.slots[member.name] = place
            return
        wanted = size_of(self.kernel, target.type_id)
        if size != wanted:
            raise ObjectError(f"it has {size} bytes here and {wanted} in the kernel.")
        self.value[place : place + size] = given

    def _kind(self, member: t.Member, target: t.Member) -> t.BtfType:
        kind, wanted = resolved(self.local, member.type_id), resolved(self.kernel, target.type_id)
        if member.bit_size or target.bit_size:
            raise ObjectError("it is a bit field, which cannot be copied.")
        if kind.kind is not wanted.kind:
            raise ObjectError(f"it is {kind.kind.name} here and {wanted.kind.name} in the kernel.")
        return kind
