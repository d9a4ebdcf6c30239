"""A recorded answer written where its caller looks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.backend import process_memory

if TYPE_CHECKING:
    from bpflab.backend.capture import Asked, Frame, Place
    from bpflab.backend.journal_entry import Reply

ADDRESS_SIZE = 8


def write_reply(asked: Asked, reply: Reply) -> None:
    """Write the fields and buffers of an answer into the memory of the call that asks."""
    attr = bytearray(process_memory.read(asked.frame.address, asked.ask.size) or b"")
    for name, value in reply.fields.items():
        field = asked.frame.layout.field(name)
        if field.offset + field.size <= len(attr):
            asked.frame.layout.set(attr, name, value)
    if reply.fields:
        process_memory.write(asked.frame.address, bytes(attr))
    for place in asked.places:
        data = reply.outputs.get(place.name)
        if data is not None:
            _write_place(place, data[: place.room], asked.nested)


def _write_place(place: Place, data: bytes, nested: Frame | None) -> None:
    """Write a buffer; in an info buffer, what the caller's pointers say stays."""
    if place.name != "info" or nested is None:
        process_memory.write(place.address, data)
        return
    whole = bytearray(data)
    held = process_memory.read(place.address, len(data)) or b""
    for pointer in nested.buffers:
        at = nested.layout.field(pointer.name).offset
        whole[at : at + ADDRESS_SIZE] = held[at : at + ADDRESS_SIZE]
    process_memory.write(place.address, bytes(whole))
