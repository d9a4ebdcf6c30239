"""What the pointers of an attr point to: which bytes each command reads and writes, and how many there are.

From the handlers of the commands in kernel/bpf/syscall.c and net/bpf/test_run.c. A buffer is written `name<size` when
the kernel reads it and `name>size` when the kernel writes it. Sizes: `text` ends with a zero byte, `key`
and `value` are those of the map (a value for each possible CPU where the map has them, each rounded up to 8 bytes),
`mark` is a batch's place (4 bytes at least, a key otherwise); the rest are numbers and fields of the attr, multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from bpflab.abi.commands import Command

if TYPE_CHECKING:
    from collections.abc import Mapping

_BATCH: Final = "in_batch<mark out_batch>mark "
_PATH: Final = "pathname<text"

TEXT: Final = {
    Command.MAP_LOOKUP_ELEM: "key<key value>value",
    Command.MAP_UPDATE_ELEM: "key<key value<value",
    Command.MAP_DELETE_ELEM: "key<key",
    Command.MAP_GET_NEXT_KEY: "key<key next_key>key",
    Command.MAP_LOOKUP_AND_DELETE_ELEM: "key<key value>value",
    Command.MAP_LOOKUP_BATCH: _BATCH + "keys>count*key values>count*value",
    Command.MAP_LOOKUP_AND_DELETE_BATCH: _BATCH + "keys>count*key values>count*value",
    Command.MAP_UPDATE_BATCH: "keys<count*key values<count*value",
    Command.MAP_DELETE_BATCH: "keys<count*key",
    Command.PROG_LOAD: (
        "insns<8*insn_cnt license<text log_buf>log_size func_info<func_info_rec_size*func_info_cnt "
        "line_info<line_info_rec_size*line_info_cnt core_relos<core_relo_rec_size*core_relo_cnt "
        "fd_array<4*fd_array_cnt signature<signature_size"
    ),
    Command.OBJ_PIN: _PATH,
    Command.OBJ_GET: _PATH,
    Command.PROG_TEST_RUN: ("data_in<data_size_in data_out>data_size_out ctx_in<ctx_size_in ctx_out>ctx_size_out"),
    Command.OBJ_GET_INFO_BY_FD: "info>info_len",
    Command.PROG_QUERY: "prog_ids>4*prog_cnt prog_attach_flags>4*prog_cnt link_ids>4*prog_cnt",
    Command.RAW_TRACEPOINT_OPEN: "name<text",
    Command.BTF_LOAD: "btf<btf_size btf_log_buf>btf_log_size",
    Command.TASK_FD_QUERY: "buf>buf_len",
    Command.PROG_STREAM_READ_BY_FD: "stream_buf>stream_buf_len",
    Command.MAP_CREATE: "excl_prog_hash<excl_prog_hash_size",
}
"""The buffers of every command that has some."""


SIZES_ANSWERED: Final = frozenset({"data_size_out", "ctx_size_out", "info_len"})
"""Size fields in which the kernel answers how many bytes it wrote."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """A pointer of an attr: the field's name, whether the kernel writes there, and the factors of its size."""

    name: str
    written: bool
    size: tuple[str, ...]

    @property
    def length_field(self) -> str | None:
        """The field in which the kernel says how many bytes it wrote, where there is one."""
        return self.size[0] if self.size[0] in SIZES_ANSWERED else None


@cache
def buffers(command: Command) -> Mapping[str, Buffer]:
    """Return the buffers of a command, by field."""
    found = [_parse(word) for word in TEXT.get(command, "").split()]
    return {buffer.name: buffer for buffer in found}


def _parse(word: str) -> Buffer:
    written = ">" in word
    name, _, size = word.partition(">" if written else "<")
    return Buffer(name, written, tuple(size.split("*")))
