"""The way it took, in the report of a test that fails. Stored outputs have been read: read a new one."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from bpflab.cli.demo import example_directory
from bpflab.obj.prebuilt import object_of
from pytest_bpflab.report_dir import DEFAULT

EXPECTED = Path(__file__).parent / "trace_expected"
PACKET = """
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from bpflab import XDP

    TELNET = (
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="192.0.2.7", dst="192.0.2.1") / TCP(dport=23)
    )
"""
FIREWALL = """
    from packet import TELNET, XDP

    def test_telnet_is_blocked(bpf):
        firewall = bpf.load("firewall.bpf.o")
        firewall.maps.blocked_ports[5888] = 1
        result = firewall.programs.firewall.run(TELNET)
        assert result.action is XDP.DROP
"""
UPTIME = """
    from packet import TELNET, XDP

    CODE = '''
        call ktime_get_ns
        r1 = r0
        r0 = 1
        r2 = 10000000000 ll
        if r1 < r2 goto young
        r0 = 2
    young:
        exit
    '''

    def test_young(bpf):
        assert bpf.program(CODE, name="uptime").run(TELNET).action is XDP.TX
"""


@pytest.fixture
def tracing(suite: pytest.Pytester) -> pytest.Pytester:
    """A directory with a packet to telnet and the firewall's object, in which a port is blocked the wrong way round."""
    shutil.copy(object_of(example_directory() / "firewall.bpf.c"), suite.path / "firewall.bpf.o")
    suite.makepyfile(packet=PACKET)
    return suite


def section(result: pytest.RunResult) -> str:
    """Return the section of a report, up to whatever follows it."""
    lines = result.outlines
    start = next(at for at, line in enumerate(lines) if line.strip("- ") == "the way it took")
    stop = next(at for at in range(start, len(lines)) if lines[at].startswith("=> "))
    return "\n".join(lines[start + 1 : stop + 1]) + "\n"


