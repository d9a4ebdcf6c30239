"""Links of structs of operations: what holds one in use (bpf_struct_ops_link_create, kernel/bpf/bpf_struct_ops.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.attach_types import AttachType, LinkType
from bpflab.abi.errno import Errno
from bpflab.sim.link_info import UNION
from bpflab.sim.maps.struct_ops import LINK, State, StructOpsMap
from bpflab.sim.objects import KernelObject
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request


class OpsLink(KernelObject):
    """Operations in use until the last holder of the link is gone, or it is detached."""

    kind: ClassVar[str] = "link"
    type = LinkType.STRUCT_OPS
    attach_type = int(AttachType.STRUCT_OPS)

    def __init__(self, kernel: SimKernel, operations: StructOpsMap) -> None:
        super().__init__()
        self.kernel = kernel
        self.operations: StructOpsMap | None = operations
        operations.register()
        operations.get()

    def describe(self, info: bytearray) -> None:
        """Tell the map's number."""
        struct.pack_into("=I", info, UNION, self.operations.id if self.operations else 0)

    def detach(self) -> None:
        """Take the operations from the kernel; EINVAL when that was done."""
        refuse_if(self.operations is None)
        self._leave()

    def update(self, operations: StructOpsMap, old: StructOpsMap | None) -> None:
        """Put others of the same struct in. ENOLINK after it was detached, EPERM when `old` is not there."""
        before = self.operations
        refuse_if(before is None, Errno.ENOLINK)
        refuse_if(old is not None and old is not before, Errno.EPERM)
        check_ready(operations)
        refuse_if(before is None or operations.ops_id != before.ops_id or operations.ops_name != before.ops_name)
        self._leave()
        operations.register()
        operations.get()
        self.operations = operations

    def free(self) -> None:
        """Take the operations from the kernel."""
        self._leave()
        self.kernel.links.remove(self)

    def _leave(self) -> None:
        operations, self.operations = self.operations, None
        if operations is not None:
            operations.unregister()
            operations.put()


def check_ready(operations: StructOpsMap) -> None:
    """Refuse (EINVAL) operations that were not updated yet, or are not for a link."""
    refuse_if(operations.state is not State.READY or not operations.flags & LINK)


def ops_link_create(kernel: SimKernel, request: Request) -> int:
    """Bring operations into use, and return the descriptor that keeps them there."""
    refuse_if(request["flags"] or request["target_fd"])
    operations = kernel.find(request["prog_fd"], StructOpsMap)
    check_ready(operations)
    return kernel.files.open(kernel.links.add(OpsLink(kernel, operations)))
