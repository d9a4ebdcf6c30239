"""Calls as text: `call bpf_map_lookup_elem#1`, `call 1`, `call sub`, `call pc+3`, `call kfunc[bpf_name]`.

A name is a label of the program, else a helper. `name#number` is what the verifier and bpftool print:
a helper if the name is one (bpftool's number is no id), else a kfunc with its BTF id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import CALL, CALLX, CallSource
from bpflab.asm.calls import helper_id
from bpflab.asm.insn import Insn
from bpflab.asm.item import Pending, RefKind
from bpflab.asm.operand import S16, S32
from bpflab.asm.text.jump import read_target
from bpflab.asm.text.lex import quoted
from bpflab.errors import UnknownHelperError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.asm.text.cursor import Cursor
    from bpflab.asm.text.names import Names, Writer

_SUBPROG: Final = Insn(CALL, src=CallSource.SUBPROG.value)
_KFUNC: Final = CallSource.KFUNC.value


def _read_call(cursor: Cursor) -> Insn | Pending:
    cursor.take()
    token = cursor.peek()
    if token == "kfunc" and cursor.tokens[cursor.at + 1] == "[":
        return _read_kfunc(cursor)
    if token == "pc" and cursor.tokens[cursor.at + 1] in {"+", "-"}:
        return _read_subprog(cursor)
    if token[:1].isdigit() or token == "-":
        return Insn(CALL, imm=cursor.number(S32))
    name = cursor.name("a label, a helper's name or id, pc+3, or kfunc[...]")
    return _read_numbered(cursor, name) if cursor.accept("#") else Pending(_SUBPROG, RefKind.CALLEE, name)


def _read_subprog(cursor: Cursor) -> Insn:
    skip = read_target(cursor, S32)
    if cursor.accept("#"):
        cursor.name("a name")
    return Insn(CALL, src=CallSource.SUBPROG.value, imm=int(skip))


def _read_numbered(cursor: Cursor, name: str) -> Insn:
    number = cursor.number(S32)
    try:
        return Insn(CALL, imm=helper_id(name))
    except UnknownHelperError:
        return Insn(CALL, src=_KFUNC, imm=number)


def _read_kfunc(cursor: Cursor) -> Insn | Pending:
    cursor.expect("kfunc", "[")
    name, imm = "", 0
    if cursor.peek() == "id" and cursor.tokens[cursor.at + 1] == ":":
        cursor.expect("id", ":")
        imm = cursor.number(S32)
    else:
        name = cursor.name("a kfunc's name, or id:NUMBER")
    off = 0
    if cursor.accept(","):
        cursor.expect("btf", ":")
        off = cursor.number(S16)
    cursor.expect("]")
    insn = Insn(CALL, src=_KFUNC, off=off, imm=imm)
    return Pending(insn, RefKind.KFUNC, name) if name else insn


def _read_callx(cursor: Cursor) -> Insn:
    cursor.take()
    return Insn(CALLX, cursor.register_of(wide=True))


STATEMENTS: Final[Mapping[str, Callable[[Cursor], Insn | Pending]]] = {"call": _read_call, "callx": _read_callx}


def _write_call(insn: Insn, index: int, names: Names) -> str:
    if insn.dst or (insn.off and insn.src != _KFUNC):
        return ""
    if insn.src == CallSource.HELPER:
        return f"call {names.helper(insn.imm) or insn.imm}"
    if insn.src == CallSource.SUBPROG:
        label = names.labels.get(index + 1 + insn.imm)
        return f"call pc{insn.imm:+d}" if label is None else f"call {quoted(label)}"
    return _write_kfunc(insn, names) if insn.src == _KFUNC else ""


def _write_kfunc(insn: Insn, names: Names) -> str:
    name = names.kfuncs.get(insn.imm)
    btf = f", btf:{insn.off}" if insn.off else ""
    return f"call kfunc[{f'id:{insn.imm}' if name is None else quoted(name)}{btf}]"


def _write_callx(insn: Insn, _index: int, _names: Names) -> str:
    return "" if insn.src or insn.off or insn.imm else f"callx r{insn.dst}"


WRITERS: Final[Mapping[int, Writer]] = {CALL: _write_call, CALLX: _write_callx}
