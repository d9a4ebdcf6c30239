"""Coverage written down: a table for the terminal, lcov, Cobertura XML, HTML."""

from __future__ import annotations
