"""Calls: the program's own functions, callbacks, tail calls, packet loads, and what limits them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bpflab.abi.insn import MAX_TAIL_CALLS
from bpflab.asm import assemble
from bpflab.asm.insn import Insn
from bpflab.sim.engine import HelperFunction, PacketLoad, Program, Run, function_at, prepare
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.memory import Memory

CALL_ME = 5
"""Any helper's number; the engine knows none."""


def program(memory: Memory, text: str, helpers: Mapping[int, HelperFunction] | None = None) -> Program:
    return prepare(assemble(text, check=False).insns, memory, helpers=helpers)


def execute(
    text: str, helpers: Mapping[int, HelperFunction] | None = None, *, budget: int = 10_000, loops: int = 100
) -> int:
    memory = Memory("little")
    with memory.scope() as scope:
        return Run(program(memory, text, helpers), scope, budget=budget, loops=loops).execute()


def test_a_function_gets_r1_to_r5_and_gives_r0() -> None:
    text = """
        r1 = 1
        r2 = 2
        r5 = 5
        call f
        r0 += 100
        exit
    f:
        r0 = r1
        r0 += r2
        r0 += r5
        exit
    """
    assert execute(text) == 108


def test_r6_to_r9_and_the_stack_belong_to_each_function() -> None:
    text = """
        r6 = 6
        r9 = 9
        *(u64 *)(r10 - 8) = 7
        call f
        r0 = r6
        r0 += r9
        r1 = *(u64 *)(r10 - 8)
        r0 += r1
        exit
    f:
        r6 = 60
        r9 = 90
        *(u64 *)(r10 - 8) = 70
        r0 = 0
        exit
    """
    assert execute(text) == 22


@pytest.mark.parametrize("register", ["r1", "r2", "r5"])
def test_a_call_leaves_r1_to_r5_unset(register: str) -> None:
    with pytest.raises(Fault, match=f"{register} is read before anything was written to it"):
        execute(f"{register} = 1\ncall f\nr0 = {register}\nexit\nf:\nr0 = 0\nexit")


@pytest.mark.parametrize("register", ["r0", "r6", "r9"])
def test_a_function_starts_with_its_own_registers_unset(register: str) -> None:
    with pytest.raises(Fault, match=f"{register} is read before anything was written to it"):
        execute(f"{register} = 1\ncall f\nexit\nf:\nr0 = {register}\nexit")


def test_a_function_can_use_its_callers_stack() -> None:
    text = "r1 = r10\nr1 += -8\ncall f\nr0 = *(u64 *)(r10 - 8)\nexit\nf:\n*(u64 *)(r1 + 0) = 42\nr0 = 0\nexit"
    assert execute(text) == 42


def test_the_stack_of_a_function_that_ended_is_freed() -> None:
    with pytest.raises(Fault, match="use after free"):
        execute("call f\nr0 = *(u64 *)(r0 - 8)\nexit\nf:\n*(u64 *)(r10 - 8) = 1\nr0 = r10\nexit")


def test_a_ninth_frame_is_a_fault() -> None:
    with pytest.raises(Fault) as caught:
        execute("call f\nexit\nf:\ncall f\nexit")
    assert caught.value.kind is FaultKind.CALL_DEPTH
    assert caught.value.moment is not None
    assert caught.value.moment.calls == (0, 2, 2, 2, 2, 2, 2)


def test_frames_that_use_too_much_stack_together_are_a_fault() -> None:
    text = "*(u64 *)(r10 - 304) = 1\ncall f\nexit\nf:\n*(u64 *)(r10 - {}) = 1\nr0 = 3\nexit"
    assert execute(text.format(208)) == 3
    with pytest.raises(Fault, match="2 frames use 528 bytes of stack together, of 512"):
        execute(text.format(224))


def test_a_helper_gets_its_arguments_and_its_result_is_cut() -> None:
    got: list[tuple[int | None, ...]] = []

    def helper(_run: Run, *registers: int) -> int:
        got.append(registers)
        return -1

    assert execute(f"r1 = 1\nr2 = -1\ncall {CALL_ME}\nexit", {CALL_ME: helper}) == (1 << 64) - 1
    assert got == [(1, (1 << 64) - 1, None, None, None)]


