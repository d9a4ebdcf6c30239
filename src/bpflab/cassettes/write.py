"""A cassette as text: TOML, one table an entry, what is known of numbers and bytes in comments beside them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.abi.errno import errno_name
from bpflab.abi.insn import INSN_SIZE
from bpflab.backend.journal_entry import Call, Side
from bpflab.cassettes.cassette import VERSION, Cassette
from bpflab.cassettes.decode import Describer
from bpflab.cassettes.plain import rows, scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpflab.backend.journal_entry import Entry, Memory


def to_text(cassette: Cassette) -> str:
    """Write a cassette as text."""
    describer = Describer()
    tables = ["\n".join(_header(cassette))]
    tables += ["\n".join(["[[entry]]", *_entry(entry, describer)]) for entry in cassette.entries]
    return "\n\n".join(tables) + "\n"


def write(cassette: Cassette, path: Path) -> None:
    """Write a cassette to a file, whole or not at all; OSError when it cannot be written."""
    write_whole(path, to_text(cassette).encode("utf-8"))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _header(cassette: Cassette) -> Iterator[str]:
    machine = cassette.machine
    yield "# What a BPF backend answered to one test. Recorded by bpflab, played back by: pytest --bpf=replay"
    yield f"cassette = {VERSION}"
    yield f"test = {scalar(cassette.test)}"
    yield f"again = {scalar(cassette.again)}"
    if cassette.skipped:
        yield f"skipped = {scalar(cassette.skipped)}"
    if cassette.kernel_btf:
        yield f"kernel_btf = {scalar(cassette.kernel_btf)}"
    yield ""
    yield "[machine]"
    yield f"backend = {scalar(machine.backend)}"
    yield f"release = {scalar('.'.join(map(str, machine.release)))}"
    yield f"possible_cpus = {machine.possible_cpus}"
    yield f"byteorder = {scalar(machine.byteorder)}"


def _entry(entry: Entry, describer: Describer) -> Iterator[str]:
    if isinstance(entry, Call):
        yield from _call(entry, describer)
    elif isinstance(entry, Side):
        yield from _side(entry, describer)
    else:
        yield from _memory(entry)


def _call(call: Call, describer: Describer) -> Iterator[str]:
    ask, reply = call.ask, call.reply
    known = ask.command in list(Command)
    yield f"bpf = {scalar(Command(ask.command).name) if known else ask.command}"
    yield f"size = {ask.size}"
    for name, value in ask.fields.items():
        yield _noted(f"ask.{name} = {scalar(value)}", describer.field(name, value))
    yield from _buffers("in", ask.inputs, describer)
    for name, room in ask.rooms.items():
        yield f"room.{_key(name)} = {room}"
    if ask.rest:
        yield f"rest = {rows(ask.rest)}"
    describer.learn(call)
    yield f"result = {reply.result}"
    if reply.errno:
        yield f"errno = {scalar(errno_name(reply.errno))}"
    for name, value in reply.fields.items():
        yield _noted(f"answer.{name} = {scalar(value)}", describer.answer(ask, name, value))
    yield from _buffers("out", reply.outputs, describer)
    if call.opened:
        yield f"opened.kind = {scalar(str(call.opened.kind))}"
        if call.opened.map_type is not None:
            yield f"opened.map_type = {scalar(call.opened.map_type.name)}"
            yield f"opened.key_size = {call.opened.key_size}"
            yield f"opened.value_size = {call.opened.value_size}"


def _buffers(table: str, buffers: Mapping[str, bytes], describer: Describer) -> Iterator[str]:
    for name, data in buffers.items():
        width = INSN_SIZE if name == "insns" else 32
        yield f"{table}.{_key(name)} = {rows(data, describer.buffer(name, data), width)}"


def _side(side: Side, describer: Describer) -> Iterator[str]:
    yield f"side = {scalar(side.name)}"
    for name, value in side.arguments.items():
        yield _noted(f"ask.{name} = {scalar(value)}", describer.field(name, value))
    if side.errno:
        yield f"errno = {scalar(errno_name(side.errno))}"
    elif side.result is not None:
        yield f"result = {scalar(side.result)}"


def _memory(memory: Memory) -> Iterator[str]:
    yield f"memory = {memory.region}"
    yield f"by = {scalar('kernel' if memory.by_kernel else 'process')}"
    for offset, data in memory.changes:
        yield f"at.{offset} = {rows(data)}"


def _key(name: str) -> str:
    return scalar(name) if "." in name else name


def _noted(line: str, note: str) -> str:
    return f"{line}  # {note}" if note else line
