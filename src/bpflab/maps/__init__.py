"""Maps as Python mappings, which `lab.map()` and `lab.open_map()` make, and the codecs of their keys and values."""

from bpflab.abi.flags import MapFlag, UpdateFlag
from bpflab.maps.codecs import AllCpus, BaseCodec, Codec, PerCpuValues, Prefix, make_codec
from bpflab.maps.codecs.records import Record
from bpflab.maps.codecs.references import CgroupKey, Target
from bpflab.maps.codecs.stacks import Frame

__all__ = [
    "AllCpus",
    "BaseCodec",
    "CgroupKey",
    "Codec",
    "Frame",
    "MapFlag",
    "PerCpuValues",
    "Prefix",
    "Record",
    "Target",
    "UpdateFlag",
    "make_codec",
]
