"""Packets sent to a device by the verdict REDIRECT.

Nothing leaves the simulated kernel: a redirect becomes an event of the world when the program returns the verdict,
with the packet as it is then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.helper_flags import RedirectFlag
from bpflab.abi.verdicts import TC, XDP
from bpflab.sim.events import Redirect
from bpflab.sim.frame import XdpFrame

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

INGRESS: Final = int(RedirectFlag.INGRESS)


def redirect(env: Environment, ifindex: int, flags: int) -> int:
    """Choose the device that the packet leaves by or, for socket buffers alone, enters by."""
    framed = isinstance(env.frame, XdpFrame)
    if flags & ~(0 if framed else INGRESS):
        return XDP.ABORTED if framed else TC.SHOT
    env.state["redirect"] = Redirect(env.running.name, "redirect", ifindex, flags=flags)
    return XDP.REDIRECT if framed else TC.REDIRECT
