"""A benchmark suite, measured natively and on every architecture, kept, compared and drawn.

`suite` runs it on a `targets` entry, `inside` is the part within the measured pytest; `merge` makes `results` of what
it wrote, and `table`, `compare` and `plot` show them. Only `suite`, `facts` and the files of `results` touch the
world.
"""

from __future__ import annotations
