"""`pytest some.bpf.o`: the programs of an object whose source says what it expects of them, each a test.

Objects are collected where they are named on the command line, and with `bpf_objects = true` wherever pytest looks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.obj.annotations import Annotations
    from bpflab.obj.spec import ObjectSpec

SUFFIXES = (".bpf.o", ".bpf.c")
PROPERTY = "bpf_backend"
"""Under this name reports say where a test ran."""


def add_options(parser: pytest.Parser) -> None:
    """Add the ini setting."""
    parser.addini("bpf_objects", "collect annotated .bpf.o files wherever pytest looks", type="bool", default=False)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect an object, or a source, that is named; objects elsewhere where the ini setting asks for it."""
    if not file_path.name.endswith(SUFFIXES):
        return None
    wanted = _is_named(parent.config, file_path)
    if not wanted and not (file_path.suffix == ".o" and parent.config.getini("bpf_objects")):
        return None
    collected: pytest.Collector = AnnotatedObject.from_parent(parent, path=file_path)
    return collected


def _is_named(config: pytest.Config, path: Path) -> bool:
    named = (str(argument).partition("::")[0] for argument in config.args)
    return path in {Path(config.invocation_params.dir, each).resolve() for each in named}


class AnnotatedObject(pytest.File):
    """An object whose programs say what is expected of them."""

    def collect(self) -> Iterable[pytest.Item]:
        """Read the object, and make a test of each program with expectations, on each backend that is asked for."""
        from bpflab.errors import BpfError
        from bpflab.obj.annotations import read_annotations
        from bpflab.objects.source import spec_of
        from pytest_bpflab.backends import backend_names

        try:
            spec = spec_of(self.path)
            found = read_annotations(spec)
        except BpfError as error:
            raise self.CollectError(str(error)) from error
        names = backend_names(self.config)
        for expected in found:
            for name in names:
                shown = expected.program if len(names) == 1 else f"{expected.program}[{name}]"
                yield AnnotatedProgram.from_parent(self, name=shown, spec=spec, expected=expected, backend=name)


class UnmetError(Exception):
    """What a program did not do that its source expects."""


class AnnotatedProgram(pytest.Item):
    """One program: loaded, or refused, and run as its source says."""

    def __init__(self, *, spec: ObjectSpec, expected: Annotations, backend: str, **rest: Any) -> None:  # noqa: ANN401 - pytest's
        super().__init__(**rest)
        self.spec = spec
        self.expected = expected
        self.backend = backend
        self.user_properties.append((PROPERTY, backend))

    def runtest(self) -> None:
        """Hold the program to its expectations."""
        from bpflab.objects.annotated import disappointments
        from pytest_bpflab.lab import lab_of_test

        with lab_of_test(self, self.backend) as lab:
            found = disappointments(lab, self.spec, self.expected)
        if found:
            raise UnmetError("\n".join(map(str, found)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ANN401 - pytest's
        """Say what was expected and did not come."""
        from bpflab.errors import BpfError

        if not isinstance(excinfo.value, (UnmetError, BpfError)):
            return super().repr_failure(excinfo, style)
        described = f"{self.expected.description}\n" if self.expected.description else ""
        return f"{described}{excinfo.value}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the object and the program."""
        return self.path, None, f"{self.path.name}: {self.expected.program}"
