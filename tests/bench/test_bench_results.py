from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bpflab.bench import facts, merge, suite, targets
from bpflab.bench.compare import compare, limit
from bpflab.bench.curves import bars, curves
from bpflab.bench.plot import file_name, need_matplotlib
from bpflab.bench.results import HISTORY, Measurement, Results, from_json, load, remember, save, to_json
from bpflab.bench.table import table
from bpflab.errors import ArgumentError, BenchError, RunnerError
from bpflab.runner.guests import GUESTS


def counted(test: str, target: str = "arm64", value: float = 1000.0, **others: Any) -> Measurement:
    return Measurement(test, target, value, 0.0, "instructions", deterministic=True, **others)


def timed(test: str, target: str = "native", value: float = 1000.0) -> Measurement:
    return Measurement(test, target, value, 0.0, "nanoseconds", deterministic=False)


def results(*found: Measurement, **known: Any) -> Results:
    return Results("2026-01-01T00:00:00+00:00", {"id": "c0ffee", "dirty": False}, _facts(found, known), found)


def _facts(found: tuple[Measurement, ...], known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each.target: dict(known) for each in found}


def written(**stats: float) -> dict[str, Any]:
    one = {"fullname": "b.py::test[1]", "group": None, "params": {"n": 1}, "extra_info": {"size": 3}}
    numbers = {"median": 2e-6, "min": 1e-6, "max": 3e-6, "rounds": 5, "iterations": 7, **stats}
    clock = {"unit": "instructions", "deterministic": True, "reason": ""}
    return {"machine_info": {"clock": clock}, "benchmarks": [{**one, "stats": numbers}]}


def test_seconds_become_instructions_and_the_spread_is_a_share_of_the_median() -> None:
    (found,) = merge.measurements("s390x", written())
    assert found.value == pytest.approx(2000)
    assert found.spread == pytest.approx(1.0)
    assert (found.test, found.target, found.unit, found.deterministic) == (
        "b.py::test[1]",
        "s390x",
        "instructions",
        True,
    )
    assert (found.params, found.rounds, found.iterations, found.extra) == ({"n": 1}, 5, 7, {"size": 3})


def test_several_runs_become_one_with_the_spread_of_their_values() -> None:
    runs = [[counted("a", value=value)] for value in (1000, 1010, 1001)]
    (found,) = merge.over_runs(runs)
    assert (found.value, found.runs) == (1001, 3)
    assert found.spread == pytest.approx(10 / 1001)


def test_runs_of_which_one_was_not_counted_are_not_deterministic() -> None:
    (found,) = merge.over_runs([[counted("a")], [replace(counted("a"), deterministic=False)]])
    assert not found.deterministic


def test_results_are_merged_on_test_and_target() -> None:
    found = merge.by_test([counted("a"), counted("b"), counted("a", "s390x")])
    assert {test: list(row) for test, row in found.items()} == {"a": ["arm64", "s390x"], "b": ["arm64"]}


@pytest.mark.parametrize(("new", "over"), [(1006.0, True), (1005.0, False), (900.0, False)])
def test_a_count_over_the_limit_is_found(new: float, over: bool) -> None:
    comparison = compare(results(counted("a")), results(counted("a", value=new)))
    assert bool(comparison.over(0.005)) is over


def test_wall_time_is_compared_but_never_judged() -> None:
    comparison = compare(results(timed("a")), results(timed("a", value=9000)))
    assert comparison.ratios == {("a", "native"): 9.0}
    assert comparison.over(0.005) == []


def test_each_target_is_compared_with_itself_and_the_worst_comes_first() -> None:
    base = results(counted("a"), counted("a", "s390x", 10), counted("b"))
    now = results(counted("a", value=1100), counted("a", "s390x", 15), counted("b"))
    assert [(each.target, each.ratio) for each in compare(base, now).over(0)] == [("s390x", 1.5), ("arm64", 1.1)]


def test_what_only_one_of_the_results_has_is_named_within_shared_targets() -> None:
    base = results(counted("a"), counted("gone"), counted("a", "s390x"))
    comparison = compare(base, results(counted("a"), counted("new")))
    assert (comparison.gone, comparison.new) == (("gone on arm64",), ("new on arm64",))


def test_another_python_is_noted() -> None:
    comparison = compare(results(counted("a"), python="3.11.2"), results(counted("a"), python="3.11.9"))
    assert comparison.notes == ("arm64: python was 3.11.2, now it is 3.11.9",)


def test_a_count_is_not_compared_with_a_time() -> None:
    old = replace(counted("a"), unit="nanoseconds", deterministic=False)
    assert compare(results(old), results(counted("a"))).changes == ()


@given(st.integers(0, 10_000))
def test_a_limit_is_a_percentage(hundredths: int) -> None:
    assert limit(f"{hundredths / 100}%") == pytest.approx(hundredths / 10_000)


@pytest.mark.parametrize("text", ["0.5", "", "%", "-1%", "nan%", "inf%", "1%x", "some"])
def test_another_limit_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ArgumentError, match=r"expected something like 0\.5%"):
        limit(text)


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    kept = results(counted("a", params={"n": 1}, runs=3), timed("b"), python="3.11.2")
    save(kept, tmp_path / "out")
    assert load(tmp_path / "out") == load(tmp_path / "out" / "results.json") == kept


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "measurements": [{}]}'])
def test_a_file_that_holds_no_results_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "base.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BenchError, match="holds no results"):
        load(path)


