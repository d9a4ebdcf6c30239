"""BTF that the kernel is told of when a map is created."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.abi.map_btf import WITHOUT_BTF
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.lab import Lab
    from bpflab.maps.shape import MapShape
    from bpflab.obj.btf import Btf

Ids = tuple[int, int, int]
"""A descriptor of loaded BTF, and the ids of a map's key and value types in it."""


def btf_of(given: object) -> Btf | None:
    """Return the Btf that btf= gives: a Btf, its bytes, or None."""
    if given is None:
        return None
    from bpflab.obj.btf import Btf

    if isinstance(given, Btf):
        return given
    if isinstance(given, bytes | bytearray | memoryview):
        return Btf(bytes(given))
    raise ArgumentError(f"btf is {given!r}; expected a bpflab.obj.btf.Btf, or the bytes of BTF.")


@contextmanager
def loaded_btf(lab: Lab, shape: MapShape, types: Btf | None) -> Iterator[Ids]:
    """Load what BTF the kernel shall know a map's types by, until the map is made and holds it itself.

    Types that cannot be without BTF, such as TASK_STORAGE, get plain types of the right sizes where none were given.
    """
    found = _types_of(shape, types, lab.backend.byteorder)
    if found is None:
        yield 0, 0, 0
        return
    data, key_id, value_id = found
    fd = lab.call(Command.BTF_LOAD, btf=data, btf_size=len(data)).result
    try:
        yield fd, key_id, value_id
    finally:
        lab.backend.close(fd)


def _types_of(shape: MapShape, types: Btf | None, byteorder: str) -> tuple[bytes, int, int] | None:
    told = types if shape.type not in WITHOUT_BTF else None
    if told is None and not shape.rule.needs_btf:
        return None
    from bpflab.maps.plain_btf import plain_types, type_ids

    found = type_ids(told, shape) if told is not None else None
    return plain_types(shape, byteorder) if found is None and shape.rule.needs_btf else found
