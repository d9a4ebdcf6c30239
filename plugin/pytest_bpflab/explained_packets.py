"""A comparison of packets: the layers that differ, field by field, then the bytes side by side."""

from __future__ import annotations

import sys
from typing import Any, Final

BYTES: Final = (bytes, bytearray, memoryview)


def explain(op: str, left: object, right: object) -> list[str] | None:
    """Explain why two packets did not compare as asked; None where neither is known to be a packet."""
    if op not in {"==", "!="}:
        return None
    pattern = next((each for each in (right, left) if _is_pattern(each)), None)
    if pattern is not None:
        return _of_pattern(op, pattern, left if pattern is right else right)
    if not (_is_packet(left) or _is_packet(right) or _is_known(left) or _is_known(right)):
        return None
    if not all(_is_packet(each) or isinstance(each, BYTES) for each in (left, right)):
        return None
    return _of_packets(op, left, right)


def _of_packets(op: str, left: Any, right: Any) -> list[str]:  # noqa: ANN401 - bytes or scapy, which has no types
    from bpflab_packets.compare import describe_difference, layer_names
    from bpflab_packets.dissect import dissect

    first = _first_layer(left, right)
    names = [layer_names(dissect(bytes(each), first)) for each in (left, right)]
    if op == "!=":
        return [f"{names[0]} != {names[1]}", f"Both packets are the same {len(bytes(left))} bytes."]
    lines = describe_difference(left, right, first).splitlines()
    if not lines:
        return [f"{names[0]} == {names[1]}", "The bytes are the same; the values differ in how scapy holds them."]
    return [f"{names[0]} == {names[1]}", "The packets differ (found != expected):", *lines]


def _of_pattern(op: str, pattern: Any, packet: Any) -> list[str] | None:  # noqa: ANN401 - as above
    if not (_is_packet(packet) or isinstance(packet, BYTES)):
        return None
    told: list[str] = pattern.explain(packet)
    if op == "!=":
        return [f"packet != {pattern!r}", "The packet matches."]
    return [f"packet == {pattern!r}", *told]


def _is_pattern(value: object) -> bool:
    compare = sys.modules.get("bpflab_packets.compare")
    return compare is not None and isinstance(value, compare.packet_matches)


def _is_packet(value: object) -> bool:
    scapy = sys.modules.get("scapy.packet")
    return scapy is not None and isinstance(value, scapy.Packet)


def _is_known(value: object) -> bool:
    """Whether bytes are a packet that came out of a run of this test."""
    module = sys.modules.get("pytest_bpflab.keeping")
    if module is None or not isinstance(value, BYTES) or len(value) == 0:
        return False
    return bool(module.KEEPER.has_output(bytes(value)))


def _first_layer(*packets: object) -> str:
    """Return what the packets begin with, as `dissect` takes it: what the scapy one among them says."""
    names = [type(packet).__name__ for packet in packets if _is_packet(packet)]
    return "ip" if any(name in {"IP", "IPv6"} for name in names) else "ethernet"
