"""Contexts as typed objects: what a test gives a program beside its packet, and what comes back."""

from __future__ import annotations

import struct
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.context import layout, layout_of, run_layout_of
from bpflab.abi.run_rules import SIMULATED
from bpflab.arguments import near_names
from bpflab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import SupportsInt

    from bpflab.abi.context import ContextField, ContextLayout
    from bpflab.abi.layout import ByteOrder
    from bpflab.abi.prog_types import ProgType

WORD = (1 << 64) - 1
ContextValue = int | tuple[int, ...]


class Context:
    """A context of one layout, its fields by name.

    Only fields that the kernel lets a test run set may be given; all of them can be read from a context that
    came out of a run. Integers are in host byte order except where the layout says network order (their
    name in the kernel is then `__be16` or `__be32`): those are given and read as the bytes stand in memory. An IP
    address may be given as text.
    """

    structure: ClassVar[str]
    """The C name of the structure."""

    def __init__(self, **values: int | str | Sequence[int]) -> None:
        self._values: dict[str, ContextValue] = {name: _plain(value) for name, value in values.items()}
        for name, value in self._values.items():
            self._check(name, value)

    @classmethod
    def layout(cls) -> ContextLayout:
        """Return the layout of the structure."""
        return layout(cls.structure)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, byteorder: ByteOrder = sys.byteorder) -> Context:
        """Read a context that came out of a run; fields past the end of `data` are 0."""
        raw = bytes(data).ljust(cls.layout().size, b"\0")
        context = cls()
        context._values = {field.name: _read(field, raw, byteorder) for field in cls.layout().fields}
        return context

    def to_bytes(self, byteorder: ByteOrder = sys.byteorder) -> bytes:
        """Return the structure's bytes, fields that were not given as zero."""
        buffer = bytearray(self.layout().size)
        for name, value in self._values.items():
            field = self.layout().field(name)
            items = value if isinstance(value, tuple) else (value,)
            struct.pack_into(_prefix(byteorder) + field.code, buffer, field.offset, *items)
        return bytes(buffer)

    def _check(self, name: str, value: ContextValue) -> None:
        settable = {field.name: field for field in self.layout().settable or self.layout().fields}
        if name not in settable:
            raise InputError(
                f"{type(self).__name__}({name}=...): a test run cannot set {name} of struct {self.structure}"
                f"{near_names(name, settable)} It can set {', '.join(settable)}."
            )
        _check_value(type(self).__name__, settable[name], value)

    def __getattr__(self, name: str) -> ContextValue:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._values:
            return self._values[name]
        try:
            field = next(field for field in self.layout().fields if field.name == name)
        except StopIteration:
            known = near_names(name, [field.name for field in self.layout().fields])
            raise AttributeError(f"struct {self.structure} has no field {name!r}{known}") from None
        return (0,) * field.count if field.count else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self._values.items() if _is_set(value))
        return f"{type(self).__name__}({shown})"


class XdpMd(Context):
    """`struct xdp_md`: what an XDP program gets.

    `data` is the number of bytes at the front of the given packet that are metadata (a multiple of 4, at most
    32); `data_end` is set to the packet's length. `rx_queue_index` wants an `ingress_ifindex` that exists.
    """

    structure = "xdp_md"


class SkBuff(Context):
    """`struct __sk_buff`: what socket filters, tc, cgroup_skb and lwt programs get.

    A run can set mark, priority, ingress_ifindex, ifindex, cb (five integers), tstamp, wire_len, gso_segs,
    gso_size and hwtstamp.
    """

    structure = "__sk_buff"


class FlowKeys(Context):
    """`struct bpf_flow_keys`: what a flow dissector fills. A run can set `flags` alone."""

    structure = "bpf_flow_keys"


class SkLookup(Context):
    """`struct bpf_sk_lookup`: the addresses of the lookup that an SK_LOOKUP program decides."""

    structure = "bpf_sk_lookup"


class SockAddr(Context):
    """`struct bpf_sock_addr`: the address that a socket binds, connects or sends to."""

    structure = "bpf_sock_addr"


class Sock(Context):
    """`struct bpf_sock`: a socket, of CGROUP_SOCK programs."""

    structure = "bpf_sock"


