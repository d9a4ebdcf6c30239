"""From slots to sources: lines, branches, functions, and the reports that are written of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from bpflab.coverage import (
    CoverageData,
    CoverageFileError,
    CoveredProgram,
    Hits,
    Place,
    Unmeasured,
    read_file,
    write_file,
)
from bpflab.coverage.flow import Branch
from bpflab.coverage.missing import missing
from bpflab.coverage.program import Function
from bpflab.coverage.reports.cobertura import cobertura
from bpflab.coverage.reports.html import html, page_name
from bpflab.coverage.reports.lcov import lcov
from bpflab.coverage.reports.table import table
from bpflab.coverage.reports.write import Wanted, write
from bpflab.coverage.sources import Report, make_report
from bpflab.errors import ArgumentError

BASE: Final = Path("/project")
SOURCE: Final = """\
#include "shared.h" /* a<b */
int drop(struct ctx *ctx)
{
\tif (ctx->a)
\t\treturn "&";

\treturn twice(ctx);
}
"""


def program(name: str = "drop", digest: str = "1" * 64, file: str = "src/drop.bpf.c") -> CoveredProgram:
    """Slots 0 to 5: a jump in line 4, whose fallthrough is line 5; a jump of an inlined function in a header."""
    places = [(0, file, 2, 0), (1, file, 4, 6), (2, file, 5, 3), (3, "src/shared.h", 3, 9), (4, "src/shared.h", 4, 1)]
    places += [(5, file, 0, 0)]
    return CoveredProgram(
        name=name,
        digest=digest,
        slots=(0, 1, 2, 3, 4, 5),
        branches=(Branch(1, 3, 2), Branch(3, 5, 4)),
        functions=(Function(name, 0),),
        places=tuple((slot, Place(path, line, column)) for slot, path, line, column in places),
    )


def data_of(*found: tuple[CoveredProgram, Hits]) -> CoverageData:
    data = CoverageData()
    for each, hits in found:
        data.know(each)
        data.add(each.digest, hits)
    return data


PART: Final = Hits(executed=0b111011, taken=0b000010, fallen=0b001000)
"""Line 5 of the source did not run, and the jump in the header fell through."""


@pytest.fixture
def report() -> Report:
    data = data_of((program(), PART))
    data.note(Unmeasured("big", "kernel", "the verifier refused it"))
    return make_report(data, BASE)


def test_lines_and_branches_are_counted_by_the_file_that_they_stand_in(report: Report) -> None:
    drop, shared = report.sources
    assert (drop.name, drop.lines) == ("src/drop.bpf.c", {2: True, 4: True, 5: False})
    assert (shared.name, shared.lines) == ("src/shared.h", {3: True, 4: True})
    assert [gone for ways in drop.branches.values() for gone in ways.values()] == [False, True]
    assert drop.functions == {"drop": (2, True)}


def test_a_program_that_never_ran_has_all_its_lines() -> None:
    (drop, shared) = make_report(data_of((program(), Hits())), BASE).sources
    assert missing(drop) == "2-5"
    assert missing(shared) == "3-4"


def test_copies_of_an_inlined_function_count_once_and_ran_when_one_of_them_did() -> None:
    other = Hits(executed=0b101011, taken=0b001010)
    data = data_of((program(), PART), (program("pass", "2" * 64, "src/pass.bpf.c"), other))
    shared = next(each for each in make_report(data, BASE).sources if each.name == "src/shared.h")
    ends = {place for place, _ in shared.branches[3, 9]}
    assert shared.lines == {3: True, 4: True}
    assert ends == {Place("src/shared.h", 4, 1), Place("src/drop.bpf.c", 0, 0), Place("src/pass.bpf.c", 0, 0)}
    assert sum(shared.branches[3, 9].values()) == 2


def test_what_is_missing_is_said_in_ranges_and_ways_of_lines_that_ran(report: Report) -> None:
    drop, shared = report.sources
    assert missing(drop) == "4->5, 5"
    assert missing(shared) == "3->?"


def test_a_way_to_code_without_a_line_leads_to_the_next_that_has_one() -> None:
    places = [(0, 3), (1, 0), (2, 7), (3, 9)]
    plain = CoveredProgram(
        "gap", "5" * 64, (0, 1, 2, 3), (Branch(0, 3, 1),), (), tuple((at, Place("a.c", line, 1)) for at, line in places)
    )
    assert missing(make_report(data_of((plain, Hits(0b1111, 1, 0))), BASE).sources[0]) == "3->7"


def test_system_headers_count_only_when_they_are_asked_for() -> None:
    data = data_of((program(file="/usr/include/bpf/bpf_helpers.h"), PART))
    assert [each.name for each in make_report(data, BASE).sources] == ["src/shared.h"]
    asked = make_report(data, BASE, [Path("/usr/include")])
    assert [each.name for each in asked.sources] == ["/usr/include/bpf/bpf_helpers.h"]


def test_asked_for_sources_are_files_and_directories() -> None:
    data = data_of((program(), PART))
    assert [each.name for each in make_report(data, BASE, [Path("src/shared.h")]).sources] == ["src/shared.h"]
    assert len(make_report(data, BASE, [Path("src")]).sources) == 2


def test_the_table_has_a_row_a_source_and_the_total(report: Report) -> None:
    assert table(report, with_missing=True).splitlines() == [
        "Source           Lines   Miss  Branches   Miss  Cover  Missing",
        "--------------------------------------------------------------",
        "src/drop.bpf.c       3      1         2      1    60%  4->5, 5",
        "src/shared.h         2      0         2      1    75%  3->?",
        "--------------------------------------------------------------",
        "TOTAL                5      1         4      2    67%",
        "program 'big' was not measured on kernel: the verifier refused it",
    ]


def test_a_program_without_source_is_shown_by_its_instructions() -> None:
    plain = CoveredProgram("plain", "3" * 64, (0, 1, 2, 4), (Branch(1, 4, 2),))
    report = make_report(data_of((plain, Hits(0b00011, 0b00010, 0))), BASE)
    assert table(report, with_missing=True).splitlines() == [
        "Program without source   Insns   Miss  Branches   Miss  Cover  Missing",
        "----------------------------------------------------------------------",
        "plain                        4      2         2      1    50%  1->2, 2-4",
        "----------------------------------------------------------------------",
        "TOTAL                        4      2         2      1    50%",
    ]


def test_nothing_measured_is_said() -> None:
    assert table(make_report(CoverageData(), BASE)) == "No BPF program was loaded through a Lab that is measured."


@pytest.mark.parametrize(("ran", "shown"), [(0, "0%"), (1, "1%"), (500, "50%"), (999, "99%"), (1000, "100%")])
def test_0_and_100_percent_are_said_only_of_nothing_and_all(ran: int, shown: str) -> None:
    plain = CoveredProgram("long", "4" * 64, tuple(range(1000)), ())
    text = table(make_report(data_of((plain, Hits((1 << ran) - 1))), BASE))
    assert text.splitlines()[-1].endswith(f" {shown}")


def test_lcov_has_lines_branches_and_functions(report: Report) -> None:
    assert lcov(report).splitlines() == [
        *["TN:", "SF:/project/src/drop.bpf.c", "FN:2,drop", "FNDA:1,drop", "FNF:1", "FNH:1"],
        *["BRDA:4,0,0,0", "BRDA:4,0,1,1", "BRF:2", "BRH:1"],
        *["DA:2,1", "DA:4,1", "DA:5,0", "LF:3", "LH:2", "end_of_record"],
        *["TN:", "SF:/project/src/shared.h", "FNF:0", "FNH:0"],
        *["BRDA:3,0,0,0", "BRDA:3,0,1,1", "BRF:2", "BRH:1"],
        *["DA:3,1", "DA:4,1", "LF:2", "LH:2", "end_of_record"],
    ]


def test_lcov_has_a_dash_for_branches_of_lines_that_did_not_run() -> None:
    assert "BRDA:4,0,0,-" in lcov(make_report(data_of((program(), Hits())), BASE)).splitlines()


DTD: Final = {
    "coverage": (
        ["sources", "packages"],
        "line-rate branch-rate lines-covered lines-valid branches-covered branches-valid complexity version timestamp",
    ),
    "sources": (["source"], ""),
    "source": ([], ""),
    "packages": (["package"], ""),
    "package": (["classes"], "name line-rate branch-rate complexity"),
    "classes": (["class"], ""),
    "class": (["methods", "lines"], "name filename line-rate branch-rate complexity"),
    "methods": (["method"], ""),
    "method": (["lines"], "name signature line-rate branch-rate complexity"),
    "lines": (["line"], ""),
    "line": ([], "number hits branch condition-coverage"),
}
"""Children in order and attributes of each element, after Cobertura's coverage-04.dtd."""


