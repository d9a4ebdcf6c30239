"""Programs drawn at random answer on the simulated kernel what they answer on the running one.

A few hundred by default; `BPFLAB_PROGRAMS=20000` runs the long form (tox -e differential), and `BPFLAB_SEED` starts
elsewhere. A failure names the seeds: `bpflab.testing.programs.random_program(seed)` is the program again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from bpflab import Lab
from bpflab.asm import Items, mov, r9
from bpflab.asm.assembler import flatten
from bpflab.backend.select import kernel_refusal
from bpflab.errors import BpfError
from bpflab.testing.programs import ARRAY_ENTRIES, MAPS, OUT_SIZE, PACKET, VALUE_SIZE, random_program

PROGRAMS = int(os.environ.get("BPFLAB_PROGRAMS", "300"))
FIRST = int(os.environ.get("BPFLAB_SEED", "0"))
BATCH = 50
SENT = bytes(range(1, PACKET + 20))


@pytest.fixture(scope="module")
def labs() -> Iterator[tuple[Lab, Lab]]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab("sim") as sim:
        for lab in (kernel, sim):
            for name, options in MAPS.items():
                lab.map(**options, name=name)  # type: ignore[arg-type]  # keyword arguments kept as data
        yield kernel, sim


def outcome(lab: Lab, code: Items) -> Any:
    """Verdict, packet and every map after one run over fresh maps; the class of the refusal if there is one."""
    array, hashed, out = (lab.maps[name] for name in ("array", "hash", "out"))
    for index in range(ARRAY_ENTRIES):
        array[index] = bytes(VALUE_SIZE)
    hashed.clear()
    out[0] = bytes(OUT_SIZE)
    try:
        program = lab.program(code, type="xdp")
    except BpfError as error:
        return type(error).__name__
    result = program.run(SENT)
    program.close()
    return result.retval, result.data, out[0], list(array.values()), dict(hashed.items())


@pytest.mark.parametrize("first", range(FIRST, FIRST + PROGRAMS, BATCH))
def test_a_random_program_has_the_same_outcome_on_both(labs: tuple[Lab, Lab], first: int) -> None:
    different = [
        seed
        for seed in range(first, min(first + BATCH, FIRST + PROGRAMS))
        if outcome(labs[0], random_program(seed)) != outcome(labs[1], random_program(seed))
    ]
    assert not different, f"random_program(seed) differs between kernel and simulator for seeds {different}"


def test_drawn_programs_are_taken_by_the_verifier(labs: tuple[Lab, Lab]) -> None:
    refused = [seed for seed in range(20) if isinstance(outcome(labs[0], random_program(seed)), str)]
    assert not refused


def test_one_changed_instruction_is_seen(labs: tuple[Lab, Lab]) -> None:
    def changed(seed: int) -> Items:
        items = list(flatten(random_program(seed, 5)))
        end = next(at for at in range(len(items) - 1, 0, -1) if items[at] == items[-1])
        return [*items[: end - 8], mov(r9, 0x5EED), *items[end - 8 :]]

    seen = [seed for seed in range(10) if outcome(labs[0], random_program(seed, 5)) != outcome(labs[1], changed(seed))]
    assert seen
