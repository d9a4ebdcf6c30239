"""A cassette in memory: a test's journal with what is needed to play it back and to know where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bpflab.errors import BpfError

if TYPE_CHECKING:
    from bpflab.backend.journal_entry import Entry, Machine

VERSION: Final = 1
"""The version of the text; a reader takes no other."""


class CassetteError(BpfError):
    """A cassette is missing, of another version, or not what was written."""


@dataclass(frozen=True, slots=True)
class Cassette:
    """What one test asked and was answered.

    `test` is the test's name, `again` the command that records it anew, `skipped` why the test was skipped where it
    was recorded (empty: it ran), `kernel_btf` the digest of the kernel's BTF if the test asked for that.
    Descriptors in `entries` count from FIRST_DESCRIPTOR; one of the process's own is FOREIGN.
    """

    test: str
    machine: Machine
    again: str = ""
    skipped: str = ""
    kernel_btf: str = ""
    entries: tuple[Entry, ...] = field(default=())
