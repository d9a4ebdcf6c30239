"""A laboratory for BPF programs."""

__version__ = "0.1.0"
