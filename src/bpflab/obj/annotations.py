"""What a C source says of its own tests: expectations that stand as declaration tags in an object's BTF.

Two vocabularies are read: that of the kernel's own test programs (`comment:test_expect_failure` and the like, with
or without a counter behind `comment:`), and bpflab's (`bpflab:expect=PACKET=VERDICT`, from <bpf/bpflab.h>).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.spec import ObjectSpec

_COMMENT: Final = re.compile(r"comment:(?:\d+:)?(?P<word>test_\w+|load_mode)(?:=(?P<value>.*))?", re.DOTALL)
_EXPECT: Final = re.compile(r"bpflab:expect=(?P<packet>\w+)=(?P<verdict>.+)")
DATA_LENGTH: Final = 64
"""Bytes of the packet that programs with an expected return value are run on; all zero."""
NAMED_VALUES: Final = {"TEST_DATA_LEN": DATA_LENGTH, "POINTER_VALUE": 0xBADCAFE}


@dataclass(frozen=True, slots=True)
class PacketExpectation:
    """A verdict for a packet that the source lays out as a constant."""

    packet: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Annotations:
    """What is expected of one program.

    `loads` is whether it should be accepted; `messages` are parts of the verifier's log in their order, `absent` what
    the log must not have; `retval` what a run on 64 zero bytes returns. `ignored` are words that bpflab does not check.
    """

    program: str
    loads: bool = True
    messages: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    retval: int | None = None
    description: str = ""
    flags: tuple[str, ...] = ()
    packets: tuple[PacketExpectation, ...] = ()
    ignored: tuple[str, ...] = ()


def read_annotations(spec: ObjectSpec) -> list[Annotations]:
    """Return what is expected of each program that says so, in the order of the object.

    ObjectError for a return value that cannot be read.
    """
    if spec.btf is None:
        return []
    btf = Btf(spec.btf)
    tags = _tags(btf)
    return [_annotated(name, tags[name]) for name in spec.programs if name in tags]


def _tags(btf: Btf) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for type_id in btf:
        if btf.kind(type_id) is BtfKind.DECL_TAG:
            tag = btf.get(type_id, t.DeclTag)
            of_function = tag.component < 0 and btf.kind(tag.type_id) is BtfKind.FUNC
            if of_function and tag.name.startswith(("comment:", "bpflab:")):
                found.setdefault(btf.name(tag.type_id), []).append(tag.name)
    return found


def _annotated(program: str, tags: list[str]) -> Annotations:
    words = list(_words(tags))
    values = dict(words)
    expected = filter(None, map(_EXPECT.fullmatch, tags))
    packets = tuple(PacketExpectation(found["packet"], found["verdict"]) for found in expected)
    return Annotations(
        program=program,
        loads="test_expect_failure" not in values,
        messages=tuple(value for word, value in words if word == "test_expect_msg"),
        absent=tuple(value for word, value in words if word == "test_expect_not_msg"),
        retval=_number(program, values["test_retval"]) if "test_retval" in values else None,
        description=values.get("test_description", ""),
        flags=tuple(value for word, value in words if word == "test_prog_flags"),
        packets=packets,
        ignored=tuple(sorted({word for word, _ in words} - KNOWN)),
    )


KNOWN: Final = frozenset(
    {
        "test_expect_failure",
        "test_expect_success",
        "test_expect_msg",
        "test_expect_not_msg",
        "test_retval",
        "test_description",
        "test_prog_flags",
        "test_log_level",
        "test_auxiliary",
    }
)
"""The words that are understood; those on `_unpriv` speak of a load without privilege, and are not checked."""


def _words(tags: list[str]) -> Iterator[tuple[str, str]]:
    """Yield words and values; tags stand in the BTF in no certain order, so by their counter where they have one."""
    numbered = sorted(tags, key=_counter)
    for tag in numbered:
        found = _COMMENT.fullmatch(tag)
        if found:
            yield found["word"], found["value"] or ""


def _counter(tag: str) -> int:
    found = re.match(r"comment:(\d+):", tag)
    return int(found[1]) if found else 0


def _number(program: str, text: str) -> int:
    try:
        return NAMED_VALUES[text] if text in NAMED_VALUES else int(text, 0)
    except ValueError:
        raise ObjectError(f"Program {program!r} expects the return value {text!r}, which is no number.") from None
