"""What a journal is made of: calls as they were asked and answered, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.abi.attr_memory import ObjectKind
    from bpflab.abi.map_types import MapType

FieldValue = int | bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """What a descriptor stands for, as far as the calls on it need it.

    `value_size` is that of one value; a per-CPU map's system calls move one for each CPU, 8-aligned.
    """

    kind: ObjectKind
    map_type: MapType | None = None
    key_size: int = 0
    value_size: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of bpf(2) as it was asked.

    `fields` are the attr's fields that are not zero, without pointers and without fields that the kernel only writes;
    `inputs` the bytes behind each pointer that it reads; `rooms` how many bytes it may write behind the others.
    Names of what an info buffer points to begin with `info.`. `size` is the attr's, `rest` its bytes past the fields
    that bpflab knows.
    """

    command: int
    size: int
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    rooms: Mapping[str, int] = field(default_factory=dict)
    rest: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered: the result or -1 with an errno, the attr fields and the buffers that were written."""

    result: int
    errno: int = 0
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    outputs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of bpf(2), and what the descriptor that it gave stands for."""

    ask: Ask
    reply: Reply
    opened: Opened | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """A call beside bpf(2): its name, its arguments by name, its result, or the errno of its OSError."""

    name: str
    arguments: Mapping[str, object]
    result: object = None
    errno: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """What changed in mapped memory before the call that follows.

    `region` counts the mmap calls that succeeded, from 0; `by_kernel` says whether the call before it did, or the
    process. `changes` are offsets with their new bytes.
    """

    region: int
    by_kernel: bool
    changes: tuple[tuple[int, bytes], ...]


Entry = Call | Side | Memory


@dataclass(frozen=True, slots=True)
class Machine:
    """What the recorded backend said of itself."""

    backend: str
    possible_cpus: int
    release: tuple[int, int, int]
    byteorder: str
