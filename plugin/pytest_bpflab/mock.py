"""The fixture `bpf_mock`: a Lab that answers from a script, for tests of code that uses the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_bpflab.mock_lab import MockLab


@pytest.fixture
def bpf_mock(request: pytest.FixtureRequest) -> Iterator[MockLab]:
    """Open a Lab on a mock: no kernel, no privilege, no program is run.

    `bpf_mock.on("MAP_UPDATE_ELEM", key=7).fails("E2BIG")` scripts answers, `bpf_mock.calls("MAP_UPDATE_ELEM")` are the
    calls that were made, `bpf_mock.strict = True` refuses what is not scripted. A test that passes and leaves scripted
    answers unused is an error.
    """
    from bpflab.errors import UnusedAnswersError
    from pytest_bpflab.mock_lab import MockLab

    failed_before = request.session.testsfailed
    with MockLab(request.path.parent) as lab:
        yield lab
    if request.session.testsfailed == failed_before:
        try:
            lab.check_used()
        except UnusedAnswersError as error:
            pytest.fail(str(error), pytrace=False)
