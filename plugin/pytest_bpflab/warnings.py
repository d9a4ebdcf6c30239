"""The plugin's warnings."""

from __future__ import annotations

import pytest


class BpfLeakWarning(pytest.PytestWarning):
    """A test left a map, program, link or BTF of the kernel open, outside the Lab that closes for it."""
