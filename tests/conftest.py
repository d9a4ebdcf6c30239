"""What all tests share; the fixtures `bpf` and `bpf_backend` come from the plugin.

Drawn examples are the same in every run, so that a run fails for what changed and for nothing else.
`HYPOTHESIS_PROFILE=random` draws others each time, `HYPOTHESIS_PROFILE=long` twenty times as many where a test does not
say how many it needs. No profile knows a deadline: machines that are busy are no reason to fail.
"""

from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = ["pytester"]

settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None, derandomize=False)
settings.register_profile("long", deadline=None, derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "same")
