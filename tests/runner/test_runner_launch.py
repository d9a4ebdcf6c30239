from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bpflab.abi.architectures import ARCHITECTURES
from bpflab.cli import main
from bpflab.runner.cache import Cache
from bpflab.runner.guests import GUESTS, guest_of
from bpflab.runner.launch import Launch, guest_environment, prepare
from bpflab.runner.packages import wheel_tags
from bpflab.runner.sources import guest_sources

Calls = Callable[[str], list[str]]


def launch(name: str = "s390x", *requirements: str) -> Launch:
    with Cache() as cache:
        return prepare(cache, GUESTS[name], requirements)


def test_every_architecture_of_the_library_can_be_a_guest() -> None:
    assert set(GUESTS) == set(ARCHITECTURES)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("aarch64", "arm64"), ("amd64", "x86_64"), ("ppc64el", "ppc64le"), ("armv7l", "armhf"), ("S390X", "s390x")],
)
def test_an_architecture_is_found_by_its_aliases(alias: str, name: str) -> None:
    assert guest_of(alias).name == name


@pytest.mark.usefixtures("mirror")
def test_the_guest_python_runs_under_qemu_with_its_sysroot() -> None:
    qemu, option, root, python = launch().command
    assert qemu.endswith("/qemu-s390x")
    assert option == "-L"
    assert python == f"{root}/usr/bin/python3.11"
    assert Path(python).read_text("utf-8") == "python\n"


@pytest.mark.usefixtures("mirror")
def test_a_second_start_asks_neither_the_mirror_nor_pip(calls: Calls) -> None:
    first = launch()
    before = calls("apt-get") + calls("pip")
    assert launch() == first
    assert calls("apt-get") + calls("pip") == before


@pytest.mark.usefixtures("mirror")
def test_the_guest_has_its_packages_then_bpflab_then_the_users_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/mine")
    packages, own, mine = launch().environment["PYTHONPATH"].split(":")
    assert (Path(packages) / "installed.py").exists()
    assert {"bpflab", "pytest_bpflab", "bpflab_packets"} < {path.name for path in Path(own).iterdir()}
    assert (Path(own) / "bpflab" / "errors.py").exists()
    assert mine == "/mine"


@pytest.mark.usefixtures("mirror")
def test_wheels_are_asked_for_by_architecture_python_and_c_library(calls: Calls) -> None:
    launch("s390x", "numpy>=2")
    (call,) = calls("pip")
    assert "--only-binary=:all:" in call
    assert "--python-version 3.11" in call
    assert "--platform=manylinux_2_36_s390x" in call
    assert "numpy>=2" in call
    assert "scapy" in call


def test_no_wheel_for_a_newer_c_library_is_asked_for() -> None:
    tags = wheel_tags(GUESTS["armhf"], "2.31")
    assert tags[0] == "manylinux_2_31_armv7l"
    assert tags[-2:] == ["manylinux_2_17_armv7l", "manylinux2014_armv7l"]


@pytest.mark.usefixtures("mirror")
def test_apt_is_given_the_hosts_ways_to_the_network_and_not_its_hooks(
    tool: Callable[[str, str], None], tools: Path, tmp_path: Path
) -> None:
    works = (tools / "apt-get").read_text("utf-8").split("\n", 2)[2]
    tool("apt-get", f'cat "$APT_CONFIG" > {tmp_path}/seen\n{works}')
    launch()
    configuration = (tmp_path / "seen").read_text("utf-8")
    assert 'Acquire::http::Proxy "http://proxy.example:3128";' in configuration
    assert 'APT::Architecture "s390x";' in configuration
    assert "Invoke" not in configuration


