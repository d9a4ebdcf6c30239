"""The architectures that a guest Python can have, and what each is called elsewhere, as data."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.architectures import architecture
from bpflab.errors import RunnerError, UnknownArchitectureError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Guest:
    """An architecture by its names: `debian` in packages, `qemu` after `qemu-`, `wheel` in the tags of wheels.

    `release` is the first Debian release that has it, if older ones do not.
    """

    name: str
    debian: str
    qemu: str
    wheel: str
    release: str = ""


GUESTS: Final[Mapping[str, Guest]] = MappingProxyType(
    {
        guest.name: guest
        for guest in (
            Guest("x86_64", "amd64", "x86_64", "x86_64"),
            Guest("arm64", "arm64", "aarch64", "aarch64"),
            Guest("s390x", "s390x", "s390x", "s390x"),
            Guest("riscv64", "riscv64", "riscv64", "riscv64", release="trixie"),
            Guest("ppc64le", "ppc64el", "ppc64le", "ppc64le"),
            Guest("armhf", "armhf", "arm", "armv7l"),
        )
    }
)
"""Every guest, by the name that `bpflab.abi.architectures` has for it."""


def guest_of(name: str) -> Guest:
    """Find a guest by name or alias (`aarch64`, `amd64`, `ppc64el`); RunnerError names what is known."""
    try:
        return (
            next((guest for guest in GUESTS.values() if guest.debian == name), None) or GUESTS[architecture(name).name]
        )
    except (UnknownArchitectureError, KeyError):
        raise RunnerError(
            f"No guest Python is known for architecture {name!r}; known are {', '.join(GUESTS)}."
        ) from None
