"""What every map of the simulated kernel shares.

A map has two faces. Programs call the operations that take and give addresses and small integers
(`lookup`, `update`, `delete`, `push`, ...: 0 or a negative errno, as the helpers answer). The system
call uses those that take and give bytes (`sys_*`) and may refuse. A type overrides what it supports;
the defaults refuse as the running kernel does for a type without that operation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag, UpdateFlag
from bpflab.abi.map_fields import SPIN_LOCKS
from bpflab.sim.maps import rules
from bpflab.sim.maps.batch import by_key
from bpflab.sim.maps.record import check_fields
from bpflab.sim.maps.spec import MapTraits
from bpflab.sim.memory import RegionKind
from bpflab.sim.objects import KernelObject
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.special_fields import SpecialField
    from bpflab.sim.btf import SimBtf
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec
    from bpflab.sim.memory import Region
    from bpflab.sim.request import Request
    from bpflab.sim.shared import SharedMemory

OF_DESCRIPTOR: Final = int(MapFlag.RDONLY | MapFlag.WRONLY)
"""Flags that concern the descriptor that MAP_CREATE returns, and not the map."""
LOCK_FIELD: Final = "bpf_spin_lock"
NOEXIST: Final = int(UpdateFlag.NOEXIST)
EXIST: Final = int(UpdateFlag.EXIST)
LOCK: Final = int(UpdateFlag.LOCK)
"""Plain integers, because arithmetic with an IntFlag takes longer than a whole lookup."""


class SimMap(KernelObject):
    """A map: its spec, its place in the kernel, and operations that its type fills in."""

    kind: ClassVar[str] = "map"
    too_big: ClassVar[frozenset[str]] = frozenset()
    """Fields of the spec that answer E2BIG instead of EINVAL when they are too large."""
    can_be_inner: ClassVar[bool] = True
    """Whether maps of this type may be put into maps."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__()
        self.kernel = kernel
        self.spec = spec
        self.type = spec.type
        self.flags = int(spec.flags) & ~OF_DESCRIPTOR
        self.key_size = spec.key_size
        self.value_size = spec.value_size
        self.max_entries = spec.max_entries
        self.byteorder = kernel.machine.byteorder
        self.btf: SimBtf | None = None
        self.fields: tuple[SpecialField, ...] = ()
        self.has_lock = False
        self.frozen = False
        self.writers = 0
        self.exclusive = b""
        self._object: Region | None = None

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse a spec that this type cannot be made from."""
        rules.check(spec, cls.too_big)

    @classmethod
    def make(cls, kernel: SimKernel, spec: MapSpec, request: Request) -> SimMap:
        """Make a map from a spec that `check` passed; `request` has the attr's other fields."""
        del request
        return cls(kernel, spec)

    def describe(self, btf: SimBtf) -> None:
        """Keep the BTF of key and value, and find the value's special fields; refuses those it may not have."""
        from bpflab.obj.special_fields import special_fields

        fields = special_fields(btf.types, self.spec.btf_value_type_id)
        check_fields(self.spec, fields)
        btf.get()
        self.btf = btf
        self.fields = fields
        self.has_lock = any(field.name == LOCK_FIELD for field in fields)

    def check_btf(self, btf: SimBtf) -> None:
        """Refuse types of key and value that this type of map does not take."""

    def free(self) -> None:
        """Take the map out of the kernel's table and its values out of memory."""
        self.kernel.maps.remove(self)
        if self._object is not None:
            self.kernel.memory.retire(self._object)
        if self.btf is not None:
            self.btf.put()

    @property
    def name(self) -> str:
        """Its name, up to 15 characters."""
        return self.spec.name

    @property
    def user_value_size(self) -> int:
        """Bytes of a value as the system call sees it: one value, or one for each CPU."""
        return self.value_size

    @property
    def address(self) -> int:
        """The address of the map itself, what a program passes to a helper: opaque."""
        if self._object is None:
            memory = self.kernel.memory
            self._object = memory.add(RegionKind.MAP, bytearray(), name=self.name, writable=False, owner=self)
        return self._object.address

    def add_region(self, data: bytearray | memoryview) -> Region:
        """Give a value an address; programs may write to it unless the map is RDONLY_PROG."""
        writable = not self.flags & MapFlag.RDONLY_PROG
        return self.kernel.memory.add(RegionKind.MAP_VALUE, data, name=self.name, writable=writable, owner=self)

    def drop_fields(self, data: bytearray | memoryview, region: Region | None) -> None:
        """Clear the special fields of a value whose element goes or is overwritten: its timers are cancelled."""
        for field in self.fields:
            timer = None if region is None else self.kernel.timers.pop(region.address + field.offset, None)
            if timer is not None:
                timer.stop()
            if field.name not in SPIN_LOCKS:
                data[field.offset : field.offset + field.size] = bytes(field.size)

    def abandoned(self) -> None:
        """Cancel the timers in its values: nobody in user space holds the map any more."""
        timers = self.kernel.timers
        for address in [address for address, timer in timers.items() if timer.map is self]:
            timers.pop(address).stop()

    @property
    def traits(self) -> MapTraits:
        """What a template of inner maps keeps of it."""
        return MapTraits(self.type, self.key_size, self.value_size, self.max_entries, self.flags, self.fields)

    def fits(self, template: MapTraits) -> bool:
        """Tell whether this map may stand where `template` is the template of inner maps."""
        return replace(self.traits, max_entries=template.max_entries) == template

    def direct_value(self, offset: int) -> int | None:
        """Return the address of a byte of its value; 0 past the end, None for a type without such access."""
        del offset
        return None

    def content_hash(self) -> bytes:
        """Return the SHA-256 of the values; EINVAL for a type without."""
        raise Refusal(Errno.EINVAL)

    def shared(self) -> SharedMemory:
        """Return the memory that user space can map; ENOTSUPP."""
        raise Refusal(Errno.ENOTSUPP)

    def check_map(self, offset: int, length: int, *, writable: bool) -> None:
        """Refuse a mapping of `shared()` that this type does not allow."""
        del offset, length, writable
        raise Refusal(Errno.ENOTSUPP)

    # What programs call.

    def lookup(self, key: bytes) -> int:
        """Return the address of the value, 0 when the key is not there."""
        del key
        return 0

    def lookup_percpu(self, key: bytes, cpu: int) -> int:
        """Return the address of one CPU's value, 0 when the key is not there or there is no such CPU."""
        del key, cpu
        return 0

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Insert or replace: 0, or a negative errno."""
        del key, value, flags
        return -Errno.ENOTSUPP

    def delete(self, key: bytes) -> int:
        """Remove: 0, or a negative errno."""
        del key
        return -Errno.ENOTSUPP

    def push(self, value: bytes, flags: int) -> int:
        """Add a value to a map without keys: 0, or a negative errno."""
        del value, flags
        return -Errno.ENOTSUPP

    def pop(self) -> bytes | None:
        """Remove the next value of a map without keys; None when it is empty."""
        return None

    def peek(self, value: bytes) -> bytes | None:
        """Return the next value of a map without keys, or `value` itself if a bloom filter may hold it; else None."""
        del value
        return None

    def elements(self) -> Iterator[tuple[bytes, int]]:
        """Every key with the address of its value, for for_each_map_elem; EOPNOTSUPP for other types."""
        raise Refusal(Errno.EOPNOTSUPP)

    # What the system call uses.

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return the value as user space gets it; ENOENT."""
        del key, flags
        raise Refusal(Errno.ENOTSUPP)

    def sys_update(self, key: bytes, value: bytes, flags: int) -> int:
        """Insert or replace a value of `user_value_size` bytes."""
        return self.update(key, value, flags)

    def sys_delete(self, key: bytes) -> int:
        """Remove."""
        return self.delete(key)

    def sys_lookup_and_delete(self, key: bytes, flags: int) -> bytes:
        """Remove and return the value."""
        del key, flags
        raise Refusal(Errno.ENOTSUPP)

    def next_key(self, key: bytes | None) -> bytes:
        """Return the key after this one, the first for None or a key that is not there; ENOENT after the last."""
        del key
        raise Refusal(Errno.ENOTSUPP)

    def batch_lookup(self, request: Request, *, delete: bool) -> int:
        """Answer MAP_LOOKUP_BATCH, or MAP_LOOKUP_AND_DELETE_BATCH."""
        refuse_if(delete, Errno.ENOTSUPP)
        return by_key(self, request)
