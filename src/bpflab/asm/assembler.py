"""The assembler: a program as text or as Python values becomes an `Assembled`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from bpflab.asm.check import check_calls
from bpflab.asm.insn import Insn
from bpflab.asm.item import Data, Label, Pending
from bpflab.asm.link import Listing, link
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.abi.prog_types import ProgType
    from bpflab.asm.assembled import Assembled
    from bpflab.asm.item import Item


def assemble(
    source: str | Iterable[object],
    *,
    prog_type: ProgType | None = None,
    byteorder: ByteOrder = sys.byteorder,
    check: bool = True,
) -> Assembled:
    """Assemble a program from text, or from instructions, labels and data, nested as you like.

    `check` looks at every call of a helper: that its arguments were set, and, when `prog_type` is
    given, that a program of this type may call it. Turn it off to write a program that a verifier
    has to refuse. Raises AssemblyError, which shows the instruction or line as it was written.
    """
    listing = _read(source, byteorder)
    assembled, layout = link(listing, byteorder)
    if check:
        check_calls(assembled.insns, prog_type, lambda slot, why: listing.blame(layout.item_at(slot), "", why))
    return replace(assembled, lines=_lines(listing, layout.starts)) if listing.lines else assembled


@dataclass(slots=True)
class ItemListing:
    """The items of a program that was written in Python."""

    items: list[Item]
    lines: list[int] = field(default_factory=list)

    def blame(self, index: int, name: str, why: str) -> NoReturn:  # noqa: ARG002 - `name` as the Listing's
        """Raise AssemblyError about an item, and show it."""
        from bpflab.asm.show import show_item

        raise AssemblyError(f"item {index} of the program, `{show_item(self.items[index])}`: {why}")


def _read(source: str | Iterable[object], byteorder: ByteOrder) -> Listing:
    if isinstance(source, str):
        from bpflab.asm.text.reader import read

        return read(source, byteorder)
    return ItemListing(list(flatten(source)))


def flatten(source: object) -> Iterator[Item]:
    """Yield the items of a program out of everything they are nested in."""
    if isinstance(source, Insn | Pending | Label | Data):
        yield source
    elif isinstance(source, Iterable) and not isinstance(source, str | bytes):
        for item in source:
            yield from flatten(item)
    else:
        raise AssemblyError(
            f"{source!r} is no instruction: give what functions such as mov() and label() return, or one text"
        )


def _lines(listing: Listing, starts: Sequence[int]) -> dict[int, int]:
    places = zip(pairwise(starts), listing.lines, strict=True)
    return {slot: line for (start, end), line in places for slot in range(start, end)}
