"""Which codecs a new or opened map gets: those asked for, those of its BTF types, or those its sizes suggest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpflab.maps.codecs.choose import make_codec
from bpflab.maps.codecs.percpu import PerCpuCodec

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.lab import Lab
    from bpflab.maps.codecs.base import BaseCodec
    from bpflab.obj.btf import Btf


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What codecs depend on besides the type asked for: the kernel's byte order and CPUs, and BTF to find names in."""

    byteorder: ByteOrder
    cpus: int
    btf: Btf | None = None

    @classmethod
    def of(cls, lab: Lab, btf: Btf | None = None) -> Surroundings:
        """Ask a Lab's backend."""
        return cls(lab.backend.byteorder, lab.backend.possible_cpus, btf)

    def codec(self, given: object) -> BaseCodec[Any]:
        """Make the codec that was asked for."""
        return make_codec(given, byteorder=self.byteorder, btf=self.btf)

    def per_cpu(self, element: BaseCodec[Any]) -> BaseCodec[Any]:
        """Make the codec of one such value for each possible CPU."""
        return element if isinstance(element, PerCpuCodec) else PerCpuCodec(element, self.cpus)

    def typed(self, type_id: int, size: int) -> object:
        """Suggest a codec for a BTF type id (0: none) and a size: the type's, an integer, or plain bytes."""
        if type_id and self.btf is not None:
            from bpflab.maps.codecs.btf import codec_by_id

            found = codec_by_id(self.btf, type_id)
            if found.size == size:
                return found
        return f"u{size * 8}" if size in {1, 2, 4, 8} else size
