"""How fast a ring buffer is drained, beside C in the same run, and that nothing is lost, doubled or torn.

    python bench/bench_ringbuf.py [--records 10000000] [--rounds 15]

Needs root, a C compiler, and two CPUs for the part with a live producer.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bpflab.abi.commands import Command
from bpflab.events import RingBufferConsumer
from bpflab.lab import Lab

SIZE = 1 << 23
RECORD = 64
STRIDE = RECORD + 8
PACKET = bytes(64)
BATCH = 50_000

# The control value: the next number, how often there was no room, and the number to stop at.
PROGRAM = """
    r6 = map[fd:{control}][0]+0
    r7 = *(u64 *)(r6 + 0)
    r8 = *(u64 *)(r6 + 16)
    if r7 >= r8 goto done
    *(u64 *)(r10 - 64) = r7
    *(u64 *)(r10 - 56) = r7
    *(u64 *)(r10 - 48) = r7
    *(u64 *)(r10 - 40) = r7
    *(u64 *)(r10 - 32) = r7
    *(u64 *)(r10 - 24) = r7
    *(u64 *)(r10 - 16) = r7
    *(u64 *)(r10 - 8) = r7
    r2 = r10
    r2 += -64
    r1 = map[fd:{ring}]
    r3 = 64
    r4 = 0
    call bpf_ringbuf_output
    if r0 != 0 goto full
    r7 += 1
    *(u64 *)(r6 + 0) = r7
    goto done
full:
    r1 = *(u64 *)(r6 + 8)
    r1 += 1
    *(u64 *)(r6 + 8) = r1
done:
    r0 = 0
    exit
