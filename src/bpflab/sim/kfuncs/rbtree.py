"""Red-black trees of a program's objects (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim.own_objects import drop
from bpflab.sim.rbtree import Tree
from bpflab.sim.rbtree_links import LEFT, RIGHT

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment


def bpf_rbtree_add_impl(env: Environment, root: int, node: int, less: int, meta: int, off: int) -> int:
    """Add an object by the program's order; one that is in a tree already is dropped."""
    del meta, off
    added = Tree(env.run.memory, root).add(node, lambda one, other: bool(env.run.call(less, one, other)))
    if added:
        return 0
    drop(env.run.memory, node)
    return -Errno.EINVAL


def bpf_rbtree_remove(env: Environment, root: int, node: int) -> int:
    """Take an object out; null if it is not in this tree."""
    return node if Tree(env.run.memory, root).remove(node) else 0


def bpf_rbtree_first(env: Environment, root: int) -> int:
    """Look at the least object."""
    return Tree(env.run.memory, root).first()


def bpf_rbtree_root(env: Environment, root: int) -> int:
    """Look at the object at the top."""
    return Tree(env.run.memory, root).root


def bpf_rbtree_left(env: Environment, root: int, node: int) -> int:
    """Look at the object below to the left."""
    return Tree(env.run.memory, root).child(node, LEFT)


def bpf_rbtree_right(env: Environment, root: int, node: int) -> int:
    """Look at the object below to the right."""
    return Tree(env.run.memory, root).child(node, RIGHT)