class SockOps(Context):
    """`struct bpf_sock_ops`: what happens to a TCP socket."""

    structure = "bpf_sock_ops"


class SockOpt(Context):
    """`struct bpf_sockopt`: a call of getsockopt or setsockopt."""

    structure = "bpf_sockopt"


class Sysctl(Context):
    """`struct bpf_sysctl`: a read or write of a sysctl."""

    structure = "bpf_sysctl"


class CgroupDevice(Context):
    """`struct bpf_cgroup_dev_ctx`: an access to a device."""

    structure = "bpf_cgroup_dev_ctx"


class SkMsg(Context):
    """`struct sk_msg_md`: a message that is sent through a socket."""

    structure = "sk_msg_md"


class SkReuseport(Context):
    """`struct sk_reuseport_md`: a packet for which a socket of a group is chosen."""

    structure = "sk_reuseport_md"


class RawContext:
    """A context without a fixed layout, as bytes: arguments of a raw tracepoint, input of a syscall program."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytes(data)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, byteorder: ByteOrder = sys.byteorder) -> RawContext:  # noqa: ARG003 - as Context
        """Keep the bytes as they are."""
        return cls(bytes(data))

    def to_bytes(self, byteorder: ByteOrder = sys.byteorder) -> bytes:  # noqa: ARG002 - as Context
        """Return the bytes."""
        return self.data

    def __repr__(self) -> str:
        return f"RawContext({self.data!r})"


class Arguments(RawContext):
    """Arguments of a traced function: integers, or objects of the simulated world by their address."""

    def __init__(self, values: Sequence[SupportsInt], byteorder: ByteOrder = sys.byteorder) -> None:
        super().__init__(b"".join((int(value) & WORD).to_bytes(8, byteorder) for value in values))


AnyContext = Context | RawContext
_SIMULATED_CLASSES = (SockAddr, Sock, SockOps, SockOpt, Sysctl, CgroupDevice, SkMsg, SkReuseport)
_BY_STRUCTURE = {kind.structure: kind for kind in (XdpMd, SkBuff, FlowKeys, SkLookup, *_SIMULATED_CLASSES)}


def context_layout(prog_type: ProgType) -> ContextLayout | None:
    """Return what a run of this type takes as context; None where that is no fixed structure."""
    found = run_layout_of(prog_type)
    return layout_of(prog_type) if found is None and prog_type in SIMULATED else found


def context_class(prog_type: ProgType) -> type[Context | RawContext]:
    """Return the class of the contexts that a test run of this type takes and gives."""
    structure = context_layout(prog_type)
    return RawContext if structure is None else _BY_STRUCTURE.get(structure.name, RawContext)


def _plain(value: int | str | Sequence[int]) -> ContextValue:
    """Return a value as the layout takes it: an IP address as the words that stand in memory."""
    if isinstance(value, str):
        packed = _address(value).packed
        words = tuple(int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4))
        return words if len(words) > 1 else words[0]
    return value if isinstance(value, int) else tuple(value)


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        raise InputError(f"{text!r} in a context; expected a number, numbers, or an IP address.") from None


def _is_set(value: ContextValue) -> bool:
    return any(value) if isinstance(value, tuple) else value != 0


def _prefix(byteorder: ByteOrder) -> str:
    return "<" if byteorder == "little" else ">"


def _read(field: ContextField, raw: bytes, byteorder: ByteOrder) -> ContextValue:
    items = struct.unpack_from(_prefix(byteorder) + field.code, raw, field.offset)
    return tuple(items) if field.count else int(items[0])


def _check_value(owner: str, field: ContextField, value: ContextValue) -> None:
    items = value if field.count and isinstance(value, (tuple, list)) else (value,)
    if len(items) != max(field.count, 1):
        raise InputError(f"{owner}({field.name}={value!r}): expected {field.count} integers.")
    try:
        struct.pack("<" + field.code, *items)
    except struct.error as error:
        raise InputError(
            f"{owner}({field.name}={value!r}): expected {'signed' if field.signed else 'unsigned'} "
            f"integers of {field.size * 8} bits ({error})."
        ) from None
