"""Linked lists of a program's objects (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim.linked_list import List
from bpflab.sim.own_objects import drop

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment


def bpf_list_push_front_impl(env: Environment, head: int, node: int, meta: int, off: int) -> int:
    """Add an object as the first; one that is in a list already is dropped."""
    del meta, off
    return _push(env, head, node, front=True)


def bpf_list_push_back_impl(env: Environment, head: int, node: int, meta: int, off: int) -> int:
    """Add an object as the last; one that is in a list already is dropped."""
    del meta, off
    return _push(env, head, node, front=False)


def bpf_list_pop_front(env: Environment, head: int) -> int:
    """Take the first object out."""
    return List(env.run.memory, head).pop(front=True)


def bpf_list_pop_back(env: Environment, head: int) -> int:
    """Take the last object out."""
    return List(env.run.memory, head).pop(front=False)


def bpf_list_front(env: Environment, head: int) -> int:
    """Look at the first object."""
    return List(env.run.memory, head).first()


def bpf_list_back(env: Environment, head: int) -> int:
    """Look at the last object."""
    return List(env.run.memory, head).last()


def _push(env: Environment, head: int, node: int, *, front: bool) -> int:
    if List(env.run.memory, head).push(node, front=front):
        return 0
    drop(env.run.memory, node)
    return -Errno.EINVAL
