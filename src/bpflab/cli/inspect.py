"""`bpflab inspect`: what is in an object, as a table or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from bpflab.obj.spec import MapSpec, ObjectSpec, ProgramSpec
    from bpflab.obj.struct_ops import OpsSpec


@click.command("inspect")
@click.argument("object_", metavar="OBJECT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
def command(*, object_: Path, as_json: bool) -> None:
    """Show the programs, maps, variables, relocations and types of OBJECT, and which kernel it needs at least."""
    from bpflab.objects.source import spec_of

    facts = inspected(spec_of(object_))
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)


def inspected(spec: ObjectSpec) -> dict[str, Any]:
    """Return what there is to say of an object, as JSON takes it."""
    from bpflab.obj.needs import least_kernel, needs

    major, minor = least_kernel(spec)
    return {
        "object": spec.path or spec.name,
        "byteorder": spec.byteorder,
        "license": spec.license,
        "btf_bytes": len(spec.btf or b""),
        "least_kernel": f"{major}.{minor}",
        "needs": [{"kernel": each.kernel, "what": each.what, "who": each.who} for each in needs(spec)],
        "programs": [_program(each) for each in spec.programs.values()],
        "maps": [_map(each) for each in spec.maps.values()],
        "operations": [_operations(each) for each in spec.ops.values()],
        "externs": [{"name": name, "kind": each.kind.name.lower()} for name, each in spec.externs.items()],
    }


def _program(program: ProgramSpec) -> dict[str, Any]:
    kinds: dict[str, int] = {}
    for each in program.core_relocations:
        kinds[each.kind.name.lower()] = kinds.get(each.kind.name.lower(), 0) + 1
    return {
        "name": program.name,
        "section": program.section,
        "type": program.type.name,
        "attach_type": program.attach_type.name if program.attach_type is not None else None,
        "attach_to": program.attach_to,
        "instructions": len(program.insns) // 8,
        "functions": [function.name for function in program.functions],
        "maps": sorted({each.symbol for each in program.relocations if not each.kind.about_kernel}),
        "kernel_symbols": sorted({each.symbol for each in program.relocations if each.kind.about_kernel}),
        "core_relocations": kinds,
        "loaded_by_default": program.autoload,
    }


def _map(each: MapSpec) -> dict[str, Any]:
    return {
        "name": each.name,
        "type": each.type.name,
        "key_size": each.key_size,
        "value_size": each.value_size,
        "max_entries": each.max_entries,
        "flags": each.flags,
        "read_only": each.frozen,
        "variables": {name: variable.size for name, variable in each.variables.items()},
        "values": {str(index): symbol for index, symbol in each.values.items()},
    }


def _operations(each: OpsSpec) -> dict[str, Any]:
    return {"name": each.name, "struct": each.type_name, "link": each.link, "functions": dict(each.functions)}


def _print(facts: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(
        f"{facts['object']}: {facts['byteorder']} endian, license {facts['license'] or 'none'!r}, "
        f"{facts['btf_bytes']:,} bytes of BTF"
    )
    newest = [each for each in facts["needs"] if each["kernel"] == facts["least_kernel"]][:3]
    reasons = ", ".join(f"{each['what']} in {each['who']}" for each in newest)
    console.print(f"needs Linux {facts['least_kernel']} at least{f': {reasons}' if reasons else ''}\n")
    console.print(_programs_table(facts["programs"]))
    if facts["maps"]:
        console.print(_maps_table(facts["maps"]))
    for each in facts["operations"]:
        functions = ", ".join(f"{member}={name}" for member, name in each["functions"].items())
        link = ", by a link" if each["link"] else ""
        console.print(f"struct {each['struct']} {each['name']}{link}: {functions}")
    for each in facts["externs"]:
        console.print(f"extern {each['name']} ({each['kind']})")


def _programs_table(programs: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table("program", "section", "type", "insns", "maps", "CO-RE", box=None, pad_edge=False)
    for each in programs:
        core = ", ".join(f"{count} {kind}" for kind, count in each["core_relocations"].items())
        name = each["name"] if each["loaded_by_default"] else f"{each['name']} (left out)"
        table.add_row(name, each["section"], each["type"], str(each["instructions"]), ", ".join(each["maps"]), core)
    return table


def _maps_table(maps: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table("map", "type", "key", "value", "entries", "variables", box=None, pad_edge=False)
    for each in maps:
        sizes = (str(each[name]) for name in ("key_size", "value_size", "max_entries"))
        table.add_row(each["name"], each["type"], *sizes, ", ".join(each["variables"]))
    return table
