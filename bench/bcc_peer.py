"""bcc's Python as a peer: the distribution's own, in a process of the distribution's Python.

The child gets descriptors of maps over a socket, does what it is told, and answers with the CPU time that it took.
"""

from __future__ import annotations

import atexit
import json
import socket
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

PYTHON: Final = "/usr/bin/python3"
CHILD: Final = Path(__file__).parent / "baseline" / "bcc_child.py"
TABLES: Final = {"hash": "HashTable", "array": "Array"}
"""Types of map that are compared, and bcc's class for each."""
OPERATIONS: Final = ("map_lookup", "map_update", "map_delete_and_update", "map_lookup_batch", "ring_consume")


class BccChild:
    """A process with bcc in it."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [PYTHON, str(CHILD), str(theirs.fileno())]
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL)
        theirs.close()
        self.ready = self._answer() == "ready"

    def open(self, fd: int, table: str, entries: int) -> None:
        """Make bcc's table of a map that bcc did not create."""
        words = json.dumps({"open": table, "entries": entries})
        socket.send_fds(self.socket, [words.encode()], [fd])
        self._answer()

    def seconds(self, operation: str, count: int) -> float:
        """Return the CPU seconds that an operation takes for so many elements."""
        self.socket.send(json.dumps({"run": operation, "count": count}).encode())
        return float(self._answer())

    def close(self) -> None:
        """End the process."""
        self.socket.close()
        self.process.wait()

    def _answer(self) -> Any:  # noqa: ANN401 - what JSON holds
        answer = self.socket.recv(4096)
        return json.loads(answer) if answer else None


@lru_cache(maxsize=1)
def child() -> BccChild | None:
    """Start the child; None where the distribution has no bcc for Python."""
    if not Path(PYTHON).exists():
        return None
    started = BccChild()
    atexit.register(started.close)
    return started if started.ready else None
