from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag, UpdateFlag
from bpflab.abi.map_types import MapType
from bpflab.backend.select import open_backend
from bpflab.backend.wrap import WrappedBackend
from bpflab.errors import (
    BpfError,
    MapBusyError,
    MapError,
    MapFullError,
    MapKeyError,
    MapKeyExistsError,
    MapTypeError,
    NotPermittedError,
    OutOfMemoryError,
    RetryPolicy,
    SyscallError,
)
from bpflab.lab import Lab
from bpflab.maps.refusal import map_error
from bpflab.maps.shape import MapShape

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

    from bpflab.maps.base import Map

HASH = MapShape(MapType.HASH, "flows", 4, 8, 100, MapFlag(0))
ARRAY = MapShape(MapType.ARRAY, "slots", 4, 8, 100, MapFlag(0))


@pytest.mark.parametrize(
    ("errno", "kind", "text"),
    [
        (Errno.E2BIG, MapFullError, "HASH map 'flows' is full: it holds its max_entries, 100; key 7 was not put in"),
        (Errno.ENOSPC, MapFullError, "HASH map 'flows' is full: it holds its max_entries, 100; key 7 was not put in"),
        (Errno.ENOENT, MapKeyError, "HASH map 'flows' has no key 7 among its at most 100"),
        (Errno.EEXIST, MapKeyExistsError, r"HASH map 'flows' \(max_entries 100\) has the key 7 already"),
        (Errno.EBUSY, MapBusyError, r"HASH map 'flows' \(max_entries 100\), key 7, is in use"),
        (Errno.ENOMEM, OutOfMemoryError, r"no memory for the HASH map 'flows', key 7, \(max_entries 100\)"),
        (Errno.ENOTSUPP, MapTypeError, "HASH map 'flows' has no MAP_UPDATE_ELEM"),
        (Errno.EPERM, NotPermittedError, "MAP_UPDATE_ELEM on the HASH map 'flows', key 7, is not permitted"),
        (Errno.EFAULT, SyscallError, "MAP_UPDATE_ELEM on the HASH map 'flows', key 7, failed"),
    ],
)
def test_each_errno_is_an_error_of_its_own_with_map_key_and_limit(
    errno: Errno, kind: type[BpfError], text: str
) -> None:
    error = map_error(HASH, Command.MAP_UPDATE_ELEM, errno, 7)
    assert type(error) is kind
    with pytest.raises(kind, match=text) as caught:
        raise error
    assert isinstance(caught.value, MapError | SyscallError)
    assert caught.value.failure is not None
    assert (caught.value.failure.errno, caught.value.failure.arguments["key"]) == (errno, 7)
    assert f"answered {errno.name}" in str(caught.value)


@pytest.mark.parametrize("errno", [Errno.E2BIG, Errno.ENOENT])
def test_where_keys_are_indices_the_error_says_how_far_they_go(errno: Errno) -> None:
    assert "indices go to 99" in str(map_error(ARRAY, Command.MAP_UPDATE_ELEM, errno, 100))


def test_sockets_whose_values_have_no_room_for_a_cookie_say_so() -> None:
    sockets = MapShape(MapType.SOCKMAP, "peers", 4, 4, 100, MapFlag(0))
    error = map_error(sockets, Command.MAP_LOOKUP_ELEM, Errno.ENOSPC, 1)
    assert isinstance(error, MapTypeError)
    assert "create it with value=8" in str(error)


def test_the_deletion_of_an_index_past_the_end_is_a_full_error() -> None:
    assert isinstance(map_error(ARRAY, Command.MAP_DELETE_ELEM, Errno.EINVAL, 100), MapFullError)
    assert not isinstance(map_error(ARRAY, Command.MAP_DELETE_ELEM, Errno.EINVAL, 99), MapFullError)


class Busy(WrappedBackend):
    """Answers the first updates with an errno."""

    def __init__(self, name: str, errno: Errno, times: int) -> None:
        super().__init__(open_backend(name))
        self.wrong, self.left = errno, times
        self._said = False

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        return self.answer

    def answer(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        self._said = command == Command.MAP_UPDATE_ELEM and self.left > 0
        if self._said:
            self.left -= 1
            return -1
        return self.inner.bpf(command, attr, size)

    def errno(self) -> int:
        return int(self.wrong) if self._said else self.inner.errno()


def small_map(lab: Lab) -> Map[Any, Any]:
    return lab.map("hash", key="u32", value="u32", max_entries=4)


@pytest.mark.parametrize("errno", [Errno.EINTR, Errno.EAGAIN, Errno.EBUSY])
def test_transient_errors_are_tried_again(bpf_backend: str, errno: Errno) -> None:
    with Lab(Busy(bpf_backend, errno, 3), retry=RetryPolicy(times=3, delay=0)) as lab:
        made = small_map(lab)
        made[1] = 5
        assert made[1] == 5


def test_an_update_that_stays_busy_is_an_error(bpf_backend: str) -> None:
    with Lab(Busy(bpf_backend, Errno.EBUSY, 99), retry=RetryPolicy(times=2, delay=0)) as lab:
        made = small_map(lab)
        with pytest.raises(MapBusyError):
            made[1] = 5
        with pytest.raises(MapBusyError):
            made.update(1, 5, flags=UpdateFlag.EXIST)


def test_a_frozen_map_says_that_it_cannot_be_written(bpf: Lab) -> None:
    made = bpf.map("array", value="u32", max_entries=4, name="limits")
    made[0] = 1
    made.freeze()
    with pytest.raises(NotPermittedError, match="ARRAY map 'limits', key 0, is not permitted: the map is frozen"):
        made[0] = 2
    with pytest.raises(
        NotPermittedError, match="MAP_FREEZE on the ARRAY map 'limits' is not permitted: the map is fro"
    ):
        made.freeze()
    assert made[0] == 1


def test_a_map_that_is_read_only_to_the_system_call_says_so(bpf: Lab) -> None:
    made = bpf.map("hash", key="u32", value="u32", max_entries=4, flags=MapFlag.RDONLY)
    with pytest.raises(NotPermittedError, match=r"created or opened with RDONLY or WRONLY \(flags RDONLY\)"):
        made[0] = 2
    assert made.lookup(0) is None
