"""STRUCT_OPS: a struct of operations that programs implement (kernel/bpf/bpf_struct_ops.c).

Its value begins with a count of references and a state, and has the struct behind; descriptors of programs are
written where the struct has pointers to functions, and their numbers read there.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.abi.struct_ops import ANY, RULES, WRAPPED, WRAPPER
from bpflab.obj.btf_layout import resolve, resolved
from bpflab.obj.btf_types import FuncProto, Member, Pointer, Struct
from bpflab.sim.maps.base import SimMap
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec

LINK: Final = int(MapFlag.LINK)
COMMON: Final = 8
"""struct bpf_struct_ops_common_value: a count of references and a state."""
KEY: Final = bytes(4)
POINTER: Final = 8


class State(IntEnum):
    """`enum bpf_struct_ops_state`."""

    INIT = 0
    INUSE = 1
    TOBEFREE = 2
    READY = 3


class StructOpsMap(SimMap):
    """STRUCT_OPS. `programs` are those of its members, by name."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        found = kernel.types.btf
        if found is None or spec.btf_vmlinux_value_type_id not in found:
            raise Refusal(Errno.ENOTSUPP)
        wrapper = found[spec.btf_vmlinux_value_type_id]
        inner = _wrapped(found, wrapper)
        refuse_if(inner is None, Errno.ENOTSUPP)
        refuse_if(not isinstance(wrapper, Struct) or wrapper.size != spec.value_size)
        self.types: Btf = found
        self.ops_id, self._start = inner or (0, 0)
        self.programs: dict[str, SimProgram] = {}
        self.state = State.INIT
        self._value = bytes(spec.value_size)

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse (EINVAL) what bpf_struct_ops_map_alloc_check refuses."""
        refuse_if(spec.key_size != len(KEY) or spec.max_entries != 1 or spec.flags & ~LINK)
        refuse_if(not spec.btf_vmlinux_value_type_id)

    @property
    def ops(self) -> Struct:
        """The struct of operations."""
        return self.types.get(self.ops_id, Struct)

    @property
    def ops_name(self) -> str:
        """The name in the struct, by which user space chooses among such operations; empty without one."""
        found = next((each for each in self.ops.members if each.name == "name"), None)
        start = self._start + found.bit_offset // 8 if found else len(self._value)
        return self._value[start:].partition(b"\0")[0].decode(errors="replace") if found else ""

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return the value with the numbers of programs; all zeros before the first update."""
        refuse_if(flags)
        refuse_if(key != KEY, Errno.ENOENT)
        if self.state is State.INIT:
            return bytes(len(self._value))
        value = bytearray(self._value)
        value[:COMMON] = b"".join(each.to_bytes(4, self.byteorder) for each in (0, self.state))
        return bytes(value)

    def sys_update(self, key: bytes, value: bytes, flags: int) -> int:
        """Take the operations: registered at once, or made ready for a link."""
        refuse_if(flags)
        refuse_if(key != KEY, Errno.E2BIG)
        refuse_if(any(value[:COMMON]))
        refuse_if(self.state is not State.INIT, Errno.EBUSY)
        taken, programs = bytearray(value), dict[str, SimProgram]()
        for index, member in enumerate(self.ops.members):
            if _is_function(self.types, member):
                self._take(index, member, taken, programs)
        self._value = bytes(taken)
        self._check(programs)
        if not self.flags & LINK:
            self.register()
        for program in programs.values():
            program.get()
        self.programs, self.state = programs, State.READY if self.flags & LINK else State.INUSE
        return 0

    def _take(self, index: int, member: Member, value: bytearray, programs: dict[str, SimProgram]) -> None:
        place = slice(self._start + member.bit_offset // 8, self._start + member.bit_offset // 8 + POINTER)
        fd = int.from_bytes(value[place], self.byteorder)
        if not fd:
            return
        program = self.kernel.find(fd, SimProgram)
        refuse_if((program.spec.attach_btf_id, program.spec.expected_attach_type) != (self.ops_id, index))
        programs[member.name] = program
        value[place] = program.id.to_bytes(POINTER, self.byteorder)

    def _check(self, programs: dict[str, SimProgram]) -> None:
        rule = RULES.get(self.types.name(self.ops_id), ANY)
        refuse_if(rule.named and not self.ops_name)
        refuse_if(not all(any(name in programs for name in group) for group in rule.needed))

    def register(self) -> None:
        """Put it among the operations in use; EEXIST when another bears its name."""
        rule = RULES.get(self.types.name(self.ops_id), ANY)
        others = [each for each in self.kernel.operations if each.ops_id == self.ops_id]
        refuse_if(rule.named and any(each.ops_name == self.ops_name for each in others), Errno.EEXIST)
        self.kernel.operations.append(self)

    def unregister(self) -> None:
        """Take it from the operations in use."""
        if self in self.kernel.operations:
            self.kernel.operations.remove(self)

    def sys_delete(self, key: bytes) -> int:
        """Unregister; EOPNOTSUPP where a link does that, ENOENT and EINPROGRESS as the state says."""
        del key
        refuse_if(self.flags & LINK, Errno.EOPNOTSUPP)
        refuse_if(self.state is State.INIT, Errno.ENOENT)
        refuse_if(self.state is State.TOBEFREE, Errno.EINPROGRESS)
        self.unregister()
        self.state = State.TOBEFREE
        return 0

    def next_key(self, key: bytes | None) -> bytes:
        """Return the only key."""
        refuse_if(key == KEY, Errno.ENOENT)
        return KEY

    def free(self) -> None:
        """Give the programs back."""
        self.unregister()
        for program in self.programs.values():
            program.put()
        super().free()


def _wrapped(btf: Btf, wrapper: object) -> tuple[int, int] | None:
    """Return the type of the operations in a value, and the byte where they begin; None for no such value."""
    if not isinstance(wrapper, Struct) or not wrapper.name.startswith(WRAPPER):
        return None
    found = next((each for each in wrapper.members if each.name == WRAPPED), None)
    return (resolve(btf, found.type_id), found.bit_offset // 8) if found else None


def _is_function(btf: Btf, member: Member) -> bool:
    found = resolved(btf, member.type_id)
    return isinstance(found, Pointer) and isinstance(resolved(btf, found.type_id), FuncProto)


TYPES = {MapType.STRUCT_OPS: StructOpsMap}
