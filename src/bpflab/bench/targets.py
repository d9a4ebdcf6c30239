"""Where a suite is measured: natively, or on an architecture by counting instructions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.errors import ArgumentError
from bpflab.runner.guests import GUESTS, guest_of

if TYPE_CHECKING:
    from bpflab.runner.guests import Guest

NATIVE: Final = "native"
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Target:
    """A place to measure. Without a guest it is the host's Python and wall time, with the kernel where it is."""

    name: str
    guest: Guest | None = None


def targets(text: str) -> list[Target]:
    """Read `all`, or names with commas, `native` among them: each once, in the order given."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ArgumentError(f"No architecture is named; say {ALL}, {NATIVE} or any of {', '.join(GUESTS)}.")
    names = [name for word in words for name in ((NATIVE, *GUESTS) if word == ALL else (word,))]
    found = [Target(NATIVE) if name == NATIVE else _guest(name) for name in names]
    return list({target.name: target for target in found}.values())


def _guest(name: str) -> Target:
    guest = guest_of(name)
    return Target(guest.name, guest)
