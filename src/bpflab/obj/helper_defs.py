"""Write bpf_helper_defs.h from the helper table: `python -m bpflab.obj.helper_defs`.

Each helper becomes a constant pointer to a function whose address is the helper's number, which is how
clang -target bpf writes a call by number.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.abi.helper_model import declaration
from bpflab.abi.helpers import all_helpers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.abi.helper_model import Helper

PATH: Final = Path(__file__).parent.parent / "headers" / "bpf" / "bpf_helper_defs.h"

_AS_PROGRAMS_SEE: Final = {
    "struct bpf_map": "void",
    "struct sk_buff": "struct __sk_buff",
    "struct xdp_buff": "struct xdp_md",
    "struct sk_msg_buff": "struct sk_msg_md",
    "size_t": "unsigned long",
}
"""Types of the kernel's side, by what a program has in their place."""

_VARIADIC: Final = {"trace_printk": 2}
"""Helpers that C calls with any number of arguments, and how many of them are named."""

_FIXED_WIDTH: Final = re.compile(r"\b([us](?:8|16|32|64))\b")
_STRUCT: Final = re.compile(r"\bstruct (\w+)")
_START: Final = """\
/* Helpers by number. Generated from the helper table by `python -m bpflab.obj.helper_defs`. */
#ifndef __BPF_HELPER_DEFS_H
#define __BPF_HELPER_DEFS_H
"""
_END: Final = "\n#endif\n"


def render(helpers: Iterable[Helper]) -> str:
    """Give the header's text, helpers in the order of their numbers."""
    lines = [_line(each) for each in sorted(helpers, key=lambda each: each.id)]
    structs = sorted({name for line in lines for name in _STRUCT.findall(line)})
    forward = "".join(f"struct {name};\n" for name in structs)
    return f"{_START}\n{forward}\n{''.join(lines)}{_END}"


def _line(each: Helper) -> str:
    named = [declaration(_c_type(one.c_type), one.name.rstrip("_")) for one in each.arguments]
    arguments = ", ".join([*named[: _VARIADIC[each.name]], "..."] if each.name in _VARIADIC else named)
    head = declaration(_c_type(each.returns.c_type), f"(*const bpf_{each.name})")
    return f"static {head}({arguments or 'void'}) = (void *){each.id};\n"


def _c_type(kernel_type: str) -> str:
    for theirs, ours in _AS_PROGRAMS_SEE.items():
        kernel_type = re.sub(rf"{theirs}\b", ours, kernel_type)
    return _FIXED_WIDTH.sub(r"__\1", kernel_type)


if __name__ == "__main__":
    PATH.write_text(render(all_helpers()), encoding="utf-8")