def test_a_helper_that_is_not_there_is_a_fault_when_it_is_reached() -> None:
    assert execute("r0 = 1\nif r0 == 1 goto l\ncall 7777\nl:\nexit") == 1
    with pytest.raises(Fault, match="there is no helper 7777 here"):
        execute("call 7777\nexit")


def test_an_error_in_a_helper_is_not_taken_for_a_fault() -> None:
    def broken(_run: Run, *_registers: int) -> int:
        raise TypeError("a mistake in the helper")

    with pytest.raises(TypeError, match="a mistake in the helper"):
        execute(f"r1 = 1\ncall {CALL_ME}\nexit", {CALL_ME: broken})


def test_a_callback_runs_with_its_own_frame_and_the_same_budget() -> None:
    text = """
        r6 = 10
        r2 = subprog[f]
        call 5
        r0 += r6
        exit
    f:
        r6 = r1
        r0 = r6
        r0 *= r0
        exit
    """

    def squares(run: Run, _first: int, function: int, *_rest: int) -> int:
        return sum(run.call(function, number) for number in range(4))

    memory = Memory("little")
    with memory.scope() as scope:
        run = Run(program(memory, text, {CALL_ME: squares}), scope)
        assert run.execute() == 0 + 1 + 4 + 9 + 10
        assert run.steps == 5 + 4 * 4
        assert len(memory.regions) == len({*memory.regions})


def test_a_fault_in_a_callback_tells_of_the_callback() -> None:
    with pytest.raises(Fault) as caught:
        execute(
            "r2 = subprog[f]\ncall 5\nexit\nf:\nr0 = *(u64 *)(r1 + 0)\nexit",
            {CALL_ME: lambda run, _a, f, *_: run.call(f, 0)},
        )
    assert caught.value.kind is FaultKind.NULL_POINTER
    assert caught.value.moment is not None
    assert (caught.value.moment.pc, caught.value.moment.register) == (4, 1)


def test_calling_what_is_no_function_is_a_fault() -> None:
    with pytest.raises(Fault, match="0x7 is not the address of a function"):
        execute("r1 = 7\ncall 5\nexit", {CALL_ME: lambda run, function, *_: run.call(function)})


def test_an_address_of_a_function_ends_with_its_program() -> None:
    memory = Memory("little")
    loaded = program(memory, "r0 = subprog[f]\nexit\nf:\nr0 = 1\nexit")
    with memory.scope() as scope:
        address = Run(loaded, scope).execute()
    assert function_at(memory, address) == (loaded, 3)
    loaded.close()
    loaded.close()
    assert function_at(memory, address) is None


def tail_caller(target: list[Program]) -> dict[int, HelperFunction]:
    return {CALL_ME: lambda run, *_: 1 if run.tail_call(target[0]) else 0}


def test_a_tail_call_goes_on_in_another_program_with_r1() -> None:
    memory, target = Memory("little"), list[Program]()
    first = program(memory, "r1 = 7\nr6 = 1\n*(u64 *)(r10 - 8) = 1\ncall 5\nr0 = 99\nexit", tail_caller(target))
    target.append(program(memory, "r0 = r1\nr0 += 1\nexit"))
    with memory.scope() as scope:
        run = Run(first, scope)
        assert run.execute() == 8
        assert run.tail_calls == 1


@pytest.mark.parametrize("text", ["r0 = r6\nexit", "r0 = *(u64 *)(r10 - 8)\nexit", "exit"])
def test_nothing_but_r1_survives_a_tail_call(text: str) -> None:
    memory, target = Memory("little"), list[Program]()
    first = program(memory, "r1 = 7\nr6 = 1\n*(u64 *)(r10 - 8) = 1\nr0 = 3\ncall 5\nexit", tail_caller(target))
    target.append(program(memory, text))
    with memory.scope() as scope, pytest.raises(Fault, match="uninitialised"):
        Run(first, scope).execute()


def test_the_limit_of_tail_calls_makes_the_helper_return() -> None:
    memory, target = Memory("little"), list[Program]()
    target.append(program(memory, "r1 = 0\ncall 5\nr0 = 42\nexit", tail_caller(target)))
    with memory.scope() as scope:
        run = Run(target[0], scope)
        assert run.execute() == 42
        assert run.tail_calls == MAX_TAIL_CALLS