def test_the_xml_is_made_as_coberturas_dtd_wants_it(report: Report) -> None:
    for element in ET.fromstring(cobertura(report)).iter():
        children, attributes = DTD[element.tag]
        tags = [child.tag for child in element]
        assert tags == (children if len(children) > 1 else children * len(tags))
        assert set(element.attrib) <= set(attributes.split())


def test_the_xml_has_hits_and_conditions_by_line(report: Report) -> None:
    root = ET.fromstring(cobertura(report, now=1.5))
    found = root.find(".//class[@filename='src/drop.bpf.c']/lines")
    assert found is not None
    assert [line.attrib for line in found] == [
        {"number": "2", "hits": "1", "branch": "false"},
        {"number": "4", "hits": "1", "branch": "true", "condition-coverage": "50% (1/2)"},
        {"number": "5", "hits": "0", "branch": "false"},
    ]
    assert (root.get("timestamp"), root.get("line-rate"), root.get("branch-rate")) == ("1500", "0.8", "0.5")


@pytest.fixture
def pages(tmp_path: Path) -> dict[str, str]:
    source = tmp_path / "src/drop.bpf.c"
    source.parent.mkdir()
    source.write_text(SOURCE, "utf-8")
    report = make_report(data_of((program(), PART)), tmp_path)
    return {each.name: html(report)[page_name(each)] for each in report.sources} | {"index": html(report)["index.html"]}


