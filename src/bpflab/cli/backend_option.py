"""The option that several commands share: where programs run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bpflab.backend.select import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

backend_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--backend",
    type=click.Choice(NAMES),
    default="auto",
    show_default=True,
    help="Where programs run; auto is the kernel where it can be used, the simulated one elsewhere.",
)
