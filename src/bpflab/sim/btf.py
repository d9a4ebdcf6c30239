"""BTF objects of the simulated kernel."""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, ClassVar, Final

from bpflab.abi.btf import HEADER_SIZE, MAGIC, VERSION
from bpflab.abi.errno import Errno
from bpflab.errors import BtfError
from bpflab.sim.objects import KernelObject
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel

HEADER: Final = struct.Struct("=HBBI")
FOREIGN_HEADER: Final = struct.Struct(">HBBI" if sys.byteorder == "little" else "<HBBI")


class SimBtf(KernelObject):
    """Types that a program or map refers to; `types` decodes them."""

    kind: ClassVar[str] = "btf"

    def __init__(self, kernel: SimKernel, data: bytes) -> None:
        from bpflab.obj.btf import Btf

        super().__init__()
        self.kernel = kernel
        self.data = data
        self.types = Btf(data)

    def size_of(self, type_id: int) -> int:
        """Return the bytes of a value of a type; EINVAL for an id that has no size."""
        from bpflab.obj.btf_layout import size_of

        try:
            return size_of(self.types, type_id)
        except BtfError:
            raise Refusal(Errno.EINVAL) from None

    def free(self) -> None:
        """Take it out of the kernel's table."""
        self.kernel.btfs.remove(self)


def parse(kernel: SimKernel, data: bytes) -> SimBtf:
    """Make the object; EINVAL when the data is no BTF or one of its types cannot be decoded.

    The header is checked as the kernel does (kernel/bpf/btf.c, btf_parse_hdr): ENOTSUPP for another version or
    for flags, E2BIG for a longer header that is not zero past what is known.
    """
    check_header(data)
    try:
        made = SimBtf(kernel, data)
        for type_id in made.types:
            made.types[type_id]
    except BtfError:
        raise Refusal(Errno.EINVAL) from None
    return made


def check_header(data: bytes) -> None:
    """Refuse a header that is not of BTF as Linux 6.18 knows it."""
    refuse_if(len(data) < HEADER_SIZE)
    header = HEADER if int.from_bytes(data[:2], sys.byteorder) == MAGIC else FOREIGN_HEADER
    magic, version, flags, length = header.unpack_from(data)
    refuse_if(length > len(data))
    refuse_if(any(data[HEADER_SIZE:length]), Errno.E2BIG)
    refuse_if(magic != MAGIC)
    refuse_if(version != VERSION or flags, Errno.ENOTSUPP)
    sections = sorted(struct.iter_unpack(header.format[0] + "2I", data[8:HEADER_SIZE]))
    refuse_if(length == len(data))
    end = 0
    for offset, size in sections:
        refuse_if(offset != end)
        end += size
    refuse_if(length + end != len(data))
