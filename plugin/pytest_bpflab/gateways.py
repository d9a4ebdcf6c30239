"""Workers of pytest-xdist on other architectures: `--dist=each --tx "popen//python=bpflab python --arch s390x ..."`.

xdist gives every worker of this machine its own sys.path, as they have one Python. A guest has another.
"""

from __future__ import annotations

import platform
from typing import Any, Final

import pytest

_MACHINE: Final = "import platform; channel.send(platform.machine())"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - pytest-xdist is not needed to read this
    """Leave a worker of another architecture its own packages."""
    spec = node.gateway.spec
    if spec.popen and spec.python and node.gateway.remote_exec(_MACHINE).receive() != platform.machine():
        spec.popen = None
