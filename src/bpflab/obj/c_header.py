"""All types of a BTF as a C header, `vmlinux.h`: each defined before it is needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.obj import btf_types as t
from bpflab.obj.c_declare import CWriter
from bpflab.obj.c_names import BUILT_IN, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.btf import Btf

HEAD: Final = """\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

"""
KFUNCS: Final = """\
#ifndef BPF_NO_KFUNC_PROTOTYPES
#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
"""
TAIL: Final = """\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
"""
KFUNC_TAG: Final = "bpf_kfunc"
DECLARED: Final = frozenset({BtfKind.STRUCT, BtfKind.UNION, BtfKind.FWD})
REFERRING: Final = frozenset({BtfKind.STRUCT, BtfKind.UNION, BtfKind.TYPEDEF, BtfKind.ARRAY})


def header(btf: Btf) -> Iterator[str]:
    """Yield the parts of a header that defines every named type of a kernel, and declares its kfuncs."""
    yield HEAD
    yield from _Order(btf).definitions()
    prototypes = list(_kfuncs(btf))
    if prototypes:
        yield "\n".join([KFUNCS, *prototypes, "#endif\n"])
    yield TAIL


def _kfuncs(btf: Btf) -> Iterator[str]:
    writer = CWriter(btf)
    for type_id in btf:
        if btf.kind(type_id) is BtfKind.DECL_TAG and btf.name(type_id) == KFUNC_TAG:
            tagged = btf.get(type_id, t.DeclTag).type_id
            if btf.kind(tagged) is BtfKind.FUNC:
                yield f"extern {writer.prototype(tagged)} __weak __ksym;"


class _Order:
    """Writes each type once, after those that it needs whole."""

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self.writer = CWriter(btf)
        self.done: set[int] = set()
        self.texts: list[str] = []

    def definitions(self) -> Iterator[str]:
        kinds = [(type_id, self.btf.kind(type_id)) for type_id in self.btf]
        forward = [self._forward(type_id) for type_id, kind in kinds if kind in DECLARED and self.btf.name(type_id)]
        yield "\n".join(forward) + "\n"
        defined = {*TAGS, BtfKind.TYPEDEF}
        for type_id in (type_id for type_id, kind in kinds if kind in defined):
            if self.btf.name(type_id):
                self.define(type_id)
            elif isinstance(self.btf[type_id], t.Enum):
                self._define_nameless(type_id)
            if self.texts:
                yield "\n".join(self.texts)
                self.texts.clear()

    def _forward(self, type_id: int) -> str:
        found = self.btf[type_id]
        union = isinstance(found, t.Union) or (isinstance(found, t.Forward) and found.union)
        return f"{'union' if union else 'struct'} {self.writer.names.tag(type_id)};"

    def _define_nameless(self, type_id: int) -> None:
        """Define the values of an enum that has no name, where it is not part of something that has one."""
        if type_id not in self.done and type_id not in self.inner:
            self.done.add(type_id)
            self.texts.append(f"{self.writer.enum(type_id)};\n")

    @cached_property
    def inner(self) -> frozenset[int]:
        """What a typedef or member refers to, and so defines where it stands if it has no name."""
        return frozenset(self._referenced())

    def _referenced(self) -> Iterator[int]:
        for found in (self.btf[type_id] for type_id in self.btf if self.btf.kind(type_id) in REFERRING):
            if isinstance(found, t.Composite):
                yield from (member.type_id for member in found.members)
            elif isinstance(found, t.Typedef | t.Array):
                yield found.type_id

    def define(self, type_id: int) -> None:
        """Write a named type, unless it is written already; first what it needs."""
        if type_id in self.done:
            return
        self.done.add(type_id)
        match self.btf[type_id]:
            case t.Composite():
                self._need_members(type_id)
                self.texts.append(f"{self.writer.composite(type_id)};\n")
            case t.Enum():
                self.texts.append(f"{self.writer.enum(type_id)};\n")
            case t.Typedef(type_id=target, name=name):
                if name not in BUILT_IN:
                    self._need(target, whole=False)
                    declared = self.writer.declaration(target, self.writer.names.ordinary(type_id))
                    self.texts.append(f"typedef {declared};\n")
            case _:
                pass

    def _need_members(self, type_id: int) -> None:
        for member in self.btf.get(type_id, t.Composite).members:
            self._need(member.type_id, whole=True)

    def _need(self, type_id: int, *, whole: bool) -> None:
        """Define what has to stand before a use of a type: `whole` if its size counts, else its name."""
        found = self.btf[type_id]
        match found:
            case t.Typedef():
                self.define(type_id)
                if whole:
                    self._need(found.type_id, whole=True)
            case t.Composite() if not found.name:
                self._need_members(type_id)
            case t.Composite() | t.Enum() if found.name and (whole or isinstance(found, t.Enum)):
                self.define(type_id)
            case t.FuncProto():
                for each in (found.return_id, *(parameter.type_id for parameter in found.parameters)):
                    self._need(each, whole=False)
            case t.Reference() | t.Array():
                by_name = isinstance(found, t.Pointer) or (not whole and not isinstance(found, t.Array))
                self._need(found.type_id, whole=not by_name)
            case _:
                pass
