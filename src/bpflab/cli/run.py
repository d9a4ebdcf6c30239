"""`bpflab run`: a program of an object on packets, and a verdict for each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bpflab.cli.backend_option import backend_option
from bpflab.cli.verdict import STYLES, is_dropped, verdict_name
from bpflab.errors import ArgumentError, NoSuchNameError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab import Lab
    from bpflab.objects.loaded import LoadedObject
    from bpflab.programs.program import Program
    from bpflab.programs.result import RunResult

FILE: Final = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Input:
    """A packet to run a program on, and where it came from."""

    origin: str
    data: bytes


@click.command("run")
@click.argument("object_", metavar="OBJECT", type=FILE)
@click.option("--program", "-p", help="Name of the program; not needed where the object has one only.")
@click.option("--packets", "-f", type=FILE, multiple=True, help="A capture (pcap, pcapng) of Ethernet frames.")
@click.option("--hex", "-x", "texts", multiple=True, help="A packet as hex digits; spaces and colons are ignored.")
@click.option("--map", "-m", "settings", nargs=3, multiple=True, metavar="MAP KEY VALUE", help="Write a map first.")
@click.option("--repeat", default=1, show_default=True, help="Run each packet so many times, for the duration.")
@click.option("--write", "-w", type=FILE, help="Write the packets that came out, without the dropped, to a pcap.")
@backend_option
def command(
    *,
    object_: Path,
    program: str | None,
    packets: tuple[Path, ...],
    texts: tuple[str, ...],
    settings: tuple[tuple[str, str, str], ...],
    repeat: int,
    write: Path | None,
    backend: str,
) -> None:
    r"""Run a program of OBJECT (a C source or a compiled object) on packets; say the verdict of each.

    \b
    bpflab run firewall.bpf.c --packets capture.pcap --map blocked_ports 23 1
    """
    from bpflab import Lab

    inputs = [*_from_captures(packets), *_from_hex(texts)]
    if not inputs:
        raise ArgumentError("No packets were given; expected --packets FILE.pcap or --hex DIGITS, once or more often.")
    with Lab(backend) as lab:
        loaded = lab.load(object_)
        write_maps(loaded, settings)
        chosen = choose_program(loaded, program)
        results = [chosen.run(each.data, repeat=repeat) for each in inputs]
        _show(lab, chosen, inputs, results)
    if write:
        _write(write, results)


def choose_program(loaded: LoadedObject, name: str | None) -> Program:
    """Return the program of that name, or the only one; NoSuchNameError with the names there are."""
    if name is not None:
        return loaded.programs[name]
    if len(loaded.programs) != 1:
        names = ", ".join(loaded.programs) or "none"
        raise NoSuchNameError(f"{loaded.spec.name} has the programs {names}; say which with --program.")
    return next(iter(loaded.programs.values()))


def write_maps(loaded: LoadedObject, settings: Iterable[tuple[str, str, str]]) -> None:
    """Write entries to maps: integers where the text is one (0x… too), the text itself otherwise."""
    for name, key, value in settings:
        loaded.maps[name][_number_or_text(key)] = _number_or_text(value)


def packet_of_hex(text: str) -> bytes:
    """Read a packet from hex digits; ArgumentError otherwise."""
    try:
        return bytes.fromhex(text.replace(":", " "))
    except ValueError as error:
        raise ArgumentError(f"--hex {text!r} are no hex digits in pairs: {error}.") from error


def _from_captures(paths: Iterable[Path]) -> Iterable[Input]:
    from bpflab_packets.pcap import CaptureError, read_frames

    for path in paths:
        try:
            frames = read_frames(path)
        except CaptureError as error:
            raise ArgumentError(str(error)) from error
        yield from (Input(f"{path.name}:{number}", frame) for number, frame in enumerate(frames, 1))


def _from_hex(texts: Iterable[str]) -> Iterable[Input]:
    return (Input(f"hex:{number}", packet_of_hex(text)) for number, text in enumerate(texts, 1))


def _number_or_text(text: str) -> int | str:
    try:
        return int(text, 0)
    except ValueError:
        return text


def _show(lab: Lab, program: Program, inputs: list[Input], results: list[RunResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    from bpflab_packets.dissect import summary

    table = Table("packet", "what it is", "verdict", "out", "ns", box=None, header_style="dim", pad_edge=False)
    for given, result in zip(inputs, results, strict=True):
        name = verdict_name(result.action)
        change = f"{len(result.data)} bytes" + ("" if result.data == given.data else ", changed")
        style = STYLES.get(name, "bold")
        table.add_row(given.origin, summary(given.data), f"[{style}]{name}[/]", change, str(result.duration))
    counts = Counter(verdict_name(result.action) for result in results)
    total = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    console = Console(highlight=False)
    console.print(table)
    packets = "1 packet" if len(results) == 1 else f"{len(results)} packets"
    console.print(f"\n{packets} through {program.name} on the {lab.backend.name} backend: {total}")


def _write(path: Path, results: list[RunResult]) -> None:
    from bpflab_packets.pcap import write_frames

    kept = [result.data for result in results if not is_dropped(result.action)]
    try:
        write_frames(path, kept)
    except OSError as error:
        raise ArgumentError(f"--write {path}: {error.strerror}.") from error
    click.echo(f"{len(kept)} of {len(results)} packets written to {path}")
