"""`python -m bpflab.cli`, where the command is not on the PATH."""

from __future__ import annotations

from bpflab.cli import main

main(prog_name="bpflab")
