"""What the tests of whole programs share: packets by the thousand, and two kernels that must agree on them.

`BPFLAB_PACKETS=20000` is the long form (tox -e differential), `BPFLAB_SEED` starts elsewhere.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import pytest

from bpflab import Lab
from bpflab.backend.select import kernel_refusal
from bpflab.programs.program import Program
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine
from bpflab_packets import malformed
from bpflab_packets.compare import describe_difference
from bpflab_packets.strategies import free_fields, takes_payload
from bpflab_packets.template import Template
from bpflab_packets.variation import Variation

PACKETS = int(os.environ.get("BPFLAB_PACKETS", "400"))
SEED = int(os.environ.get("BPFLAB_SEED", "1"))
SPOILT = 0.15
"""How many of the packets are wrong in some way."""
AGAIN = 0.25
"""How many are sent a second time: the programs remember flows."""
PAYLOAD = 80
"""The most bytes of payload."""
LEAST = 14
"""The kernel runs nothing shorter than an Ethernet header."""
NETWORK = {b"\x08\x00": 20, b"\x86\xdd": 40}
"""It makes no socket buffer of a packet that ends before its IP header does."""

Kind: TypeAlias = tuple[Template, Iterable[str] | None]
"""A template and its fields that vary; None for those that vary by default."""
Generated: TypeAlias = Callable[..., list[bytes]]
Prepared: TypeAlias = tuple[Program, Callable[[], object]]
"""A program, and what tells what it left in its maps."""
Same: TypeAlias = Callable[..., None]


def varied(kind: Kind) -> Variation:
    template, names = kind
    return Variation.of(template, free_fields(template) if names is None else names, payload=takes_payload(template))


def packets_of(kinds: Sequence[Kind], count: int = PACKETS, *, seed: int = SEED, tc: bool = False) -> list[bytes]:
    """Draw packets of the kinds, some of them sent again and some spoilt; the same in every run.

    With `tc` they are those that the kernel makes socket buffers of.
    """
    chance = random.Random(seed)
    variations = [varied(kind) for kind in kinds]
    drawn = list[bytes]()
    while len(drawn) < count:
        data = chance.choice(drawn) if drawn and chance.random() < AGAIN else one_of(chance, variations)
        if len(data) >= LEAST + (NETWORK.get(data[12:14], 1) if tc else 0):
            drawn.append(data)
    return drawn


def one_of(chance: random.Random, variations: Sequence[Variation]) -> bytes:
    variation = chance.choice(variations)
    room = chance.randrange(PAYLOAD) if variation.growth else 0
    data = variation.apply(chance.randbytes(variation.size + room))
    if chance.random() < SPOILT:
        return chance.choice(malformed.spoil(variation.template.over(data))).data
    return data


@pytest.fixture(scope="session")
def generated() -> Generated:
    return packets_of


@pytest.fixture
def same_on_both() -> Same:
    """Return what runs packets on the running kernel and on the simulated one, and compares all that can be seen.

    What is left in maps is looked at when all packets were run, or after every so many (`at_once`).
    """
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)

    def check(prepare: Callable[[Lab], Prepared], packets: Sequence[bytes], *, at_once: int = 1 << 30) -> None:
        with Lab("kernel") as kernel, Lab(SimBackend(Machine(possible_cpus=kernel.backend.possible_cpus))) as sim:
            (real, left_by_real), (simulated, left_by_sim) = prepare(kernel), prepare(sim)
            for start in range(0, len(packets), at_once):
                assert_same_runs(real, simulated, packets[start : start + at_once])
                assert left_by_real() == left_by_sim()

    return check


def assert_same_runs(real: Program, simulated: Program, packets: Sequence[bytes]) -> None:
    rows = zip(packets, real.run_many(packets, outputs=True), simulated.run_many(packets, outputs=True), strict=True)
    for number, (packet, one, other) in enumerate(rows):
        told = f"packet {number}, {packet.hex()}"
        assert one.action == other.action, f"{told}: {one.action!r} on the kernel, {other.action!r} on the simulator"
        assert one.data == other.data, f"{told}:\n{describe_difference(one.data, other.data)}"
