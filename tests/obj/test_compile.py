"""C becomes an object once; the same C with the same headers, flags and compiler is not compiled again."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bpflab.errors import CompileError
from bpflab.obj import CompileWarning, compile_c, compilers, read_object
from bpflab.obj.compile_cache import VARIABLE as CACHE_VARIABLE
from bpflab.obj.compile_cache import default_directory

SOURCE = '#include "answer.h"\n__attribute__((section("xdp"), used)) int program(void *ctx) { return ANSWER; }\n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "with space"
    directory.mkdir()
    (directory / "answer.h").write_text("#define ANSWER 1\n")
    path = directory / "answer.bpf.c"
    path.write_text(SOURCE)
    return path


class Counted:
    """A compiler that notes each of its runs, as $BPF_CLANG."""

    def __init__(self, directory: Path, clang: tuple[str, ...]) -> None:
        self._log = directory / "runs"
        self.path = directory / "counted-clang"
        self.path.write_text(f'#!/bin/sh\necho "$@" >> {self._log}\nexec {" ".join(clang)} "$@"\n')
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)

    @property
    def compilations(self) -> int:
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return sum(" -c " in line for line in lines)


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    found = Counted(tmp_path, compilers.find_compiler().command)
    monkeypatch.setenv("BPF_CLANG", str(found.path))
    return found


def returned(path: Path) -> int:
    """Give the constant that the program returns."""
    spec = read_object(path)
    return int.from_bytes(spec.programs["program"].insns[4:8], spec.byteorder, signed=True)


def test_an_object_has_the_name_of_its_source(source: Path, tmp_path: Path) -> None:
    found = compile_c(source, cache=tmp_path)
    assert (found.name, returned(found)) == ("answer.bpf.o", 1)


def test_what_was_compiled_is_not_compiled_again(source: Path, tmp_path: Path, counted: Counted) -> None:
    assert compile_c(source, cache=tmp_path) == compile_c(source, cache=tmp_path)
    assert counted.compilations == 1


def test_another_header_makes_another_object(source: Path, tmp_path: Path, counted: Counted) -> None:
    first = compile_c(source, cache=tmp_path)
    source.with_name("answer.h").write_text("#define ANSWER 2\n")
    second = compile_c(source, cache=tmp_path)
    assert (returned(first), returned(second), counted.compilations) == (1, 2, 2)


def test_a_header_put_back_finds_the_first_object(source: Path, tmp_path: Path, counted: Counted) -> None:
    first = compile_c(source, cache=tmp_path)
    source.with_name("answer.h").write_text("#define ANSWER 2\n")
    compile_c(source, cache=tmp_path)
    source.with_name("answer.h").write_text("#define ANSWER 1\n")
    assert compile_c(source, cache=tmp_path) == first
    assert counted.compilations == 2


def test_another_source_flag_or_cpu_makes_another_object(source: Path, tmp_path: Path, counted: Counted) -> None:
    found = [compile_c(source, cache=tmp_path), compile_c(source, cache=tmp_path, flags=["-DANSWER=1", "-w"])]
    found.append(compile_c(source, cache=tmp_path, cpu="v1"))
    source.write_text(SOURCE + "\n")
    found.append(compile_c(source, cache=tmp_path))
    assert (len(set(found)), counted.compilations) == (4, 4)


def test_an_object_that_was_deleted_is_compiled_again(source: Path, tmp_path: Path, counted: Counted) -> None:
    compile_c(source, cache=tmp_path).unlink()
    assert returned(compile_c(source, cache=tmp_path)) == 1
    assert counted.compilations == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"object": 3}]', b"\xff"])
def test_a_spoiled_record_of_the_cache_counts_as_none(
    source: Path, tmp_path: Path, counted: Counted, content: bytes
) -> None:
    compile_c(source, cache=tmp_path / "cache")
    (record,) = (tmp_path / "cache" / "recipes").iterdir()
    record.write_bytes(content)
    assert returned(compile_c(source, cache=tmp_path / "cache")) == 1
    assert counted.compilations == 2


def test_directories_for_headers_are_searched(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "include"
    other.mkdir()
    source.with_name("answer.h").rename(other / "answer.h")
    assert returned(compile_c(source, cache=tmp_path, include=[other])) == 1


def test_threads_that_compile_at_once_all_get_a_whole_object(source: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: compile_c(source, cache=tmp_path), range(8)))
    assert {returned(each) for each in found} == {1}
    assert list(tmp_path.rglob(".new-*")) == []


@pytest.mark.parametrize(("byteorder", "mark"), [("little", 1), ("big", 2)])
def test_the_byte_order_is_chosen(source: Path, tmp_path: Path, byteorder: str, mark: int) -> None:
    found = compile_c(source, cache=tmp_path, byteorder="big" if byteorder == "big" else "little")
    assert found.read_bytes()[5] == mark


def test_a_refusal_shows_the_compilers_own_message(source: Path, tmp_path: Path) -> None:
    source.write_text("int program(void) { return missing; }\n")
    with pytest.raises(CompileError, match=r"answer.bpf.c:1:28: error: use of undeclared identifier 'missing'"):
        compile_c(source, cache=tmp_path)


def test_warnings_are_given_every_time(source: Path, tmp_path: Path, counted: Counted) -> None:
    source.write_text(SOURCE + "static int unused;\n")
    for _ in range(2):
        with pytest.warns(CompileWarning, match="unused variable 'unused'"):
            compile_c(source, cache=tmp_path)
    assert counted.compilations == 1


def test_without_a_compiler_it_says_what_to_install(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BPF_CLANG")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(compilers, "_zig_library", lambda: None)
    compilers._compiler.cache_clear()
    with pytest.raises(CompileError, match=r'pip install "bpflab\[clang\]"'):
        compile_c(source, cache=tmp_path)
    compilers._compiler.cache_clear()


def test_a_clang_that_does_not_know_bpf_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clang = tmp_path / "clang"
    clang.write_text("#!/bin/sh\necho '    x86 - 32-bit X86'\n")
    clang.chmod(0o755)
    monkeypatch.delenv("BPF_CLANG")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert compilers.find_compiler().command[0] != str(clang)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (
            "error: unable to create target: 'No available targets are compatible with triple \"bpfel\"'",
            "has one that can",
        ),
        ("x.c:1:10: fatal error: 'linux/bpf.h' file not found", "install linux-libc-dev"),
    ],
)
def test_a_known_refusal_comes_with_advice(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, advice: str
) -> None:
    clang = tmp_path / "refusing"
    clang.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
    clang.chmod(0o755)
    monkeypatch.setenv("BPF_CLANG", str(clang))
    with pytest.raises(CompileError) as caught:
        compile_c(source, cache=tmp_path)
    assert said in str(caught.value)
    assert advice in str(caught.value)


def test_a_system_without_kernel_headers_gets_those_of_ziglang(
    source: Path, tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilers, "SYSTEM_HEADERS", tmp_path / "none")
    source.write_text("#include <linux/bpf.h>\n" + SOURCE)
    compilers._compiler.cache_clear()
    found = compile_c(source, cache=tmp_path, flags=["-nostdlibinc"])
    compilers._compiler.cache_clear()
    assert (returned(found), counted.compilations) == (1, 1)


def test_a_compiler_that_is_not_there_is_named(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPF_CLANG", "no-such-clang -v")
    with pytest.raises(CompileError, match=r"\$BPF_CLANG is 'no-such-clang -v', and 'no-such-clang' is no program"):
        compile_c(source, cache=tmp_path)


def test_a_cache_that_cannot_be_written_says_which_variable_to_set(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CompileError, match=rf"cannot be written: .*Set \${CACHE_VARIABLE}"):
        compile_c(source, cache=tmp_path / "file")


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"none.bpf.c cannot be read"):
        compile_c(tmp_path / "none.bpf.c")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({CACHE_VARIABLE: "/here", "XDG_CACHE_HOME": "/there"}, "/here"),
        ({CACHE_VARIABLE: "", "XDG_CACHE_HOME": "/there"}, "/there/bpflab"),
        ({CACHE_VARIABLE: "", "XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache/bpflab"),
    ],
)
def test_the_cache_is_where_the_user_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_directory() == Path(expected)
