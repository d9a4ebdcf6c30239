"""Write every fixture, option, ini setting, marker and hook of the plugin as a page for people.

`python -m pytest_bpflab.reference_page > docs/plugin-reference.md`
"""

from __future__ import annotations

import argparse
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest_bpflab
from pytest_bpflab import hookspecs
from pytest_bpflab.options import MARKER
from pytest_bpflab.reference_examples import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTRODUCTION: Final = """\
# Every fixture, option, setting, marker and hook of the plugin

This page is written by `python -m pytest_bpflab.reference_page`. How they work together is told in
[The pytest plugin](plugin.md) and [Quick suites](suites.md). The examples are tests that pass as they stand.
"""


class Asked:
    """Stands for pytest's parser and for a group of it, and notes what the plugin adds to them."""

    def __init__(self) -> None:
        self.options: list[tuple[tuple[str, ...], dict[str, Any]]] = []
        self.settings: list[tuple[str, dict[str, Any]]] = []

    def getgroup(self, *_: str) -> Asked:
        """Be the group, too."""
        return self

    def addoption(self, *names: str, **details: Any) -> None:  # noqa: ANN401 - pytest's and argparse's own
        """Note an option."""
        self.options.append((names, details))

    def addini(self, name: str, help: str, type: str = "string", default: object = None) -> None:  # noqa: A002 - pytest's own names
        """Note a setting of the ini file."""
        self.settings.append((name, {"help": help, "type": type, "default": default}))


def asked() -> Asked:
    """Let the plugin add its options and settings."""
    noted: Any = Asked()
    pytest_bpflab.pytest_addoption(noted)
    found: Asked = noted
    return found


def fixtures() -> dict[str, tuple[str, str]]:
    """Return scope and description of each fixture, by name."""
    found = {}
    for name in pytest_bpflab.__all__:
        marker = getattr(getattr(pytest_bpflab, name), "_fixture_function_marker", None)
        if marker is not None:
            found[name] = str(marker.scope), inspect.getdoc(getattr(pytest_bpflab, name)._get_wrapped_function()) or ""
    return found


def page() -> str:
    """Return the page."""
    noted = asked()
    return "\n".join([_INTRODUCTION, *_fixtures(), *_options(noted), *_settings(noted), *_rest()])


def _fixtures() -> Iterator[str]:
    yield "## Fixtures\n"
    for name, (scope, text) in sorted(fixtures().items()):
        yield f"### `{name}` ({scope})\n\n{text}\n"
        if name in EXAMPLES:
            yield f"```python\n{EXAMPLES[name]}```\n"


def _options(noted: Asked) -> Iterator[str]:
    yield "## Options\n\n| option | meaning |\n|---|---|"
    for names, details in sorted(noted.options, key=lambda option: option[0]):
        yield f"| {', '.join(f'`{_usage(name, details)}`' for name in names)} | {_cell(_expanded(details))} |"
    yield ""


def _usage(name: str, details: dict[str, Any]) -> str:
    choices, flag = details.get("choices"), str(details.get("action", "")).startswith("store_")
    value = "\\|".join(map(str, choices)) if choices else details.get("metavar", "VALUE")
    optional = details.get("nargs") == "?"
    return name if flag else f"{name}[={value}]" if optional else f"{name}={value}"


def _expanded(details: dict[str, Any]) -> str:
    text = str(details.get("help", ""))
    return text % {key: value for key, value in details.items() if value is not argparse.SUPPRESS}


def _settings(noted: Asked) -> Iterator[str]:
    yield "## Settings of the ini file\n\n| setting | type | default | meaning |\n|---|---|---|---|"
    for name, details in sorted(noted.settings):
        default = "" if details["default"] in {None, ""} else f"`{details['default']}`"
        yield f"| `{name}` | {details['type']} | {default} | {_cell(details['help'])} |"
    yield ""


def _rest() -> Iterator[str]:
    usage, _, text = MARKER.partition(": ")
    yield f"## Marker\n\n`@pytest.mark.{usage}`: {text}\n"
    yield "## Hooks\n"
    for name, hook in sorted(inspect.getmembers(hookspecs, inspect.isfunction)):
        if name.startswith("pytest_"):
            arguments = ", ".join(inspect.signature(hook).parameters)
            yield f"### `{name}({arguments})`\n\n{inspect.getdoc(hook)}\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page().rstrip("\n") + "\n")
