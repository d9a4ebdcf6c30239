"""Write the helper table as a page for people: `python -m bpflab.abi.helpers_page > docs/helpers.md`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from bpflab.abi.helper_model import ArgumentKind, Helper, ReturnKind
from bpflab.abi.helpers import table
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.helper_model import Argument, Return
    from bpflab.abi.helpers import HelperTable

_INTRODUCTION: Final = """\
# Helpers

What a BPF program may call, from the table in `bpflab.abi.helpers`. This page is written by
`python -m bpflab.abi.helpers_page`; change the table, not the page.

A helper is found by its name or number:

    from bpflab.abi.helpers import helper

    helper("map_lookup_elem").id
    helper(1).arguments

The types of program that may call a helper are those of Linux {measured}; older kernels allow fewer. A program
of type EXT may call what the program that it replaces may call.
"""
_KINDS: Final = """\
## Kinds

The kinds say what the verifier asks of a register before the call, and what it knows of R0 after it. `[N]` is the
size of memory in bytes where it is fixed. *or null*: a null pointer is fine, or may be returned. *releases*: the
program may not use the object after the call.
"""


def page(helpers: HelperTable) -> str:
    """Return the whole page as Markdown."""
    return "\n".join(_blocks(helpers)).rstrip() + "\n"


def _blocks(helpers: HelperTable) -> Iterator[str]:
    yield _INTRODUCTION.format(measured="{}.{}".format(*helpers.measured))
    yield from _contents(helpers)
    for category, purpose in helpers.categories.items():
        yield f"## {category}\n\n{purpose[0].upper()}{purpose[1:]}.\n"
        yield from (_helper(row) for row in helpers if row.category == category)
    yield _KINDS
    yield _meanings("Argument", ArgumentKind)
    yield _meanings("Returned", ReturnKind)


def _contents(helpers: HelperTable) -> Iterator[str]:
    for category in helpers.categories:
        links = (f"[{row.name}](#bpf_{row.name})" for row in helpers if row.category == category)
        yield f"- [{category}](#{category}): {', '.join(links)}"
    yield ""


def _helper(row: Helper) -> str:
    return "\n".join(
        [
            f'### <a id="bpf_{row.name}"></a>{row.name}',
            "",
            f"    {row.signature}",
            "",
            row.description,
            "",
            *_rows(row),
            "",
            f"Number {row.id}, since Linux {row.since[0]}.{row.since[1]}. {_callers(row)}{_notes(row)}",
            "",
        ]
    )


def _rows(row: Helper) -> Iterator[str]:
    yield "| register | name | kind |"
    yield "|---|---|---|"
    for number, argument in enumerate(row.arguments, 1):
        yield f"| R{number} | {argument.name} | {_argument(argument)}{_variants(row, argument.name)} |"
    yield f"| R0 | | {_return(row.returns)} |"


def _argument(argument: Argument) -> str:
    size = f"[{argument.size}]" if argument.size else ""
    words = [f"{argument.kind.value}{size}", argument.sizes, argument.of]
    words += ["or null"] * argument.or_null + ["(releases)"] * argument.release
    return " ".join(word for word in words if word)


def _return(returns: Return) -> str:
    words = [returns.kind.value, returns.of, "or null" if returns.or_null else ""]
    return " ".join(word for word in words if word)


def _variants(row: Helper, name: str) -> str:
    """Say which types of program pass another kind, as `; in TYPE: KIND`."""
    by_kind: dict[str, set[ProgType]] = {}
    for prog_type, variant in row.variants.items():
        if name in variant:
            by_kind.setdefault(_argument(variant[name]), set()).add(prog_type)
    return "".join(f"; for {_types(frozenset(types), row.programs)}: {kind}" for kind, types in by_kind.items())


def _callers(row: Helper) -> str:
    return f"Called by {_types(row.programs, frozenset(ProgType) - {ProgType.UNSPEC, ProgType.EXT})}."


def _types(types: frozenset[ProgType], whole: frozenset[ProgType]) -> str:
    """List types of program, or what is missing from the whole where that is shorter."""
    missing = whole - types
    if len(missing) >= len(types):
        return ", ".join(each.name for each in sorted(types))
    names = ", ".join(each.name for each in sorted(missing))
    return f"every type but {names}" if names else "every type"


def _notes(row: Helper) -> str:
    exempt = f", except from {_types(row.gpl_exempt, row.programs)}" if row.gpl_exempt else ""
    notes = [
        (row.gpl_only, f"Needs a GPL-compatible licence{exempt}."),
        (row.sleeps, "Only for programs that may sleep."),
        (row.changes_packet, "Pointers into the packet are invalid after it."),
        (row.packet_memory, "Its memory may lie in the packet."),
    ]
    return "".join(f" {note}" for holds, note in notes if holds)


def _meanings(title: str, kinds: type[ArgumentKind | ReturnKind]) -> str:
    rows = (f"| {kind.value} | {kind.meaning} |" for kind in kinds)
    return "\n".join([f"| {title} | |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(page(table()))
