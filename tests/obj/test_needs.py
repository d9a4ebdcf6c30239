"""An object's least kernel is that of the newest thing it uses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bpflab.abi.helpers import table
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.abi.versions import FEATURES, MAPS, PROGRAMS
from bpflab.asm.assembler import assemble
from bpflab.cli import main
from bpflab.obj import ObjectSpec
from bpflab.obj.needs import least_kernel, needs
from bpflab.obj.spec import MapSpec, ProgramSpec


def spec_of(
    code: str, prog_type: ProgType = ProgType.SOCKET_FILTER, maps: dict[str, MapSpec] | None = None
) -> ObjectSpec:
    insns = assemble(code, byteorder="little").code
    program = ProgramSpec("p", "socket", prog_type, None, None, insns, "GPL")
    return ObjectSpec("o", maps or {}, {"p": program}, "GPL", None, "little")


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("r0 = 0\nif w0 == 1 goto +0\nexit", "jumps that compare 32 bits"),
        ("r0 = 1\nlock *(u64 *)(r10 - 8) += r0\nexit", None),
        ("r0 = 1\nr0 = atomic_fetch_add((u64 *)(r10 - 8), r0)\nexit", "atomic operations that fetch"),
        ("r0 = 1\nr0 s%= 3\nexit", "instructions of version 4"),
        ("r0 = *(s8 *)(r1 + 0)\nexit", "instructions of version 4"),
        ("r0 = bswap32 r0\nexit", "instructions of version 4"),
        ("may_goto +0\nr0 = 0\nexit", "may_goto"),
        ("call f\nexit\nf:\nr0 = 0\nexit", "functions of its own"),
        ("call bpf_ktime_get_boot_ns\nexit", "helper bpf_ktime_get_boot_ns"),
    ],
)
def test_the_newest_instruction_decides(code: str, what: str | None) -> None:
    newest = needs(spec_of(code))[0]
    assert newest.what == (what or "program type SOCKET_FILTER")
    assert least_kernel(spec_of(code)) == newest.version


@pytest.mark.parametrize("prog_type", PROGRAMS)
def test_a_program_type_decides_where_nothing_is_newer(prog_type: int) -> None:
    assert least_kernel(spec_of("r0 = 0\nexit", ProgType(prog_type))) == PROGRAMS[prog_type]


@pytest.mark.parametrize("map_type", [each for each in MAPS if MAPS[each] >= (4, 1)])
def test_a_map_type_decides_where_nothing_is_newer(map_type: int) -> None:
    maps = {"m": MapSpec("m", MapType(map_type), 4, 4, 1)}
    assert least_kernel(spec_of("r0 = 0\nexit", maps=maps)) == MAPS[map_type]


def test_every_type_that_may_call_helpers_has_a_version() -> None:
    types = {each for row in table() for each in row.programs}
    assert types - {ProgType.EXT} <= PROGRAMS.keys()
    assert max(FEATURES.values()) < (7, 0)


def test_the_command_says_it_as_json_and_as_a_table(tmp_path: Path) -> None:
    source = tmp_path / "o.bpf.c"
    source.write_text(
        'static int count;\n__attribute__((section("xdp"), used)) int counts(void *ctx) { return ++count; }\n',
        encoding="utf-8",
    )
    facts = json.loads(CliRunner().invoke(main, ["inspect", str(source), "--json"]).output)
    assert facts["least_kernel"] == "5.2"
    assert [program["name"] for program in facts["programs"]] == ["counts"]
    assert facts["maps"][0]["variables"] == {"count": 4}
    shown = CliRunner().invoke(main, ["inspect", str(source)]).output
    assert "needs Linux 5.2 at least: global variables in .bss" in " ".join(shown.split())
