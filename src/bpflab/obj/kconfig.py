"""Values of a kernel's configuration, for programs that declare them with __kconfig.

`CONFIG_` names stand for lines of the configuration the kernel was built with; names that start with LINUX_ are
libbpf's own: LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE and LINUX_HAS_SYSCALL_WRAPPER.
"""

from __future__ import annotations

import gzip
import platform
import re
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import IntEncoding
from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf
from bpflab.obj.btf_layout import resolved
from bpflab.obj.externs import KCONFIG

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bpflab.obj.relocations import Extern
    from bpflab.obj.spec import ObjectSpec, Variable

_TRISTATE: Final = {"n": 0, "y": 1, "m": 2}
"""`enum libbpf_tristate` by the letters of a configuration."""
_WRAPPERS: Final = {"x86_64": (4, 17), "aarch64": (4, 19), "s390x": (5, 0), "riscv64": (6, 6)}
"""The first kernel of a machine whose entries of system calls take a struct pt_regs, for when no option says it."""
_COOKIE_SINCE: Final = (5, 15)
_LINE: Final = re.compile(r"(CONFIG_\w+)=(.*)")


@dataclass(frozen=True, slots=True)
class KernelConfig:
    """A kernel: its release such as `6.1.0-18-amd64`, its machine, and its options by name as they are written."""

    release: str
    machine: str
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, release: str, machine: str) -> KernelConfig:
        """Read the text of a kernel's .config."""
        found = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
        return cls(release, machine, {each[1]: each[2] for each in found if each})

    @classmethod
    def of_kernel(cls) -> KernelConfig:
        """Read the running kernel's configuration; without options where it shows none."""
        release = platform.release()
        return cls.parse(_running_config(release), release, platform.machine())

    @property
    def version(self) -> tuple[int, int, int]:
        """The release as three numbers."""
        numbers = [int(each) for each in re.findall(r"\d+", self.release)[:3]]
        major, minor, patch = (*numbers, 0, 0, 0)[:3]
        return major, minor, patch

    def virtual(self, name: str) -> int | None:
        """Give the value of a LINUX_ name; None for one that is not known."""
        major, minor, patch = self.version
        values = {
            "LINUX_KERNEL_VERSION": (major << 16) + (minor << 8) + min(patch, 255),
            "LINUX_HAS_BPF_COOKIE": int((major, minor) >= _COOKIE_SINCE),
            "LINUX_HAS_SYSCALL_WRAPPER": int(self._has_wrapper()),
        }
        return values.get(name)

    def _has_wrapper(self) -> bool:
        if self.options:
            return self.options.get("CONFIG_ARCH_HAS_SYSCALL_WRAPPER") == "y"
        first = _WRAPPERS.get(self.machine)
        return first is not None and self.version[:2] >= first


def _running_config(release: str) -> str:
    for path in (Path("/proc/config.gz"), Path(f"/boot/config-{release}")):
        try:
            raw = path.read_bytes()
        except OSError:
            continue
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8", "replace")
    return ""


def configure(spec: ObjectSpec, config: KernelConfig, *, keep: Collection[str] = ()) -> ObjectSpec:
    """Give the spec with the values of a kernel's configuration in its `.kconfig` map; `spec` stays as it is.

    `keep` names values to leave as they are. What the configuration does not mention is 0 for a weak
    declaration, else an ObjectError.
    """
    if not spec.needs_config:
        return spec
    btf, place = Btf(spec.btf or b""), copy(spec.maps[KCONFIG])
    place.data = bytearray(place.data or b"")
    for name, variable in ((name, place.variables[name]) for name in place.variables if name not in keep):
        raw = _value(btf, spec.externs[name], variable, config)
        place.data[variable.offset : variable.offset + variable.size] = raw
    return replace(spec, maps={**spec.maps, KCONFIG: place})


def _value(btf: Btf, extern: Extern, variable: Variable, config: KernelConfig) -> bytes:
    written = _written(extern, config)
    found = resolved(btf, extern.type_id)
    try:
        if isinstance(found, t.Array):
            return _text(written).ljust(variable.size, b"\0")[: variable.size - 1] + b"\0"
        number = _number(found, written)
        return number.to_bytes(variable.size, btf.byteorder, signed=number < 0)
    except (ValueError, OverflowError):
        raise ObjectError(
            f"{extern.name} is {written} in the kernel's configuration, and is declared as {found.kind.name} "
            f"{found.name!r} of {variable.size} bytes, which cannot hold it."
        ) from None


def _written(extern: Extern, config: KernelConfig) -> str:
    """Give a value as a configuration has it, empty for a weak one that is not there."""
    virtual = config.virtual(extern.name)
    written = config.options.get(extern.name) if virtual is None else str(virtual)
    if written is None and not extern.weak:
        raise ObjectError(
            f"{extern.name} is not in the kernel's configuration, if that can be read at all; declare it __weak to "
            "have it 0 then."
        )
    return written or ""


def _text(written: str) -> bytes:
    if written and not re.fullmatch(r'".*"', written):
        raise ValueError(written)
    return written[1:-1].encode("utf-8", "surrogateescape")


def _number(found: t.BtfType, written: str) -> int:
    """Read a number, or the letter of a tristate: as one for an enum or bool, as a letter for a char."""
    if not written:
        return 0
    if written not in _TRISTATE:
        return int(written, 0)
    if isinstance(found, t.Enum):
        return _TRISTATE[written]
    if isinstance(found, t.Int) and found.encoding & IntEncoding.BOOL and written != "m":
        return _TRISTATE[written]
    if isinstance(found, t.Int) and found.size == 1 and not found.encoding & IntEncoding.BOOL:
        return ord(written)
    raise ValueError(written)
