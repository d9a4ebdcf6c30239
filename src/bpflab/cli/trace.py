"""`bpflab trace`: the way that a program of an object takes with a packet, printed, or step by step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpflab.cli.run import FILE, choose_program, write_maps
from bpflab.errors import ArgumentError, FaultError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.lab import Lab
    from bpflab.programs.program import Program


@click.command("trace")
@click.argument("object_", metavar="OBJECT", type=FILE)
@click.option("--program", "-p", help="Name of the program; not needed where the object has one only.")
@click.option(
    "--packet",
    "-x",
    "packets",
    multiple=True,
    help="Hex digits, a capture (each of its frames is traced), or an expression of scapy.",
)
@click.option("--map", "-m", "settings", nargs=3, multiple=True, metavar="MAP KEY VALUE", help="Write a map first.")
@click.option("--step", is_flag=True, help="Stop at each source line; h says what can be asked there.")
def command(
    *,
    object_: Path,
    program: str | None,
    packets: tuple[str, ...],
    settings: tuple[tuple[str, str, str], ...],
    step: bool,
) -> None:
    r"""Show the way that a program of OBJECT (a C source or a compiled object) takes on the simulated kernel.

    \b
    bpflab trace firewall.bpf.c --packet 'Ether()/IP()/TCP(dport=23)' --map blocked_ports 23 1
    """
    from bpflab import Lab

    given = [packet for text in packets for packet in packets_of(text)] or [b""]
    with Lab("sim") as lab:
        loaded = lab.load(object_)
        write_maps(loaded, settings)
        chosen = choose_program(loaded, program)
        for packet in given:
            if step:
                _step(lab, chosen, packet)
            else:
                click.echo(str(lab.trace(chosen, packet)))


def packets_of(text: str) -> Iterator[bytes]:
    """Read packets as they are given on the command line: hex digits, a capture, or an expression of scapy."""
    path = Path(text)
    digits = text.replace(":", "").replace(" ", "")
    if digits and all(digit in "0123456789abcdefABCDEF" for digit in digits) and not path.exists():
        from bpflab.cli.run import packet_of_hex

        yield packet_of_hex(text)
    elif path.is_file():
        yield from _captured(path)
    elif "(" in text:
        yield _built(text)
    else:
        raise ArgumentError(
            f"--packet {text!r} is no file, no hex digits, and no expression of scapy such as 'Ether()/IP()/TCP()'."
        )


def _captured(path: Path) -> Iterator[bytes]:
    from bpflab_packets.pcap import CaptureError, read_frames

    try:
        yield from read_frames(path)
    except CaptureError as error:
        raise ArgumentError(str(error)) from error


def _built(text: str) -> bytes:
    """Evaluate an expression of scapy, which is Python and can do all that Python can."""
    import scapy.all

    try:
        return bytes(eval(text, dict(vars(scapy.all))))
    except Exception as error:
        raise ArgumentError(f"--packet {text!r} is no packet of scapy: {type(error).__name__}: {error}.") from error


def _step(lab: Lab, program: Program, packet: bytes) -> None:
    from bpflab.trace.run import trace_of
    from bpflab.trace.stepper import Stepper, StoppedError
    from bpflab.trace.text import end

    stepper, world = Stepper(_ask, click.echo), lab.world
    world.observer = stepper
    try:
        output = program.run(packet).data
    except StoppedError:
        click.echo("stopped")
        return
    except FaultError as fault:
        click.echo(f"=> stopped: {fault}")
        return
    finally:
        world.observer = None
    if stepper.last is not None:
        stepper.rest()
        click.echo("\n".join(end(trace_of(stepper.last, packet=packet, output=output))))


def _ask() -> str:
    try:
        answer: str = click.prompt("", default="", show_default=False, prompt_suffix="> ")
    except click.Abort:
        return "q"
    return answer
