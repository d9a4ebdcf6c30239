"""What a Lab owns: one backend, everything opened in it, and its end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from bpflab.backend.call import DEFAULT_RETRY, Caller
from bpflab.backend.select import open_backend
from bpflab.errors import ClosedError
from bpflab.lab.scope import Scope, close_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Any, Self

    from bpflab.abi.prog_types import ProgType
    from bpflab.backend.base import Backend
    from bpflab.errors import RetryPolicy
    from bpflab.maps.base import Map
    from bpflab.programs.tally import Tally


class Closable(Protocol):
    """Something that a Lab can own. Closing twice is fine."""

    def close(self) -> None:
        """Release what it holds."""


ClosableT = TypeVar("ClosableT", bound=Closable)
WrapperT = TypeVar("WrapperT", bound="Backend")


@runtime_checkable
class Rebinding(Protocol):
    """Something that keeps what its Lab's backend gave, and can take it anew."""

    def rebind(self) -> None:
        """Take the Lab's backend anew."""


class Owner:
    """One backend and everything opened in it, which is closed with it."""

    def __init__(
        self,
        backend: str | Backend = "auto",
        *,
        retry: RetryPolicy = DEFAULT_RETRY,
        pin_root: str | Path | None = None,
    ) -> None:
        self.backend = open_backend(backend)
        self.call = Caller(self.backend, retry)
        self.maps: dict[str, Map[Any, Any]] = {}
        self._owned: list[Closable] = []
        self._tallies: dict[tuple[str, ProgType], Tally] = {}
        self._closed = False
        self._pin_root = None if pin_root is None else str(pin_root)

    @property
    def pin_root(self) -> str:
        """The directory of maps that their objects pin by name: the one given, or a private BPF file system."""
        if self._pin_root is None:
            self._pin_root = self.backend.mount_bpf_fs()
        return self._pin_root

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self._closed

    def check_open(self) -> None:
        """Raise ClosedError when the Lab is closed."""
        if self._closed:
            raise ClosedError("This Lab is closed, and all that was opened in it; open another Lab.")

    def own(self, resource: ClosableT) -> ClosableT:
        """Close this when the Lab closes, before everything that was opened earlier."""
        self._owned.append(resource)
        return resource

    def disown(self, resource: Closable) -> None:
        """Forget a resource that was closed on its own; unknown ones are ignored."""
        with contextlib.suppress(ValueError):
            self._owned.remove(resource)

    def scope(self) -> Scope[Self]:
        """Close what is opened inside the `with` block at its end, and leave what was open before."""
        return Scope(self, self._owned)

    def wrap(self, around: Callable[[Backend], WrapperT]) -> WrapperT:
        """Put another backend around this Lab's, for what is open and for all that comes; return it."""
        wrapper = around(self.backend)
        self.backend = self.call.backend = wrapper
        for resource in list(self._owned):
            if isinstance(resource, Rebinding):
                resource.rebind()
        return wrapper

    def tally(self, name: str, type: ProgType) -> Tally:  # noqa: A002 - the field's own word for it
        """Return the count of runs of the programs of a name and type, which their runs add to."""
        key = name, type
        if key not in self._tallies:
            from bpflab.programs.tally import Tally

            self._tallies[key] = Tally(name, type)
        return self._tallies[key]

    def take_tallies(self) -> tuple[Tally, ...]:
        """Return `tallies` that count runs, and begin to count anew."""
        return tuple(tally.take() for tally in self._tallies.values() if tally.retvals)

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """What the runs of programs in this Lab came to, by program."""
        return tuple(self._tallies.values())

    def close(self) -> None:
        """Close all that the Lab owns, newest first; every close is tried, and the errors are raised together."""
        if self._closed:
            return
        self._closed = True
        with contextlib.ExitStack() as stack:
            stack.callback(self.backend.shutdown)
            stack.callback(self.maps.clear)
            stack.callback(close_all, list(self._owned))
            self._owned.clear()

    def __enter__(self) -> Self:
        self.check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._owned)} open"
        return f"<Lab on {self.backend.name}, {state}>"
