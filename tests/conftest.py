"""What all tests share; the fixtures `bpf` and `bpf_backend` come from the plugin."""

from __future__ import annotations

pytest_plugins = ["pytester"]
