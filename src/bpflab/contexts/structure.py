"""What all contexts that are structures of the kernel have in common: fields by name, bytes of one layout."""

from __future__ import annotations

import struct
import sys
from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, ClassVar, Protocol

from bpflab.abi.context import simulated_layout
from bpflab.arguments import near_names
from bpflab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpflab.abi.context import ContextField, ContextLayout
    from bpflab.abi.layout import ByteOrder

ContextValue = int | tuple[int, ...]


class Addressed(Protocol):
    """An object of the simulated world, which a field that is a pointer takes."""

    @property
    def address(self) -> int:
        """Where programs find it."""


class Context:
    """A context of one layout, its fields by name.

    Only fields that the kernel lets a test run set may be given; all of them can be read from a context that
    came out of a run. Integers are in host byte order except where the layout says network order (their
    name in the kernel is then `__be16` or `__be32`): those are given and read as the bytes stand in memory. An IP
    address may be given as text, an object of the simulated world (a socket) as itself.
    """

    structure: ClassVar[str]
    """The C name of the structure."""
    settable_only: ClassVar[bool] = True
    """Whether only the fields that the running kernel takes may be given, where it takes some."""

    def __init__(self, **values: int | str | Sequence[int] | Addressed) -> None:
        self._read: Callable[[ContextField], ContextValue] | None = None
        self._values: dict[str, ContextValue] = {name: _plain(value) for name, value in values.items()}
        for name, value in self._values.items():
            self._check(name, value)

    @classmethod
    def layout(cls) -> ContextLayout:
        """Return the layout of the structure."""
        return simulated_layout(cls.structure)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, byteorder: ByteOrder = sys.byteorder) -> Context:
        """Read a context that came out of a run, fields as they are looked at; those past the end of `data` are 0."""
        context = cls()
        context._read = partial(_read, bytes(data).ljust(cls.layout().size, b"\0"), byteorder)
        return context

    def to_bytes(self, byteorder: ByteOrder = sys.byteorder) -> bytes:
        """Return the structure's bytes, fields that were not given as zero."""
        layout, prefix = self.layout(), _prefix(byteorder)
        buffer = bytearray(layout.size)
        for name, value in self._known().items():
            field = layout.field(name)
            items = value if isinstance(value, tuple) else (value,)
            struct.pack_into(prefix + field.code, buffer, field.offset, *items)
        return bytes(buffer)

    def _known(self) -> dict[str, ContextValue]:
        """Return the fields that were given, or all of a context that came out of a run."""
        read = self._read
        return {field.name: read(field) for field in self.layout().fields} if read else self._values

    def _check(self, name: str, value: ContextValue) -> None:
        settable = _fields_to_give(self.structure, settable_only=self.settable_only)
        if name not in settable:
            raise InputError(
                f"{type(self).__name__}({name}=...): a test run cannot set {name} of struct {self.structure}"
                f"{near_names(name, settable)} It can set {', '.join(settable)}."
            )
        _check_value(type(self).__name__, settable[name], value)

    def __getattr__(self, name: str) -> ContextValue:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._values:
            return self._values[name]
        fields = _fields_to_give(self.structure, settable_only=False)
        if name not in fields:
            raise AttributeError(f"struct {self.structure} has no field {name!r}{near_names(name, fields)}")
        field = fields[name]
        if self._read:
            return self._read(field)
        return (0,) * field.count if field.count else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self._known().items() if _is_set(value))
        return f"{type(self).__name__}({shown})"


def _plain(value: int | str | Sequence[int] | Addressed) -> ContextValue:
    """Return a value as the layout takes it: an IP address as the words that stand in memory, an object's address."""
    if isinstance(value, str):
        packed = _address(value).packed
        words = tuple(int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4))
        return words if len(words) > 1 else words[0]
    if isinstance(value, int):
        return value
    address: int | None = getattr(value, "address", None)
    return tuple(value) if address is None else address  # type: ignore[arg-type]  # what has no address is a sequence


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        raise InputError(f"{text!r} in a context; expected a number, numbers, or an IP address.") from None


def _is_set(value: ContextValue) -> bool:
    return any(value) if isinstance(value, tuple) else value != 0


def _prefix(byteorder: ByteOrder) -> str:
    return "<" if byteorder == "little" else ">"


@cache
def _fields_to_give(structure: str, *, settable_only: bool) -> dict[str, ContextField]:
    """Return the fields by name: where some are settable and only those may be given, these, else all."""
    layout = simulated_layout(structure)
    return {field.name: field for field in (settable_only and layout.settable) or layout.fields}


def _read(raw: bytes, byteorder: ByteOrder, field: ContextField) -> ContextValue:
    items = struct.unpack_from(_prefix(byteorder) + field.code, raw, field.offset)
    return tuple(items) if field.count else int(items[0])


def _check_value(owner: str, field: ContextField, value: ContextValue) -> None:
    items = value if field.count and isinstance(value, (tuple, list)) else (value,)
    if len(items) != max(field.count, 1):
        raise InputError(f"{owner}({field.name}={value!r}): expected {field.count} integers.")
    try:
        struct.pack("<" + field.code, *items)
    except struct.error as error:
        raise InputError(
            f"{owner}({field.name}={value!r}): expected {'signed' if field.signed else 'unsigned'} "
            f"integers of {field.size * 8} bits ({error})."
        ) from None
