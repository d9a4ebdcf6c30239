"""One program of an object held to what its source expects of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.flags import ProgFlag
from bpflab.abi.run_rules import RULES
from bpflab.abi.verdicts import verdict_type
from bpflab.backend.base import is_simulating
from bpflab.errors import ObjectError
from bpflab.obj.annotations import DATA_LENGTH
from bpflab.objects.load import load_object
from bpflab.programs.load import verifier_log
from bpflab.programs.verifier import VerifierError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import IntEnum

    from bpflab.lab import Lab
    from bpflab.obj.annotations import Annotations, PacketExpectation
    from bpflab.obj.spec import ObjectSpec
    from bpflab.programs.program import Program

VERBOSE: Final = 2
PREFIXES: Final = ("XDP_", "TC_ACT_", "SK_", "TCX_")
"""What stands before the names of verdicts in C."""
_PATTERN: Final = re.compile(r"\{\{(.*?)\}\}")


@dataclass(frozen=True, slots=True)
class Disappointment:
    """Something that was expected and did not come; as text it is what the report says."""

    text: str

    def __str__(self) -> str:
        return self.text


def disappointments(lab: Lab, spec: ObjectSpec, expected: Annotations) -> list[Disappointment]:
    """Load and run one program, and return what was not as its source says.

    The log of an accepted program is not looked at on the simulated kernel, which does not write one.
    """
    chosen = replace(spec.programs[expected.program], prog_flags=_flags(expected))
    kept = replace(spec, programs={**spec.programs, expected.program: chosen})
    try:
        program = load_object(lab, kept, programs=[expected.program]).programs[expected.program]
    except VerifierError as error:
        return _of_refusal(error, expected)
    found = [] if expected.loads else [Disappointment(f"{expected.program} was loaded; its source expects a refusal.")]
    if (expected.messages or expected.absent) and not is_simulating(lab.backend):
        found += _of_log(_log(lab, program), expected)
    if expected.retval is not None:
        found += _of_retval(program, expected.retval)
    return found + [each for packet in expected.packets for each in _of_packet(spec, program, packet)]


def _of_refusal(error: VerifierError, expected: Annotations) -> list[Disappointment]:
    if expected.loads:
        return [Disappointment(f"{expected.program} was refused; its source expects that it is loaded.\n{error}")]
    return _of_log(error.log, expected)


def _of_log(log: str, expected: Annotations) -> list[Disappointment]:
    found, rest = [], log
    for message in expected.messages:
        match = _pattern(message).search(rest)
        if match is None:
            tail = "\n".join(log.splitlines()[-12:])
            found.append(Disappointment(f"The log does not have {message!r} where it is expected. It ends:\n{tail}"))
        else:
            rest = rest[match.end() :]
    present = [message for message in expected.absent if _pattern(message).search(log)]
    return found + [Disappointment(f"The log has {message!r}, which is not expected.") for message in present]


def _pattern(message: str) -> re.Pattern[str]:
    """Read a message: plain text, but for regular expressions within double braces."""
    parts = _PATTERN.split(message)
    return re.compile("".join(part if index % 2 else re.escape(part) for index, part in enumerate(parts)))


def _log(lab: Lab, program: Program) -> str:
    return verifier_log(lab.call, program.loaded_by, VERBOSE) if program.loaded_by is not None else ""


def _of_retval(program: Program, wanted: int) -> list[Disappointment]:
    takes_data = program.type in RULES and RULES[program.type].takes_data
    retval = program.run(bytes(DATA_LENGTH) if takes_data else b"").retval
    if retval == wanted & 0xFFFFFFFF:
        return []
    return [Disappointment(f"{program.name} returned {_signed(retval)}; its source expects {wanted}.")]


def _of_packet(spec: ObjectSpec, program: Program, expected: PacketExpectation) -> list[Disappointment]:
    wanted = _verdict(program, expected.verdict)
    result = program.run(_packet(spec, expected.packet))
    if _signed(result.retval) == int(wanted):
        return []
    return [
        Disappointment(
            f"{program.name} says {_named(result.action)} to the packet {expected.packet!r}; its source expects "
            f"{_named(wanted)}."
        )
    ]


def _packet(spec: ObjectSpec, name: str) -> bytes:
    for each in spec.maps.values():
        if name in each.variables and each.data is not None:
            variable = each.variables[name]
            return bytes(each.data[variable.offset : variable.offset + variable.size])
    known = ", ".join(variable for each in spec.maps.values() for variable in each.variables)
    raise ObjectError(f"{spec.name} has no constant {name!r} for a packet; it has {known or 'none'}.")


def _verdict(program: Program, text: str) -> IntEnum | int:
    verdicts = verdict_type(program.type)
    short = next((text.removeprefix(prefix) for prefix in PREFIXES if text.startswith(prefix)), text)
    if verdicts is not None and short in verdicts.__members__:
        return verdicts[short]
    try:
        return int(text, 0)
    except ValueError:
        known = ", ".join(verdicts.__members__) if verdicts is not None else "numbers"
        raise ObjectError(f"{text!r} is no verdict of a {program.type.name} program; there are {known}.") from None


def _named(verdict: IntEnum | int) -> str:
    return getattr(verdict, "name", str(verdict))


def _signed(retval: int) -> int:
    return retval - (1 << 32) if retval & 0x8000_0000 else retval


def _flags(expected: Annotations) -> int:
    return sum(_flag(name) for text in expected.flags for name in _names(text))


def _names(text: str) -> Iterable[str]:
    return (part.strip() for part in text.split("|") if part.strip())


def _flag(name: str) -> int:
    short = name.removeprefix("BPF_F_")
    if short in ProgFlag.__members__:
        return int(ProgFlag[short])
    try:
        return int(name, 0)
    except ValueError:
        raise ObjectError(f"{name!r} is no flag of a program; there are {', '.join(ProgFlag.__members__)}.") from None
