"""`bpflab bench`: a suite of benchmarks, natively and on other architectures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.bench.compare import Comparison
    from bpflab.bench.measure import Measured
    from bpflab.bench.results import Results
    from bpflab.bench.suite import Suite
    from bpflab.bench.targets import Target


_PYTEST = "bpflab.bench.pytest"
"""Names what stands behind `--` in the context of the command."""


class _BeforePytest(click.Command):
    """A command that leaves what stands behind `--` to pytest."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = args[: args.index("--")] if "--" in args else args
        ctx.meta[_PYTEST] = tuple(args[len(own) + 1 :])
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- PYTEST...]"]


@click.command("bench", cls=_BeforePytest)
@click.argument("paths", nargs=-1)
@click.option("--arch", help="all, or some of native,x86_64,arm64,s390x,riscv64,ppc64le,armhf. [native and the host's]")
@click.option("-k", "expression", default="", help="Only benchmarks that match, as for pytest.")
@click.option("--runs", default=1, type=click.IntRange(min=1), help="Measure so often, each in its own process.")
@click.option("--with", "requirements", multiple=True, metavar="REQUIREMENT", help="A package the guests have too.")
@click.option("--json", "out", type=click.Path(path_type=Path, file_okay=False), help="Keep the results here.")
@click.option("--plot", is_flag=True, help="Draw them too, in plots/ there.")
@click.option("--compare", "base", type=click.Path(path_type=Path), help="Older results: a file or directory.")
@click.option("--fail-over", "limit", metavar="PERCENT", help="Fail if a count grew by more, such as 0.5%.")
@click.option("--quiet", is_flag=True, help="Do not tell of progress.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    paths: tuple[str, ...],
    arch: str | None,
    expression: str,
    runs: int,
    requirements: tuple[str, ...],
    out: Path | None,
    plot: bool,
    base: Path | None,
    limit: str | None,
    quiet: bool,
) -> None:
    """Measure the benchmarks in PATHS, by default in bench/; what follows `--` goes to pytest, on each target.

    Natively by wall time, with the kernel where it is. On an architecture by counting the guest's instructions, on the
    simulated kernel. Exit code 1 if a benchmark failed or got worse by more than --fail-over.
    """
    from bpflab.abi.architectures import current
    from bpflab.bench import compare, results, targets
    from bpflab.bench.measure import existing
    from bpflab.bench.suite import Suite

    _check_options(out, base, plot=plot, limit=limit)
    allowed = None if limit is None else compare.limit(limit)
    older = None if base is None else results.load(base)
    suite = Suite(existing(paths or ("bench",)), expression, ctx.meta[_PYTEST])
    wanted = targets.targets(arch or f"{targets.NATIVE},{current().name}")
    try:
        found, problems = _measure_all(wanted, suite, out, runs=runs, requirements=requirements, quiet=quiet)
    except KeyboardInterrupt:
        kept = f" What was finished is in {out / results.RESULTS}." if out else ""
        click.echo(f"\nStopped.{kept}", err=True)
        raise SystemExit(130) from None
    comparison = None if older is None else compare.compare(older, found)
    _show(found, comparison)
    if out is not None:
        _keep(found, out, plot=plot)
    problems += [] if comparison is None else _judge(comparison, allowed)
    for problem in problems:
        click.echo(problem, err=True)
    raise SystemExit(1 if problems else 0)


def _check_options(out: Path | None, base: Path | None, *, plot: bool, limit: str | None) -> None:
    if plot and out is None:
        raise click.UsageError("--plot draws into the directory of --json: name one.")
    if limit is not None and base is None:
        raise click.UsageError("--fail-over judges a comparison: name older results with --compare.")
    if plot:
        from bpflab.bench.plot import need_matplotlib

        need_matplotlib()


def _measure_all(
    wanted: Sequence[Target],
    suite: Suite,
    out: Path | None,
    *,
    runs: int,
    requirements: Sequence[str],
    quiet: bool,
) -> tuple[Results, list[str]]:
    """Measure one target after another, and keep what is there after each; one that fails is a problem to tell."""
    from bpflab.bench import measure, results
    from bpflab.errors import BpfError
    from bpflab.runner.cache import Cache
    from bpflab.runner.progress import Printed, silent

    done: list[Measured] = []
    problems: list[str] = []
    found = measure.results(done, Path.cwd())
    for target in wanted:
        printed = Printed(f"bpflab bench {target.name}")
        try:
            with Cache() as cache:
                progress = silent if quiet else printed
                measured = measure.measure(cache, target, suite, progress, runs=runs, requirements=requirements)
        except BpfError as error:
            problems.append(f"{target.name}: {error}")
            continue
        finally:
            printed.close()
        done.append(measured)
        problems += _problems(measured)
        found = measure.results(done, Path.cwd())
        if out is not None:
            results.save(found, out)
    return found, problems


def _problems(measured: Measured) -> list[str]:
    if measured.failed:
        return [f"{measured.target}: failed {test}" for test in measured.failed]
    return [] if measured.measurements else [f"{measured.target}: no benchmark was found"]


def _show(found: Results, comparison: Comparison | None) -> None:
    from rich.console import Console

    from bpflab.bench.table import table

    Console().print(table(found, comparison.ratios if comparison else None))
    if any(not each.deterministic for each in found.measurements):
        click.echo("~ is wall time, not deterministic: it is never judged.")
    for note in comparison.notes if comparison else ():
        click.echo(f"Not the same in the baseline: {note}")


def _keep(found: Results, out: Path, *, plot: bool) -> None:
    from bpflab.bench import results

    results.remember(found, out)
    click.echo(f"Results are in {out / results.RESULTS}.")
    if plot:
        from bpflab.bench.plot import draw

        click.echo(f"{len(draw(found, out / 'plots'))} plots are in {out / 'plots'}.")


def _judge(comparison: Comparison, limit: float | None) -> list[str]:
    """Tell what only one of the results has, and give the sentences that make the comparison fail."""
    for title, names in (("Only in the baseline", comparison.gone), ("Not in the baseline", comparison.new)):
        for name in names:
            click.echo(f"{title}: {name}")
    if limit is None:
        return []
    if not any(each.binding for each in comparison.changes):
        return ["Nothing was counted in both results, so nothing can be judged."]
    return [
        f"{each.test} on {each.target} grew by {each.ratio - 1:.3%}, over {limit:.3%}"
        for each in comparison.over(limit)
    ]
