"""A traced run tells what every instruction did, and does the same as an untraced one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab.asm import assemble
from bpflab.sim.engine import HelperFunction, Run, Step, prepare, trace
from bpflab.sim.fault import Fault
from bpflab.sim.memory import Memory, RegionKind


def fill(run: Run, address: int, size: int, *_: int) -> int:
    run.memory.write(address, b"\xff" * size)
    return 0


HELPERS: dict[int, HelperFunction] = {
    5: lambda _run, first, *_: first + 1,
    6: fill,
    181: lambda run, _n, f, *_: run.call(f, 9),
}


def traced(text: str) -> tuple[int, list[Step]]:
    memory, steps = Memory("little"), list[Step]()
    with memory.scope() as scope:
        data = scope.add(RegionKind.PACKET, bytearray(8))
        run = Run(
            prepare(assemble(text, check=False).insns, memory, helpers=HELPERS, name="main"),
            scope,
            arguments=(data.address,),
        )
        return trace(run, steps.append), steps


def test_a_step_tells_which_registers_changed() -> None:
    result, steps = traced("r0 = 5\nr0 += 2\nexit")
    assert result == 7
    assert [(step.pc, step.changed) for step in steps] == [(0, {0: 5}), (1, {0: 7}), (2, {})]
    assert {step.program for step in steps} == {"main"}


@pytest.mark.parametrize(("compared", "taken"), [(1, True), (2, False)])
def test_a_conditional_jump_tells_whether_it_was_taken(compared: int, taken: bool) -> None:
    _, steps = traced(f"r0 = 1\nif r0 == {compared} goto end\nr0 = 0\nend:\nexit")
    assert [step.taken for step in steps][:2] == [None, taken]


def test_a_jump_without_condition_is_neither_taken_nor_not() -> None:
    _, steps = traced("r0 = 1\ngoto +0\nexit")
    assert steps[1].taken is None


def test_a_jump_to_the_next_instruction_is_told_as_taken() -> None:
    _, steps = traced("r0 = 1\nif r0 == 1 goto +0\nexit")
    assert steps[1].taken is True


def test_may_goto_tells_when_it_left_the_loop() -> None:
    memory, steps = Memory("little"), list[Step]()
    insns = assemble("r0 = 0\nl:\nmay_goto end\ngoto l\nend:\nexit", check=False).insns
    with memory.scope() as scope:
        trace(Run(prepare(insns, memory), scope, loops=1), steps.append)
    assert [step.taken for step in steps] == [None, False, None, True, None]


def test_a_store_tells_what_it_wrote_where() -> None:
    _, steps = traced("*(u32 *)(r1 + 4) = 258\nr0 = 0\nexit")
    write = steps[0].write
    assert write is not None
    assert (write.address & 0xFFFFFFFF, write.data, write.region) == (4, b"\x02\x01\x00\x00", "packet")


def test_an_atomic_tells_what_it_left_and_a_load_nothing() -> None:
    _, steps = traced("r2 = 3\nlock *(u64 *)(r1 + 0) += r2\nr0 = *(u64 *)(r1 + 0)\nexit")
    assert steps[1].write is not None
    assert steps[1].write.data == b"\x03" + bytes(7)
    assert steps[2].write is None


def test_a_helper_tells_its_arguments_and_result() -> None:
    _, steps = traced("r1 = 41\ncall 5\nexit")
    call = steps[1].call
    assert call is not None
    assert (call.helper, call.arguments, call.result) == (5, (41, None, None, None, None), 42)
    assert steps[1].changed == {0: 42, 1: None}


def test_a_step_tells_what_it_found_and_what_it_left_in_registers() -> None:
    _, steps = traced("r0 = 5\nr0 += 2\nexit")
    assert (steps[1].before[0], steps[1].after[0], steps[1].before[10]) == (5, 7, steps[0].before[10])


def test_a_store_tells_what_stood_there_before() -> None:
    _, steps = traced("*(u8 *)(r1 + 4) = 1\n*(u16 *)(r1 + 3) = 0x303\nr0 = 0\nexit")
    assert [step.write.before for step in steps if step.write] == [b"\x00", b"\x00\x01"]


@pytest.mark.parametrize(
    ("prepare_r1", "region"), [("r1 += 4", "packet"), ("r1 = r10\nr1 += -8", "stack")], ids=["packet", "stack"]
)
def test_a_helper_tells_what_it_changed_in_memory(prepare_r1: str, region: str) -> None:
    _, steps = traced(f"{prepare_r1}\nr2 = 3\ncall 6\nexit")
    (effect,) = steps[-2].effects
    assert (effect.before, effect.data, effect.region) == (bytes(3), b"\xff" * 3, region)


def test_a_helper_that_writes_zeros_to_stack_that_was_never_written_has_an_effect() -> None:
    memory, steps = Memory("little"), list[Step]()
    helpers: dict[int, HelperFunction] = {6: lambda run, address, *_: run.memory.write(address, bytes(2)) or 0}
    text = "r1 = r10\nr1 += -8\ncall 6\nr1 = r10\nr1 += -8\ncall 6\nr0 = 0\nexit"
    with memory.scope() as scope:
        trace(Run(prepare(assemble(text, check=False).insns, memory, helpers=helpers), scope), steps.append)
    assert [len(step.effects) for step in steps if step.call] == [1, 0]


def test_what_a_callback_wrote_is_no_effect_of_the_helper_that_called_it() -> None:
    _, steps = traced("r2 = subprog[f]\nr1 = 1\ncall 181\nexit\nf:\n*(u8 *)(r10 - 1) = 7\nr0 = 0\nexit")
    assert [bool(step.write) for step in steps if step.depth] == [True, False, False]
    assert not any(step.effects for step in steps)


def test_whoever_wants_to_can_look_before_a_helper_is_called() -> None:
    memory, seen = Memory("little"), list[tuple[int, int]]()
    insns = assemble("r1 = 7\ncall 5\nr1 = 8\ncall 5\nexit", check=False).insns
    with memory.scope() as scope:
        run = Run(prepare(insns, memory, helpers=HELPERS), scope)
        trace(run, lambda _step: None, ahead=lambda run: seen.append((run.pc, run.regs[1])))
    assert seen == [(1, 7), (3, 8)]


def test_functions_and_callbacks_are_traced_at_their_depth() -> None:
    _, steps = traced("r2 = subprog[f]\nr1 = 1\ncall 181\ncall f\nexit\nf:\nr0 = 0\nexit")
    assert [(step.pc, step.depth) for step in steps] == [
        *((0, 0), (2, 0)),
        *((6, 1), (7, 1), (3, 0)),
        *((4, 0), (6, 1), (7, 1)),
        (5, 0),
    ]


def test_a_traced_fault_comes_after_the_steps_that_were_done() -> None:
    memory, steps = Memory("little"), list[Step]()
    with memory.scope() as scope:
        run = Run(prepare(assemble("r0 = 1\nr0 = r5\nexit", check=False).insns, memory), scope)
        with pytest.raises(Fault, match="insn 1: uninitialised register: r5"):
            trace(run, steps.append)
    assert [step.pc for step in steps] == [0]


ALU = st.sampled_from(
    ["r0 += 7", "r0 *= 3", "r0 ^= r2", "r2 >>= 1", "if r0 > r2 goto +1", "w0 -= 5", "r2 = r0", "call 5"]
)


@given(st.lists(ALU, max_size=15), st.integers(0, (1 << 31) - 1))
def test_tracing_and_stepping_do_what_running_does(body: list[str], number: int) -> None:
    text = "\n".join(f"{line}\nr1 = 1\nr2 = {number}" for line in body)
    insns = assemble(f"r0 = {number}\nr2 = 1\nr1 = 3\n{text}\nexit", check=False).insns
    memory = Memory("little")
    program = prepare(insns, memory, helpers=HELPERS)
    with memory.scope() as scope:
        plain, followed, stepped = (Run(program, scope) for _ in range(3))
        expected = plain.execute()
        assert trace(followed, lambda _step: None) == expected
        while stepped.advance():
            pass
        assert stepped.regs[0] == expected
        assert plain.steps == followed.steps == stepped.steps


def test_two_runs_can_take_turns() -> None:
    memory = Memory("little")
    counter = memory.add(RegionKind.MAP_VALUE, bytearray(8))
    text = "r2 = *(u64 *)(r1 + 0)\nr2 += 1\n*(u64 *)(r1 + 0) = r2\nr0 = 0\nexit"
    program = prepare(assemble(text, check=False).insns, memory)
    with memory.scope() as scope:
        runs = [Run(program, scope, arguments=(counter.address,)) for _ in range(2)]
        while [run for run in runs if run.advance()]:
            pass
    assert memory.load(counter.address, 8) == 1
