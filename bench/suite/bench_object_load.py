"""From an object file to live maps and programs, CO-RE relocations, and loading by length of the program."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from c_baseline import libbpf, missing
from measure import Turn

from bpflab import Lab
from bpflab.asm import add, assemble, exit_, mov, r0
from bpflab.errors import BpfError
from bpflab.obj import Btf, compile_c, read_object, relocate
from bpflab.objects.fit import kernel_types

if TYPE_CHECKING:
    from effort import Effort
    from measure import Measure, Work

TASKS = Path(__file__).parent.parent / "programs" / "tasks.bpf.c"
LONG = TASKS.with_name("long.bpf.c")
FIREWALL = {"little": "firewall.bpf.o", "big": "firewall.bpfeb.o"}


def loading(effort: Effort, data: bytes, count: int) -> Work:
    """Return what loads an object so many times, each into a Lab of its own."""

    def load() -> None:
        for _ in range(count):
            with Lab(effort.backend) as lab:
                lab.load(data)

    return load


def by_libbpf(effort: Effort, data: bytes, count: int, *, load: bool = True) -> dict[str, Work]:
    """Return the same by libbpf, where there is a kernel."""
    if effort.backend != "kernel" or missing():
        return {}
    function = libbpf().object_load
    if function(data, len(data), load):
        raise OSError("libbpf does not load the object")

    def all_of_them() -> None:
        for _ in range(count):
            function(data, len(data), load)

    return {"libbpf": all_of_them}


def compiled(source: Path) -> bytes:
    """Compile a source, or skip the benchmark where there is no compiler for BPF."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile_c(source).read_bytes()
    except BpfError as error:
        pytest.skip(f"needs a compiler for BPF: {error}")


@pytest.fixture
def firewall() -> bytes:
    """Give the firewall example's object, as it is shipped."""
    from bpflab.cli.demo import example_directory

    shipped = example_directory() / FIREWALL[sys.byteorder]
    if not shipped.exists():
        pytest.skip(f"no object of the example is shipped that is {sys.byteorder}-endian")
    return shipped.read_bytes()


@pytest.mark.ways("bpflab", kernel=["libbpf"])
def test_load(measure: Measure, effort: Effort, firewall: bytes, way: str) -> None:
    count = effort.count(kernel=8, sim=4)
    ways = {**by_libbpf(effort, firewall, count), "bpflab": loading(effort, firewall, count)}
    measure(ways, way, group="object load", subject="firewall", operations=count)


@pytest.mark.ways("bpflab", kernel=["libbpf"])
def test_read(measure: Measure, effort: Effort, firewall: bytes, way: str) -> None:
    """Parse the object and no more."""
    count = effort.count(kernel=40, sim=8)

    def read() -> None:
        for _ in range(count):
            read_object(firewall)

    ways = {**by_libbpf(effort, firewall, count, load=False), "bpflab": read}
    measure(ways, way, group="object read", subject="firewall", operations=count)


@pytest.mark.ways("bpflab", "cold", kernel=["libbpf"])
def test_core_load(measure: Measure, kernel: Lab, effort: Effort, way: str) -> None:
    """Load a program with relocations; bpflab reads the kernel's types once a session, `cold` reads them each time."""
    if kernel.backend.kernel_btf() is None:
        pytest.skip("needs a kernel with types (CONFIG_DEBUG_INFO_BTF)")
    data = compiled(TASKS)
    load = loading(effort, data, 1)
    ways: dict[str, Work | Turn] = {
        **by_libbpf(effort, data, 1),
        "bpflab": load,
        "cold": Turn(load, before=kernel_types.cache_clear),
    }
    measure(ways, way, group="CO-RE load", subject="17 reads of task_struct")


@pytest.mark.ways("bpflab", "cold", kernel=["libbpf"])
def test_long_load(measure: Measure, kernel: Lab, effort: Effort, way: str) -> None:
    """Load 12,000 instructions with 500 relocations, half of them about the kernel's types."""
    if kernel.backend.kernel_btf() is None:
        pytest.skip("needs a kernel with types (CONFIG_DEBUG_INFO_BTF)")
    data = compiled(LONG)
    load = loading(effort, data, 1)
    ways: dict[str, Work | Turn] = {
        **by_libbpf(effort, data, 1),
        "bpflab": load,
        "cold": Turn(load, before=kernel_types.cache_clear),
    }
    measure(ways, way, group="CO-RE load", subject="12,000 instructions, 500 relocations")


def test_core_relocate(measure: Measure, effort: Effort) -> None:
    """Relocate against the object's own types, which any machine with a compiler has."""
    spec = read_object(compiled(TASKS))
    target, count = Btf(spec.btf or b""), effort.count(kernel=20, sim=4)

    def relocated() -> None:
        for _ in range(count):
            relocate(spec, target)

    measure({"bpflab": relocated}, group="CO-RE relocate", subject="17 reads of task_struct", operations=count)


@pytest.mark.ways("bpflab", kernel=["libbpf"])
@pytest.mark.axis("instructions", kernel=[16, 256, 4_000, 60_000], sim=[16, 256, 2_000])
def test_load_by_length(measure: Measure, lab: Lab, effort: Effort, instructions: int, way: str) -> None:
    """Load bytes of instructions: the kernel verifies them, the simulated one decodes and checks them."""
    code = assemble([mov(r0, 0), *[add(r0, 0)] * (instructions - 3), mov(r0, 2), exit_()]).code
    count = effort.count(kernel=max(1, 8_000 // instructions), sim=1)

    def load() -> None:
        for _ in range(count):
            lab.program(code, type="xdp").close()

    ways: dict[str, Work] = {"bpflab": load}
    if effort.backend == "kernel" and not missing():
        function = libbpf().program_load

        def by_c() -> None:
            for _ in range(count):
                function(code, instructions)

        ways["libbpf"] = by_c
    measure(
        ways,
        way,
        group="program load",
        subject="straight line",
        operations=count,
        axis="instructions",
        value=instructions,
    )
