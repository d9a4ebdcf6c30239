"""`bpflab cache`: what guests of other architectures keep on disk."""

from __future__ import annotations

import click


@click.group("cache")
def command() -> None:
    """List and clear what `bpflab python` keeps on disk."""


@command.command("list")
def show() -> None:
    """List the entries: kind, architecture, size."""
    from bpflab.runner.cache import Cache

    with Cache() as cache:
        entries = cache.entries()
        for entry in entries:
            click.echo(
                f"{entry.size / 1e6:8.1f} MB  {entry.name}{'' if entry.whole else '  (damaged; built anew when used)'}"
            )
        click.echo(f"{sum(entry.size for entry in entries) / 1e6:8.1f} MB  in {cache.directory}")


@command.command("clear")
@click.argument("word", default="")
def clear(word: str) -> None:
    """Remove all entries, or those with WORD in their names, such as s390x. What is in use stays."""
    from bpflab.runner.cache import Cache

    with Cache() as cache:
        removed, used = cache.clear(word)
    for name in removed:
        click.echo(f"removed {name}")
    for name in used:
        click.echo(f"in use, left {name}", err=True)
    if not removed and not used:
        click.echo("Nothing to remove.")
