"""What a call of bpf(2) reads and writes in its caller's memory, all told: beyond the plain buffers of `attr_pointers`.

From the handlers of the commands in kernel/bpf/syscall.c. Which buffers go both ways, what LINK_CREATE's kinds and the
info of an object point to, and which fields and buffers say nothing when two calls are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.attr_pointers import Buffer, buffers
from bpflab.abi.commands import Command
from bpflab.abi.info import BTF_INFO, LINK_INFO, MAP_INFO, PROG_INFO
from bpflab.abi.map_types import MapType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.abi.layout import Layout


class Way(Flag):
    """Which way bytes go, as the kernel sees it."""

    READ = 1
    WRITTEN = 2
    BOTH = READ | WRITTEN


class Form(StrEnum):
    """What lies at a pointer."""

    BYTES = ""
    TEXT = "text"
    """Text that ends with a zero byte."""
    TEXTS = "texts"
    """Addresses, each of text that ends with a zero byte."""
    DESCRIPTORS = "fds"
    """Descriptors of 32 bits; where their number is not given, as many as the instructions refer to."""


class ObjectKind(StrEnum):
    """What a descriptor that bpf(2) gave stands for."""

    MAP = "map"
    PROGRAM = "program"
    BTF = "btf"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer field, which way its bytes go, what they are, and the factors of their number (see `attr_pointers`).

    `reads` and `writes` say of `way` what the kernel does.
    """

    name: str
    way: Way
    form: Form
    factors: tuple[str, ...]
    reads: bool = True
    writes: bool = False


LARGEST_TEXT: Final = 4096
"""Bytes of the longest text that a command takes: a path (PATH_MAX)."""

BOTH_WAYS: Final = frozenset({"info", "ctx_in"})
"""Buffers that the kernel reads and writes; into `ctx_in` only programs of type SYSCALL do."""

FORMS: Final[Mapping[str, Form]] = {
    "log_buf": Form.TEXT,
    "btf_log_buf": Form.TEXT,
    "name": Form.TEXT,
    "path": Form.TEXT,
    "pathname": Form.TEXT,
    "license": Form.TEXT,
    "syms": Form.TEXTS,
    "fd_array": Form.DESCRIPTORS,
}
"""What lies at a pointer of that name, where it is not mere bytes."""

LINK_TAIL_TEXT: Final[Mapping[str, str]] = {
    "iter": "iter_info<iter_info_len",
    "kprobe_multi": "syms<8*cnt addrs<8*cnt cookies<8*cnt",
    "uprobe_multi": "path<text offsets<8*cnt ref_ctr_offsets<8*cnt cookies<8*cnt",
}
"""What the kinds of LINK_CREATE point to, by the name of what follows its common part."""

LINK_TAIL_OF: Final[Mapping[AttachType, str]] = {
    AttachType.TRACE_ITER: "iter",
    AttachType.PERF_EVENT: "perf_event",
    AttachType.TRACE_KPROBE_MULTI: "kprobe_multi",
    AttachType.TRACE_KPROBE_SESSION: "kprobe_multi",
    AttachType.TRACE_UPROBE_MULTI: "uprobe_multi",
    AttachType.TRACE_UPROBE_SESSION: "uprobe_multi",
    AttachType.NETFILTER: "netfilter",
    AttachType.TRACE_FENTRY: "tracing",
    AttachType.TRACE_FEXIT: "tracing",
    AttachType.MODIFY_RETURN: "tracing",
    AttachType.TRACE_RAW_TP: "tracing",
    AttachType.LSM_MAC: "tracing",
}
"""What follows in LINK_CREATE, by the attach type; programs of networks and cgroups have the part `relative`."""

