"""A cassette read back from its text."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.attr import LAYOUTS, LINK_CREATE_LAYOUTS
from bpflab.abi.attr_memory import ObjectKind
from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.backend.journal_entry import Ask, Call, Machine, Memory, Opened, Reply, Side
from bpflab.cassettes.cassette import VERSION, Cassette, CassetteError
from bpflab.cassettes.plain import HEX, MISSING, as_bytes, unrowed

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.backend.journal_entry import Entry, FieldValue

_TEXT_FIELDS: Final = frozenset(
    field.name
    for layout in (*LAYOUTS.values(), *LINK_CREATE_LAYOUTS.values())
    for field in layout.fields
    if field.format[-1] == "s"
)
_UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError)


def read(path: Path) -> Cassette:
    """Read a cassette; CassetteError when it is of another version or broken, OSError when it cannot be read."""
    try:
        return from_text(path.read_text("utf-8"))
    except CassetteError as error:
        raise CassetteError(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise CassetteError(f"{path}: not a text in UTF-8 ({error.reason}); record it again.") from error


def from_text(text: str) -> Cassette:
    """Read a cassette's text; CassetteError as `read`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CassetteError(f"the cassette is broken ({error}); record it again.") from None
    version = table.get("cassette")
    if version != VERSION:
        raise CassetteError(
            f"the cassette has version {version!r}, and this bpflab reads version {VERSION}; record it again"
            + (f": {table['again']}" if table.get("again") else ".")
        )
    try:
        return _cassette(table)
    except _UNREADABLE as error:
        raise CassetteError(f"the cassette is broken ({type(error).__name__}: {error}); record it again.") from None


def _cassette(table: dict[str, Any]) -> Cassette:
    machine = table["machine"]
    major, minor, patch = map(int, machine["release"].split("."))
    return Cassette(
        test=table["test"],
        machine=Machine(machine["backend"], machine["possible_cpus"], (major, minor, patch), machine["byteorder"]),
        again=table.get("again", ""),
        skipped=table.get("skipped", ""),
        kernel_btf=table.get("kernel_btf", ""),
        entries=tuple(_numbered_entry(*each) for each in enumerate(table.get("entry", ()), 1)),
    )


def _numbered_entry(number: int, table: dict[str, Any]) -> Entry:
    try:
        return _entry(table)
    except (*_UNREADABLE, CassetteError) as error:
        raise CassetteError(f"entry {number} is broken ({error}); record it again.") from None


def _entry(table: dict[str, Any]) -> Entry:
    if "bpf" in table:
        return _call(table)
    if "side" in table:
        arguments = {name: _argument(value) for name, value in table.get("ask", {}).items()}
        return Side(table["side"], arguments, table.get("result"), _errno(table))
    changes = tuple((int(at), unrowed(data)) for at, data in table.get("at", {}).items())
    return Memory(table["memory"], table["by"] == "kernel", changes)


def _call(table: dict[str, Any]) -> Call:
    name = table["bpf"]
    ask = Ask(
        command=Command[name] if isinstance(name, str) else name,
        size=table["size"],
        fields=_fields(table.get("ask", {})),
        inputs={name: unrowed(data) for name, data in table.get("in", {}).items()},
        rooms=table.get("room", {}),
        rest=unrowed(table.get("rest", "")),
    )
    outputs = {name: unrowed(data) for name, data in table.get("out", {}).items()}
    reply = Reply(table["result"], _errno(table), _fields(table.get("answer", {})), outputs)
    opened = table.get("opened")
    return Call(ask, reply, _opened(opened) if opened else None)


def _opened(table: dict[str, Any]) -> Opened:
    name = table.get("map_type")
    map_type = MapType[name] if name else None
    return Opened(ObjectKind(table["kind"]), map_type, table.get("key_size", 0), table.get("value_size", 0))


def _fields(table: dict[str, Any]) -> dict[str, FieldValue]:
    return {name: as_bytes(value) if name in _TEXT_FIELDS else int(value) for name, value in table.items()}


def _argument(value: object) -> object:
    if value == MISSING:
        return None
    return as_bytes(value) if isinstance(value, str) and value.startswith(HEX) else value


def _errno(table: dict[str, Any]) -> int:
    name = table.get("errno", 0)
    number = str(name).removeprefix("errno ")
    return int(number) if number.isdigit() else int(Errno[number])
