"""Rows of a user's own, in the form of the helper table."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab.abi.helper_file import parse
from bpflab.abi.helpers import Argument, ArgumentKind, Return, ReturnKind, table
from bpflab.abi.prog_types import ProgType
from bpflab.errors import ArgumentError

GROUPS = """\
group mine: XDP SCHED_CLS SCHED_ACT
group fewer: mine -SCHED_ACT
"""
ROW = """\
= vendor: helpers of one vendor's kernel

1000 vendor_stamp, since 6.1, for fewer; gpl packet_memory
    struct xdp_md *ctx: ctx
    void *buf: mem_uninit or_null
    u32 len: size_or_zero buf
    struct stamp *into: mem_write[16]
    -> struct tcp_sock *: btf_ptr tcp_sock or_null
    in SCHED_CLS: ctx btf_ptr sk_buff
    in XDP: no gpl
    Writes a time stamp.
    It is that of the vendor's clock.
"""
LINES = (GROUPS + ROW).splitlines()


def test_a_row_says_everything_about_its_helper() -> None:
    (row,) = parse(GROUPS + ROW, "mine.txt").helpers
    assert (row.id, row.name, row.since, row.category) == (1000, "vendor_stamp", (6, 1), "vendor")
    assert row.programs == {ProgType.XDP, ProgType.SCHED_CLS}
    assert (row.gpl_only, row.packet_memory, row.changes_packet, row.sleeps) == (True, True, False, False)
    assert row.returns == Return("struct tcp_sock *", ReturnKind.BTF_PTR, of="tcp_sock", or_null=True)
    assert row.description == "Writes a time stamp. It is that of the vendor's clock."
    assert row.gpl_exempt == {ProgType.XDP}


def test_a_row_says_everything_about_its_arguments() -> None:
    (row,) = parse(GROUPS + ROW, "mine.txt").helpers
    assert row.arguments == (
        Argument("ctx", "struct xdp_md *", ArgumentKind.CTX),
        Argument("buf", "void *", ArgumentKind.MEM_UNINIT, or_null=True),
        Argument("len", "u32", ArgumentKind.SIZE_OR_ZERO, sizes="buf"),
        Argument("into", "struct stamp *", ArgumentKind.MEM_WRITE, size=16),
    )
    assert row.arguments_in(ProgType.SCHED_CLS)[0].of == "sk_buff"


@given(st.lists(st.tuples(st.integers(0, len(LINES)), st.sampled_from(["", "# a remark", "   "]))))
def test_empty_lines_and_remarks_mean_nothing(inserted: list[tuple[int, str]]) -> None:
    lines = list(LINES)
    for position, line in inserted:
        lines.insert(position, line)
    assert parse("\n".join(lines), "mine.txt") == parse(GROUPS + ROW, "mine.txt")


def changed(old: str, new: str) -> str:
    assert old in GROUPS + ROW
    return (GROUPS + ROW).replace(old, new)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (changed("group mine: XDP", "group mine: XPD"), r"mine\.txt:1: 'XPD' is neither a group nor a program type"),
        (changed("for fewer", "for less"), r":5: 'less' is neither a group.*fewer"),
        (changed("1000 vendor_stamp", "vendor_stamp"), r":5: .*is no heading; expected `ID NAME"),
        (changed("gpl packet_memory", "gpl fast"), r":5: vendor_stamp has the property 'fast'; known are gpl"),
        (changed("ctx: ctx", "ctx: context"), r":6: 'context' is no kind of argument; known are scalar"),
        (changed("*buf: mem_uninit", "*buf: mem_uninit[x]"), r":7: 'mem_uninit\[x\]' is no kind"),
        (changed("*buf: mem_uninit", "*buf mem_uninit"), r":7: .*is no argument; expected `C-TYPE NAME: KIND`"),
        (changed("*buf: mem_uninit", "*from: mem_uninit"), r":7: .*'from' is a keyword of Python; write 'from_'"),
        (changed("size_or_zero buf", "size_or_zero"), r":8: 'size_or_zero' does not fit the kind"),
        (changed("size_or_zero buf", "size_or_zero ctx"), r":5: vendor_stamp gives no size of buf; expected `\[N\]`"),
        (changed("size_or_zero buf", "scalar"), r":5: vendor_stamp gives no size of buf"),
        (changed("mem_uninit or_null", "scalar"), r":5: vendor_stamp sizes buf, which is not sized memory"),
        (changed("btf_ptr tcp_sock or_null", "btf_ptr"), r":10: 'btf_ptr' does not fit the kind"),
        (changed("btf_ptr tcp_sock or_null", "nothing"), r":10: 'nothing' is no kind of return value"),
        (changed("in SCHED_CLS: ctx", "in SCHED_CLS: skb"), r":11: 'skb' is no argument of vendor_stamp"),
        (changed("*into: mem_write[16]", "*ctx: mem_write[16]"), r":5: vendor_stamp has two arguments of one name"),
        (changed("vendor's clock.", "vendor's clock"), r":5: vendor_stamp has no description"),
        ("= v: w\n1 a, since 1.0, for XDP\n    -> long: integer\n    Does", r":2: a has no description"),
        ("= v: w\n1 a, since 1.0, for XDP\n    u32 b: scalar\n", r":2: a does not say what it returns"),
        ("1 a, since 1.0, for XDP\n    -> long: integer\n    Does.", r":1: a is in no category"),
        ("    u32 b: scalar", r":1: 'u32 b: scalar' belongs to no helper"),
    ],
)
def test_a_malformed_file_is_an_error_at_its_line(text: str, problem: str) -> None:
    with pytest.raises(ArgumentError, match=problem):
        parse(text, "mine.txt")


def test_six_arguments_are_one_too_many() -> None:
    arguments = "".join(f"    u32 a{n}: scalar\n" for n in range(6))
    with pytest.raises(ArgumentError, match="a has 6 arguments; expected at most five"):
        parse(f"= v: w\n1 a, since 1.0, for XDP\n{arguments}    -> long: integer\n    Does.", "mine.txt")


def test_a_file_adds_its_rows_to_a_table(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(ROW.replace("fewer", "tc XDP"), "utf-8")
    larger = table().extended_by(tmp_path / "mine.txt")
    assert larger.helper("vendor_stamp").programs == {ProgType.SCHED_CLS, ProgType.SCHED_ACT, ProgType.XDP}
    assert larger.helper("redirect") is table().helper("redirect")
    assert larger.categories["vendor"] == "helpers of one vendor's kernel"
    assert "vendor_stamp" not in table()


@pytest.mark.parametrize("heading", ["1 vendor_stamp", "1000 redirect"])
def test_a_row_may_not_take_the_name_or_id_of_another(tmp_path: Path, heading: str) -> None:
    (tmp_path / "mine.txt").write_text(GROUPS + ROW.replace("1000 vendor_stamp", heading), "utf-8")
    with pytest.raises(ArgumentError, match=r"mine\.txt: helper .* clashes with .* next free id is 212"):
        table().extended_by(tmp_path / "mine.txt")


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"none\.txt cannot be read: .*No such file"):
        table().extended_by(tmp_path / "none.txt")