def test_the_html_escapes_what_the_source_says_and_marks_each_line(pages: dict[str, str]) -> None:
    lines = {
        line.partition('"')[2].partition('"')[0]: line for line in pages["src/drop.bpf.c"].splitlines() if "id=" in line
    }
    assert "a&lt;b" in lines["L1"]
    assert "&amp;<" in lines["L5"]
    kinds = {name: line.partition('class="line ')[2].partition('"')[0] for name, line in lines.items()}
    assert kinds == {
        **dict.fromkeys(["L1", "L3", "L6", "L7", "L8"], "none"),
        "L2": "run",
        "L4": "partial",
        "L5": "missed",
    }
    assert "<b>1 of 2 ways; not to 5</b>" in lines["L4"]


def test_a_source_that_is_not_here_is_shown_by_its_lines(pages: dict[str, str]) -> None:
    assert "The source is not here" in pages["src/shared.h"]
    assert 'id="L3" class="line partial"' in pages["src/shared.h"]


def test_the_html_needs_nothing_but_itself_and_knows_light_and_dark(pages: dict[str, str]) -> None:
    for page in pages.values():
        assert "://" not in page
        assert "<script" not in page
        assert "prefers-color-scheme: dark" in page


def test_the_index_leads_to_each_source(pages: dict[str, str]) -> None:
    assert "src/drop.bpf.c</a></td><td>3</td><td>1</td><td>2</td><td>1</td><td>60%</td>" in pages["index"]


def test_measurements_are_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    data = data_of((program(), PART), (program("pass", "2" * 64), Hits()))
    data.note(Unmeasured("big", "kernel", "why"))
    write_file(tmp_path / "deep/file", data)
    assert read_file(tmp_path / "deep/file") == data


def test_merging_is_what_one_session_would_have_measured() -> None:
    first, second = Hits(0b01, 0b10, 0), Hits(0b100, 0, 0b10)
    data = data_of((program(), first))
    data.merge(data_of((program(), second), (program("pass", "2" * 64), second)))
    assert data == data_of((program(), first | second), (program("pass", "2" * 64), second))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format":"bpflab coverage","version":2}', '{"format":"bpflab coverage"}']
)
def test_a_file_that_holds_no_coverage_is_told_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other"
    path.write_text(text, "utf-8")
    with pytest.raises(CoverageFileError, match=r"other holds no coverage of version 1"):
        read_file(path)


def test_a_file_that_cannot_be_read_or_written_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(CoverageFileError, match=r"cannot be read from .*nowhere"):
        read_file(tmp_path / "nowhere")
    with pytest.raises(CoverageFileError, match="cannot be written to"):
        write_file(tmp_path, CoverageData())


@pytest.mark.parametrize("text", ["csv", "term:out", "xml:", ""])
def test_an_unknown_report_is_answered_with_the_known_ones(text: str) -> None:
    with pytest.raises(
        ArgumentError, match=r"expected one of term, term-missing, lcov\[:FILE\], xml\[:FILE\], html\[:DIR\]"
    ):
        Wanted.parse(text, BASE)


@pytest.mark.parametrize("kind", ["lcov", "xml", "html"])
def test_a_report_that_cannot_be_written_is_said(tmp_path: Path, report: Report, kind: str) -> None:
    (tmp_path / "taken").write_text("", "utf-8")
    with pytest.raises(CoverageFileError, match=f"The {kind} report cannot be written to"):
        write(report, Wanted.parse(f"{kind}:taken/inside", tmp_path))
