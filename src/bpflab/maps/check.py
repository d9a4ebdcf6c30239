"""Whether a map can be created as asked: its type's rule, said in words when it cannot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bpflab.abi.flags import MapFlag
from bpflab.abi.map_rules import CREATE_ANYWHERE, EXCLUSIVE, NAME_LENGTH, RULES
from bpflab.abi.map_types import MapType
from bpflab.arguments import check_type, enum_member
from bpflab.errors import ArgumentError, NotSupportedError

if TYPE_CHECKING:
    from bpflab.abi.map_rules import Numbers
    from bpflab.maps.shape import MapShape

NAME: Final = re.compile(r"[A-Za-z0-9_.]*")


def map_type(given: MapType | str | int) -> MapType:
    """Return the type that a name, number or member stands for, if this library creates maps of it."""
    kind = enum_member("Map type", given, MapType)
    if kind not in RULES:
        raise NotSupportedError(f"{kind.name} maps are not created by map(); expected one of {known_types()}.")
    return kind


def known_types() -> str:
    """List the types that can be created."""
    return ", ".join(kind.name.lower() for kind in RULES)


def check_shape(shape: MapShape) -> None:
    """Raise ArgumentError, with what was given and what is allowed, where a map breaks its type's rule."""
    rule = shape.rule
    check_name(shape.name)
    _check_number(shape, "key size in bytes", shape.key_size, rule.key)
    _check_number(shape, "value size in bytes", shape.value_size, rule.value_for(shape.flags))
    _check_number(shape, "max_entries", shape.max_entries, rule.entries)
    _check_number(shape, "map_extra", shape.map_extra, rule.extra)
    _check_flags(shape)


def check_name(name: str) -> None:
    """Raise ArgumentError for a name that the kernel would refuse."""
    check_type("name", name, str, "text")
    if len(name) > NAME_LENGTH or not NAME.fullmatch(name):
        raise ArgumentError(
            f"name {name!r} has {len(name)} characters; a map's name has at most {NAME_LENGTH}, which are letters "
            "and digits of ASCII, '_' and '.'."
        )


def _check_number(shape: MapShape, what: str, given: int, allowed: Numbers) -> None:
    check_type(what, given, int, "an integer")
    if given not in allowed:
        raise ArgumentError(f"The {what} of the {shape.label} is {given}; allowed is {allowed}.{_near(given, allowed)}")


def _near(given: int, allowed: Numbers) -> str:
    if not allowed.power or given <= 0:
        return ""
    return f" The next size that fits is {max(allowed.low, 1 << (given - 1).bit_length())}."


def _check_flags(shape: MapShape) -> None:
    rule, flags = shape.rule, shape.flags
    unknown = int(flags) & ~int(rule.flags | CREATE_ANYWHERE)
    if unknown:
        raise ArgumentError(
            f"The {shape.label} does not take the flags {flag_names(unknown)}; allowed are {flag_names(rule.flags)}."
        )
    missing = rule.needed & ~flags
    if missing:
        raise ArgumentError(f"The {shape.label} needs the flags {flag_names(missing)}.")
    for pair in EXCLUSIVE:
        if flags & pair == pair:
            raise ArgumentError(f"The {shape.label}: the flags {flag_names(pair)} exclude each other; give one.")


def flag_names(flags: int) -> str:
    """List flags by name, and bits that have none as numbers."""
    known = [flag for flag in MapFlag if flag & flags]
    rest = int(flags) & ~sum(known)
    names = [str(flag.name) for flag in known] + ([hex(rest)] if rest else [])
    return ", ".join(names) or "none"