def test_results_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot be read: No such file"):
        load(tmp_path / "none.json")


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BenchError, match="cannot be written"):
        save(results(), tmp_path / "file" / "out")


def test_each_run_adds_to_the_history_all_that_a_figure_depends_on(tmp_path: Path) -> None:
    for _ in range(2):
        remember(results(counted("a"), counted("a", "s390x"), python="3.11.2", qemu="7.2"), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / HISTORY).read_text("utf-8").splitlines()]
    assert [line["target"] for line in lines] == ["arm64", "s390x"] * 2
    assert lines[0]["facts"] == {"python": "3.11.2", "qemu": "7.2"}
    assert lines[0]["commit"]["id"] == "c0ffee"
    assert [each["target"] for each in lines[1]["measurements"]] == ["s390x"]


def test_json_of_results_is_what_json_can_hold() -> None:
    kept = results(counted("a"))
    assert from_json(json.loads(json.dumps(to_json(kept)))) == kept


def shown(found: Results, ratios: dict[tuple[str, str], float] | None = None) -> str:
    text = StringIO()
    Console(file=text, width=120).print(table(found, ratios))
    return text.getvalue()


def test_the_table_has_counts_ratios_and_spread() -> None:
    text = shown(results(replace(counted("a[1]", value=1234567), runs=3, spread=0.0002)), {("a[1]", "arm64"): 1.0042})
    assert [cell.strip() for cell in text.splitlines()[3].split("│")[1:-1]] == [
        "a[1]",
        "arm64",
        "1,234,567",
        "1.0042",
        "0.020% of 3",
    ]


def test_the_table_marks_wall_time() -> None:
    assert "~ 1.5 µs" in shown(results(timed("a", value=1500)))


def test_bars_gather_parameters_and_targets_and_keep_units_apart() -> None:
    found = bars([counted("f[x]"), counted("f[y]", "s390x"), timed("f[x]")])
    assert [(each.unit, each.targets) for each in found] == [
        ("instructions", ("arm64", "s390x")),
        ("nanoseconds", ("native",)),
    ]
    assert found[0].bars == {"x": (1000.0, None), "y": (None, 1000.0)}


def test_a_curve_needs_a_number_with_three_values_and_all_else_equal() -> None:
    some = [
        counted(f"f[{kind}-{n}]", value=n * 10, params={"kind": kind, "n": n})
        for kind, sizes in (("list", (100, 1, 10)), ("dict", (1, 10)))
        for n in sizes
    ]
    (found,) = curves(some)
    assert (found.title, found.size) == ("f kind=list", "n")
    assert found.lines == {"arm64": ((1.0, 10.0), (10.0, 100.0), (100.0, 1000.0))}


def test_plots_without_matplotlib_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpflab.bench.plot.find_spec", lambda _: None)
    with pytest.raises(BenchError, match=r'pip install "bpflab\[plot\]"'):
        need_matplotlib()


def test_plots_are_drawn_as_svg_and_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from bpflab.bench.plot import draw

    found = results(*(counted(f"f[{n}]", value=n, params={"n": n}) for n in (1, 10, 100)))
    files = draw(found, tmp_path)
    assert sorted(path.name for path in files) == sorted(
        f"{name}.{kind}" for name in ("f-by-n-instructions", "f-instructions") for kind in ("png", "svg")
    )
    assert all(path.stat().st_size > 1000 for path in files)


def test_a_file_name_has_no_slashes() -> None:
    assert file_name("bench/a.py::test[1]", "ns") == "bench-a.py-test-1-ns"


def test_targets_are_named_once_in_the_order_given() -> None:
    assert [each.name for each in targets.targets("s390x, native,s390x,aarch64")] == ["s390x", "native", "arm64"]
    assert [each.name for each in targets.targets("all")] == ["native", *GUESTS]


def test_an_architecture_that_is_not_known_is_told() -> None:
    with pytest.raises(RunnerError, match="known are x86_64, arm64"):
        targets.targets("native,vax")
    with pytest.raises(ArgumentError, match="No architecture is named"):
        targets.targets(" , ")


def test_failed_tests_are_found_in_the_summary() -> None:
    lines = ["FAILED b.py::test_a - assert 1", "ERROR b.py::test_b", "b.py::test_c PASSED [ 50%]", "FAILED"]
    assert suite.failed(lines) == ("b.py::test_a", "b.py::test_b")


@pytest.mark.parametrize(
    ("text", "model", "features"),
    [
        ("processor: 0\nmodel name\t: Some CPU\nflags\t\t: sse avx\n\nflags: other\n", "Some CPU", ["avx", "sse"]),
        ("processor : 0\nFeatures : fp asimd\n", "", ["asimd", "fp"]),
        ("", "", []),
    ],
)
def test_a_processor_is_read_in_the_words_of_its_architecture(text: str, model: str, features: list[str]) -> None:
    assert facts.processor(text) == {"model": model, "features": features}


def test_facts_name_versions_and_the_machine() -> None:
    found = facts.inner()
    assert {"bpflab", "python", "kernel", "libc", "cpu", "byteorder"} <= found.keys()
    assert found["bits"] in {32, 64}


def test_a_directory_without_a_repository_has_no_commit(tmp_path: Path) -> None:
    assert facts.commit(tmp_path) == {}
