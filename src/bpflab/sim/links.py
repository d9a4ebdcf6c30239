"""Links: a program held at a hook by a descriptor or a pin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.attach_types import LinkType
from bpflab.abi.errno import Errno
from bpflab.sim.mprog import Entry
from bpflab.sim.objects import KernelObject
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.places import Place
    from bpflab.sim.programs import SimProgram

DETACHABLE = frozenset({LinkType.CGROUP, LinkType.NETNS, LinkType.XDP, LinkType.TCX, LinkType.SOCKMAP})
"""Links that LINK_DETACH takes away before they are closed."""
UPDATABLE = DETACHABLE | {LinkType.ITER}
"""Links that LINK_UPDATE gives another program."""


class SimLink(KernelObject):
    """A program attached until the last holder of the link is gone, or the link is detached.

    `place` is where it is attached; None after it was detached, and for links that have no place in the
    books. `fill` writes what struct bpf_link_info says of this kind of link.
    """

    kind: ClassVar[str] = "link"

    def __init__(self, kernel: SimKernel, link_type: LinkType, program: SimProgram, attach_type: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.type = link_type
        self.program = program
        self.attach_type = attach_type
        self.place: Place | None = None
        self.entry = Entry(program, self)
        self.fill: Callable[[bytearray, bool], None] = _nothing
        program.get()

    def describe(self, info: bytearray) -> None:
        """Fill in what struct bpf_link_info says of this kind of link."""
        self.fill(info, self.place is not None)

    def detach(self) -> None:
        """Take the program from its hook; the link stays. EOPNOTSUPP for a link that cannot."""
        refuse_if(self.type not in DETACHABLE, Errno.EOPNOTSUPP)
        self._leave()

    def update(self, program: SimProgram, old: SimProgram | None) -> None:
        """Put another program in. EINVAL for a link or program that cannot, EPERM when `old` is not there."""
        refuse_if(self.type not in UPDATABLE)
        if self.place is None:
            raise Refusal(Errno.ENOLINK)
        refuse_if(old is not None and old is not self.program, Errno.EPERM)
        refuse_if(program.type != self.program.type)
        self.place.update(self.entry, program)
        program.get()
        self.program.put()
        self.program = program

    def free(self) -> None:
        """Detach, and give the program back."""
        self._leave()
        self.kernel.links.remove(self)
        self.program.put()

    def _leave(self) -> None:
        if self.place is not None:
            self.place.unlink(self.entry)
            self.place = None


def _nothing(info: bytearray, attached: bool) -> None:
    """Leave the part of a link's kind empty."""
    del info, attached
