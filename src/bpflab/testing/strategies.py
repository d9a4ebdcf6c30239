"""Hypothesis strategies for tests of BPF maps and of the programs that use them.

from hypothesis import given
from bpflab.testing.strategies import entries

@given(entries("ipv4", "u64", max_size=100))
def test_counts_survive(entries): ...
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from bpflab.abi.flags import MapFlag
from bpflab.abi.map_rules import RULES
from bpflab.abi.map_types import MapType
from bpflab.maps.codecs.choose import make_codec, make_prefix_codec
from bpflab.testing.samples import INNER
from bpflab.testing.values import values_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from bpflab.abi.layout import ByteOrder
    from bpflab.maps.codecs.base import BaseCodec

__all__ = ["codec_names", "entries", "map_arguments", "values", "values_of"]

SAFE_FLAGS: Final = {
    MapType.HASH: (MapFlag.NO_PREALLOC, MapFlag.ZERO_SEED),
    MapType.PERCPU_HASH: (MapFlag.NO_PREALLOC, MapFlag.ZERO_SEED),
    MapType.LRU_HASH: (MapFlag.NO_COMMON_LRU, MapFlag.ZERO_SEED),
    MapType.ARRAY: (MapFlag.MMAPABLE, MapFlag.RDONLY_PROG),
    MapType.BLOOM_FILTER: (MapFlag.ZERO_SEED,),
}
"""Flags under which a map can still be read and written by the system call, by type."""

PLAIN_KEYS: Final = (MapType.HASH, MapType.PERCPU_HASH, MapType.LRU_HASH, MapType.LRU_PERCPU_HASH)
KEY_CHOSEN: Final = (*PLAIN_KEYS, MapType.SOCKHASH, MapType.HASH_OF_MAPS)
VALUE_CHOSEN: Final = (
    *PLAIN_KEYS,
    MapType.ARRAY,
    MapType.PERCPU_ARRAY,
    MapType.LPM_TRIE,
    MapType.QUEUE,
    MapType.STACK,
    MapType.BLOOM_FILTER,
    MapType.CGROUP_STORAGE,
    MapType.PERCPU_CGROUP_STORAGE,
    MapType.SK_STORAGE,
    MapType.INODE_STORAGE,
    MapType.TASK_STORAGE,
    MapType.CGRP_STORAGE,
)


def codec_names(*, largest: int = 64) -> SearchStrategy[str]:
    """Draw names that `key=` and `value=` take, of at most `largest` bytes."""
    integers = st.sampled_from([f"{kind}{bits}" for kind in ("u", "s", "be", "le", "sbe") for bits in (8, 16, 32, 64)])
    sized = st.builds("{}[{}]".format, st.sampled_from(["bytes", "char"]), st.integers(1, largest))
    structs = st.builds("{}{}".format, st.sampled_from("<>="), st.text("bBhHiIqQx", min_size=1, max_size=largest // 8))
    fields = structs.filter(lambda name: set(name[1:]) != {"x"})
    return st.one_of(integers, st.sampled_from(["ipv4", "ipv6", "mac"]), sized, fields)


def values(name: object, *, byteorder: ByteOrder = sys.byteorder, btf: Any = None) -> SearchStrategy[Any]:  # noqa: ANN401 - a Btf
    """Draw values of what `key=` or `value=` names; see `values_of` for a codec."""
    return values_of(make_codec(name, byteorder=byteorder, btf=btf))


def entries(
    key: object, value: object, *, min_size: int = 0, max_size: int = 32, byteorder: ByteOrder = sys.byteorder
) -> SearchStrategy[dict[Any, Any]]:
    """Draw the content of a map as a dict; an LPM trie's keys are drawn by a codec of `make_prefix_codec`."""
    keys, contents = values(key, byteorder=byteorder), values(value, byteorder=byteorder)
    return st.dictionaries(keys, contents, min_size=min_size, max_size=max_size)


@st.composite
def map_arguments(
    draw: st.DrawFn, types: SearchStrategy[MapType] | None = None, *, max_entries: int = 64, largest: int = 64
) -> dict[str, Any]:
    """Draw arguments with which `lab.map(**arguments)` makes a map of any type, or of those drawn from `types`.

    Keys and values have at most `largest` bytes; rings have up to 16 pages.
    """
    kind = draw(st.sampled_from(list(RULES)) if types is None else types)
    rule = RULES[kind]
    arguments: dict[str, Any] = {"type": kind}
    if kind in KEY_CHOSEN:
        arguments["key"] = draw(codec_names(largest=largest))
    if kind is MapType.LPM_TRIE:
        arguments["key"] = draw(st.one_of(st.sampled_from(["ipv4", "ipv6"]), st.integers(5, 4 + largest)))
    if kind in VALUE_CHOSEN:
        arguments["value"] = draw(codec_names(largest=largest))
    if rule.entries.power:
        arguments["max_entries"] = rule.entries.low << draw(st.integers(0, 4))
    elif not rule.entries.only:
        arguments["max_entries"] = draw(st.integers(1, max_entries))
    if kind is MapType.BLOOM_FILTER:
        arguments["map_extra"] = draw(st.integers(0, 15))
    if rule.inner:
        arguments["inner"] = INNER
    chosen = draw(st.sets(st.sampled_from(SAFE_FLAGS[kind]))) if kind in SAFE_FLAGS else set()
    return {
        **arguments,
        "flags": sum(chosen, MapFlag(0)),
        "name": draw(st.from_regex(r"[A-Za-z0-9_.]{0,15}", fullmatch=True)),
    }


def key_codec(arguments: dict[str, Any], byteorder: ByteOrder = sys.byteorder) -> BaseCodec[Any]:
    """Return the codec of the keys that `map_arguments` drew."""
    make = make_prefix_codec if arguments["type"] is MapType.LPM_TRIE else make_codec
    return make(arguments.get("key", "u32"), byteorder=byteorder)
