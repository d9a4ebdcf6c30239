"""Checks that were made before: a suite loads the same program for every test.

A check depends on nothing but its subject, so what one found out holds for every equal one. Refusals are not
kept: they are rare, and a log is wanted each time.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.sim.check.explore import check

if TYPE_CHECKING:
    from collections.abc import Hashable

    from bpflab.sim.check.subject import Checked, Subject

KEPT: Final = 256
_known: OrderedDict[Hashable, Checked] = OrderedDict()


def check_once(subject: Subject, rules: Hashable) -> Checked:
    """Check a subject, or give what the check of an equal one found out. Raises `Refused`.

    `rules` tells apart what two subjects cannot show: their functions `context` and `helper_allowed`.
    """
    key = _key(subject, rules)
    found = _known.get(key)
    if found is None:
        found = _known[key] = check(subject)
        if len(_known) > KEPT:
            _known.popitem(last=False)
    _known.move_to_end(key)
    return found


def _key(subject: Subject, rules: Hashable) -> Hashable:
    # A map's descriptor differs from load to load; what it names stands in `maps`.
    insns = tuple(replace(insn, imm=0) if slot in subject.maps else insn for slot, insn in enumerate(subject.insns))
    return (
        insns,
        subject.type,
        frozenset(subject.maps.items()),
        frozenset(subject.globals.items()),
        frozenset(subject.names.items()),
        subject.gpl,
        subject.strict_alignment,
        subject.return_range,
        subject.packet_writable,
        subject.byteorder,
        subject.sleepable,
        subject.func_info,
        subject.kernel_types,
        subject.own_types,
        subject.writable_types,
        subject.returns_nothing,
        frozenset(subject.kfuncs.items()),
        frozenset(subject.symbols.items()),
        subject.exception_callback,
        rules,
    )
