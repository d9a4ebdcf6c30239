"""A BPF kernel in Python: maps, programs, helpers, contexts, clock."""
