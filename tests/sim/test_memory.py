"""Simulated memory: addresses that repeat, and no access that goes unchecked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab.asm.insn import ByteOrder
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.memory import Memory, Region, RegionKind

orders = st.sampled_from(("little", "big"))
sizes = st.sampled_from((1, 2, 4, 8))


def added(memory: Memory, size: int = 64, *, writable: bool = True, kind: RegionKind = RegionKind.BUFFER) -> Region:
    return memory.add(kind, bytearray(size), name="data", writable=writable)


def fault_of(memory: Memory, address: int, size: int, *, write: bool = False) -> Fault:
    with pytest.raises(Fault) as caught:
        memory.span(address, size, write=write)
    return caught.value


@given(orders, sizes, st.integers(0, 56), st.integers(0, (1 << 64) - 1))
def test_a_stored_number_stands_in_the_targets_byte_order(
    order: ByteOrder, size: int, offset: int, number: int
) -> None:
    memory = Memory(order)
    region = added(memory)
    memory.store(region.address + offset, size, number)

    cut = number & ((1 << 8 * size) - 1)
    assert bytes(region.data[offset : offset + size]) == cut.to_bytes(size, order)
    assert memory.load(region.address + offset, size) == cut


@given(st.integers(-200, 200), st.integers(1, 100), st.booleans(), st.integers(0, 40), st.integers(0, 40))
def test_an_access_is_allowed_just_inside_the_window(
    offset: int, size: int, write: bool, low: int, length: int
) -> None:
    memory = Memory()
    added(memory)
    region = added(memory, 100)
    region.low, region.high = low, low + length
    inside = low <= offset and offset + size <= low + length
    if inside:
        assert memory.span(region.address + offset, size, write=write) == (region, offset)
        return
    fault = fault_of(memory, region.address + offset, size, write=write)
    assert fault.kind is FaultKind.OUT_OF_BOUNDS
    assert fault.access is not None
    assert fault.access.before == max(low - offset, 0)
    assert fault.access.after == max(offset + size - low - length, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 511), st.integers(1, 16)), max_size=20))
def test_stack_can_be_read_where_it_was_written(acts: list[tuple[bool, int, int]]) -> None:
    memory, written = Memory(), set[int]()
    with memory.scope() as scope:
        stack = scope.open_stack()
        for write, offset, length in acts:
            size = min(length, 512 - offset)
            touched = set(range(offset, offset + size))
            if write:
                memory.write(stack.address + offset, bytes(size))
                written |= touched
            elif touched <= written:
                assert memory.read(stack.address + offset, size) == bytes(size)
            else:
                with pytest.raises(Fault, match="uninitialised stack"):
                    memory.read(stack.address + offset, size)


def test_a_memory_that_does_not_check_initialisation_reads_zeros() -> None:
    memory = Memory(check_uninitialised=False)
    with memory.scope() as scope:
        assert memory.read(scope.open_stack().address, 512) == bytes(512)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (0, FaultKind.NULL_POINTER),
        (100, FaultKind.NULL_POINTER),
        ((1 << 64) - 8, FaultKind.NULL_POINTER),
        (0x12345, FaultKind.NOT_A_POINTER),
        (1 << 60, FaultKind.NOT_A_POINTER),
        (0xFFFFFFFFFFFF0000, FaultKind.NOT_A_POINTER),
    ],
)
def test_an_address_without_a_region_is_named_for_what_it_is(address: int, kind: FaultKind) -> None:
    memory = Memory()
    added(memory)
    assert fault_of(memory, address, 4).kind is kind


def test_writing_read_only_memory_is_a_fault_and_changes_nothing() -> None:
    memory = Memory()
    region = added(memory, writable=False)
    with pytest.raises(Fault, match="write to read-only memory"):
        memory.store(region.address, 4, 7)
    assert bytes(region.data) == bytes(64)
    assert memory.load(region.address, 4) == 0


def test_an_opaque_object_can_be_found_and_not_read() -> None:
    memory, owner = Memory(), object()
    region = memory.add(RegionKind.MAP, bytearray(), name="ports", owner=owner)
    found = memory.find(region.address)
    assert found is not None
    assert found.owner is owner
    fault = fault_of(memory, region.address, 8)
    assert fault.kind is FaultKind.OPAQUE
    assert "map object 'ports'" in str(fault)


def test_a_removed_region_is_named_as_freed_during_the_run_and_after_it() -> None:
    memory = Memory()
    region = added(memory)
    with memory.scope():
        memory.remove(region)
        fault = fault_of(memory, region.address, 4)
        assert fault.kind is FaultKind.USE_AFTER_FREE
        assert "buffer 'data'" in str(fault)
    assert fault_of(memory, region.address, 4).kind is FaultKind.USE_AFTER_FREE


def test_a_retired_region_lives_until_the_last_scope_closes() -> None:
    memory = Memory()
    region = added(memory)
    outer, inner = memory.scope(), memory.scope()
    memory.retire(region)
    outer.close()
    assert memory.load(region.address, 4) == 0
    inner.close()
    assert fault_of(memory, region.address, 4).kind is FaultKind.USE_AFTER_FREE


def test_every_run_gets_the_same_addresses_and_leaves_nothing() -> None:
    memory = Memory()
    added(memory)
    before, addresses = len(memory.regions), set()
    for _ in range(100):
        with memory.scope() as scope:
            regions = scope.add(RegionKind.CONTEXT, bytearray(8)), scope.add(RegionKind.PACKET, bytearray(8))
            addresses.add(tuple(region.address for region in regions))
    assert addresses == {(1 << 32, 2 << 32)}
    assert len(memory.regions) == before


def test_lasting_regions_never_share_an_address() -> None:
    memory, seen = Memory(), set()
    for _ in range(50):
        region = added(memory)
        seen.add(region.address)
        memory.remove(region)
    assert len(seen) == 50
    assert not memory.regions


def test_scopes_that_overlap_keep_their_regions_apart() -> None:
    memory = Memory()
    first, second = memory.scope(), memory.scope()
    mine, other = first.add(RegionKind.PACKET, bytearray(8)), second.add(RegionKind.PACKET, bytearray(8))
    first.close()
    first.close()
    assert mine.address != other.address
    assert memory.load(other.address, 8) == 0
    second.close()
    assert not memory.regions


def test_a_stack_given_back_is_freed_and_then_used_again() -> None:
    memory = Memory()
    with memory.scope() as scope:
        stack = scope.open_stack()
        memory.store(stack.address, 8, 7)
        scope.close_stack(stack)
        assert fault_of(memory, stack.address, 8).kind is FaultKind.USE_AFTER_FREE
        again = scope.open_stack()
        assert again.address == stack.address
        with pytest.raises(Fault, match="uninitialised stack"):
            memory.load(again.address, 8)


def test_an_access_below_the_stack_is_a_stack_overflow() -> None:
    memory = Memory()
    with memory.scope() as scope:
        fault = fault_of(memory, scope.open_stack().address - 8, 8, write=True)
    assert fault.kind is FaultKind.STACK_OVERFLOW
    assert "8 bytes before the start of stack (512 bytes)" in str(fault)


def test_data_is_shared_with_its_owner() -> None:
    memory, value = Memory("little"), bytearray(8)
    region = memory.add(RegionKind.MAP_VALUE, memoryview(value)[4:])
    memory.store(region.address, 4, 0x01020304)
    assert value == bytes(4) + b"\x04\x03\x02\x01"
