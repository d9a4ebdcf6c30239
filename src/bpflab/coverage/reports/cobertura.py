"""Cobertura's XML (coverage-04.dtd), which continuous integration reads."""

from __future__ import annotations

import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import bpflab

if TYPE_CHECKING:
    from bpflab.coverage.sources import Counts, Report, SourceCoverage

DTD: Final = "http://cobertura.sourceforge.net/xml/coverage-04.dtd"
HEAD: Final = f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE coverage SYSTEM "{DTD}">\n'


def cobertura(report: Report, now: float | None = None) -> str:
    """Return the document: a package for each directory, a class for each source; `now` is its time in seconds."""
    total = report.total
    root = ET.Element(
        "coverage",
        {
            **_rates(total),
            "lines-covered": str(total.lines_run),
            "lines-valid": str(total.lines),
            "branches-covered": str(total.ways_gone),
            "branches-valid": str(total.ways),
            "complexity": "0",
            "version": f"bpflab {bpflab.__version__}",
            "timestamp": str(int(1000 * (time.time() if now is None else now))),
        },
    )
    ET.SubElement(ET.SubElement(root, "sources"), "source").text = str(report.base)
    packages = ET.SubElement(root, "packages")
    for name in sorted({_package(source) for source in report.sources}):
        _write_package(packages, name, [source for source in report.sources if _package(source) == name])
    ET.indent(root)
    return f"{HEAD}{ET.tostring(root, encoding='unicode')}\n"


def _write_package(packages: ET.Element, name: str, sources: list[SourceCoverage]) -> None:
    counts = sum((source.counts for source in sources[1:]), sources[0].counts)
    package = ET.SubElement(packages, "package", {"name": name, **_rates(counts), "complexity": "0"})
    classes = ET.SubElement(package, "classes")
    for source in sources:
        _write_class(classes, source)


def _write_class(classes: ET.Element, source: SourceCoverage) -> None:
    name = PurePosixPath(source.name).name
    found = ET.SubElement(
        classes, "class", {"name": name, "filename": source.name, **_rates(source.counts), "complexity": "0"}
    )
    methods = ET.SubElement(found, "methods")
    for function, (line, entered) in sorted(source.functions.items()):
        _write_method(methods, function, line, entered=entered)
    lines = ET.SubElement(found, "lines")
    for line, ran in sorted(source.lines.items()):
        ET.SubElement(lines, "line", {"number": str(line), "hits": str(int(ran)), **_conditions(source, line)})


def _write_method(methods: ET.Element, name: str, line: int, *, entered: bool) -> None:
    rate = f"{int(entered)}"
    method = ET.SubElement(
        methods, "method", {"name": name, "signature": "", "line-rate": rate, "branch-rate": rate, "complexity": "0"}
    )
    lines = ET.SubElement(method, "lines")
    ET.SubElement(lines, "line", {"number": str(line), "hits": rate})


def _conditions(source: SourceCoverage, line: int) -> dict[str, str]:
    ways = [gone for _, _, gone in source.ways_at(line)]
    if not ways:
        return {"branch": "false"}
    share = f"{100 * sum(ways) // len(ways)}% ({sum(ways)}/{len(ways)})"
    return {"branch": "true", "condition-coverage": share}


def _rates(counts: Counts) -> dict[str, str]:
    return {"line-rate": _rate(counts.lines_run, counts.lines), "branch-rate": _rate(counts.ways_gone, counts.ways)}


def _rate(part: int, whole: int) -> str:
    return f"{part / whole if whole else 1:.4g}"


def _package(source: SourceCoverage) -> str:
    parent = str(PurePosixPath(source.name).parent)
    return "." if parent in {"", "."} else parent.strip("/").replace("/", ".")
