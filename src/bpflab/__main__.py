"""`python -m bpflab`: the command `bpflab`, also where no script of that name is installed, as in a guest."""

from __future__ import annotations

from bpflab.cli import main

if __name__ == "__main__":
    main(prog_name="bpflab")
