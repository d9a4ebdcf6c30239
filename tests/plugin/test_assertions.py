"""What a failing assertion says, against texts that were read."""

from __future__ import annotations

from textwrap import dedent

import pytest

HEAD = """
    from bpflab.abi.verdicts import TC, XDP
    from bpflab_packets.compare import packet_matches
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.l2 import Ether
    from programs import PASS

    def ether():
        return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")

    SENT = ether() / IP(src="192.0.2.1", dst="192.0.2.2") / TCP(dport=23)

    def run(bpf, packet=SENT):
        return bpf.program(PASS, name="passing").run(packet)
"""


def explanation(suite: pytest.Pytester, body: str, *options: str) -> str:
    """Return what pytest says of an assertion in a test that uses the fixture, without its margin."""
    suite.makepyfile(test_it=dedent(HEAD) + "\ndef test_it(bpf):\n    " + body.strip().replace("\n", "\n    ") + "\n")
    result = suite.runpytest_inprocess("--bpf=sim", *options)
    result.assert_outcomes(failed=1)
    lines = [
        line.removeprefix("E  ").strip().removeprefix("AssertionError: ")
        for line in result.outlines
        if line.startswith("E  ")
    ]
    return "\n".join(lines)


def section(suite: pytest.Pytester, title: str) -> str:
    """Return a section of the last report."""
    result = suite.runpytest_inprocess("--bpf=sim")
    at = next(index for index, line in enumerate(result.outlines) if line.strip("- ") == title)
    rest = result.outlines[at + 1 :]
    end = next(index for index, line in enumerate(rest) if line.startswith(("---", "bpf: ")))
    return "\n".join(rest[:end])


@pytest.mark.parametrize(
    ("asserted", "told"),
    [
        (
            "result.action is XDP.DROP",
            """
            assert XDP.PASS is XDP.DROP
            The verdict is not XDP.DROP.
            Run 1 of this test, program passing, answered XDP.PASS
            to 54 bytes: eth/ip/tcp
            """,
        ),
        (
            "result.action != XDP.PASS",
            """
            assert XDP.PASS != XDP.PASS
            The verdict is XDP.PASS.
            Run 1 of this test, program passing, answered XDP.PASS
            to 54 bytes: eth/ip/tcp
            """,
        ),
        (
            "XDP.DROP == result.action",
            """
            assert XDP.DROP == XDP.PASS
            The verdict is not XDP.DROP.
            Run 1 of this test, program passing, answered XDP.PASS
            to 54 bytes: eth/ip/tcp
            """,
        ),
        (
            "result.retval == XDP.TX",
            """
            assert 2 (XDP.PASS) == XDP.TX
            The verdict is not XDP.TX.
            Run 1 of this test, program passing, answered 2 (XDP.PASS)
            to 54 bytes: eth/ip/tcp
            """,
        ),
        (
            "result.action is TC.SHOT",
            """
            assert XDP.PASS is TC.SHOT
            The verdict is not TC.SHOT.
            They are verdicts of different types: XDP and TC.
            """,
        ),
    ],
)
def test_verdicts_are_named_with_the_run_that_gave_them(suite: pytest.Pytester, asserted: str, told: str) -> None:
    found = explanation(suite, f"result = run(bpf)\nassert {asserted}")
    if "TC.SHOT" in asserted:
        found = "\n".join(line for line in found.splitlines() if not line.startswith(("Run 1", "to 54")))
    assert found == dedent(told).strip()


def test_packets_are_compared_field_by_field_and_then_byte_by_byte(suite: pytest.Pytester) -> None:
    body = "wanted = SENT.copy()\nwanted.ttl = 63\ndel wanted[IP].chksum\nassert run(bpf).packet == wanted"
    assert (
        explanation(suite, body, "-vv")
        == dedent("""
        assert Ether / IP / TCP == Ether / IP / TCP
        The packets differ (found != expected):
        IP.ttl: 64 != 63
        IP.chksum: 0xf6cb != 0xf7cb
        ...
        0008   00  00  00  01  08  00  45  00  | 00  00  00  01  08  00  45  00
        0010   00  28  00  01  00  00 [40] 06  | 00  28  00  01  00  00 [3f] 06
        0018  [f6] cb  c0  00  02  01  c0  00  |[f7] cb  c0  00  02  01  c0  00
        0020   02  02  00  14  00  17  00  00  | 02  02  00  14  00  17  00  00
        ...
    """).strip()
    )