def stored(name: str, told: str) -> str:
    """Return the stored output of that name; write it first where BPFLAB_STORE says that it may change.

    Where a compiler makes another object for big-endian machines, there is a file of theirs.
    """
    of_big = EXPECTED / f"{name}.big.txt"
    path = of_big if sys.byteorder == "big" and of_big.exists() else EXPECTED / f"{name}.txt"
    if os.environ.get("BPFLAB_STORE"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(told, "utf-8")
    return path.read_text("utf-8")


def test_a_failing_test_shows_the_way_of_its_run_on_the_simulator(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(test_firewall=FIREWALL)
    told = section(tracing.runpytest_inprocess("--bpf=sim"))
    assert told == stored("firewall_sim", told)


def test_what_is_cut_is_in_a_file(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(test_firewall=FIREWALL)
    tracing.runpytest_inprocess("--bpf=sim", "--bpf-trace-lines=3")
    told = (tracing.path / DEFAULT / "test_firewall.py-test_telnet_is_blocked" / "trace.txt").read_text()
    assert told == stored("firewall_whole", told)


@pytest.mark.bpf(backend="kernel")
def test_a_run_on_the_kernel_is_made_again_on_the_simulator(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(test_firewall=FIREWALL)
    told = section(tracing.runpytest_inprocess("--bpf=kernel"))
    assert told == stored("firewall_kernel", told)


@pytest.mark.bpf(backend="kernel")
def test_a_repetition_that_goes_another_way_than_the_kernel_says_so(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(test_uptime=UPTIME)
    told = section(tracing.runpytest_inprocess("--bpf=kernel"))
    assert told == stored("uptime_kernel", told)


def test_of_several_runs_the_last_is_shown_and_the_others_in_brief(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(
        test_several="""
        from packet import TELNET

        def test_three(bpf):
            code = "r0 = *(u32 *)(r1 + 4)\\nr1 = *(u32 *)(r1 + 0)\\nr0 -= r1\\nr0 &= 3\\nexit"
            run = bpf.program(code, name="length").run
            assert [run(bytes(64 + extra)).retval for extra in range(3)] == [0, 1, 3]
        """
    )
    result = tracing.runpytest_inprocess("--bpf=sim")
    start = next(at for at, line in enumerate(result.outlines) if line.strip("- ") == "the way it took")
    stop = next(at for at in range(start, len(result.outlines)) if result.outlines[at].startswith("=> "))
    told = "\n".join(result.outlines[start + 1 : stop + 1]) + "\n"
    assert told == stored("several", told)


def test_a_shared_lab_tells_only_of_the_test_that_failed(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(
        test_shared="""
        import pytest

        @pytest.fixture(scope="module")
        def run(bpf_module):
            return bpf_module.program("r0 = 2\\nexit", name="passing").run

        def test_first(run):
            assert run(bytes(60)).retval == 2

        def test_second(run):
            assert run(bytes(70)).retval == 1

        def test_without_run(run):
            assert False
        """
    )
    result = tracing.runpytest_inprocess("--bpf=sim")
    result.assert_outcomes(passed=1, failed=2)
    heads = [line for line in result.outlines if "passing was run" in line]
    assert heads == ["passing was run on a packet of 70 bytes (eth): 2 instructions."]


def test_with_the_option_tests_that_pass_are_told_of_too(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(
        test_passing='def test_it(bpf):\n    assert bpf.program("r0 = 2\\nexit", name="passing").run(bytes(64))\n'
    )
    plain = tracing.runpytest_inprocess("--bpf=sim")
    plain.assert_outcomes(passed=1)
    assert not any("passing was run" in line for line in plain.outlines)
    traced = tracing.runpytest_inprocess("--bpf=sim", "--bpf-trace")
    traced.assert_outcomes(passed=1)
    traced.stdout.fnmatch_lines(
        ["*test_passing.py::test_it: the way it took*", "passing was run on *", "=> XDP.PASS (2)*"]
    )


def test_the_time_the_numbers_and_the_interfaces_that_a_test_set_are_those_of_the_trace(
    tracing: pytest.Pytester,
) -> None:
    tracing.makepyfile(
        test_world="""
        CODE = '''
            call ktime_get_ns
            r6 = r0
            call get_prandom_u32
            r0 = 0
            if r6 == 7 goto out
        out:
            exit
        '''

        def test_it(bpf):
            program = bpf.program(CODE, name="world")
            bpf.random.seed(5)
            bpf.random.u32()
            bpf.clock.advance(seconds=41)
            drawn = type(bpf.random)(5)
            drawn.u32()
            print("drawn", drawn.u32())
            assert program.run(bytes(64)).retval == 1
        """
    )
    result = tracing.runpytest_inprocess("--bpf=sim")
    drawn = next(line.split()[1] for line in result.outlines if line.startswith("drawn"))
    number = drawn if int(drawn) < 1 << 16 else f"{int(drawn):#x}"
    result.stdout.fnmatch_lines(["*bpf_ktime_get_ns() = 0x9c7652400*", f"*bpf_get_prandom_u32() = {number}*"])
    result.stdout.no_fnmatch_line("*DIFFERENT*")


def test_an_unsafe_act_is_shown_with_the_way_to_it(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(
        test_unsafe="""
        def test_it(bpf):
            bpf.map("hash", key="u32", value="u32", max_entries=1, name="m")
            bpf.world.helpers["map_lookup_elem"] = lambda env, found, key: 16
            code = "*(u32 *)(r10 - 4) = 1\\nr1 = map[name:m]\\nr2 = r10\\nr2 += -4\\ncall map_lookup_elem\\n"
            code += "if r0 == 0 goto out\\nr0 = *(u32 *)(r0 + 0)\\nout:\\nr0 = 0\\nexit"
            bpf.program(code, name="unsafe").run(bytes(64))
        """
    )
    told = section(tracing.runpytest_inprocess("--bpf=sim"))
    assert told == stored("unsafe", told)


def test_a_run_that_cannot_be_made_again_says_why(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(
        test_many="""
        from bpflab.trace import log

        def test_it(bpf, monkeypatch):
            monkeypatch.setattr(log, "MOST_ENTRIES", 3)
            run = bpf.program("r0 = 2\\nexit", name="often").run
            assert [run(bytes(64)).retval for _ in range(9)] == []
        """
    )
    result = tracing.runpytest_inprocess("--bpf=sim")
    result.stdout.fnmatch_lines(["The way of the last run cannot be told: The calls of this Lab became too many*"])


def test_no_lines_means_no_section_and_no_log(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(test_firewall=FIREWALL)
    result = tracing.runpytest_inprocess("--bpf=sim", "--bpf-trace-lines=0")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*the way it took*")


def test_workers_of_xdist_send_the_section_along(tracing: pytest.Pytester) -> None:
    tracing.makepyfile(test_firewall=FIREWALL)
    told = section(tracing.runpytest("--bpf=sim", "-n", "2"))
    assert told == stored("firewall_sim", told)