@pytest.mark.parametrize(
    ("name", "codename", "suites"),
    [
        ("s390x", "bookworm", "bookworm bookworm-updates"),
        ("riscv64", "bookworm", "trixie trixie-updates"),
        ("riscv64", "trixie", "bookworm bookworm-updates"),
        ("riscv64", "", "bookworm bookworm-updates"),
    ],
)
def test_a_later_release_is_taken_only_where_the_hosts_lacks_the_architecture(
    name: str, codename: str, suites: str
) -> None:
    host = "URIs: http://mirror.example/debian\nSuites:\n{}\n"
    sources = json.dumps({"debian.sources": host.format("bookworm bookworm-updates")})
    taken = json.loads(guest_sources(GUESTS[name], sources, codename))
    assert taken == {"debian.sources": host.format(suites)}


@pytest.mark.usefixtures("mirror")
def test_absolute_links_of_packages_stay_in_the_sysroot() -> None:
    link = Path(launch().command[2]) / "usr/lib/absolute"
    assert str(link.readlink()) == "real"


@pytest.mark.usefixtures("mirror")
def test_a_guest_of_another_python_keeps_its_byte_code_in_the_cache(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bpflab.runner.bytecode.is_the_hosts", lambda _: False)
    monkeypatch.setattr("bpflab.runner.packages.is_the_hosts", lambda _: False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = launch().environment
    assert Path(environment["PYTHONPYCACHEPREFIX"]).is_relative_to(tmp_path / "cache")
    assert not environment["PYTHONDONTWRITEBYTECODE"]
    assert "--no-compile" in calls("pip")[0]


@pytest.mark.usefixtures("mirror")
def test_a_guest_of_the_hosts_python_shares_its_byte_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpflab.runner.bytecode.is_the_hosts", lambda _: True)
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    assert "PYTHONPYCACHEPREFIX" not in launch().environment


@pytest.mark.usefixtures("mirror")
def test_the_hosts_own_architecture_is_this_python() -> None:
    assert launch("x86_64").command == (sys.executable,)


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_the_environment_is_the_hosts_but_for_what_names_its_files(host: dict[str, str]) -> None:
    foreign = {"LD_PRELOAD": "x", "LD_LIBRARY_PATH": "x", "PYTHONHOME": "x", "VIRTUAL_ENV": "x"}
    host = {name: value for name, value in host.items() if name not in foreign}
    given_to = guest_environment({**host, **foreign}, ["/a", "/b"])
    assert not set(given_to) & set(foreign)
    assert {**host, "PYTHONPATH": given_to["PYTHONPATH"], "PYTHONNOUSERSITE": "1"} == given_to
    assert given_to["PYTHONPATH"].split(":")[:2] == ["/a", "/b"]


@pytest.mark.usefixtures("mirror")
def test_the_cache_is_listed_and_cleared_by_command() -> None:
    launch()
    run = CliRunner().invoke
    listed = run(main, ["cache", "list"]).output
    assert "sysroot/s390x-" in listed
    assert "packages/s390x-" in listed
    assert "removed sysroot/s390x-" in run(main, ["cache", "clear", "sysroot"]).output
    assert "sysroot/" not in run(main, ["cache", "list"]).output
    assert "packages/s390x-" in run(main, ["cache", "list"]).output
    run(main, ["cache", "clear"])
    assert run(main, ["cache", "clear"]).output == "Nothing to remove.\n"


@pytest.mark.usefixtures("mirror")
def test_arguments_reach_python_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[str, ...]] = []
    monkeypatch.setattr(Launch, "become", lambda _, arguments: became.append(tuple(arguments)))
    result = CliRunner().invoke(main, ["python", "--arch", "s390x", "-m", "pytest", "-q", "--arch", "x", "--help"])
    assert result.exit_code == 0
    assert became == [("-m", "pytest", "-q", "--arch", "x", "--help")]
    assert "bpflab python s390x: reading the mirror's package lists for s390x" in result.stderr


@pytest.mark.usefixtures("mirror")
def test_an_unknown_architecture_is_refused_in_a_sentence() -> None:
    result = CliRunner().invoke(main, ["python", "--arch", "vax"])
    assert result.exit_code == 2
    assert "No guest Python is known for architecture 'vax'" in result.output
