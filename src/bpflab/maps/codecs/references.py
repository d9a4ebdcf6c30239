"""Values that the system call writes as a descriptor and reads as a number: programs, maps, sockets, devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bpflab.errors import CodecError
from bpflab.maps.codecs.base import BaseCodec

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.maps.codecs.base import Readable

NO_PROGRAM = 0
"""The descriptor that stands for no program in a devmap's or cpumap's value."""


def descriptor(value: object, what: str) -> int:
    """Return the descriptor of an object with `fileno()`, or the number itself; CodecError for anything else."""
    fileno = getattr(value, "fileno", None)
    number = fileno() if callable(fileno) else value
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise CodecError(f"{value!r} is no {what}; expected an object with fileno(), or a descriptor.")
    return number


class ReferenceCodec(BaseCodec[Any]):
    """A kernel object: takes something with `fileno()` or a descriptor, gives the number by which the kernel knows it.

    `what` is the word for it. `size` is 4 or, for sockets whose cookie is to be read, 8.
    """

    def __init__(self, what: str, byteorder: ByteOrder, size: int = 4) -> None:
        self.size = size
        self.name = what
        self.wanted = "an object with fileno(), or a descriptor"
        self.byteorder: ByteOrder = byteorder

    def pack(self, value: object, /) -> bytes:
        """Return the descriptor's bytes."""
        return descriptor(value, self.name).to_bytes(self.size, self.byteorder)

    def unpack(self, data: Readable, /) -> Any:  # noqa: ANN401 - an id; children give objects
        """Return the kernel's number of the object."""
        return int.from_bytes(self.exact(data), self.byteorder)


class Target(NamedTuple):
    """A value of a devmap (`number` is an interface's index) or cpumap (the length of the CPU's queue).

    `program` is what runs there: a Program or descriptor when written, its id when read, 0 for none.
    """

    number: int
    program: Any = NO_PROGRAM


class TargetCodec(BaseCodec[Any]):
    """`struct bpf_devmap_val` or `struct bpf_cpumap_val`: a `Target`, or just its number.

    Without room for a program (`size` 4) it gives the plain number.
    """

    def __init__(self, what: str, byteorder: ByteOrder, size: int) -> None:
        self.size = size
        self.name = what
        self.byteorder: ByteOrder = byteorder
        self.wanted = what if size == 4 else f"{what}, or Target({what}, program)"

    def pack(self, value: object, /) -> bytes:
        """Return the bytes of number and program."""
        number, program = value if isinstance(value, tuple) and len(value) == 2 else (value, NO_PROGRAM)
        if not isinstance(number, int) or not 0 <= number < 1 << 32 or (self.size == 4 and program != NO_PROGRAM):
            raise self.refusal(value)
        words = (number, descriptor(program, "program"))[: self.size // 4]
        return b"".join(word.to_bytes(4, self.byteorder) for word in words)

    def unpack(self, data: Readable, /) -> Any:  # noqa: ANN401 - an integer, or a Target
        """Return the number, or the Target."""
        view = memoryview(self.exact(data))
        number = int.from_bytes(view[:4], self.byteorder)
        return number if self.size == 4 else Target(number, int.from_bytes(view[4:], self.byteorder))


class CgroupKey(NamedTuple):
    """A key of cgroup storage, `struct bpf_cgroup_storage_key`: the cgroup's inode number, and the attach type."""

    cgroup: int
    attach_type: int = 0


class CgroupKeyCodec(BaseCodec[Any]):
    """A `CgroupKey` of 16 bytes (12 and padding), or a cgroup's inode number alone in 8."""

    wanted = "CgroupKey(inode number of the cgroup, attach type)"

    def __init__(self, byteorder: ByteOrder, size: int) -> None:
        self.size = size
        self.name = "cgroup"
        self.byteorder: ByteOrder = byteorder

    def pack(self, value: object, /) -> bytes:
        """Return the key's bytes."""
        parts: Any = value if isinstance(value, tuple) and len(value) == 2 else (value, 0)
        try:
            key = bytes(parts[0].to_bytes(8, self.byteorder) + int(parts[1]).to_bytes(4, self.byteorder))
        except (AttributeError, OverflowError, TypeError, ValueError):
            raise self.refusal(value) from None
        return key.ljust(16, b"\0")[: self.size]

    def unpack(self, data: Readable, /) -> CgroupKey:
        """Return the key."""
        view = memoryview(self.exact(data))
        attach_type = int.from_bytes(view[8:12], self.byteorder) if self.size == 16 else 0
        return CgroupKey(int.from_bytes(view[:8], self.byteorder), attach_type)
