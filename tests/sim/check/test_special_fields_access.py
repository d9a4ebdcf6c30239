"""A program that loads or stores where a field of a map's value is the kernel's is refused in the kernel's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.backend.select import kernel_refusal
from bpflab.objects.loaded import LoadedObject
from bpflab.programs.verifier import VerifierError

SOURCE = Path(__file__).with_name("special_values.bpf.c")
FIELDS = ["res_lock", "timer", "work", "task_work", "refcount", "list", "tree", "held", "borrowed", "per_cpu", "uptr"]
pytestmark = pytest.mark.usefixtures("kernel_types")
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
OF_AN_ARRAY = """
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[fd:{fd}]
    call map_lookup_elem
"""
OF_THE_TASK = """
    call get_current_task_btf
    r2 = r0
    r1 = map[fd:{fd}]
    r3 = 0
    r4 = 1
    call task_storage_get
"""
FOUND = """
    if r0 != 0 goto +2
    r0 = 0
    exit
    r6 = r0
    r1 = 0
"""
WAYS = {
    "load": "r1 = *(u{bits} *)(r6 + {off})",
    "store": "*(u{bits} *)(r6 + {off}) = {number}",
    "store a register": "r1 = {number}\n*(u{bits} *)(r6 + {off}) = r1",
    "store a pointer": "*(u64 *)(r6 + {off}) = r6",
    "add": "lock *(u64 *)(r6 + {off}) += r1",
    "move": "r1 = *(u32 *)(r6 + 8)\nif r1 > {most} goto +2\nr6 += r1\nr1 = *(u{bits} *)(r6 + {off})",
    "store what was loaded": "r1 = *(u64 *)(r6 + 16)\n*(u64 *)(r6 + {off}) = r1",
    "helper": "r1 = r6\nr1 += {off}\nr2 = {size}\ncall get_current_comm",
}


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[tuple[Lab, LoadedObject], ...]]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab("sim") as sim:
        yield tuple((lab, lab.load(SOURCE)) for lab in (kernel, sim))


def verdict(lab: Lab, table: Any, body: str) -> tuple[str, str]:
    """The name of the errno, and the last sentence of the log; both empty for a program that is taken."""
    look_up = OF_THE_TASK if table.name == "uptr" else OF_AN_ARRAY
    text = look_up.format(fd=table.fileno()) + FOUND + body + "\nr0 = 0\nexit"
    try:
        lab.program(text, type="sched_cls").close()
    except VerifierError as error:
        said = [line for line in error.log.splitlines() if not line.startswith(("processed", "verification time"))]
        return error.failure.name, said[-1]
    return "", ""


@pytest.mark.parametrize("name", FIELDS)
@SETTINGS
@given(
    way=st.sampled_from(sorted(WAYS)),
    off=st.integers(0, 40),
    size=st.sampled_from([1, 2, 4, 8]),
    number=st.sampled_from([0, 1]),
    most=st.integers(1, 17),
)
@example(way="load", off=16, size=8, number=0, most=1)
@example(way="load", off=20, size=4, number=0, most=1)
@example(way="store", off=16, size=8, number=0, most=1)
@example(way="store", off=16, size=8, number=1, most=1)
@example(way="store a register", off=16, size=8, number=0, most=1)
@example(way="store a register", off=16, size=8, number=1, most=1)
@example(way="store a pointer", off=16, size=8, number=1, most=1)
@example(way="store what was loaded", off=16, size=8, number=1, most=1)
@example(way="add", off=16, size=8, number=1, most=1)
@example(way="move", off=8, size=8, number=1, most=8)
@example(way="helper", off=8, size=8, number=1, most=8)
@example(way="helper", off=9, size=8, number=1, most=8)
@example(way="load", off=0, size=4, number=1, most=1)
def test_a_field_of_the_kernels_is_kept_from_loads_and_stores(
    loaded: tuple[tuple[Lab, LoadedObject], ...], *, name: str, way: str, off: int, size: int, number: int, most: int
) -> None:
    body = WAYS[way].format(bits=size * 8, off=off, number=number, size=size, most=most)
    kernel, sim = (verdict(lab, each.maps[name], body) for lab, each in loaded)
    assert sim == kernel
