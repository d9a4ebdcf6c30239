"""What `program.run()` costs: by program, packet size, repeat, context, length of the program, number of packets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from traffic import PACKET, PASS, PROGRAMS, in_c, minimal, straight

from bpflab.contexts import SkBuff, XdpMd

if TYPE_CHECKING:
    from effort import Effort
    from measure import Measure, Work

    from bpflab import Lab
    from bpflab.contexts import AnyContext

MINIMAL = "test_run[bpflab-minimal]"
CONTEXTS: dict[str, AnyContext] = {
    "xdp": XdpMd(data_end=len(PACKET), ingress_ifindex=1),
    "sched_cls": SkBuff(mark=7, priority=3),
}


@pytest.mark.ways("bpflab", "bytearray", kernel=["libbpf"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_run(measure: Measure, lab: Lab, effort: Effort, name: str, way: str) -> None:
    program, count = PROGRAMS[name](lab), effort.count(kernel=2_000, sim=20)
    assert program.run(PACKET).retval == PASS
    packets = [PACKET] * count
    changing: list[object] = [bytearray(PACKET)] * count

    def run(given: list[object] | list[bytes]) -> Work:
        def all_of_them() -> None:
            for packet in given:
                program.run(packet)

        return all_of_them

    ways = {**in_c(program, count), "bpflab": run(packets), "bytearray": run(changing)}
    measure(ways, way, group="program run", subject=name, operations=count, baseline=_beside(effort))


def _beside(effort: Effort) -> str | None:
    """Name the benchmark that runs on the simulated kernel are compared with; on the kernel there is libbpf."""
    return None if effort.backend == "kernel" else MINIMAL


@pytest.mark.ways("bpflab", kernel=["libbpf"])
@pytest.mark.axis("bytes", kernel=[60, 512, 1500, 3000], sim=[60, 512, 1500])
def test_run_by_packet_size(measure: Measure, lab: Lab, effort: Effort, bytes: int, way: str) -> None:  # noqa: A002 - the axis
    program, count = minimal(lab), effort.count(kernel=2_000, sim=20)
    packet = PACKET.ljust(bytes, b"\0")

    def run() -> None:
        for _ in range(count):
            program.run(packet)

    ways = {**in_c(program, count, packet), "bpflab": run}
    measure(ways, way, group="program run by size", subject="minimal", operations=count, axis="bytes", value=bytes)


@pytest.mark.ways("bpflab", kernel=["libbpf"])
@pytest.mark.axis("repeat", kernel=[1, 10, 1_000, 100_000], sim=[1, 10, 100])
def test_run_by_repeat(measure: Measure, lab: Lab, effort: Effort, repeat: int, way: str) -> None:
    """Repeat inside of the kernel, which waits for all CPUs before it repeats an XDP program."""
    program, count = minimal(lab), 2 if repeat > 1 else effort.count(kernel=400, sim=4)

    def run() -> None:
        for _ in range(count):
            program.run(PACKET, repeat=repeat)

    ways = {**in_c(program, count, repeat=repeat), "bpflab": run}
    measure(
        ways,
        way,
        group="program run by repeat",
        subject="minimal",
        operations=count * repeat,
        axis="repeat",
        value=repeat,
    )


@pytest.mark.ways("bpflab", kernel=["libbpf"])
@pytest.mark.parametrize("kind", CONTEXTS)
def test_run_with_context(measure: Measure, lab: Lab, effort: Effort, kind: str, way: str) -> None:
    program = lab.program(f"r0 = {PASS}\nexit", type=kind)
    context, count = CONTEXTS[kind], effort.count(kernel=1_000, sim=20)

    def run() -> None:
        for _ in range(count):
            program.run(PACKET, context)

    ways = {**in_c(program, count, context=context.to_bytes(sys.byteorder)), "bpflab": run}
    measure(ways, way, group="program run with a context", subject=kind, operations=count, baseline=_beside(effort))


@pytest.mark.ways("bpflab", kernel=["libbpf"])
@pytest.mark.axis("instructions", kernel=[16, 256, 4_000], sim=[16, 256, 2_000])
def test_run_by_program_length(measure: Measure, lab: Lab, effort: Effort, instructions: int, way: str) -> None:
    program, count = straight(lab, instructions), effort.count(kernel=400, sim=4)

    def run() -> None:
        for _ in range(count):
            program.run(PACKET)

    measure(
        {**in_c(program, count), "bpflab": run},
        way,
        group="program run by length",
        subject="straight line",
        operations=count,
        axis="instructions",
        value=instructions,
    )


@pytest.mark.axis("packets", kernel=[1, 16, 256, 4_096], sim=[1, 16, 128])
def test_run_by_number_of_packets(measure: Measure, lab: Lab, packets: int) -> None:
    """Run the firewall example on packets that differ."""
    program = PROGRAMS["firewall"](lab)
    traffic = [PACKET[:36] + (number % 65536).to_bytes(2) + PACKET[38:] for number in range(packets)]

    def run() -> None:
        for packet in traffic:
            program.run(packet)

    measure(
        {"bpflab": run},
        group="program run by packets",
        subject="firewall",
        operations=packets,
        axis="packets",
        value=packets,
    )
