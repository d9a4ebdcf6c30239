"""The hash of a packet's flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim import skb_hash

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment


def get_hash_recalc(env: Environment, skb: Skb) -> int:
    """Give the hash, worked out anew if it was forgotten."""
    del env
    return skb_hash.recalculated(skb)


def set_hash(env: Environment, skb: Skb, hash: int) -> int:
    """Set the hash, 0 as well."""
    del env
    skb_hash.set_hash(skb, hash)
    return 0


def set_hash_invalid(env: Environment, skb: Skb) -> int:
    """Forget the hash."""
    del env
    skb_hash.forget(skb)
    return 0
