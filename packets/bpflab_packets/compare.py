"""How two packets differ, as text for people, and packets that a test expects in part."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from bpflab_packets.dissect import dissect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROW: Final = 8
"""Bytes in a row of the side-by-side view."""
ABSENT: Final = "--"
PORTS: Final = ("sport", "dport")


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field that two packets hold differently, as scapy prints it; None where the packet has no such layer."""

    layer: str
    field: str
    left: str | None
    right: str | None

    def __str__(self) -> str:
        return f"{self.layer}.{self.field}: {self.left} != {self.right}"


def differing_fields(left: Any, right: Any, first: str = "ethernet") -> list[FieldDifference]:  # noqa: ANN401 - bytes or scapy
    """Return the fields that differ, layer by layer; `first` is what bytes begin with, as `dissect` takes it.

    Layers of the same kind are set beside each other in their order; one that the other packet has not is a difference
    as a whole, with `*` as its field.
    """
    one, other = _chain(left, first), _chain(right, first)
    found = list[FieldDifference]()
    kinds = SequenceMatcher(None, [*map(_name, one)], [*map(_name, other)], autojunk=False)
    for how, i, j, k, n in kinds.get_opcodes():
        if how == "equal":
            for mine, theirs in zip(one[i:j], other[k:n], strict=True):
                found += _of_one_layer(mine, theirs)
        else:
            found += [FieldDifference(_name(layer), "*", _whole(layer), None) for layer in one[i:j]]
            found += [FieldDifference(_name(layer), "*", None, _whole(layer)) for layer in other[k:n]]
    return found


def describe_difference(left: Any, right: Any, first: str = "ethernet") -> str:  # noqa: ANN401 - as above
    """Return how two packets differ: the fields, then the bytes side by side, differing ones in brackets.

    Empty when the bytes are equal. The left packet is what was found, the right one what was expected.
    """
    one, other = bytes(left), bytes(right)
    if one == other:
        return ""
    fields = [str(difference) for difference in differing_fields(one, other, first)]
    sizes = [f"length: {len(one)} != {len(other)} bytes"] if len(one) != len(other) else []
    return "\n".join([*sizes, *fields, *side_by_side(one, other)])


