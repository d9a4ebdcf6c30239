"""`bpflab compile`: an object that can be shipped beside its source."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("compile")
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path))
def command(source: Path) -> None:
    """Compile SOURCE to objects that can be shipped beside it.

    Written are an object for each byte order, without paths of this machine, and a file of hashes: whoever loads the
    source takes the object without a compiler, as long as neither of them was changed.
    """
    from bpflab.obj.prebuilt import ship, sums_of

    objects = " and ".join(f"{object_} ({object_.stat().st_size} bytes)" for object_ in ship(source))
    click.echo(f"{objects}, and {sums_of(source).name}")
