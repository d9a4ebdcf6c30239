"""A deterministic clock: the count of the instructions that a guest has executed.

`count.c` is a plugin of qemu-user, `plugin` compiles it, `counted` starts a Python under it, `file` is what the
plugin writes and `bpflab.runner.clock` reads.
"""

from __future__ import annotations
