"""A pytest plugin that tells what each test showed: its sentence, its packets, their verdicts."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bpflab.cli.verdict import STYLES, verdict_name

if TYPE_CHECKING:
    import pytest

    from pytest_bpflab.runs import Run

SHOWN_PACKETS = 3
SHOWN_LINES = 30


@dataclass(slots=True)
class Tale:
    """What is known of one test function, over all its parameters.

    `examples` holds the first run of each verdict, `verdicts` how often each was given.
    """

    sentence: str
    cases: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: str = ""
    verdicts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Run] = field(default_factory=dict)
    nanoseconds: int = 0


class PatientConsole(Console):
    """Falls silent when its reader goes away, and lets the tests end in peace."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from now on."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Storyteller:
    """Hears of tests and runs, and prints each test's tale when it is over."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or PatientConsole(highlight=False)
        self.tales: dict[str, Tale] = {}
        self.sentences: dict[str, str] = {}
        self.told: set[str] = set()
        self.backend = ""
        self.started = time.perf_counter()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Learn what each test is about, and say what is going to happen."""
        from bpflab.backend.select import kernel_refusal
        from pytest_bpflab.backends import backend_names, describe

        for item in items:
            self.sentences[_function(item.nodeid)] = _sentence(item)
        self.backend = describe(config, backend_names(config)[0])
        self.console.print(f"[bold]A firewall in XDP, tested on {self.backend}[/]")
        if config.getoption("bpf_backend") == "auto" and kernel_refusal():
            self.console.print(f"[dim]not on the running kernel: {kernel_refusal()}[/]")
        self.console.print(f"[dim]{config.rootpath}[/]\n")

    def pytest_bpf_run(self, item: pytest.Item, run: Run) -> None:
        """Keep one run of each verdict, and count them."""
        tale = self._tale(item.nodeid)
        name = verdict_name(run.verdict)
        tale.verdicts[name] += 1
        tale.nanoseconds += run.duration
        tale.examples.setdefault(name, run)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a phase of a test ended."""
        tale = self._tale(report.nodeid)
        tale.cases += report.when == "setup"
        if report.failed:
            tale.failures.append(report.longreprtext)
        elif report.skipped and isinstance(report.longrepr, tuple):
            tale.skipped = report.longrepr[2]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Say why the tests cannot even be found."""
        if report.failed:
            self.console.print(Text(report.longreprtext, style="red"))

    def pytest_sessionfinish(self) -> None:
        """Tell the last tale, and count everything."""
        for tale in list(self.tales.values())[-1:]:
            self._tell(tale)
        self._conclude()

    def _tale(self, nodeid: str) -> Tale:
        name = _function(nodeid)
        if name not in self.tales:
            for finished in list(self.tales.values())[-1:]:
                self._tell(finished)
            self.tales[name] = Tale(self.sentences.get(name, name))
        return self.tales[name]

    def _tell(self, tale: Tale) -> None:
        mark = "[red]✗[/]" if tale.failures else "[yellow]-[/]" if tale.skipped else "[green]✓[/]"
        self.console.print(f"{mark} {tale.sentence}")
        if tale.examples:
            self.console.print(Padding(_packets(tale), (0, 0, 0, 4)))
        if tale.skipped:
            self.console.print(f"    [yellow]{tale.skipped}[/]")
        if tale.failures:
            self._tell_failure(_gist(tale.failures[0]))

    def _tell_failure(self, gist: str) -> None:
        again = gist in self.told
        self.told.add(gist)
        self.console.print(Padding(Text("as above" if again else gist, style="red"), (0, 0, 0 if again else 1, 4)))

    def _conclude(self) -> None:
        tales = self.tales.values()
        verdicts = sum((tale.verdicts for tale in tales), Counter[str]())
        packets, failed = verdicts.total(), sum(len(tale.failures) for tale in tales)
        tests = sum(tale.cases for tale in tales)
        counted = ", ".join(f"{count} {name}" for name, count in verdicts.most_common())
        mean = sum(tale.nanoseconds for tale in tales) / packets if packets else 0
        outcome = f"[red]{failed} of {tests} tests failed[/]" if failed else f"[green]{tests} tests passed[/]"
        seconds = time.perf_counter() - self.started
        self.console.print(f"\n[bold]{outcome}[/] in {seconds:.1f} s, on {self.backend or 'no backend'}")
        each = f"; {mean:.0f} ns each, as the kernel measured" if mean else ""
        self.console.print(f"{packets} packets: {counted or 'none'}{each}")


def _function(nodeid: str) -> str:
    return nodeid.partition("[")[0]


def _sentence(item: pytest.Item) -> str:
    words = _function(item.name).removeprefix("test_").replace("_", " ")
    return words[:1].upper() + words[1:]


def _packets(tale: Tale) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, run in list(tale.examples.items())[:SHOWN_PACKETS]:
        style = STYLES.get(name, "bold")
        more = f"and {tale.verdicts[name] - 1} more" if tale.verdicts[name] > 1 else ""
        packet = Text(_told(run), style="dim", overflow="ellipsis", no_wrap=True)
        table.add_row(f"[{style}]{name}[/]", packet, f"[dim]{_nanoseconds(run.duration)}[/]", f"[dim]{more}[/]")
    return table


def _nanoseconds(duration: int) -> str:
    return f"{duration} ns" if duration else ""  # the clock of a simulated kernel stands still


def _told(run: Run) -> str:
    from bpflab_packets.dissect import summary

    came = summary(run.packet).removeprefix("Ether / ")
    left = summary(run.output).removeprefix("Ether / ") if run.output not in {b"", run.packet} else ""
    return f"{came} → {left}" if left else came


def _gist(failure: str) -> str:
    """Take out of pytest's report the line that failed, what was found, and where."""
    lines = failure.strip().splitlines()
    failed = [line[1:].strip() for line in lines if line.startswith(">")][-1:]
    found = [line[1:] for line in lines if line.startswith("E") and not line[1:].strip().startswith(("+", "and "))]
    return "\n".join([*failed, *textwrap.dedent("\n".join(found[:SHOWN_LINES])).splitlines(), lines[-1]])
