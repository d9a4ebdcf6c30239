"""`bpflab python`: a Python of another architecture."""

from __future__ import annotations

import click


@click.command("python", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--arch", required=True, help="x86_64, arm64, s390x, riscv64, ppc64le or armhf.")
@click.option("--with", "requirements", multiple=True, metavar="REQUIREMENT", help="A package the guest has too.")
@click.option("--binfmt", is_flag=True, help="Let the guest start further Pythons, such as workers of pytest-xdist.")
@click.option("--print-command", is_flag=True, help="Write the command that starts the guest, and do not start it.")
@click.option("--quiet", is_flag=True, help="Do not tell of the first use's downloads.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    arch: str,
    requirements: tuple[str, ...],
    *,
    binfmt: bool,
    print_command: bool,
    quiet: bool,
    arguments: tuple[str, ...],
) -> None:
    """Run Python with ARGUMENTS on another architecture.

    The first use builds a guest in the cache, from the mirror of this host's distribution. In the guest bpflab
    has its simulated kernel: bpf(2) does not exist there.
    """
    from bpflab.runner.binfmt import with_children
    from bpflab.runner.cache import Cache
    from bpflab.runner.guests import guest_of
    from bpflab.runner.launch import prepare
    from bpflab.runner.progress import Printed, silent

    guest = guest_of(arch)
    try:
        with Cache() as cache:
            launch = prepare(cache, guest, requirements, silent if quiet else Printed(f"bpflab python {guest.name}"))
            if print_command:
                click.echo(launch.as_shell(arguments))
                return
            cache.keep_locks_over_exec()
            (with_children(launch) if binfmt else launch).become(arguments)
    except KeyboardInterrupt:
        click.echo("\nStopped. What was finished is in the cache; nothing half-built was kept.", err=True)
        raise SystemExit(130) from None
