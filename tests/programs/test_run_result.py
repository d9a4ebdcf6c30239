"""What a run answers: verdict, packet, context."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import TC, XDP, Lab, SkBuff, XdpMd
from bpflab.asm import W, exit_, ld_imm64, ldx, mov, r0, r1, r2, stx
from bpflab.asm import st as store
from bpflab.errors import ClosedError, NoSuchNameError
from bpflab.objects.names import Names

PACKET = bytes(range(64))
WORDS = st.integers(0, 0xFFFFFFFF)


@pytest.mark.parametrize("verdict", list(XDP))
def test_an_xdp_retval_is_its_verdict(bpf: Lab, verdict: XDP) -> None:
    assert bpf.program([mov(r0, int(verdict)), exit_()], type="xdp").run(PACKET).action is verdict


@pytest.mark.parametrize("verdict", list(TC))
def test_a_tc_retval_is_its_verdict_negative_ones_too(bpf: Lab, verdict: TC) -> None:
    assert bpf.program([mov(r0, int(verdict)), exit_()], type="sched_cls").run(PACKET).action is verdict


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(value=st.integers(0, 2**64 - 1))
def test_a_retval_is_the_low_half_of_r0(bpf: Lab, value: int) -> None:
    result = bpf.program([ld_imm64(r0, value), exit_()], type="socket_filter").run(PACKET)
    assert result.retval == value & 0xFFFFFFFF


def test_a_retval_that_is_no_verdict_is_a_number(bpf: Lab) -> None:
    assert bpf.program([mov(r0, 77), exit_()], type="xdp").run(PACKET).action == 77


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(mark=WORDS, priority=WORDS, cb=st.tuples(*[WORDS] * 5), tstamp=st.integers(0, 2**63 - 1))
def test_an_skb_context_comes_out_as_it_went_in(
    bpf: Lab, mark: int, priority: int, cb: tuple[int, ...], tstamp: int
) -> None:
    given = SkBuff(mark=mark, priority=priority, cb=cb, tstamp=tstamp)
    out = bpf.program([mov(r0, 0), exit_()], type="sched_cls").run(PACKET, given).ctx
    assert isinstance(out, SkBuff)
    assert (out.mark, out.priority, out.cb, out.tstamp) == (mark, priority, cb, tstamp)


def test_what_a_program_writes_into_its_context_comes_out(bpf: Lab) -> None:
    program = bpf.program([store(W, r1, 8, 42), mov(r0, 0), exit_()], type="sched_cls")
    out = program.run(PACKET, SkBuff(mark=1)).ctx
    assert isinstance(out, SkBuff)
    assert out.mark == 42


def test_a_program_sees_the_interface_it_was_given(bpf: Lab) -> None:
    program = bpf.program([ldx(W, r0, r1, 12), exit_()], type="xdp")
    assert program.run(PACKET, XdpMd(ingress_ifindex=1)).retval == 1


def test_repeated_runs_go_over_the_same_packet(bpf: Lab) -> None:
    program = bpf.program(
        [ldx(W, r2, r1, 48), *[mov(r0, r2)], *_increment(), exit_()],
        type="sched_cls",
    )
    assert program.run(PACKET, SkBuff(), repeat=5).retval == 4


def _increment() -> list[object]:
    from bpflab.asm import add

    return [add(r2, 1), stx(W, r1, r2, 48)]


def test_a_closed_program_says_so(bpf: Lab) -> None:
    program = bpf.program([mov(r0, 0), exit_()], type="xdp", name="gone")
    program.close()
    with pytest.raises(ClosedError, match="gone"):
        program.run(PACKET)


def test_the_info_names_type_and_name(bpf: Lab) -> None:
    info = bpf.program([mov(r0, 0), exit_()], type="xdp", name="named").info
    assert (info.type.name, info.name, len(info.xlated)) == ("XDP", "named", 16)


def test_a_name_that_is_not_there_is_answered_with_near_ones() -> None:
    names = Names({"firewall": 1, "counter": 2}, "program", "example.bpf.o")
    with pytest.raises(NoSuchNameError, match="did you mean firewall"):
        _ = names.firewal
    with pytest.raises(KeyError):
        _ = names["x"]
    assert not hasattr(names, "x")
