"""The example of the page on kernel functions works as it is written, and so does what its table says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bpflab import Lab

PAGE = Path(__file__).parents[3] / "docs" / "kfuncs.md"
METADATA = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
enum xdp_rss_hash_type { XDP_RSS_TYPE_NONE = 0 };
extern int bpf_xdp_metadata_rx_timestamp(const struct xdp_md *, __u64 *) __ksym;
extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *, __u32 *, enum xdp_rss_hash_type *) __ksym;
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *, __u16 *, __u16 *) __ksym;
__u64 timestamp;
__u32 hash;
enum xdp_rss_hash_type type;
int results[3];
__u16 protocol, tci;
SEC("xdp") int ask(struct xdp_md *ctx)
{
	results[0] = bpf_xdp_metadata_rx_timestamp(ctx, &timestamp);
	results[1] = bpf_xdp_metadata_rx_hash(ctx, &hash, &type);
	results[2] = bpf_xdp_metadata_rx_vlan_tag(ctx, &protocol, &tci);
	return XDP_PASS;
}
char LICENSE[] SEC("license") = "GPL";
"""
EOPNOTSUPP = -95


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        if lab.world.types.btf is None:
            pytest.skip("the simulated kernel has no types here")
        yield lab


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(found)


def test_the_example_works_as_written(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("known_only.bpf.c").write_text(block("c"), "utf-8")
    names: dict[str, Any] = {}
    exec(compile(block("python"), str(PAGE), "exec"), names)
    names["test_answers_of_a_known_connection_pass"](lab)
    assert len(lab.world.conntrack) == 1


def test_a_frame_tells_what_the_test_set(lab: Lab, tmp_path: Path) -> None:
    source = tmp_path / "metadata.bpf.c"
    source.write_text(METADATA, "utf-8")
    loaded = lab.load(source)
    loaded.programs["ask"].run(bytes(64))
    assert list(loaded.bss.results) == [EOPNOTSUPP] * 3
    received = lab.world.received
    received.timestamp, received.hash, received.hash_type, received.vlan = 1 << 40, 7, 3, (0x8100, 42)
    loaded.programs["ask"].run(bytes(64))
    seen = loaded.bss
    assert list(seen.results) == [0, 0, 0]
    assert (seen.timestamp, seen.hash, int(seen.type), seen.tci) == (1 << 40, 7, 3, 42)
    assert seen.protocol.to_bytes(2, lab.backend.byteorder) == b"\x81\x00"
