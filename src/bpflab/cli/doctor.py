"""`bpflab doctor`: what works on this machine, each thing tried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.padding import Padding

from bpflab.cli.examination import Examination, examine

if TYPE_CHECKING:
    from rich.console import Console

    from bpflab.probe import Finding

MARKS = {"yes": "[green]✓[/]", "no": "[red]✗[/]", "not permitted": "[yellow]⚿[/]", "unknown": "[dim]?[/]"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Write everything as JSON.")
@click.option("--helpers", is_flag=True, help="Show for each helper which program types can call it.")
def command(*, as_json: bool, helpers: bool) -> None:
    """Say what works on this machine: privileges, program types, map types, helpers, compilers."""
    found = examine()
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
        return
    from rich.console import Console

    _show(Console(highlight=False), found, helpers=helpers)


def _show(console: Console, found: Examination, *, helpers: bool) -> None:
    _show_facts(console, found)
    for backend in found.backends:
        console.print(f"\n[bold]{backend.title}[/]  {backend.refusal or ''}")
        if backend.refusal:
            continue
        _show_findings(console, "program types", backend.program_types)
        _show_findings(console, "map types", backend.map_types)
        _show_helpers(console, backend.helpers, full=helpers)
    console.print("\n[dim]✓ works  ✗ missing  ⚿ not permitted to this process  ? cannot be probed[/]")


def _show_facts(console: Console, found: Examination) -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, value in found.identity.items():
        table.add_row("", name, value)
    for finding in found.machine:
        table.add_row(MARKS[finding.answer], finding.name, finding.detail)
    for name, held in found.capabilities.items():
        table.add_row(MARKS["yes" if held else "no"], name, "")
    for name, value in found.settings.items():
        table.add_row("", name, value)
    console.print(table)


def _show_findings(console: Console, title: str, findings: list[Finding]) -> None:
    console.print(f"\n  [bold]{title}[/]: {sum(map(bool, findings))} of {len(findings)}")
    for answer, mark in MARKS.items():
        names = [finding.name.lower() for finding in findings if finding.answer == answer]
        if names:
            console.print(Padding(f"{mark} {', '.join(names)}", (0, 0, 0, 2)))


def _show_helpers(console: Console, helpers: dict[str, dict[str, Finding]], *, full: bool) -> None:
    callers = {name: [kind.lower() for kind, found in types.items() if found] for name, types in helpers.items()}
    missing = [name for name, types in callers.items() if not types]
    console.print(
        f"\n  [bold]helpers[/]: {len(callers) - len(missing)} of {len(callers)} (--helpers lists their callers)"
    )
    if full:
        for name, types in callers.items():
            console.print(
                Padding(f"{MARKS['yes' if types else 'no']} {name}  [dim]{', '.join(types)}[/]", (0, 0, 0, 2))
            )
    elif missing:
        console.print(Padding(f"{MARKS['no']} {', '.join(missing)}", (0, 0, 0, 2)))
