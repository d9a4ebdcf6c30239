from __future__ import annotations

import re

from bpflab.cli.demo import example_directory


def test_the_source_needs_only_headers_of_the_kernel_and_libbpf() -> None:
    included = re.findall(r"#include <([^>]+)>", (example_directory() / "firewall.bpf.c").read_text("utf-8"))
    assert [name for name in included if not name.startswith(("linux/", "bpf/"))] == []
