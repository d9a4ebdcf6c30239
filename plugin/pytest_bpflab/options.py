"""What is asked of the plugin, on the command line, in the ini file and in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import pytest

from pytest_bpflab import coverage, github, json_report, objects, report_dir, slowest, trace, verifier_report

REPLAY: Final = "replay"
MODES: Final = ("auto", "kernel", "sim", "both", REPLAY)
REQUIRE_KERNEL_VARIABLE: Final = "BPFLAB_REQUIRE_KERNEL"

MARKER: Final = (
    "bpf(kernel=, program_type=, map_type=, helper=, capability=, backend=): what the test needs of the machine; "
    "it is skipped by the name of what is missing. compare=False: under --bpf=both its backends may differ; "
    "may_differ=: only in these parts, such as 'retval', 'ctx.hash', 'maps.seen' or 'maps.seen.time'."
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked: `mode` one of MODES, `explicit` whether anybody asked for it.

    `strict` turns skips for something missing into failures; `require_kernel` ends the session at its start
    where the kernel cannot be used.
    """

    mode: str
    explicit: bool
    strict: bool
    require_kernel: bool


SETTINGS: Final = pytest.StashKey[Settings]()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Offer the hooks of `pytest_bpflab.hookspecs`."""
    from pytest_bpflab import hookspecs

    pluginmanager.add_hookspecs(hookspecs)
    from pytest_bpflab import assertions, cassettes, packets

    pluginmanager.register(cassettes, "bpflab-recording")
    pluginmanager.register(packets, "bpflab-packets")
    pluginmanager.register(assertions, "bpflab-assertions")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and the ini settings of the same meaning."""
    group = parser.getgroup("bpflab", "bpflab: tests of BPF programs")
    group.addoption(
        "--bpf",
        choices=MODES,
        default=None,
        dest="bpf_backend",
        help="where BPF programs run: the running kernel, the simulated one, each test on both, the cassettes of an "
        "earlier run (replay), or (auto, the default) the kernel where it can be used and the simulated one elsewhere",
    )
    group.addoption(
        "--bpf-strict",
        action="store_true",
        dest="bpf_strict",
        help="fail tests that would be skipped because the machine lacks what their bpf marker names",
    )
    group.addoption(
        "--bpf-require-kernel",
        action="store_true",
        dest="bpf_require_kernel",
        help=f"end the session with an error where bpf(2) cannot be used (also: {REQUIRE_KERNEL_VARIABLE}=1)",
    )
    report_dir.add_options(parser, group)
    slowest.add_options(parser, group)
    json_report.add_options(group)
    coverage.add_options(group)
    verifier_report.add_options(group)
    objects.add_options(parser)
    trace.add_options(parser, group)
    from pytest_bpflab import cassettes

    cassettes.add_options(parser, group)
    parser.addini("bpf_backend", "where BPF programs run, as --bpf", default="")
    parser.addini("bpf_strict", "as --bpf-strict", type="bool", default=False)
    parser.addini("bpf_require_kernel", "as --bpf-require-kernel", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, settle what was asked, and refuse what cannot be had."""
    config.addinivalue_line("markers", MARKER)
    settings = read_settings(config)
    config.stash[SETTINGS] = settings
    if settings.require_kernel:
        _require_kernel(settings)
    if settings.mode == "both":
        from pytest_bpflab.compare import Comparison

        config.pluginmanager.register(Comparison(config), "bpflab-comparison")
    coverage.configure(config)
    verifier_report.configure(config)
    slowest.slowest_wanted(config)
    json_report.configure(config)
    github.configure(config)
    trace.configure(config)


def read_settings(config: pytest.Config) -> Settings:
    """Settle options before ini settings before defaults; UsageError when they contradict each other."""
    asked = config.getoption("bpf_backend") or config.getini("bpf_backend")
    mode = asked or "auto"
    if mode not in MODES:
        raise pytest.UsageError(f"bpf_backend = {mode!r} in the ini file; expected one of {', '.join(MODES)}.")
    return Settings(
        mode=mode,
        explicit=bool(asked),
        strict=config.getoption("bpf_strict") or config.getini("bpf_strict"),
        require_kernel=config.getoption("bpf_require_kernel")
        or config.getini("bpf_require_kernel")
        or os.environ.get(REQUIRE_KERNEL_VARIABLE, "0") not in {"", "0"},
    )


def _require_kernel(settings: Settings) -> None:
    from bpflab.backend.select import kernel_refusal

    if settings.mode in {"sim", REPLAY}:
        raise pytest.UsageError(
            f"The kernel backend is required, and --bpf={settings.mode} leaves it out; use kernel or both."
        )
    refusal = kernel_refusal()
    if refusal:
        raise pytest.UsageError(f"The kernel backend is required and cannot be used here. {refusal}")
