"""`bpflab disasm`: the instructions of an object's programs, as text that the assembler reads back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.obj.spec import ProgramSpec


@click.command("disasm")
@click.argument("object_", metavar="OBJECT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--program", "-p", "names", multiple=True, help="Only this program (may be given more than once).")
@click.option("--source", "-s", is_flag=True, help="Put the lines of C between the instructions.")
@click.option("--numbered", "-n", is_flag=True, help="Number the instructions as the verifier does, without labels.")
def command(*, object_: Path, names: tuple[str, ...], source: bool, numbered: bool) -> None:
    """Show the instructions of the programs of OBJECT (a C source or a compiled object)."""
    from bpflab.objects.source import choose_programs, spec_of

    spec = spec_of(object_)
    for name in choose_programs(spec, list(names) or list(spec.programs)):
        program = spec.programs[name]
        click.echo(f"; {program.section}: {name}, {program.type.name}, {len(program.insns) // 8} instructions")
        click.echo(listing(program, spec.byteorder, source=source, numbered=numbered) + "\n")


def listing(program: ProgramSpec, byteorder: ByteOrder, *, source: bool, numbered: bool) -> str:
    """Write a program with its functions as labels and its maps by name."""
    from bpflab.asm import disassemble
    from bpflab.obj.insns import patch_imm

    numbers = {name: number for number, name in enumerate(dict.fromkeys(each.symbol for each in program.relocations))}
    code = bytearray(program.insns)
    for relocation in program.relocations:
        patch_imm(code, relocation.insn, numbers[relocation.symbol], byteorder)
    functions = {function.insn: function.name for function in program.functions}
    return disassemble(
        bytes(code),
        byteorder=byteorder,
        labels=None if numbered else {0: program.name, **functions},
        maps={number: name for name, number in numbers.items()},
        sources=_sources(program) if source else {},
        numbered=numbered,
    )


def _sources(program: ProgramSpec) -> dict[int, str]:
    """Return the lines of C by the slot they begin at; a line is not repeated while it lasts."""
    shown = [(line.insn, f"{Path(line.file).name}:{line.line}: {line.text.strip()}") for line in program.lines]
    return {insn: text for number, (insn, text) in enumerate(shown) if not number or shown[number - 1][1] != text}
