"""A function's prototype, written in C, as BTF types: `int bpf_score(struct task_struct *task, u64 weight)`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind, FuncLinkage
from bpflab.errors import ArgumentError
from bpflab.obj.btf_types import BtfType, Func, FuncProto, Parameter, Pointer

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf

_PROTOTYPE: Final = re.compile(r"\s*(?P<returns>.+?)(?P<name>\w+)\s*\((?P<parameters>.*)\)\s*;?\s*", re.DOTALL)
_DECLARATION: Final = re.compile(r"(?P<type>.+?)(?P<name>\b\w+)?$", re.DOTALL)
_KINDS: Final = {"struct": BtfKind.STRUCT, "union": BtfKind.UNION, "enum": BtfKind.ENUM}
_SPELLINGS: Final = {
    "long": "long int",
    "unsigned": "unsigned int",
    "unsigned long": "long unsigned int",
    "long long": "long long int",
    "unsigned long long": "long long unsigned int",
    "unsigned char": "unsigned char",
    "short": "short int",
    "unsigned short": "short unsigned int",
    "bool": "_Bool",
}
"""How BTF spells the integers of C."""


def declared(btf: Btf, prototype: str) -> tuple[str, list[BtfType]]:
    """Return the function's name, and the types that declare it if they are put behind those of `btf`."""
    match = _PROTOTYPE.fullmatch(prototype)
    if match is None:
        raise ArgumentError(f"{prototype!r} is no prototype; expected one like 'int bpf_score(struct sk_buff *skb)'.")
    builder = _Builder(btf, prototype)
    returns = builder.type_id(match["returns"])
    proto = FuncProto(return_id=returns, parameters=tuple(builder.parameters(match["parameters"])))
    builder.add(proto)
    builder.add(Func(name=match["name"], type_id=builder.last, linkage=FuncLinkage.STATIC))
    return match["name"], builder.types


class _Builder:
    def __init__(self, btf: Btf, prototype: str) -> None:
        self.btf = btf
        self.prototype = prototype
        self.types: list[BtfType] = []

    @property
    def last(self) -> int:
        return len(self.btf) + len(self.types) - 1

    def add(self, each: BtfType) -> int:
        self.types.append(each)
        return self.last

    def parameters(self, text: str) -> list[Parameter]:
        parts = [part.strip() for part in text.split(",")]
        return [] if parts in (["void"], [""]) else [self._parameter(part) for part in parts]

    def _parameter(self, text: str) -> Parameter:
        match = _DECLARATION.fullmatch(text)
        if match is None or match["name"] is None:
            raise ArgumentError(f"{text!r} of {self.prototype!r} is no parameter; expected a type and a name.")
        return Parameter(match["name"], self.type_id(match["type"]))

    def type_id(self, text: str) -> int:
        stars = text.count("*")
        words = [word for word in text.replace("*", " ").split() if word != "const"]
        found = self._named(words)
        for _ in range(stars):
            found = self.add(Pointer(type_id=found))
        return found

    def _named(self, words: list[str]) -> int:
        if words == ["void"]:
            return 0
        if len(words) == 2 and words[0] in _KINDS:
            return self.btf.require(words[1], _KINDS[words[0]])
        name = " ".join(word for word in words if word != "int") if len(words) > 1 else " ".join(words)
        return self.btf.require(_SPELLINGS.get(name, name), BtfKind.INT, BtfKind.TYPEDEF)
