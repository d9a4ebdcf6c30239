"""Faults that a test sets: calls that fail or wait, programs that are refused, helpers that return errors, full rings.

`lab.faults` is the way in. Every setting method returns a Fault, which counts what it struck, and removes itself at
the end of a `with`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from bpflab.abi.errno import Errno, errno_name
from bpflab.arguments import check_type
from bpflab.backend.call_names import errno_number
from bpflab.backend.fault import FaultBackend, Rule
from bpflab.backend.match import Match
from bpflab.backend.schedule import Fault
from bpflab.errors import ArgumentError
from bpflab.faults.subject import subject_fields

if TYPE_CHECKING:
    from bpflab.backend.match import Where
    from bpflab.backend.schedule import When
    from bpflab.faults.helper import FaultyHelper
    from bpflab.faults.subject import Named
    from bpflab.lab import Lab

LONGEST = 3600.0
"""Seconds that a delay may take."""


class Faults:
    """The faults of one Lab. `active` are those that stand, in the order in which they were set."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._backend: FaultBackend | None = None
        self.active: list[Fault] = []
        self._expected: list[Fault] = []

    def fail(
        self,
        command: object,
        error: str | int,
        *,
        delay: float = 0.0,
        log: str = "",
        map: Named | None = None,  # noqa: A002 - the field's own word for it
        program: Named | None = None,
        key: object = None,
        where: Where | None = None,
        fields: dict[str, object] | None = None,
        **when: Unpack[When],
    ) -> Fault:
        """Let calls fail with an error before the kernel sees them.

        `command` is one of bpf(2) (`MAP_UPDATE_ELEM`), a pattern (`MAP_*`) or a call beside it (`mmap`, `poll`,
        `perf_event_open`, `ioctl`, ...); `error` a name or number. `map` and `program` say whose calls, by name or as
        the object; `key` which element (bytes, an integer of at most 8 bytes, or, with a Map, what it takes as key);
        `fields` further attr fields and `where` a function of the decoded Call. `delay` is waited before the failure,
        in seconds. `log` is the verifier's log of a PROG_LOAD. `after`, `times`, `probability`, `seed` and
        `expected` are those of `When`. ArgumentError with near names for what does not exist.
        """
        number = errno_number(error)
        about = subject_fields(map, program, key, where)
        match = Match(command, {**about.fields, **(fields or {})}, about.where)
        fault = Fault(f"{match} -> {errno_name(number)}", self._forget, **when)
        return self._add(Rule(match, fault, number, _seconds(delay), log))

    def delay(
        self,
        command: object,
        seconds: float,
        *,
        map: Named | None = None,  # noqa: A002 - the field's own word for it
        program: Named | None = None,
        key: object = None,
        where: Where | None = None,
        **when: Unpack[When],
    ) -> Fault:
        """Let calls wait before they are made: on a simulated kernel its clock moves on, elsewhere it is slept."""
        about = subject_fields(map, program, key, where)
        match = Match(command, about.fields, about.where)
        fault = Fault(f"{match} waits {seconds} s", self._forget, **when)
        return self._add(Rule(match, fault, 0, _seconds(seconds)))

    def interrupt(
        self,
        command: object,
        times: int = 1,
        *,
        map: Named | None = None,  # noqa: A002 - the field's own word for it
        program: Named | None = None,
    ) -> Fault:
        """Answer EINTR to so many calls in a row, then let them pass, which shows what the Lab's retry policy does."""
        return self.fail(command, "EINTR", map=map, program=program, times=times)

    def reject(
        self,
        program: Named | None = None,
        log: str = "R0 !read_ok\n",
        *,
        error: str | int = Errno.EACCES,
        **when: Unpack[When],
    ) -> Fault:
        """Let the verifier refuse a program of that name (any without one), with a log of your own.

        The second load that asks for the log is part of the same refusal.
        """
        return self.fail("PROG_LOAD", error, program=program, log=log, **when)

    def helper(
        self,
        name: str,
        *,
        returns: int | str,
        call: int | None = None,
        map: Named | None = None,  # noqa: A002 - the field's own word for it
        **when: Unpack[When],
    ) -> Fault:
        """Let a helper return a value without doing anything, when a program calls it in the simulated kernel.

        `returns` is a number, or an error as `ENOMEM` or `-ENOMEM` (both mean -12); helpers that return a pointer take
        0 alone. `call=3` is the third call, and that one only. `map` narrows it to calls about one map.
        NotSupportedError on any other backend: nothing can make a helper of a running kernel fail.
        """
        from bpflab.faults.helper import faulty_helper

        if call is not None:
            if {"after", "times"} & when.keys():
                raise ArgumentError(f"call={call} says which call fails; give it, or after and times, not both.")
            when |= {"after": _nth(call) - 1, "times": 1}
        faulty = faulty_helper(self._lab.backend, name, returns, map)
        fault = Fault(str(faulty), lambda fault: self._forget(fault, faulty), **when)
        faulty.install(fault)
        return self._note(fault)

    def fill_ring(self, ring: object) -> int:
        """Fill a ring buffer map with records that its consumer passes over, and return the bytes that they take.

        Until the consumer has passed them, programs find the buffer full, on every backend that runs programs: they
        are reserved and given up by programs loaded for it.
        """
        from bpflab.faults.ring import fill_ring

        return fill_ring(self._lab, ring)

    def clear(self) -> None:
        """Remove all faults."""
        for fault in list(self.active):
            fault.remove()

    def check_hit(self) -> None:
        """Raise FaultMissedError for the first `expected` fault that never struck; each fault is asked once."""
        expected, self._expected = self._expected, []
        for fault in expected:
            fault.check_hit()

    def uninstall(self) -> None:
        """Remove all faults, and give the Lab its own backend back, with its cheap path."""
        self.clear()
        wrapper, self._backend = self._backend, None
        if wrapper is not None and self._lab.backend is wrapper:
            self._lab.wrap(lambda _wrapper: wrapper.inner)

    def _add(self, rule: Rule) -> Fault:
        self._lab.check_open()
        if self._backend is None:
            self._backend = self._lab.wrap(FaultBackend)
            self._lab.own(_Installed(self))
        self._backend.add(rule)
        return self._note(rule.fault)

    def _note(self, fault: Fault) -> Fault:
        self.active.append(fault)
        if fault.expected:
            self._expected.append(fault)
        return self._lab.own(fault)

    def _forget(self, fault: Fault, faulty: FaultyHelper | None = None) -> None:
        self.active.remove(fault)
        self._lab.disown(fault)
        if faulty is not None:
            faulty.restore()
        if self._backend is not None:
            self._backend.remove(fault)

    def __repr__(self) -> str:
        return f"<faults: {'; '.join(map(str, self.active)) or 'none'}>"


class _Installed:
    """Stands among what a Lab opened for the backend that faults need: it goes with the Lab, or with its scope."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def close(self) -> None:
        self._faults.uninstall()


def _seconds(given: float) -> float:
    check_type("The delay", given, (int, float), "seconds")
    if not 0 <= given <= LONGEST:
        raise ArgumentError(f"A delay of {given!r} was asked for; expected seconds, from 0 to {LONGEST:.0f}.")
    return float(given)


def _nth(call: object) -> int:
    if not isinstance(call, int) or call < 1:
        raise ArgumentError(f"call is {call!r}; expected the number of a call, from 1 on.")
    return call
