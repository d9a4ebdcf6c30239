"""Which map types a backend knows, found by creating the smallest map of each."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from bpflab.abi.commands import Command
from bpflab.abi.errno import errno_name
from bpflab.abi.map_rules import RULES
from bpflab.abi.map_types import MapType
from bpflab.backend.attr import Attr
from bpflab.probe.finding import Answer, Finding

if TYPE_CHECKING:
    from bpflab.abi.map_rules import MapRule, Numbers
    from bpflab.backend.attr import AttrValue
    from bpflab.backend.base import Backend

ENOTSUPP: Final = 524
NOT_PERMITTED: Final = frozenset({1, 13})


def probe_map_type(backend: Backend, map_type: MapType) -> Finding:
    """Find whether maps of a type can be created."""
    if map_type is MapType.STRUCT_OPS:
        return _probe_struct_ops(backend)
    rule = RULES.get(map_type)
    if rule is None:
        return Finding(map_type.name, Answer.UNKNOWN, "nothing is known of what it takes")
    with ExitStack() as stack:
        fields: dict[str, AttrValue] = _smallest(map_type, rule)
        if rule.needs_btf:
            fields |= _btf_fields(backend, stack)
        if rule.inner:
            fields["inner_map_fd"] = _kept(
                backend, stack, _create(backend, _smallest(MapType.ARRAY, RULES[MapType.ARRAY]))
            )
        return _finding(map_type.name, _kept(backend, stack, _create(backend, fields)))


def _smallest(map_type: MapType, rule: MapRule) -> dict[str, AttrValue]:
    return {
        "map_type": map_type,
        "key_size": _least(rule.key),
        "value_size": _least(rule.value),
        "max_entries": _least(rule.entries),
        "map_flags": int(rule.needed),
    }


def _least(numbers: Numbers) -> int:
    # Sizes of 4 suit every type that leaves a choice; LPM tries want more than their 4 bytes of length.
    return numbers.only[0] if numbers.only else max(numbers.low, 4) if 4 in numbers else numbers.low


def _btf_fields(backend: Backend, stack: ExitStack) -> dict[str, AttrValue]:
    from bpflab.abi.btf import IntEncoding
    from bpflab.obj.btf_encode import encode
    from bpflab.obj.btf_types import Int

    blob = encode(
        [Int(name="int", size=4, bits=32, encoding=IntEncoding.SIGNED)],
        backend.byteorder,
    )
    attr = Attr(Command.BTF_LOAD, {"btf": blob, "btf_size": len(blob)})
    fd = _kept(backend, stack, _answer(backend, Command.BTF_LOAD, attr))
    return {"btf_fd": max(fd, 0), "btf_key_type_id": 1, "btf_value_type_id": 1}


def _probe_struct_ops(backend: Backend) -> Finding:
    # No type of the kernel has id 1 as a set of operations: a kernel with STRUCT_OPS says ENOTSUPP, others EINVAL.
    fields: dict[str, AttrValue] = {
        "map_type": MapType.STRUCT_OPS,
        "key_size": 4,
        "value_size": 4,
        "max_entries": 1,
        "btf_vmlinux_value_type_id": 1,
    }
    answer = _create(backend, fields)
    return Finding("STRUCT_OPS", Answer.YES) if answer == -ENOTSUPP else _finding("STRUCT_OPS", answer)


def _create(backend: Backend, fields: dict[str, AttrValue]) -> int:
    return _answer(backend, Command.MAP_CREATE, Attr(Command.MAP_CREATE, fields))


def _answer(backend: Backend, command: Command, attr: Attr) -> int:
    fd = backend.bpf(command, attr.pointer, attr.size)
    return fd if fd >= 0 else -backend.errno()


def _kept(backend: Backend, stack: ExitStack, fd: int) -> int:
    if fd >= 0:
        stack.callback(backend.close, fd)
    return fd


def _finding(name: str, answer: int) -> Finding:
    if answer >= 0:
        return Finding(name, Answer.YES)
    return Finding(name, Answer.NOT_PERMITTED if -answer in NOT_PERMITTED else Answer.NO, errno_name(-answer))