"""


class Rig:
    """A ring buffer, a program that writes numbers to it, and the C baseline on the same ring."""

    def __init__(self, lab: Lab, library: Path) -> None:
        self.ring = lab.map("ringbuf", max_entries=SIZE)
        self.control = lab.map("array", value="=3Q", max_entries=1)
        fds = {"ring": self.ring.fileno(), "control": self.control.fileno()}
        self.program = lab.program(PROGRAM.format(**fds), type="xdp")
        self.c = ctypes.CDLL(str(library))
        self.c.ring_drain.restype = ctypes.c_long
        if self.c.ring_open(self.ring.fileno(), ctypes.c_uint64(SIZE)):
            raise OSError("the C baseline could not map the ring buffer")

    def restart(self, stop_at: int) -> None:
        self.control[0] = (0, 0, stop_at)

    def refused(self) -> int:
        refused: int = self.control[0][1]
        return refused

    def fill(self) -> int:
        count = SIZE // STRIDE
        self.restart(count)
        self.program.run(PACKET, repeat=count)
        return count


def produce(program_fd: int, control_fd: int) -> None:
    """Run the program until it has written all its numbers; in a process of its own."""
    value = bytearray(24)
    with Lab("kernel") as lab:
        while True:
            lab.call(Command.PROG_TEST_RUN, prog_fd=program_fd, data_in=PACKET, data_size_in=len(PACKET), repeat=BATCH)
            lab.call(Command.MAP_LOOKUP_ELEM, map_fd=control_fd, key=bytes(4), value=value)
            written, _, stop_at = struct.unpack("=3Q", value)
            if written >= stop_at:
                return


@contextmanager
def producer(rig: Rig, records: int, cpu: int) -> Iterator[None]:
    """A live producer on a CPU of its own."""
    rig.restart(records)
    fds = (rig.program.fileno(), rig.control.fileno())
    command = [sys.executable, __file__, "--produce", *map(str, fds), "--cpu", str(cpu)]
    with subprocess.Popen(command, pass_fds=fds) as process:
        yield
        if process.wait():
            raise ChildProcessError("the producer failed")


def check(records: bytes | memoryview, first: int) -> int:
    """Raise when the records are not the numbers from `first` on, eight times each; the number after them."""
    words = memoryview(records).cast("B").cast("Q")
    numbers = words[::8]
    after = first + len(numbers)
    if len(words) != 8 * len(numbers) or numbers.tolist() != list(range(first, after)):
        raise AssertionError(f"records were lost, doubled or reordered near number {first}")
    if any(words[place::8].tobytes() != numbers.tobytes() for place in range(1, 8)):
        raise AssertionError(f"a record is torn near number {first}")
    return after


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def idle(rig: Rig, consumer: RingBufferConsumer, rounds: int) -> tuple[float, float]:
    """Median seconds a record, in C and in Python, of rounds that alternate; the ring is full each time."""
    count = rig.fill()
    c_draining = c_drain(rig)
    consumer.drain()
    c, python = [], []
    for _ in range(rounds):
        rig.fill()
        c.append(timed(c_draining))
        rig.fill()
        began = time.perf_counter()
        events = consumer.drain()
        python.append(time.perf_counter() - began)
        if check(b"".join(events), 0) != count:
            raise AssertionError(f"{len(events)} of {count} records came")
    return statistics.median(c) / count, statistics.median(python) / count


def one_by_one(rig: Rig, consumer: RingBufferConsumer, rounds: int) -> float:
    """Median seconds a record of iteration, the ring full each time."""
    seconds = []
    count = SIZE // STRIDE
    for _ in range(rounds):
        rig.fill()
        seconds.append(timed(lambda: deque(consumer.events(timeout=0), maxlen=0)))
    return statistics.median(seconds) / count


def handled(rig: Rig, rounds: int) -> float:
    """Median seconds a record from a full ring to a handler that does nothing, threads and all."""
    seconds = []
    count = SIZE // STRIDE
    for _ in range(rounds):
        rig.fill()
        began = time.perf_counter()
        with RingBufferConsumer(rig.ring, handler=len) as consumer:
            consumer.flush()
            seconds.append(time.perf_counter() - began)
        if consumer.delivered != count:
            raise AssertionError(f"{consumer.delivered} of {count} records came")
    return statistics.median(seconds) / count


def live(rig: Rig, drain: Callable[[], list[bytes] | memoryview], records: int, cpu: int) -> tuple[float, float]:
    """Drain beside a producer, and check every record between two drains.

    Seconds a record: inside of drains that brought something, and in all from the first record on.
    """
    inside, after, start = 0.0, 0, 0.0
    with producer(rig, records, cpu):
        while after < records:
            began = time.perf_counter()
            found = drain()
            ended = time.perf_counter()
            if found:
                start = start or began
                inside += ended - began
                after = check(b"".join(found) if isinstance(found, list) else found, after)
        whole = time.perf_counter() - start
    if drain():
        raise AssertionError("there are more records than were written")
    return inside / records, whole / records


def c_drain(rig: Rig) -> Callable[[], memoryview]:
    """Draining in C, into memory that is there already."""
    room = ctypes.create_string_buffer(SIZE)
    view = memoryview(room)
    width, most = ctypes.c_long(RECORD), ctypes.c_long(SIZE // RECORD)
    return lambda: view[: RECORD * rig.c.ring_drain(room, width, most)]


def compiled(directory: str) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise FileNotFoundError("the C baseline needs a C compiler: cc, gcc or clang")
    library = Path(directory) / "ringbuf.so"
    source = Path(__file__).parent / "baseline" / "ringbuf.c"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


def row(name: str, seconds: float, c: float) -> str:
    return f"| {name} | {seconds * 1e9:.1f} | {1e-6 / seconds:.2f} | {seconds / c:.1f} |"


def main(records: int, rounds: int) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    print("| what | ns a record | million records a second | times C |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as directory, Lab("kernel") as lab:
        rig = Rig(lab, compiled(directory))
        with RingBufferConsumer(rig.ring) as consumer:
            c, python = idle(rig, consumer, rounds)
            print(row("C, no producer", c, c))
            print(row("drain(), no producer", python, c))
            print(row("iteration, no producer", one_by_one(rig, consumer, rounds), c))
            print(row("a handler, no producer", handled(rig, rounds), c), flush=True)
            if len(cpus) < 2:
                return
            os.sched_setaffinity(0, {cpus[0]})
            c, c_whole = live(rig, c_drain(rig), records, cpus[1])
            inside, whole = live(rig, consumer.drain, records, cpus[1])
            print(row("C, live producer, the time inside", c, c))
            print(row("drain(), live producer, the time inside", inside, c))
            print(row("C, live producer, with waiting and checks", c_whole, c_whole))
            print(row("drain(), live producer, with waiting and checks", whole, c_whole))
        print(f"\n{records:,} records beside a live producer: none lost, doubled or torn.")
        print(f"The producer found the ring full {rig.refused():,} times and tried again.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--produce", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--cpu", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.produce:
        os.sched_setaffinity(0, {given.cpu})
        produce(*given.produce)
    else:
        main(given.records, given.rounds)
