"""Types put behind those of a blob, which keep their ids: cheap however large the blob is."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from bpflab.abi.btf import HEADER_SIZE, MAGIC, VERSION
from bpflab.obj.btf import Btf
from bpflab.obj.btf_encode import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.obj.btf_types import BtfType


def append(btf: Btf, types: Sequence[BtfType]) -> Btf:
    """Return the types of `btf` with more behind them, the first of which gets the id `len(btf)`."""
    sign = "<" if btf.byteorder == "little" else ">"
    old_types, _ = _sections(btf.data, sign)
    new_types, strings = _sections(encode(types, btf.byteorder, btf.strings()), sign)
    body = old_types + new_types
    header = struct.pack(f"{sign}HBBIIIII", MAGIC, VERSION, 0, HEADER_SIZE, 0, len(body), len(body), len(strings))
    return Btf(header + body + strings)


def _sections(data: bytes, sign: str) -> tuple[bytes, bytes]:
    header, type_off, type_len, str_off, str_len = struct.unpack_from(f"{sign}5I", data, 4)
    types, strings = header + type_off, header + str_off
    return data[types : types + type_len], data[strings : strings + str_len]
