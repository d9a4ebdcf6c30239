"""`bpflab btf`: the types of a kernel or an object, as C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf


@click.group("btf")
def command() -> None:
    """Show the types of a kernel (BTF), or of an object."""


@command.command("dump")
@click.argument("source", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--base", type=click.Path(dir_okay=False, path_type=Path), help="What the BTF of a module continues.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
def dump(*, source: Path | None, base: Path | None, output: Path | None) -> None:
    """Write all types as a C header, as `vmlinux.h` for CO-RE programs.

    SOURCE is an object or a file of raw BTF; without it, the running kernel's types are written.
    """
    from bpflab.obj.c_header import header

    text = "\n".join(header(types_of(source, base)))
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@command.command("show")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--source", "-s", type=click.Path(dir_okay=False, path_type=Path), help="An object or raw BTF.")
def show(*, names: tuple[str, ...], source: Path | None) -> None:
    """Show structs with the place and size of each member, functions with their prototypes."""
    from bpflab.obj.c_declare import described

    btf = types_of(source)
    for name in names:
        click.echo(described(btf, name))


def types_of(source: Path | None, base: Path | None = None) -> Btf:
    """Read BTF from an object, a raw file, or the running kernel; BtfError or ObjectError in words."""
    from bpflab.obj.btf import Btf

    if source is None:
        return Btf.of_kernel()
    if source.read_bytes()[:4] == b"\x7fELF":
        return _of_object(source)
    return Btf.read(source, Btf.read(base) if base else None)


def _of_object(source: Path) -> Btf:
    from bpflab.errors import BtfError
    from bpflab.obj.btf import Btf
    from bpflab.objects.source import spec_of

    spec = spec_of(source)
    if spec.btf is None:
        raise BtfError(f"{source} has no BTF; compile it with -g.")
    return Btf(spec.btf)
