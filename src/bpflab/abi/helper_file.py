"""Read the text format of the helper table; `helpers.txt` begins with its description.

Everything wrong with a file is an ArgumentError that begins with the file's name and the line. That is
why the table is not TOML, whose readers do not tell where a value stood; an argument a line also reads
as a declaration does, shows alone in a diff, and is read in a third of the time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bpflab.abi.helper_kinds import MalformedError, read_argument, read_argument_line, read_return_line
from bpflab.abi.helper_model import MEMORY_KINDS, SIZE_KINDS, Argument, Helper, Return
from bpflab.abi.prog_types import ProgType
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADING: Final = re.compile(r"(\d+) (\w+), since (\d+)\.(\d+), for ([^;]+)(?:; (.+))?")
_GROUP: Final = re.compile(r"group (\w+): (.+)")
_CATEGORY: Final = re.compile(r"= (\w+): (.+)")
_MEASURED: Final = re.compile(r"measured on (\d+)\.(\d+)")
_VARIANT: Final = re.compile(r"in ([^:]+): (\w+) (.+)")
_PROPERTIES: Final = ("gpl", "sleeps", "changes_packet", "packet_memory")


@dataclass(slots=True)
class HelperFile:
    """What a file holds: its groups by name, its categories with their purpose, its helpers in order.

    `measured` is the kernel on which the program types were measured, (0, 0) if the file does not say.
    """

    groups: dict[str, frozenset[ProgType]] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    helpers: list[Helper] = field(default_factory=list)
    measured: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class _Block:
    """One helper while its lines are read."""

    line: int
    heading: re.Match[str]
    category: str
    programs: frozenset[ProgType]
    arguments: list[Argument] = field(default_factory=list)
    returns: Return | None = None
    variants: dict[ProgType, dict[str, Argument]] = field(default_factory=dict)
    gpl_exempt: frozenset[ProgType] = frozenset()
    sentences: list[str] = field(default_factory=list)


def parse(text: str, source: str, groups: Mapping[str, frozenset[ProgType]] | None = None) -> HelperFile:
    """Read a file's text; `source` names it in errors, `groups` are known to it beside its own."""
    reader = _Reader(HelperFile(dict(groups or {})))
    number = 0
    try:
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                reader.read(number, line.rstrip())
        reader.finish()
    except _MalformedBlockError as error:
        raise ArgumentError(f"{source}:{error.line}: {error}") from None
    except MalformedError as error:
        raise ArgumentError(f"{source}:{number}: {error}") from None
    return reader.file


class _MalformedBlockError(MalformedError):
    """A helper is wrong as a whole; `line` is that of its heading."""

    def __init__(self, block: _Block, problem: str) -> None:
        super().__init__(f"{block.heading[2]} {problem}")
        self.line = block.line


