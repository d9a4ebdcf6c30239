"""BTF, the types of a program or kernel: looked up by name or id, decoded one at a time."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from bpflab.abi.btf import BtfKind
from bpflab.errors import BtfError
from bpflab.obj.btf_decode import Record, decode
from bpflab.obj.btf_encode import StringTable, encode
from bpflab.obj.btf_index import indexed_table
from bpflab.obj.btf_table import flavour_offsets, name_offsets, read_table
from bpflab.obj.btf_types import BtfType, Int, Void

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpflab.abi.layout import ByteOrder

KERNEL_BTF: Final = Path("/sys/kernel/btf/vmlinux")
STRING_LIMIT: Final = 1 << 16
"""Most bytes of a string; they may overlap, so the length of the blob alone bounds nothing."""
_LONG_NAMES: Final = ("long", "long int", "unsigned long", "long unsigned int")
_Type = TypeVar("_Type", bound=BtfType)


class Btf:
    """The types of a BTF blob, by id; id 0 is void.

    Give `base` for split BTF (a kernel module's), whose ids and strings continue those of its base.
    Raises BtfError for a blob that is malformed, here or when the malformed type is asked for.
    """

    def __init__(self, data: bytes, base: Btf | None = None) -> None:
        self._table = indexed_table(data) if base is None else read_table(data, split=True)
        if base is not None and base.byteorder != self._table.byteorder:
            raise BtfError(f"BTF: a {self._table.byteorder}-endian blob cannot continue a {base.byteorder}-endian one.")
        self.data = data
        self.base = base
        self._start = len(base) if base is not None else 1
        self._strings_start = base.strings_end if base is not None else 0
        self._decoded: dict[int, BtfType] = {}
        self._places: dict[tuple[str, bool], tuple[int, ...]] = {}

    @classmethod
    def read(cls, path: str | Path, base: Btf | None = None) -> Btf:
        """Read a file of raw BTF, such as those under /sys/kernel/btf."""
        try:
            return cls(Path(path).read_bytes(), base)
        except OSError as problem:
            raise BtfError(f"BTF: {path} cannot be read: {problem.strerror}.") from problem

    @classmethod
    def of_kernel(cls) -> Btf:
        """Read the running kernel's BTF; BtfError where it offers none (CONFIG_DEBUG_INFO_BTF=n)."""
        return cls.read(KERNEL_BTF)

    @classmethod
    def build(cls, types: Iterable[BtfType], byteorder: ByteOrder = sys.byteorder) -> Btf:
        """Make BTF of types, the first of which gets id 1."""
        return cls(encode(types, byteorder))

    @property
    def byteorder(self) -> ByteOrder:
        """The byte order the blob is written in, which is its program's."""
        return self._table.byteorder

    @cached_property
    def pointer_size(self) -> int:
        """The bytes of a pointer: 8 in programs, 4 in the types of a 32-bit kernel, as the type `long` tells."""
        if self.base is not None:
            return self.base.pointer_size
        found = [self[each] for name in _LONG_NAMES for each in self.ids(name, BtfKind.INT)]
        return next((each.size for each in found if isinstance(each, Int) and each.size in {4, 8}), 8)

    @property
    def strings_end(self) -> int:
        """The first string offset past this blob and its base."""
        return self._strings_start + len(self._table.strings)

    def __len__(self) -> int:
        return self._start + len(self._table.starts)

    def __contains__(self, type_id: object) -> bool:
        return isinstance(type_id, int) and 0 <= type_id < len(self)

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, len(self)))

    def __repr__(self) -> str:
        return f"<Btf of {len(self) - 1} types, {self.byteorder} endian>"

    def __getitem__(self, type_id: int) -> BtfType:
        """Decode the type of an id; BtfError if there is no such id."""
        if type_id == 0:
            return Void()
        if self.base is not None and 0 < type_id < self._start:
            return self.base[type_id]
        found = self._decoded.get(type_id)
        if found is None:
            index = self._index(type_id)
            record = Record(self._table.head(index), self._table.tail(index), self.string)
            found = self._decoded[type_id] = decode(self._table.kind(index), record)
        return found

    def get(self, type_id: int, kind: type[_Type]) -> _Type:
        """Decode the type of an id and require its kind, a class of `btf_types`."""
        found = self[type_id]
        if not isinstance(found, kind):
            raise BtfError(f"BTF: type {type_id} is {found.kind.name} {found.name!r}, not {kind.__name__}.")
        return found

    def kind(self, type_id: int) -> BtfKind:
        """Read the kind of an id without decoding it."""
        if type_id == 0:
            return BtfKind.VOID
        if self.base is not None and 0 < type_id < self._start:
            return self.base.kind(type_id)
        return self._table.kind(self._index(type_id))

    def name(self, type_id: int) -> str:
        """Read the name of an id without decoding it."""
        if self.base is not None and type_id < self._start:
            return self.base.name(type_id)
        return self.string(self._table.head(self._index(type_id))[0]) if type_id else ""

    def string(self, offset: int) -> str:
        """Read the string at an offset, as records of .BTF.ext give them."""
        if offset < self._strings_start and self.base is not None:
            return self.base.string(offset)
        strings, at = self._table.strings, offset - self._strings_start
        if offset == 0:
            return ""
        if not 0 <= at < len(strings):
            raise BtfError(f"BTF: string offset {offset} lies past the strings, which end at {self.strings_end}.")
        end = strings.find(b"\0", at, at + STRING_LIMIT)
        if end < 0:
            raise BtfError(f"BTF: the string at offset {offset} is longer than {STRING_LIMIT} bytes.")
        return strings[at:end].decode("utf-8", "surrogateescape")

    def ids(self, name: str, *kinds: BtfKind, own: bool = False) -> tuple[int, ...]:
        """Find every type of that name, of the given kinds or of any, lowest id first; `own` leaves out the base's."""
        if not name:
            return ()
        inherited = self.base.ids(name, *kinds) if self.base is not None and not own else ()
        return inherited + tuple(each for each in self._named(name) if not kinds or self.kind(each) in kinds)

    def find(self, name: str, *kinds: BtfKind) -> int | None:
        """Find the first type of that name, or None."""
        return next(iter(self.ids(name, *kinds)), None)

    def require(self, name: str, *kinds: BtfKind) -> int:
        """Find the first type of that name; BtfError names types of similar names."""
        found = self.find(name, *kinds)
        if found is None:
            raise BtfError(f"BTF has no {_kinds_listed(kinds)} {name!r}.{self._similar(name, kinds)}")
        return found

    def flavours(self, name: str, *, own: bool = False) -> tuple[int, ...]:
        """Find every type called `name`, or `name` and a flavour such as `___old`, lowest id first."""
        inherited = self.base.flavours(name) if self.base is not None and not own else ()
        return inherited + self._named(name, flavoured=True)

    def strings(self) -> StringTable:
        """Copy the strings, to build a blob in which their offsets stay valid."""
        base = self.base.strings().data if self.base is not None else b""
        return StringTable(self._table.strings, start=self._strings_start, base=base)

    def _index(self, type_id: int) -> int:
        if not self._start <= type_id < len(self):
            raise BtfError(f"BTF: there is no type {type_id}; ids go up to {len(self) - 1}.")
        return type_id - self._start

    def _named(self, name: str, *, flavoured: bool = False) -> tuple[int, ...]:
        """Find the own types of a name, lowest id first; `flavoured` those with a flavour behind it, too."""
        found = [index for offset in self._offsets(name, flavoured) for index in self._table.named(offset)]
        return tuple(self._start + index for index in sorted(found))

    def _offsets(self, name: str, flavoured: bool) -> tuple[int, ...]:
        """Find where a name stands in the strings; kept, as the modules of a kernel all ask their base."""
        if (name, flavoured) not in self._places:
            inherited = self.base._offsets(name, flavoured) if self.base is not None else ()
            raw, strings = name.encode("utf-8", "surrogateescape"), self._table.strings
            found = [*name_offsets(strings, raw), *(flavour_offsets(strings, raw) if flavoured else ())]
            self._places[name, flavoured] = inherited + tuple(self._strings_start + each for each in found)
        return self._places[name, flavoured]

    def _similar(self, name: str, kinds: tuple[BtfKind, ...]) -> str:
        of_kind = (self.name(each) for each in self if not kinds or self.kind(each) in kinds)
        close = get_close_matches(name, {each for each in of_kind if each[:2] == name[:2]}, n=3)
        return f" Similar: {', '.join(close)}." if close else ""


def _kinds_listed(kinds: tuple[BtfKind, ...]) -> str:
    return " or ".join(kind.name.lower() for kind in kinds) or "type"
