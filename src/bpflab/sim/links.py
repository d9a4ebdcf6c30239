"""Links: a program held at a hook by a descriptor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpflab.sim.objects import KernelObject

if TYPE_CHECKING:
    from bpflab.abi.attach_types import LinkType
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import SimProgram


class SimLink(KernelObject):
    """A program attached until the last descriptor of the link is closed, or the link is detached."""

    kind: ClassVar[str] = "link"

    def __init__(self, kernel: SimKernel, link_type: LinkType, program: SimProgram) -> None:
        super().__init__()
        self.kernel = kernel
        self.type = link_type
        self.program = program
        program.get()

    def describe(self, info: bytearray) -> None:
        """Fill in what struct bpf_link_info says of this kind of link."""

    def free(self) -> None:
        """Give the program back."""
        self.kernel.links.remove(self)
        self.program.put()
