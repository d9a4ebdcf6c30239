"""Tries, queues, filters, maps of maps, and arrays of references to kernel objects."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpflab.abi.flags import MapFlag
from bpflab.errors import ArgumentError, CodecError, MapFullError, MapKeyError
from bpflab.lab import Lab
from bpflab.maps.codecs import Prefix
from bpflab.maps.codecs.choose import make_prefix_codec
from bpflab.maps.codecs.references import CgroupKey, Target, TargetCodec
from bpflab.maps.codecs.stacks import BuildIdCodec, Frame, StackCodec
from bpflab.testing.strategies import values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpflab.maps.base import Map

    Make = Callable[..., Map[Any, Any]]

NETWORKS = values_of(make_prefix_codec("ipv4", byteorder="little"))


def test_a_trie_finds_the_longest_prefix(make: Make) -> None:
    routes = make("lpm_trie", key="ipv4", value="u32", max_entries=10, name="routes")
    routes.update({"0.0.0.0/0": 1, "10.0.0.0/8": 2, ipaddress.ip_network("10.1.0.0/16"): 3})
    assert (routes["10.1.2.3"], routes["10.2.2.3"], routes["192.0.2.1"], routes["10.0.0.0/12"]) == (3, 2, 1, 2)
    del routes["10.1.0.0/16"]
    assert routes["10.1.2.3"] == 2
    with pytest.raises(MapKeyError, match=r"10\.1\.0\.0/16"):
        del routes["10.1.0.0/16"]


def test_a_trie_gives_networks_back_most_specific_first(make: Make) -> None:
    routes = make("lpm_trie", key="ipv6", value="u8", max_entries=10)
    routes.update({"::/0": 1, "2001:db8::/32": 2, "2001:db8::1": 3})
    keys = [ipaddress.ip_network(network) for network in ("2001:db8::1/128", "2001:db8::/32", "::/0")]
    assert list(routes) == keys
    assert len(routes) == 3


def test_a_trie_of_plain_bytes_has_prefixes_of_bits(make: Make) -> None:
    names = make("lpm_trie", key=7, value="u8", max_entries=10)
    names[Prefix(8, b"a\0\0")] = 1
    names[Prefix(16, b"ab\0")] = 2
    assert (names[Prefix(24, b"abc")], names[24, b"axy"]) == (2, 1)
    assert dict(names.items()) == {Prefix(16, b"ab\0"): 2, Prefix(8, b"a\0\0"): 1}


@settings(max_examples=30, deadline=None)
@given(before=st.sets(NETWORKS, max_size=20), gone=st.data())
def test_a_trie_is_walked_once_while_entries_are_deleted(
    bpf_backend: str, before: set[Any], gone: st.DataObject
) -> None:
    with Lab(bpf_backend) as lab:
        value = bytes(300_000)  # so large that three entries make a chunk
        routes = lab.map("lpm_trie", key="ipv4", value=len(value), max_entries=64)
        routes.update_batch((network, value) for network in before)
        doomed = gone.draw(st.sets(st.sampled_from(sorted(before)))) if before else set()
        seen = []
        for network in routes:
            seen.append(network)
            if network in doomed:
                routes.delete(network)
        assert len(seen) == len(set(seen))
        assert set(seen) == before
        assert set(routes) == before - doomed


def test_a_queue_is_first_in_first_out_and_a_stack_last_in_first_out(make: Make) -> None:
    queue, stack = (make(kind, value="u16", max_entries=4) for kind in ("queue", "stack"))
    for one in (queue, stack):
        one.extend([1, 2, 3])
    assert (queue.peek(), queue.pop(), list(queue.drain()), queue.pop(), queue.peek()) == (1, 1, [2, 3], None, None)
    assert (stack.peek(), stack.pop(), list(stack.drain()), stack.pop()) == (3, 3, [2, 1], None)


def test_a_full_queue_refuses_or_replaces_the_oldest(make: Make) -> None:
    queue = make("queue", value="u16", max_entries=3, name="jobs")
    queue.extend([1, 2, 3])
    with pytest.raises(MapFullError, match="QUEUE map 'jobs' is full: it holds its max_entries, 3"):
        queue.push(4)
    queue.push(4, replace_oldest=True)
    assert list(queue.drain()) == [2, 3, 4]
    with pytest.raises(CodecError, match="value of the QUEUE map 'jobs'"):
        queue.push(70000)


@settings(max_examples=40, deadline=None)
@given(values=st.sets(st.integers(0, 2**32 - 1), max_size=30))
def test_a_bloom_filter_never_denies_what_was_added(bpf_backend: str, values: set[int]) -> None:
    with Lab(bpf_backend) as lab:
        seen = lab.map("bloom_filter", value="u32", max_entries=64, map_extra=3)
        seen.update(values)
        assert all(value in seen for value in values)


def test_a_bloom_filter_denies_most_of_what_was_not(make: Make) -> None:
    seen = make("bloom_filter", value="u32", max_entries=1000)
    seen.update(range(100))
    assert sum(value in seen for value in range(1000, 2000)) < 100


INNER: dict[str, Any] = {"type": "hash", "key": "u32", "value": "u64", "max_entries": 4}


@pytest.mark.parametrize(("kind", "key"), [("array_of_maps", None), ("hash_of_maps", "u32")])
class TestMapsOfMaps:
    def test_maps_are_put_in_read_back_replaced_and_removed(self, bpf: Lab, make: Make, kind: str, key: str) -> None:
        outer = make(kind, key=key, max_entries=8, inner=INNER)
        one, other = (bpf.map(**INNER) for _ in range(2))
        outer[3] = one
        assert outer[3] is one
        outer[3] = other
        outer[5] = one
        assert dict(outer.items()) == {3: other, 5: one}
        assert (outer.inner_id(5), len(outer), 4 in outer, outer.get(4)) == (one.id, 2, False, None)
        del outer[3]
        assert list(outer) == [5]
        with pytest.raises(MapKeyError):
            outer[3]

    def test_create_makes_a_map_like_the_template(self, make: Make, kind: str, key: str) -> None:
        outer = make(kind, key=key, max_entries=8, inner={**INNER, "name": "first"})
        assert "first" not in outer.lab.maps
        inner = outer.create(2, name="second")
        inner[7] = 49
        assert outer[2][7] == 49
        assert (inner.type.name, inner.name) == ("HASH", "second")

    def test_an_inner_map_that_was_closed_is_opened_again(self, bpf: Lab, make: Make, kind: str, key: str) -> None:
        outer = make(kind, key=key, max_entries=8, inner=bpf.map("array", value="s32", max_entries=2))
        inner = bpf.map("array", value="s32", max_entries=2)
        inner[1] = -5
        outer[0] = inner
        inner.close()
        assert outer[0] is not inner
        assert outer[0][1] == -5
        with pytest.raises(ArgumentError, match="not created from arguments"):
            outer.create(1)

    def test_inner_maps_are_closed_with_the_lab(self, bpf_backend: str, kind: str, key: str) -> None:
        with Lab(bpf_backend) as lab:
            outer = lab.map(kind, key=key, max_entries=8, inner=INNER)
            inner = outer.create(0)
        assert inner.closed

    def test_a_map_that_is_not_like_the_template_is_refused(self, bpf: Lab, make: Make, kind: str, key: str) -> None:
        outer = make(kind, key=key, max_entries=8, inner=INNER)
        with pytest.raises(Exception, match="EINVAL"):
            outer[0] = bpf.map("hash", key="u32", value="u32", max_entries=4)
        with pytest.raises(CodecError, match="'x' is no map; expected an object with fileno"):
            outer[0] = "x"


RETURN_TWO = bytes.fromhex("b700000002000000") + bytes.fromhex("9500000000000000")


def test_programs_are_put_into_a_prog_array(bpf: Lab, make: Make) -> None:
    calls = make("prog_array", max_entries=4, name="calls")
    program = bpf.program(RETURN_TWO, type="xdp")
    calls[2] = program
    assert dict(calls.items()) == {2: calls[2]}
    assert calls[2] > 0
    assert (len(calls), 1 in calls, calls.lookup(1)) == (1, False, None)
    del calls[2]
    assert list(calls) == []
    with pytest.raises(CodecError, match="'x' is no program; expected an object with fileno"):
        calls[0] = "x"
    with pytest.raises(MapFullError, match="indices go to 3"):
        calls[4] = program


def test_a_devmap_holds_interfaces_by_their_index(make: Make) -> None:
    ports, sparse = make("devmap", max_entries=4), make("devmap_hash", max_entries=4)
    ports[1] = 1
    sparse[1000] = 1
    assert (dict(ports.items()), dict(sparse.items())) == ({1: 1}, {1000: 1})
    del ports[1]
    assert ports.lookup(1) is None


def test_a_devmap_with_room_for_a_program_gives_targets(make: Make) -> None:
    ports = make("devmap", max_entries=4, value=8)
    ports[0] = 1
    ports[1] = Target(1)
    assert dict(ports.items()) == {0: Target(1, 0), 1: Target(1, 0)}


def test_a_target_without_room_for_a_program_takes_none() -> None:
    codec = TargetCodec("interface", "little", 4)
    assert codec.pack(Target(5)) == b"\5\0\0\0"
    with pytest.raises(CodecError):
        codec.pack(Target(5, 9))
    with pytest.raises(CodecError):
        codec.pack(-1)
    assert TargetCodec("interface", "big", 8).pack(Target(5, 9)) == b"\0\0\0\5\0\0\0\x09"


def test_a_cpumap_holds_the_length_of_each_cpus_queue(make: Make) -> None:
    cpus = make("cpumap", max_entries=1)
    cpus[0] = 64
    assert dict(cpus.items()) == {0: 64}


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(server.getsockname()))
        yield client, stack.enter_context(server.accept()[0])


@pytest.mark.bpf(backend="kernel")
@pytest.mark.parametrize(("kind", "key", "index"), [("sockmap", None, 3), ("sockhash", "be16", 443)])
def test_sockets_are_put_into_socket_maps(
    make: Make, connection: tuple[socket.socket, socket.socket], kind: str, key: str, index: int
) -> None:
    sockets = make(kind, key=key, max_entries=4)
    sockets[index] = connection[0]
    cookie = int.from_bytes(connection[0].getsockopt(socket.SOL_SOCKET, 57, 8), "little")
    assert dict(sockets.items()) == {index: cookie}
    del sockets[index]
    assert len(sockets) == 0


@pytest.mark.bpf(backend="kernel")
def test_sockets_of_a_group_are_put_into_a_reuseport_array(make: Make) -> None:
    group = make("reuseport_sockarray", max_entries=4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(("127.0.0.1", 0))
        group[1] = one
        assert list(group) == [1]


@pytest.mark.bpf(backend="kernel")
def test_storage_hangs_on_sockets_tasks_and_files(make: Make, tmp_path: Path) -> None:
    with (
        socket.socket() as one,
        (tmp_path / "file").open("w", encoding="ascii") as file,
        os.fdopen(os.pidfd_open(os.getpid()), "rb", closefd=True) as task,
    ):
        for kind, key in (("sk_storage", one), ("inode_storage", file), ("task_storage", task)):
            storage = make(kind, value="u64")
            storage[key] = 7
            assert (storage[key], storage.lookup(key.fileno())) == (7, 7)
            assert (storage.delete(key), storage.delete(key), storage.lookup(key)) == (True, False, None)
            with pytest.raises(CodecError, match="expected an object with fileno"):
                storage["x"] = 1


@pytest.mark.bpf(backend="kernel")
def test_perf_events_and_cgroups_are_put_in_and_taken_out(make: Make) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if " cgroup2 " in line]
    if not mounts:
        pytest.skip("no cgroup2 file system is mounted")
    directory = os.open(mounts[0], os.O_RDONLY)
    try:
        groups, storage = make("cgroup_array", max_entries=2), make("cgrp_storage", value="u32")
        groups[0] = directory
        storage[directory] = 5
        assert (groups.delete(0), storage[directory]) == (True, 5)
    finally:
        os.close(directory)


def test_stack_traces_are_addresses_without_the_zeros_behind() -> None:
    words = [1 << 40, 2, 0, 0]
    assert StackCodec(32, "big").unpack(b"".join(word.to_bytes(8, "big") for word in words)) == (1 << 40, 2)
    with pytest.raises(CodecError, match="written by programs only"):
        StackCodec(32, "little").pack((1, 2))


def test_stack_traces_with_build_ids_are_frames() -> None:
    one = (1).to_bytes(4, "little") + bytes(range(20)) + (64).to_bytes(8, "little")
    other = (2).to_bytes(4, "little") + bytes(20) + (9).to_bytes(8, "little")
    frames = BuildIdCodec(96, "little").unpack(one + other + bytes(32))
    assert frames == (Frame(bytes(range(20)), 64), Frame(b"", 9))


def test_a_map_of_traces_with_build_ids_gives_frames(make: Make) -> None:
    stacks = make("stack_trace", max_entries=4, flags=MapFlag.STACK_BUILD_ID)
    assert isinstance(stacks.shape.value, BuildIdCodec)
    assert stacks.shape.value_size == 127 * 32


def test_a_stack_trace_map_is_empty_until_a_program_runs(make: Make) -> None:
    stacks = make("stack_trace", max_entries=4)
    assert (list(stacks.items()), stacks.lookup(0), stacks.shape.value_size) == ([], None, 127 * 8)


def test_cgroup_storage_is_empty_until_a_program_is_attached(make: Make) -> None:
    storage = make("cgroup_storage", value="u64")
    assert (list(storage.items()), storage.lookup(CgroupKey(1, 0))) == ([], None)