def test_a_long_comparison_is_whole_in_the_report(suite: pytest.Pytester) -> None:
    body = "wanted = SENT.copy()\nwanted.ttl = 63\ndel wanted[IP].chksum\nassert run(bpf).packet == wanted"
    assert (
        explanation(suite, body)
        == dedent("""
        assert Ether / IP / TCP == Ether / IP / TCP
        The packets differ (found != expected):
        IP.ttl: 64 != 63
        IP.chksum: 0xf6cb != 0xf7cb
        ...
        0008   00  00  00  01  08  00  45  00  | 00  00  00  01  08  00  45  00
        The whole of it is below: bpf difference.
    """).strip()
    )
    assert section(suite, "bpf difference").splitlines()[6] == (
        "0010   00  28  00  01  00  00 [40] 06  | 00  28  00  01  00  00 [3f] 06"
    )


def test_bytes_that_came_out_of_a_run_are_a_packet(suite: pytest.Pytester) -> None:
    whole = "sport=20 dport=23 seq=0 ack=0 dataofs=5 reserved=0 flags=S window=8192 chksum=0xbb4 urgptr=0 options=[]"
    assert explanation(suite, "data = run(bpf).data\nassert data == data[:-1]", "-vv") == dedent("""
        assert Ether / IP / TCP == Ether / IP / Raw
        The packets differ (found != expected):
        length: 54 != 53 bytes
        TCP.*: {TCP} != None
        Raw.*: None != load=b'\\x00\\x14\\x00\\x17\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00P\\x02 \\x00\\x0b\\xb4\\x00'
        ...
        0028   00  00  00  00  00  00  50  02  | 00  00  00  00  00  00  50  02
        0030   20  00  0b  b4  00 [00] | 20  00  0b  b4  00 [--]
    """).strip().replace("{TCP}", whole)


def test_bytes_of_no_run_are_left_to_pytest(suite: pytest.Pytester) -> None:
    assert "At index 0 diff" in explanation(suite, 'assert b"abc" == b"xyz"')


def test_a_pattern_says_what_the_packet_has_not(suite: pytest.Pytester) -> None:
    body = 'assert run(bpf).packet == packet_matches(IP(ttl=63) / UDP(dport=53), ignore=["chksum"])'
    assert (
        explanation(suite, body)
        == dedent("""
        assert packet == packet_matches(IP(ttl) / UDP(dport))
        IP.ttl is 64, expected 63
        UDP: expected, and the packet has none (in this order)
        ignored: chksum
        the packet: Ether / IP / TCP, 54 bytes
    """).strip()
    )


@pytest.mark.parametrize("compared", ["table", "dict(table)"])
def test_maps_say_what_is_missing_too_much_and_different(suite: pytest.Pytester, compared: str) -> None:
    body = (
        'table = bpf.map("hash", key="u32", value="u64", max_entries=9, name="table")\n'
        f"table[1], table[2], table[3] = 10, 20, 30\nassert {compared} == {{1: 10, 2: 21, 7: 70}}"
    )
    first = "HASH map 'table'" if compared == "table" else "{1: 10, 2: 20, 3: 30}"
    assert (
        explanation(suite, body)
        == f"assert {first} == {{1: 10, 2: 21, 7: 70}}\n"
        + dedent("""
        Of 3 entries 1 are as expected; 1 missing, 1 too much, 1 different.
        missing: 7: expected 70
        too much: 3: 30
        different: 2: 20, expected 21
    """).strip()
    )


def test_keys_and_values_are_shown_decoded(suite: pytest.Pytester) -> None:
    body = (
        'table = bpf.map("hash", key="ipv4", value="bytes[3]", max_entries=9, name="table")\n'
        'table["192.0.2.7"] = b"xyz"\nassert table == {"192.0.2.1": b"ab"}'
    )
    told = explanation(suite, body)
    assert "missing: '192.0.2.1': expected 61 62" in told
    assert "too much: 192.0.2.7: 78 79 7a" in told


def test_dicts_of_a_test_without_a_lab_are_left_to_pytest(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_it="import bpflab\ndef test_it():\n    assert {1: 2} == {1: 3}\n")
    suite.runpytest_inprocess("--bpf=sim").stdout.fnmatch_lines(["E*Differing items:"])
