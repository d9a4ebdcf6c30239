"""What a device knows of a received frame, as the test set it (net/core/xdp.c, struct xdp_metadata_ops)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment


def bpf_xdp_metadata_rx_timestamp(env: Environment, ctx: int, timestamp: int) -> int:
    """Write when the frame came."""
    del ctx
    found = env.kernel.world.received.timestamp
    if found is None:
        return -Errno.EOPNOTSUPP
    env.run.memory.store(timestamp, 8, found)
    return 0


def bpf_xdp_metadata_rx_hash(env: Environment, ctx: int, hash: int, rss_type: int) -> int:
    """Write the hash of the frame's flow, and of what it was made."""
    del ctx
    received = env.kernel.world.received
    if received.hash is None:
        return -Errno.EOPNOTSUPP
    env.run.memory.store(hash, 4, received.hash)
    env.run.memory.store(rss_type, 4, received.hash_type)
    return 0


def bpf_xdp_metadata_rx_vlan_tag(env: Environment, ctx: int, vlan_proto: int, vlan_tci: int) -> int:
    """Write the tag that the device took off: the protocol in network byte order."""
    del ctx
    found = env.kernel.world.received.vlan
    if found is None:
        return -Errno.EOPNOTSUPP
    protocol, tci = found
    env.run.memory.write(vlan_proto, protocol.to_bytes(2, "big"))
    env.run.memory.store(vlan_tci, 2, tci)
    return 0