def test_a_tail_call_in_a_function_returns_to_the_functions_caller() -> None:
    memory, target = Memory("little"), list[Program]()
    text = "r6 = 1\ncall f\nr0 += r6\nexit\nf:\nr1 = 7\ncall 5\nr0 = 99\nexit"
    first = program(memory, text, tail_caller(target))
    target.append(program(memory, "r0 = r1\nexit"))
    with memory.scope() as scope:
        assert Run(first, scope).execute() == 8


def test_may_goto_leaves_the_loop_after_its_budget() -> None:
    text = "r0 = 0\nl:\nmay_goto end\nr0 += 1\ngoto l\nend:\nexit"
    assert execute(text, loops=25) == 25


def test_every_function_has_its_own_budget_of_loops() -> None:
    text = """
        r6 = 0
        l:
        may_goto end
        call f
        r6 += r0
        goto l
    end:
        r0 = r6
        exit
    f:
        r0 = 0
        m:
        may_goto out
        r0 += 1
        goto m
    out:
        exit
    """
    assert execute(text, loops=10) == 100


@pytest.mark.parametrize("jump", ["goto", "gotol"])
def test_a_jump_leads_forwards_and_backwards(jump: str) -> None:
    assert execute(f"{jump} there\nback:\nr0 += 1\nexit\nthere:\nr0 = 41\n{jump} back") == 42


@pytest.mark.parametrize(("text", "kind"), [("l:\ngoto l", FaultKind.BUDGET), ("r0 = 0\n", FaultKind.BAD_JUMP)])
def test_a_program_that_does_not_exit_is_stopped(text: str, kind: FaultKind) -> None:
    with pytest.raises(Fault) as caught:
        execute(text, budget=50)
    assert caught.value.kind is kind


def test_a_budget_is_enough_to_the_last_instruction() -> None:
    assert execute("r0 = 1\nr0 += 1\nexit", budget=3) == 2
    with pytest.raises(Fault, match="the program was stopped after 2 instructions"):
        execute("r0 = 1\nr0 += 1\nexit", budget=2)


def test_a_reference_that_is_not_given_back_is_a_fault() -> None:
    helpers: dict[int, HelperFunction] = {
        1: lambda run, *_: run.acquire(0x500, "ringbuf record") or 0x500,
        2: lambda run, reference, *_: run.release(reference) or 0,
    }
    assert execute("call 1\nr1 = r0\ncall 2\nr0 = 0\nexit", helpers) == 0
    with pytest.raises(Fault, match=r"without releasing ringbuf record \(0x500\)"):
        execute("call 1\nr0 = 0\nexit", helpers)
    with pytest.raises(Fault, match="0x7 is not something this program has acquired"):
        execute("r1 = 7\ncall 2\nr0 = 0\nexit", helpers)


def load_packet(insns: list[Insn], accessor: PacketLoad | None) -> int:
    memory = Memory("little")
    with memory.scope() as scope:
        return Run(prepare(insns, memory), scope, packet_load=accessor).execute()


def test_a_packet_load_gives_the_number_of_the_accessor() -> None:
    asked: list[tuple[int, int]] = []

    def accessor(offset: int, size: int) -> int:
        asked.append((offset, size))
        return 0x0800

    text = "r6 = 0\nr7 = 10\nr0 = *(u16 *)skb[12]\nr8 = r0\nr0 = *(u32 *)skb[r7 - 14]\nr0 += r8\nexit"
    assert load_packet(list(assemble(text, check=False).insns), accessor) == 0x1000
    assert asked == [(12, 2), (-4, 4)]


def test_a_packet_load_past_the_packet_ends_the_program_with_zero() -> None:
    text = "r6 = 0\nr0 = *(u16 *)skb[1200]\nr0 = 7\nexit"
    assert load_packet(list(assemble(text, check=False).insns), lambda _offset, _size: None) == 0


def test_a_packet_load_without_a_packet_is_a_fault() -> None:
    with pytest.raises(Fault, match="need a packet"):
        load_packet(list(assemble("r6 = 0\nr0 = *(u16 *)skb[1]\nexit", check=False).insns), None)
