"""Tests of BPF programs in pytest: the fixture `bpf`, the marker `bpf`, and where the tests run.

Nothing of bpflab is imported before a test asks for it, so that the plugin costs an unrelated test run
next to nothing.
"""

from __future__ import annotations

from pytest_bpflab.coverage import bpf_cover_target, pytest_collection_modifyitems
from pytest_bpflab.fixtures import bpf, bpf_backend, bpf_module, bpf_session, pytest_generate_tests
from pytest_bpflab.gateways import pytest_configure_node
from pytest_bpflab.mock import bpf_mock
from pytest_bpflab.objects import pytest_collect_file
from pytest_bpflab.options import pytest_addhooks, pytest_addoption, pytest_configure
from pytest_bpflab.report import (
    pytest_report_collectionfinish,
    pytest_report_header,
    pytest_terminal_summary,
)
from pytest_bpflab.requirements import pytest_runtest_setup
from pytest_bpflab.runs import pytest_runtest_protocol
from pytest_bpflab.tracebacks import pytest_runtest_makereport
from pytest_bpflab.warnings import BpfLeakWarning

__all__ = [
    "BpfLeakWarning",
    "bpf",
    "bpf_backend",
    "bpf_cover_target",
    "bpf_mock",
    "bpf_module",
    "bpf_session",
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_generate_tests",
    "pytest_report_collectionfinish",
    "pytest_report_header",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_terminal_summary",
]