INFO_TEXT: Final[Mapping[ObjectKind, tuple[Layout, str]]] = {
    ObjectKind.MAP: (MAP_INFO, "hash>hash_size"),
    ObjectKind.PROGRAM: (
        PROG_INFO,
        (
            "jited_prog_insns>jited_prog_len xlated_prog_insns>xlated_prog_len map_ids>4*nr_map_ids "
            "jited_ksyms>8*nr_jited_ksyms jited_func_lens>4*nr_jited_func_lens "
            "func_info>nr_func_info*func_info_rec_size line_info>nr_line_info*line_info_rec_size "
            "jited_line_info>nr_jited_line_info*jited_line_info_rec_size prog_tags>8*nr_prog_tags"
        ),
    ),
    ObjectKind.BTF: (BTF_INFO, "btf>btf_size name>name_len"),
    ObjectKind.LINK: (LINK_INFO, ""),
    ObjectKind.OTHER: (LINK_INFO, ""),
}
"""What OBJ_GET_INFO_BY_FD's own buffer points to (kernel/bpf/syscall.c, bpf_*_get_info_by_fd)."""

_NEXT_ID: Final = (
    Command.PROG_GET_NEXT_ID,
    Command.MAP_GET_NEXT_ID,
    Command.BTF_GET_NEXT_ID,
    Command.LINK_GET_NEXT_ID,
)

ANSWERED: Final[Mapping[Command, frozenset[str]]] = {
    **dict.fromkeys(_NEXT_ID, frozenset({"next_id"})),
    Command.PROG_TEST_RUN: frozenset({"retval", "duration"}),
    Command.PROG_LOAD: frozenset({"log_true_size"}),
    Command.BTF_LOAD: frozenset({"btf_log_true_size"}),
    Command.PROG_QUERY: frozenset({"attach_flags", "revision"}),
    Command.TASK_FD_QUERY: frozenset({"prog_id", "fd_type", "probe_offset", "probe_addr"}),
}
"""Fields that the kernel writes and does not read: what they hold before the call means nothing."""

VARYING: Final = frozenset(
    {"duration", "next_id", "info", "log_true_size", "btf_log_true_size", "log_buf", "btf_log_buf", "out_batch"}
)
"""What differs from kernel to kernel or from run to run, whatever was asked: times, ids, logs, places."""

VALUE_IS_READ: Final = frozenset({MapType.BLOOM_FILTER})
"""Types whose MAP_LOOKUP_ELEM looks for the value that it is given."""


def pointers_of(command: Command, map_type: MapType | None = None) -> tuple[Pointer, ...]:
    """Return what the attr of a command points to; LINK_CREATE's is `link_pointers`."""
    if command is Command.MAP_LOOKUP_ELEM and map_type in VALUE_IS_READ:
        return _parsed("key<key value<value")
    return _plain(command)


def link_pointers(tail: str) -> tuple[Pointer, ...]:
    """Return what LINK_CREATE's attr points to, by the name of its tail."""
    return _parsed(LINK_TAIL_TEXT.get(tail, ""))


def info_pointers(kind: ObjectKind) -> tuple[Layout, tuple[Pointer, ...]]:
    """Return the layout of an object's info, and what that points to."""
    layout, text = INFO_TEXT[kind]
    return layout, _parsed(text)


@cache
def _plain(command: Command) -> tuple[Pointer, ...]:
    return tuple(map(_pointer, buffers(command).values()))


@cache
def _parsed(text: str) -> tuple[Pointer, ...]:
    return tuple(map(_pointer, map(_buffer, text.split())))


def _buffer(word: str) -> Buffer:
    written = ">" in word
    name, _, size = word.partition(">" if written else "<")
    return Buffer(name, written, tuple(size.split("*")))


def _pointer(buffer: Buffer) -> Pointer:
    way = Way.BOTH if buffer.name in BOTH_WAYS else Way.WRITTEN if buffer.written else Way.READ
    text = buffer.size == ("text",)
    size = (str(LARGEST_TEXT),) if text else buffer.size
    return Pointer(
        buffer.name, way, FORMS.get(buffer.name, Form.BYTES), size, reads=Way.READ in way, writes=Way.WRITTEN in way
    )
