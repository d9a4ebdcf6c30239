"""A program attached to a hook, until its link is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.abi.flags import AttachFlag
from bpflab.handles.presence import Presence
from bpflab.programs.links import link_info

if TYPE_CHECKING:
    from bpflab.backend.descriptor import Descriptor
    from bpflab.lab import Lab
    from bpflab.programs.links import LinkInfo
    from bpflab.programs.program import Program


class Link(Presence):
    """What holds a program at its hook: closing it, or the Lab, detaches the program, unless the link is pinned."""

    by_id = Command.LINK_GET_FD_BY_ID

    def __init__(self, lab: Lab, descriptor: Descriptor, program: Program) -> None:
        super().__init__(lab, descriptor)
        self.program = program

    @property
    def info(self) -> LinkInfo:
        """What the kernel says of the link."""
        return link_info(self.lab.call, self.fileno())

    def update(self, program: Program) -> None:
        """Put another program in the place of this one, in one step: no packet meets neither."""
        self.lab.call(
            Command.LINK_UPDATE,
            link_fd=self.fileno(),
            new_prog_fd=program.fileno(),
            flags=int(AttachFlag.REPLACE),
            old_prog_fd=self.program.fileno(),
        )
        self.program = program

    def detach(self) -> None:
        """Take the program from its hook, though the link stays open."""
        self.lab.call(Command.LINK_DETACH, link_fd=self.fileno())

    def __repr__(self) -> str:
        return f"<link of {self.program.name!r}{', closed' if self.closed else ''}>"
