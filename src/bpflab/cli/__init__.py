"""The command `bpflab`. Each subcommand is a module of this package, imported when it is called."""

from __future__ import annotations

import warnings
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import click

from bpflab.errors import BpfError

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bench": "Measure benchmarks here and on other architectures, and compare.",
        "btf": "Show the types of a kernel or an object, as C: vmlinux.h, layouts, prototypes.",
        "cache": "List and clear what `bpflab python` keeps on disk.",
        "compile": "Compile a C source to an object that can be shipped.",
        "coverage": "Report the coverage that pytest measured, and merge it.",
        "demo": "Test the bundled firewall example, and tell what happens to each packet.",
        "disasm": "Show the instructions of an object's programs.",
        "doctor": "Say what works on this machine.",
        "inspect": "Show what is in an object, and which kernel it needs.",
        "python": "Run Python on another architecture.",
        "replay": "Run a capture through a program, and count the verdicts.",
        "run": "Run a program of an object on packets.",
        "trace": "Show the way that a program takes with a packet, or step through it.",
    }
)
"""Subcommands by name, each found in the module of that name, with the line that `--help` shows."""


class RefusedError(click.ClickException):
    """What a user can cause, said in a sentence."""

    exit_code = 2


class Commands(click.Group):
    """Imports a subcommand when it is called, and says a BpfError in a sentence, with exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """List the subcommands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a subcommand; click names the near ones when there is none."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"bpflab.cli.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the list without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run, and turn what a user can cause into a sentence."""
        with warnings.catch_warnings():
            warnings.showwarning = _say_warning
            try:
                return super().invoke(ctx)
            except BpfError as error:
                raise RefusedError(str(error)) from error


def _say_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(f"Warning: {message}", err=True)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from bpflab import __version__

        click.echo(f"bpflab {__version__}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Say the version.")
def main() -> None:
    """Test BPF programs: on the running kernel, or on a simulated one."""
