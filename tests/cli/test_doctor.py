from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bpflab.abi.helpers import all_helpers
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    from bpflab.cli.examination import examine

    decoded: dict[str, Any] = json.loads(json.dumps(examine().as_dict()))
    return decoded


def backend(found: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what was found of one backend."""
    chosen: dict[str, Any] = next(each for each in found["backends"] if each["name"] == name)
    return chosen


@pytest.mark.bpf(backend="kernel", program_type="xdp")
def test_what_the_kernel_can_do_is_found(found: dict[str, Any]) -> None:
    kernel = backend(found, "kernel")
    assert kernel["program_types"]["XDP"] == "yes"
    assert kernel["map_types"]["HASH"] == "yes"
    assert kernel["helpers"]["map_lookup_elem"]["XDP"] == "yes"


@pytest.mark.parametrize("name", [pytest.param("kernel", marks=pytest.mark.bpf(backend="kernel")), "sim"])
def test_every_type_and_helper_has_an_answer(found: dict[str, Any], name: str) -> None:
    examined = backend(found, name)
    assert set(examined["program_types"]) == {kind.name for kind in ProgType if kind}
    assert set(examined["map_types"]) == {kind.name for kind in MapType if kind}
    assert set(examined["helpers"]) == {row.name for row in all_helpers()}


def test_a_kernel_that_cannot_be_used_is_told_with_the_reason(
    bpflab: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bpflab.cli.examination.kernel_refusal", lambda: "bpf(2) is not permitted here.")
    assert "bpf(2) is not permitted here." in bpflab("doctor").output


def test_json_is_all_that_is_written_when_asked_for(bpflab: Callable[..., Result]) -> None:
    result = bpflab("doctor", "--json")
    assert result.exit_code == 0
    assert set(json.loads(result.output)) == {"identity", "machine", "capabilities", "settings", "backends"}


def test_helpers_are_listed_with_their_callers_when_asked_for(bpflab: Callable[..., Result]) -> None:
    assert "xdp_adjust_head" in bpflab("doctor", "--helpers").output
