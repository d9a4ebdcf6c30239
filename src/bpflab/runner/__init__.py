"""A Python of another architecture, as a command that behaves like `python`.

The guest's files come from the mirror of the host's own distribution, its packages by pip, and qemu-user runs it.
Everything is kept in the user's cache. `bpflab.runner.launch.prepare` is the way in.
"""

from __future__ import annotations
