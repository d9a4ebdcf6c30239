"""What a cassette plays is what was recorded: values, events, mapped memory, types."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.attr_memory import ObjectKind
from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.backend.journal import JournalBackend
from bpflab.backend.journal_entry import Ask, Call, Machine, Memory, Opened, Reply, Side
from bpflab.backend.select import open_backend
from bpflab.cassettes.cassette import Cassette
from bpflab.cassettes.diverge import ReplayError
from bpflab.cassettes.make import open_replay, save
from bpflab.cassettes.read import from_text
from bpflab.cassettes.write import to_text

BYTES = st.binary(max_size=100)
NAMES = st.sampled_from(["key", "value", "insns", "info.map_ids", "pathname"])
ASKS = st.builds(
    Ask,
    command=st.sampled_from(Command),
    size=st.integers(0, 200),
    fields=st.dictionaries(st.sampled_from(["map_fd", "flags"]), st.integers(0, 2**64 - 1)),
    inputs=st.dictionaries(NAMES, BYTES),
    rooms=st.dictionaries(NAMES, st.integers(0, 9999)),
    rest=BYTES,
)
REPLIES = st.builds(
    Reply,
    result=st.integers(-1, 2000),
    errno=st.integers(0, 600),
    fields=st.dictionaries(st.just("prog_name"), st.binary(max_size=16)),
    outputs=st.dictionaries(NAMES, BYTES),
)
OPENED = st.builds(Opened, st.sampled_from(ObjectKind), st.sampled_from(MapType), st.integers(1, 9), st.integers(1, 9))
ENTRIES = st.one_of(
    st.builds(Call, ask=ASKS, reply=REPLIES, opened=st.none() | OPENED),
    st.builds(
        Side,
        name=st.sampled_from(["poll", "close"]),
        arguments=st.fixed_dictionaries({"fds": st.lists(st.integers()), "timeout": st.none() | st.just(0.25)}),
        result=st.none() | st.integers() | st.lists(st.integers()),
    ),
    st.builds(
        Memory,
        region=st.integers(0, 3),
        by_kernel=st.booleans(),
        changes=st.lists(st.tuples(st.integers(0, 99), BYTES), max_size=2, unique_by=lambda each: each[0]).map(tuple),
    ),
)
MACHINE = Machine("kernel", 2, (6, 18, 44), "little")


@given(entries=st.lists(ENTRIES, max_size=4), test=st.text(st.characters(codec="utf-8")))
def test_a_cassette_comes_back_from_its_text(entries: list[Call | Side | Memory], test: str) -> None:
    cassette = Cassette(test, MACHINE, "again", "", "abcd", tuple(map(as_written, entries)))
    assert from_text(to_text(cassette)) == cassette


def as_written(entry: Call | Side | Memory) -> Call | Side | Memory:
    """A map's sizes stand in a cassette for maps alone."""
    if isinstance(entry, Call) and entry.opened and entry.opened.map_type is None:
        return dataclasses.replace(entry, opened=Opened(entry.opened.kind))
    return entry


def use_everything(lab: Lab) -> list[object]:
    """Do what touches the calls beside bpf(2), and return what was seen."""
    ring = lab.map("ringbuf", max_entries=4096, name="ring")
    shared = lab.map("array", key="u32", value="u64", max_entries=4, flags=MapFlag.MMAPABLE, name="shared")
    sending = lab.program(
        """
        *(u64 *)(r10 - 8) = 77
        r1 = map[name:ring]
        r2 = r10
        r2 += -8
        r3 = 8
        r4 = 0
        call ringbuf_output
        r0 = 2
        exit
        """,
        name="sending",
    )
    view = shared.memory()
    view[8] = 9
    seen: list[object] = [shared[1], sending.run(bytes(60)).action, sending.info]
    with ring.consumer() as events:
        sending.run(bytes(61))
        seen += [bytes(event) for event in events.drain()]
    shared[2] = 11
    seen.append(bytes(view[16:24]))
    lab.map("hash", key="u32", value="u32", max_entries=2, name="pinned", pin="pinned")[1] = 2
    seen.append(dict(lab.open_map(path=f"{lab.pin_root}/pinned")))
    return seen


def test_events_memory_pins_and_info_come_back(bpf_backend: str, tmp_path: Path) -> None:
    recording = JournalBackend(open_backend(bpf_backend))
    with Lab(recording) as lab:
        seen = use_everything(lab)
    save(recording.journal, tmp_path / "one.toml", tmp_path, test="t", again="again")
    replay = open_replay(tmp_path / "one.toml", tmp_path, "t")
    with Lab(replay) as lab:
        assert use_everything(lab) == seen
    replay.check_end()


def test_another_write_to_mapped_memory_diverges(bpf_backend: str, tmp_path: Path) -> None:
    def write(lab: Lab, value: int) -> None:
        shared = lab.map("array", key="u32", value="u64", max_entries=4, flags=MapFlag.MMAPABLE, name="shared")
        view = shared.memory()
        view.cast("Q")[1] = value
        assert shared[1] == value

    recording = JournalBackend(open_backend(bpf_backend))
    with Lab(recording) as lab:
        write(lab, 9)
    save(recording.journal, tmp_path / "one.toml", tmp_path, test="t", again="again")
    with (
        Lab(open_replay(tmp_path / "one.toml", tmp_path, "t")) as lab,
        pytest.raises(
            ReplayError,
            match=f"byte {8 if sys.byteorder == 'little' else 15} of mapped memory 0 is 0x08, and 0x09 in the cassette",
        ),
    ):
        write(lab, 8)


def test_the_types_of_the_kernel_are_kept_once_for_all_cassettes(tmp_path: Path) -> None:
    journal = JournalBackend(open_backend("sim")).journal
    journal.kernel_btf = b"types" * 100
    for name in ("one", "two"):
        save(journal, tmp_path / f"{name}.toml", tmp_path, test=name, again="again")
    assert len(list((tmp_path / "kernel_btf").iterdir())) == 1
    assert open_replay(tmp_path / "two.toml", tmp_path, "two").kernel_btf() == b"types" * 100
