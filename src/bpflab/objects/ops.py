"""A struct of operations in a kernel: its map, made of what the object implements, registered when the test says so."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.arguments import near_names
from bpflab.backend.attr import Attr
from bpflab.backend.call import syscall_error
from bpflab.backend.descriptor import Descriptor
from bpflab.errors import AttachError, NoSuchNameError, SyscallError
from bpflab.handles.presence import Presence
from bpflab.objects.target import kernel_types_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from bpflab.backend.attr import AttrValue
    from bpflab.lab import Lab
    from bpflab.obj.ops_fit import FittedOps
    from bpflab.obj.spec import ObjectSpec
    from bpflab.obj.struct_ops import OpsSpec
    from bpflab.programs.program import Program

KEY: Final = bytes(4)
NAME_LENGTH: Final = 15


class OpsState(IntEnum):
    """How far a struct of operations has come (`enum bpf_struct_ops_state`, linux/bpf.h)."""

    INIT = 0
    INUSE = 1
    TOBEFREE = 2
    READY = 3


class LiveOps(Presence):
    """A struct of operations in a kernel; `programs` are those it names, by member, `spec` what the object said."""

    by_id = Command.MAP_GET_FD_BY_ID

    def __init__(self, lab: Lab, descriptor: Descriptor, spec: OpsSpec, fitted: FittedOps) -> None:
        super().__init__(lab, descriptor)
        self.spec = spec
        self.name = spec.name
        self.programs: dict[str, Program] = {}
        self._fitted = fitted

    def made(self, programs: Mapping[str, Program]) -> Self:
        """Take the loaded programs; NoSuchNameError for one that the object does not have."""
        for member, name in self.spec.functions.items():
            if name in programs:
                self.programs[member] = programs[name]
        return self

    @property
    def state(self) -> OpsState:
        """Whether it is registered: INUSE, or for one of a link READY."""
        value = bytearray(len(self._fitted.value))
        self.lab.call(Command.MAP_LOOKUP_ELEM, map_fd=self.fileno(), key=KEY, value=value)
        return OpsState(int.from_bytes(value[4:8], self.lab.backend.byteorder))

    def register(self) -> Registration:
        """Give the operations to the kernel, until the result or the Lab is closed.

        AttachError when the kernel refuses them: a member that it needs is missing, or the name is taken.
        """
        try:
            self.lab.call(Command.MAP_UPDATE_ELEM, map_fd=self.fileno(), key=KEY, value=self._value())
            link = self._linked() if self.spec.link else None
        except SyscallError as error:
            raise AttachError(f"{self.name!r} could not be registered as {self.spec.type_name}. {error}") from error
        return self.lab.own(Registration(self, link))

    def _linked(self) -> Descriptor:
        kind = int(AttachType.STRUCT_OPS)
        made = self.lab.call(Command.LINK_CREATE, prog_fd=self.fileno(), attach_type=kind)
        return Descriptor(self.lab.backend, made.result, f"The link of {self.name!r}")

    def _value(self) -> bytes:
        value, order = bytearray(self._fitted.value), self.lab.backend.byteorder
        for member, place in self._fitted.slots.items():
            if member in self.programs:
                value[place : place + 8] = self.programs[member].fileno().to_bytes(8, order)
        return bytes(value)

    def __repr__(self) -> str:
        return f"<struct {self.spec.type_name} {self.name!r}: {', '.join(self.programs)}>"


class Registration:
    """Operations that the kernel uses, until they are closed."""

    def __init__(self, ops: LiveOps, link: Descriptor | None) -> None:
        self.ops = ops
        self.closed = False
        self._link = link

    def close(self) -> None:
        """Take the operations from the kernel; who uses them at the moment goes on until it is done."""
        if self.closed:
            return
        self.closed = True
        self.ops.lab.disown(self)
        if self._link is not None:
            self._link.close()
        elif not self.ops.closed:
            self.ops.lab.call(Command.MAP_DELETE_ELEM, map_fd=self.ops.fileno(), key=KEY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<registration of {self.ops.name!r}{', closed' if self.closed else ''}>"


def create_ops(lab: Lab, spec: ObjectSpec, btf: Descriptor | None) -> dict[str, LiveOps]:
    """Make the map of each struct of operations; the programs come later."""
    return {name: _created(lab, spec, each, btf) for name, each in spec.ops.items()}


def _created(lab: Lab, spec: ObjectSpec, ops: OpsSpec, btf: Descriptor | None) -> LiveOps:
    from bpflab.obj.btf import Btf
    from bpflab.obj.ops_fit import fit_ops

    for member, name in ops.functions.items():
        if name not in spec.programs:
            near = near_names(name, spec.programs)
            raise NoSuchNameError(f"{ops.name!r} has {name!r} as {member!r}, and there is no such program{near}")
    fitted = fit_ops(ops, Btf(spec.btf or b""), kernel_types_of(lab.backend, f"Struct {ops.name!r}"))
    values: dict[str, AttrValue] = {
        "map_type": int(MapType.STRUCT_OPS),
        "key_size": len(KEY),
        "value_size": len(fitted.value),
        "max_entries": 1,
        "map_flags": int(MapFlag.LINK) if ops.link else 0,
        "btf_fd": btf.fileno() if btf else 0,
        "btf_vmlinux_value_type_id": fitted.value_type_id,
    }
    attr = Attr(Command.MAP_CREATE, values)
    attr["map_name"] = ops.name[:NAME_LENGTH].encode()
    fd = lab.call.send(Command.MAP_CREATE, attr)
    if fd < 0:
        why = f"The struct of operations {ops.name!r} ({ops.type_name}) could not be created."
        raise syscall_error(Command.MAP_CREATE, lab.backend.errno(), values, why)
    return lab.own(LiveOps(lab, Descriptor(lab.backend, fd, f"The struct of operations {ops.name!r}"), ops, fitted))