@dataclass(slots=True)
class _Reader:
    """Where the reading stands: in which category, in which helper."""

    file: HelperFile
    category: str = ""
    block: _Block | None = None

    def read(self, number: int, line: str) -> None:
        if line.startswith("    "):
            self._inside(line.strip())
            return
        self.finish()
        if match := _HEADING.fullmatch(line):
            self.block = _Block(number, match, self.category, self._types(match[5]))
        elif match := _GROUP.fullmatch(line):
            self.file.groups[match[1]] = self._types(match[2])
        elif match := _CATEGORY.fullmatch(line):
            self.category = match[1]
            self.file.categories[match[1]] = match[2]
        elif match := _MEASURED.fullmatch(line):
            self.file.measured = (int(match[1]), int(match[2]))
        else:
            raise MalformedError(
                f"{line!r} is no heading; expected `ID NAME, since X.Y, for TYPES`, `= CATEGORY: purpose`, "
                f"`group NAME: TYPES` or `measured on X.Y`."
            )

    def _inside(self, line: str) -> None:
        block = self.block
        if block is None:
            raise MalformedError(f"{line!r} belongs to no helper; expected a heading above it.")
        if returns := read_return_line(line):
            block.returns = returns
        elif block.returns is None:
            block.arguments.append(read_argument_line(line))
        elif match := _VARIANT.fullmatch(line):
            self._variant(block, self._types(match[1]), match[2], match[3])
        else:
            block.sentences.append(line)

    def _variant(self, block: _Block, types: frozenset[ProgType], name: str, text: str) -> None:
        if (name, text) == ("no", "gpl"):
            block.gpl_exempt |= types
            return
        c_types = {argument.name: argument.c_type for argument in block.arguments}
        if name not in c_types:
            known = ", ".join(c_types)
            raise MalformedError(f"{name!r} is no argument of {block.heading[2]}; expected {known}, or `no gpl`.")
        argument = read_argument(name, c_types[name], text)
        for prog_type in types:
            block.variants.setdefault(prog_type, {})[name] = argument

    def _types(self, text: str) -> frozenset[ProgType]:
        found: frozenset[ProgType] = frozenset()
        for word in text.split():
            types = self._group(word.removeprefix("-"))
            found = found - types if word.startswith("-") else found | types
        return found

    def _group(self, name: str) -> frozenset[ProgType]:
        if name in self.file.groups:
            return self.file.groups[name]
        if name in ProgType.__members__:
            return frozenset({ProgType[name]})
        known = ", ".join((*self.file.groups, *ProgType.__members__))
        raise MalformedError(f"{name!r} is neither a group nor a program type; known are {known}.")

    def finish(self) -> None:
        """End the helper that was being read, if any, and check it as a whole."""
        block, self.block = self.block, None
        if block is not None:
            self.file.helpers.append(_helper(block))
            _check(block)


def _helper(block: _Block) -> Helper:
    number, name, major, minor, _, properties = block.heading.groups()
    words = (properties or "").split()
    if unknown := [word for word in words if word not in _PROPERTIES]:
        known = ", ".join(_PROPERTIES)
        raise _MalformedBlockError(block, f"has the property {unknown[0]!r}; known are {known}.")
    if block.returns is None:
        raise _MalformedBlockError(block, "does not say what it returns; expected a line `-> C-TYPE: KIND`.")
    return Helper(
        id=int(number),
        name=name,
        category=block.category,
        since=(int(major), int(minor)),
        programs=block.programs,
        arguments=tuple(block.arguments),
        returns=block.returns,
        description=" ".join(block.sentences),
        gpl_only="gpl" in words,
        sleeps="sleeps" in words,
        changes_packet="changes_packet" in words,
        packet_memory="packet_memory" in words,
        gpl_exempt=block.gpl_exempt,
        variants=block.variants,
    )


def _check(block: _Block) -> None:
    names = [argument.name for argument in block.arguments]
    if not block.category:
        raise _MalformedBlockError(block, "is in no category; expected a line `= NAME: purpose` above it.")
    if len(names) > 5:
        raise _MalformedBlockError(block, f"has {len(names)} arguments; expected at most five, in R1 to R5.")
    if len(set(names)) < len(names):
        raise _MalformedBlockError(block, f"has two arguments of one name among {', '.join(names)}.")
    if not (block.sentences and block.sentences[-1].endswith(".")):
        raise _MalformedBlockError(block, "has no description; expected a sentence that ends with a full stop.")
    for before, argument in zip((None, *block.arguments), (*block.arguments, None), strict=True):
        _check_size(block, before, argument)


def _check_size(block: _Block, before: Argument | None, argument: Argument | None) -> None:
    """Check that memory without a fixed size is followed by its size, and a size follows its memory."""
    memory = before.name if before and before.kind in MEMORY_KINDS and not before.size else ""
    sized = argument.sizes if argument and argument.kind in SIZE_KINDS else ""
    if memory != sized and memory:
        problem = f"gives no size of {memory}; expected `[N]` after its kind, or `size {memory}` next."
        raise _MalformedBlockError(block, problem)
    if memory != sized:
        raise _MalformedBlockError(block, f"sizes {sized}, which is not sized memory right before it.")
