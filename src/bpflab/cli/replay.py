"""`bpflab replay`: a capture through a program, as a table of verdicts, on one backend or compared on two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from bpflab.backend.select import NAMES
from bpflab.cli.run import FILE, choose_program, write_maps
from bpflab.cli.verdict import STYLES
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from bpflab.captures import Outcome
    from bpflab_packets.pcapng import Captured

BOTH: Final = "both"
SHOWN: Final = 10
"""Packets on which the backends disagree that are shown one by one."""


@click.command("replay")
@click.argument("capture", type=FILE)
@click.option("--object", "-o", "object_", type=FILE, required=True, help="A C source or a compiled object.")
@click.option("--program", "-p", help="Name of the program; not needed where the object has one only.")
@click.option("--map", "-m", "settings", nargs=3, multiple=True, metavar="MAP KEY VALUE", help="Write a map first.")
@click.option(
    "--write", "-w", type=FILE, help="Write what came out to a pcapng, each packet with its verdict as a comment."
)
@click.option(
    "--backend",
    type=click.Choice([*NAMES, BOTH]),
    default="auto",
    show_default=True,
    help="Where the program runs; both compares the kernel and the simulator, and ends with status 1 if they differ.",
)
def command(
    *,
    capture: Path,
    object_: Path,
    program: str | None,
    settings: tuple[tuple[str, str, str], ...],
    write: Path | None,
    backend: str,
) -> None:
    r"""Run a program of OBJECT on every packet of CAPTURE (pcap or pcapng), and count the verdicts.

    \b
    bpflab replay capture.pcap --object firewall.bpf.c --map blocked_ports 23 1
    """
    from rich.console import Console

    from bpflab.captures import annotated, disagreements, read_capture

    packets = read_capture(capture)
    names = ("kernel", "sim") if backend == BOTH else (backend,)
    runs = [_replayed(name, object_, program, settings, packets) for name in names]
    console = Console(highlight=False)
    for name, chosen, outcomes in runs:
        _show(console, f"{_packets(len(outcomes))} through {chosen} on the {name} backend", outcomes)
    if write:
        _write(write, annotated(runs[0][2], runs[0][1]))
    if backend == BOTH:
        differing = disagreements(runs[0][2], runs[1][2])
        _show_disagreements(console, differing)
        if differing:
            raise click.exceptions.Exit(1)


def _replayed(
    name: str,
    object_: Path,
    program: str | None,
    settings: tuple[tuple[str, str, str], ...],
    packets: Sequence[Captured],
) -> tuple[str, str, list[Outcome]]:
    from bpflab import Lab
    from bpflab.captures import replay_capture

    with Lab(name) as lab:
        loaded = lab.load(object_)
        write_maps(loaded, settings)
        chosen = choose_program(loaded, program)
        return lab.backend.name, chosen.name, replay_capture(chosen, packets)


def _show(console: Console, title: str, outcomes: Sequence[Outcome]) -> None:
    from rich.table import Table

    from bpflab.captures import verdict_table
    from bpflab_packets.dissect import summary

    console.print(title)
    table = Table("verdict", "packets", "changed", "first", box=None, header_style="dim", pad_edge=False)
    for row in verdict_table(outcomes):
        style = STYLES.get(row.verdict, "bold")
        first = f"{row.first.number}: {row.first.refused or summary(row.first.frame)}"
        table.add_row(f"[{style}]{row.verdict}[/]", str(row.count), str(row.changed), first)
    console.print(table)


def _show_disagreements(console: Console, differing: Sequence[tuple[Outcome, Outcome]]) -> None:
    if not differing:
        console.print("\nThe backends agree on every packet.")
        return
    console.print(f"\nThe backends disagree on {_packets(len(differing))}:")
    for one, other in differing[:SHOWN]:
        told = f"{one.verdict} on the kernel, {other.verdict} on the simulator"
        if one.verdict == other.verdict:
            told = f"{one.verdict} on both, and the packets that came out differ"
        console.print(f"  packet {one.number}: {told}")
    if len(differing) > SHOWN:
        console.print(f"  and {_packets(len(differing) - SHOWN)} more")


def _write(path: Path, packets: Sequence[Captured]) -> None:
    from bpflab_packets.pcapng import write_pcapng

    try:
        write_pcapng(path, packets)
    except OSError as error:
        raise ArgumentError(f"--write {path}: {error.strerror}.") from error
    click.echo(f"{_packets(len(packets))} written to {path}")


def _packets(count: int) -> str:
    return "1 packet" if count == 1 else f"{count} packets"
