"""What a fault is about: a map or program by name or as the object, a key as the map takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bpflab.abi.map_rules import NAME_LENGTH
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from bpflab.backend.calls import Call
    from bpflab.backend.match import Where


@runtime_checkable
class Descriptive(Protocol):
    """A map or program: it has a descriptor."""

    def fileno(self) -> int:
        """Return the descriptor."""


Named = str | Descriptive


@dataclass(frozen=True, slots=True)
class Subject:
    """The fields of a call that say what it is about, and a function for what they cannot say."""

    fields: dict[str, object]
    where: Where | None


def subject_fields(given_map: object, program: object, key: object, where: Where | None) -> Subject:
    """Turn what a user gives into what a Match takes; ArgumentError for what is no map or program."""
    fields: dict[str, object] = {}
    tests: list[Where] = [] if where is None else [where]
    for kind, given in (("map", given_map), ("program", program)):
        if isinstance(given, str) and given:
            fields[kind] = given[:NAME_LENGTH]
        elif isinstance(given, Descriptive):
            tests.append(_about(kind, given))
        elif given is not None:
            raise ArgumentError(f"{kind} is {given!r}; expected its name, or what the Lab returned for it.")
    if key is not None:
        fields["key"] = _key(given_map, key)
    return Subject(fields, _all(tests))


def _about(kind: str, target: Descriptive) -> Where:
    descriptor = {"map": "map_fd", "program": "prog_fd"}[kind]

    def is_about(call: Call) -> bool:
        return target.fileno() in {call.get(descriptor), call.get("fd")}

    is_about.__name__ = f"{kind} {getattr(target, 'name', '') or 'without a name'}"
    return is_about


def _key(given_map: object, key: object) -> object:
    shape = getattr(given_map, "shape", None)
    if shape is None or isinstance(key, bytes) or callable(key):
        return key
    return bytes(shape.key.pack(key))


def _all(tests: list[Where]) -> Where | None:
    if len(tests) < 2:
        return tests[0] if tests else None

    def every_one(call: Call) -> bool:
        return all(test(call) for test in tests)

    every_one.__name__ = " and ".join(getattr(test, "__name__", repr(test)) for test in tests)
    return every_one
