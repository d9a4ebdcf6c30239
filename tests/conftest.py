"""What all tests share; the fixtures `bpf` and `bpf_backend` come from the plugin.

`HYPOTHESIS_PROFILE=long` draws twenty times as many examples where a test does not say how many it needs. No profile
knows a deadline: machines that are busy are no reason to fail.
"""

from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = ["pytester"]

settings.register_profile("ci", deadline=None)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "ci")