def side_by_side(left: bytes, right: bytes) -> Iterator[str]:
    """Yield the rows of bytes that differ, with one row around them; what is equal beyond is left out as `...`."""
    starts = range(0, max(len(left), len(right)), ROW)
    differ = {at // ROW for at in starts if left[at : at + ROW] != right[at : at + ROW]}
    skipped = False
    for at in starts:
        if differ & {at // ROW - 1, at // ROW, at // ROW + 1}:
            yield _row(at, left[at : at + ROW], right[at : at + ROW])
            skipped = False
        elif not skipped:
            yield "..."
            skipped = True


class packet_matches:  # noqa: N801 - reads as a word in `assert packet == packet_matches(...)`
    """Equal to every packet that has the layers of the pattern, each with the fields that the pattern sets.

    `packet_matches(IP(ttl=63) / TCP(dport=80))` asks for an IP header with that ttl somewhere in the packet and a TCP
    header after it; layers may lie between. Fields that the pattern does not set are not asked for, nor those in
    `ignore` (as `chksum`, or `IP.chksum` for one layer). The packet is bytes or anything with `__bytes__`, `first` is
    what it begins with. A pattern given as bytes asks for every field but the ignored ones.
    """

    __hash__ = None  # type: ignore[assignment]  # equal to many packets, so it can have no hash

    def __init__(self, pattern: Any, ignore: Iterable[str] = (), *, first: str = "ethernet") -> None:  # noqa: ANN401
        self._wanted = _chain(pattern, first)
        self._ignored = frozenset(ignore)
        self._first = first

    def __eq__(self, other: object) -> bool:
        return not self.mismatches(other)

    def __repr__(self) -> str:
        asked = " / ".join(f"{_name(layer)}({', '.join(self._asked(layer))})" for layer in self._wanted)
        return f"packet_matches({asked})"

    def mismatches(self, packet: Any) -> list[FieldDifference]:  # noqa: ANN401 - as above
        """Return what of the pattern a packet does not have; empty when it matches."""
        rest, found = _chain(packet, self._first), list[FieldDifference]()
        for wanted in self._wanted:
            at = next((index for index, layer in enumerate(rest) if type(layer) is type(wanted)), None)
            if at is None:
                found.append(FieldDifference(_name(wanted), "*", None, "expected"))
                continue
            found += _of_one_layer(rest[at], wanted, self._asked(wanted))
            rest = rest[at + 1 :]
        return found

    def explain(self, packet: Any) -> list[str]:  # noqa: ANN401 - as above
        """Say, line by line, what of the pattern a packet does not have, what was not asked for, and what it is."""
        mismatches = self.mismatches(packet)
        if not mismatches:
            return ["The packet matches."]
        names = layer_names(_chain(packet, self._first)[0])
        told = [_mismatch(each) for each in mismatches]
        ignored = [f"ignored: {', '.join(sorted(self._ignored))}"] if self._ignored else []
        return [*told, *ignored, f"the packet: {names}, {len(bytes(packet))} bytes"]

    def _asked(self, layer: Any) -> list[str]:  # noqa: ANN401 - as above
        # scapy puts the empty list of options into every layer that may have some, whoever built it.
        names = (name for name, value in layer.fields.items() if value != [])
        return [name for name in names if not self._ignored & {name, f"{_name(layer)}.{name}"}]


def layer_names(packet: Any) -> str:  # noqa: ANN401 - as above
    """Name the layers of a scapy packet, such as `Ether / IP / TCP`."""
    names = list[str]()
    while packet.name != "NoPayload":
        names.append(_name(packet))
        packet = packet.payload
    return " / ".join(names)


def _mismatch(difference: FieldDifference) -> str:
    if difference.field == "*":
        return f"{difference.layer}: expected, and the packet has none (in this order)"
    return f"{difference.layer}.{difference.field} is {difference.left}, expected {difference.right}"


def _chain(packet: Any, first: str) -> list[Any]:  # noqa: ANN401 - as above
    layer = dissect(bytes(packet), first) if not hasattr(packet, "fields_desc") else packet
    found = list[Any]()
    while layer.name != "NoPayload":
        found.append(layer)
        layer = layer.payload
    return found


def _name(layer: Any) -> str:  # noqa: ANN401 - scapy has no types
    return type(layer).__name__


def _of_one_layer(one: Any, other: Any, names: Iterable[str] | None = None) -> list[FieldDifference]:  # noqa: ANN401
    asked = [field.name for field in one.fields_desc] if names is None else names
    pairs = ((name, _shown(one, name), _shown(other, name)) for name in asked)
    return [FieldDifference(_name(one), name, left, right) for name, left, right in pairs if left != right]


def _whole(layer: Any) -> str:  # noqa: ANN401 - as above
    return " ".join(f"{field.name}={_shown(layer, field.name)}" for field in layer.fields_desc)


def _shown(layer: Any, name: str) -> str:  # noqa: ANN401 - as above
    field, value = layer.getfield_and_val(name)
    # scapy names ports as the services file of the machine does; a number is the same everywhere.
    return str(value) if name in PORTS else str(field.i2repr(layer, value))


def _row(at: int, left: bytes, right: bytes) -> str:
    columns = [
        "".join(_cell(mine, theirs) for mine, theirs in pairs) for pairs in (_pairs(left, right), _pairs(right, left))
    ]
    return f"{at:04x}  {columns[0]} |{columns[1]}".rstrip()


def _pairs(mine: bytes, theirs: bytes) -> list[tuple[int | None, int | None]]:
    return list(zip_longest(mine, theirs, fillvalue=None))


def _cell(mine: int | None, theirs: int | None) -> str:
    text = ABSENT if mine is None else f"{mine:02x}"
    return f" {text} " if mine == theirs else f"[{text}]"
