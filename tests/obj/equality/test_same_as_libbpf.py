"""An object becomes the same maps and programs as with libbpf: what is sent to the kernel is compared."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from bpflab.abi.insn import INSN_SIZE, LD_IMM64, WideSource
from bpflab.backend.calls import Call
from bpflab.errors import CompileError
from bpflab.obj import Btf, compile_c
from bpflab.obj.btf_types import BtfType
from bpflab.obj.insns import Code, patch_imm

Loader = Callable[[Path], list[Call]]
PROGRAMS = Path(__file__).parent / "programs"
SOURCES = sorted(path.name.split(".")[0] for path in PROGRAMS.glob("*.bpf.c"))
COMPILERS = {"ziglang": ("v1", "v2", "v3", "v4"), "clang": ("v1", "v2", "v3")}
BUILDS = [(compiler, cpu) for compiler, cpus in COMPILERS.items() for cpu in cpus]
PROBE = "libbpf_"
"""How the names of maps and programs begin with which libbpf tries what the kernel can do; others have no name."""
WITH_MAP = {WideSource.MAP_FD, WideSource.MAP_VALUE}
MISSING_CALLS = ("8500", "8520")
MISSING_NUMBERS = {0, 195896080, *range(2002000000, 2002000100)}
"""How a call of a weak function is written that the kernel does not have: libbpf leaves it without a number before 1.2,
and gives it a number that says which one it is since; here it is what CO-RE writes too."""
OF_MAP = ("map_type", "key_size", "value_size", "max_entries", "map_flags", "numa_node", "map_extra", "map_name")
OF_MAP_BTF = ("btf_key_type_id", "btf_value_type_id", "btf_vmlinux_value_type_id")
OF_PROGRAM = ("prog_type", "expected_attach_type", "prog_flags", "attach_btf_id", "license", "prog_name")


@dataclass
class Sent:
    """What was sent, with names in the place of descriptors."""

    maps: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    slots: dict[str, dict[bytes, str]] = field(default_factory=dict)
    programs: dict[str, dict[str, object]] = field(default_factory=dict)
    btf: Btf | None = None


def read(calls: list[Call]) -> Sent:
    sent, names = Sent(), dict[int, str]()
    for call in calls:
        if call.command in READERS and call.result is not None and call.result >= 0:
            READERS[call.command](sent, call, names)
    return sent


def _map(sent: Sent, call: Call, names: dict[int, str]) -> None:
    names[call.result or 0] = call.map_name
    inner = names.get(call.inner_map_fd) if call.inner_map_fd else None
    made = {each: call.get(each) for each in (*OF_MAP, *OF_MAP_BTF)} | {"inner": inner}
    if not call.map_name.startswith(PROBE):
        sent.maps.setdefault(call.map_name, []).append(made)


def _value(sent: Sent, call: Call, names: dict[int, str]) -> None:
    name = names[call.map_fd]
    kind = sent.maps[name][-1]["map_type"]
    if kind == 2:
        sent.data[name] = call.value
    else:
        sent.slots.setdefault(name, {})[call.key] = names[struct.unpack("i", call.value[:4])[0]]


def _frozen(sent: Sent, call: Call, names: dict[int, str]) -> None:
    sent.frozen.add(names[call.map_fd])


def _btf(sent: Sent, call: Call, names: dict[int, str]) -> None:
    del names
    found = Btf(call.btf)
    if sent.btf is None or len(found) > len(sent.btf):
        sent.btf = found


def _program(sent: Sent, call: Call, names: dict[int, str]) -> None:
    names[call.result or 0] = call.prog_name
    if not call.prog_name or call.prog_name.startswith(PROBE):
        return
    made = {each: call.get(each) for each in OF_PROGRAM}
    made["code"] = [*_instructions(call.insns, names)]
    made["functions"] = _records(call.func_info, call.func_info_rec_size, 8)
    made["lines"] = [_line(sent.btf, each) for each in _records(call.line_info, call.line_info_rec_size, 16)]
    sent.programs[call.prog_name] = made


def _instructions(insns: bytes, names: dict[int, str]) -> Iterator[str]:
    """Give each instruction as hexadecimal digits, those that load a map with its name in the place of the fd."""
    code = Code(insns, "little")
    for slot in range(len(code)):
        one = bytearray(insns[slot * INSN_SIZE : (slot + 1) * INSN_SIZE])
        if one.hex().startswith(MISSING_CALLS) and code.imm(slot) in MISSING_NUMBERS:
            one = bytearray(INSN_SIZE)
        of_map = code.opcode(slot) == LD_IMM64 and code.src(slot) in WITH_MAP
        name = names.get(code.imm(slot), "?") if of_map else ""
        if of_map:
            patch_imm(one, 0, 0, "little")
        yield f"{slot}: {one.hex()} {name}".rstrip()


def _records(raw: bytes | None, size: int, known: int) -> list[tuple[int, ...]]:
    starts = range(0, len(raw or b""), size or 1)
    return [struct.unpack(f"<{known // 4}I", (raw or b"")[start : start + known]) for start in starts]


def _line(btf: Btf | None, record: tuple[int, ...]) -> tuple[object, ...]:
    insn, file, text, column = record
    return (insn, btf.string(file), btf.string(text), column) if btf is not None else record


READERS = {
    "MAP_CREATE": _map,
    "MAP_UPDATE_ELEM": _value,
    "MAP_FREEZE": _frozen,
    "BTF_LOAD": _btf,
    "PROG_LOAD": _program,
}


@cache
def compiled(source: str, compiler: str, cpu: str, place: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BPF_CLANG", compiler)
        try:
            return compile_c(PROGRAMS / f"{source}.bpf.c", cpu=cpu, cache=place)
        except CompileError as problem:
            if "cannot be run" in str(problem) or "no program that can be run" in str(problem):
                pytest.skip(f"needs {compiler}")
            raise


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(params=BUILDS, ids="-".join)
def build(request: pytest.FixtureRequest) -> tuple[str, str]:
    compiler, cpu = request.param
    return compiler, cpu


@pytest.fixture(params=SOURCES)
def sent(
    request: pytest.FixtureRequest, build: tuple[str, str], place: Path, libbpf: Loader, bpflab: Loader
) -> tuple[Sent, Sent]:
    path = compiled(request.param, *build, place)
    return read(libbpf(path)), read(bpflab(path))


def test_an_object_becomes_what_libbpf_makes_of_it(sent: tuple[Sent, Sent]) -> None:
    theirs, ours = sent

    assert ours.programs == theirs.programs
    assert ours.maps == theirs.maps
    assert ours.data == theirs.data
    assert ours.frozen == theirs.frozen
    assert ours.slots == theirs.slots
    assert [*types(ours)] == [*types(theirs)]


def types(sent: Sent) -> Iterator[BtfType]:
    btf = sent.btf
    assert btf is not None
    return (btf[number] for number in btf)
