"""Codecs: between the bytes of keys and values and what a test writes and reads."""

from bpflab.maps.codecs.base import BaseCodec, Cell, Codec
from bpflab.maps.codecs.choose import make_codec
from bpflab.maps.codecs.percpu import AllCpus, PerCpuValues
from bpflab.maps.codecs.prefixes import Prefix

__all__ = ["AllCpus", "BaseCodec", "Cell", "Codec", "PerCpuValues", "Prefix", "make_codec"]
