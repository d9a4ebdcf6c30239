"""What drawing and patching one packet costs beside building the same packet by scapy.

    python bench/bench_packets.py [--rounds 31] [--count 40]

The aim: at most 1/20. Both ways make the same packet (the drawn one is taken apart and built again by scapy with all
its fields given), by turns, in CPU time.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.l2 import Ether

from bpflab_packets.strategies import packets

if TYPE_CHECKING:
    from collections.abc import Callable

AIM = 20
COMPUTED = {"chksum", "len", "plen", "ihl", "dataofs"}


def recipe(data: bytes) -> list[tuple[Any, dict[str, Any]]]:
    """Return the layers of a packet with the fields that its author would give."""
    layer, found = Ether(data), list[tuple[Any, dict[str, Any]]]()
    while layer.name != "NoPayload":
        found.append((type(layer), {name: value for name, value in layer.fields.items() if name not in COMPUTED}))
        layer = layer.payload
    return found


def by_scapy(layers: list[tuple[Any, dict[str, Any]]]) -> bytes:
    (first, fields), *rest = layers
    packet = first(**fields)
    for kind, values in rest:
        packet /= kind(**values)
    return bytes(packet)


def timed(call: Callable[[], object], count: int) -> float:
    """Return the nanoseconds of CPU time of one call."""
    start = time.thread_time_ns()
    for _ in range(count):
        call()
    return (time.thread_time_ns() - start) / count


def compare(family: str, rounds: int, count: int) -> None:
    """Measure a family within one hypothesis example a round, and print the ratio."""
    taken: dict[str, list[float]] = {"scapy": [], "draw and patch": []}

    @settings(max_examples=rounds, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def measure(data: st.DataObject) -> None:
        draw, strategy = data.conjecture_data.draw, packets(family)
        layers = recipe(draw(strategy))
        taken["scapy"].append(timed(lambda: by_scapy(layers), count))
        taken["draw and patch"].append(timed(lambda: draw(strategy), count))

    measure()
    scapy, drawn = (sorted(times)[len(times) // 2] / 1000 for times in taken.values())
    print(f"{family:8} scapy {scapy:7.1f} us, draw and patch {drawn:6.1f} us: 1/{scapy / drawn:.1f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=31)
    options.add_argument("--count", type=int, default=40)
    given_options = options.parse_args()
    print(f"aim: 1/{AIM}")
    for family in ("udp", "tcp", "tcp6", "vxlan"):
        compare(family, given_options.rounds, given_options.count)


if __name__ == "__main__":
    main()
