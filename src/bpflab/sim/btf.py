"""BTF objects of the simulated kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.errno import Errno
from bpflab.errors import BtfError
from bpflab.obj.btf import Btf
from bpflab.obj.btf_layout import size_of
from bpflab.sim.objects import KernelObject
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel


class SimBtf(KernelObject):
    """Types that a program or map refers to; `types` decodes them."""

    kind: ClassVar[str] = "btf"

    def __init__(self, kernel: SimKernel, data: bytes) -> None:
        super().__init__()
        self.kernel = kernel
        self.data = data
        self.types = Btf(data)

    def size_of(self, type_id: int) -> int:
        """Return the bytes of a value of a type; EINVAL for an id that has no size."""
        try:
            return size_of(self.types, type_id)
        except BtfError:
            raise Refusal(Errno.EINVAL) from None

    def free(self) -> None:
        """Take it out of the kernel's table."""
        self.kernel.btfs.remove(self)


def parse(kernel: SimKernel, data: bytes) -> SimBtf:
    """Make the object; EINVAL when the data is no BTF or one of its types cannot be decoded."""
    try:
        made = SimBtf(kernel, data)
        for type_id in made.types:
            made.types[type_id]
    except BtfError:
        raise Refusal(Errno.EINVAL) from None
    return made
