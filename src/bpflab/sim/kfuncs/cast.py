"""Casts to the kernel's types: the structure behind a context, and any address as an object (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.kernel_contexts import KERNEL_CONTEXTS, SKB
from bpflab.abi.run_rules import PAGE_SIZE
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.field_context import FieldContext
from bpflab.sim.frame import XdpFrame
from bpflab.sim.skb import Skb

if TYPE_CHECKING:
    from bpflab.sim.structs import KernelStruct
    from bpflab.sim.test_run import Environment

STATE: Final = "kernel context"
XDP: Final = "xdp_buff"
SOCK_ADDR: Final = "bpf_sock_addr_kern"


def bpf_cast_to_kern_ctx(env: Environment, obj: int) -> int:
    """Lay out the kernel's structure of the context, with what it says now."""
    del obj
    name = KERNEL_CONTEXTS.get(env.running.spec.type)
    if name not in {XDP, SKB, SOCK_ADDR}:
        raise Fault(FaultKind.HELPER_ARGUMENT, f"the simulated kernel lays out no {name} behind a context")
    return _laid_out(env, name, **_fields(env)).address


def bpf_rdonly_cast(env: Environment, obj: int, btf_id: int) -> int:
    """Give the address as it is: reads of what is not there give 0."""
    del env, btf_id
    return obj


def _fields(env: Environment) -> dict[str, Any]:
    frame = env.frame
    if isinstance(frame, XdpFrame):
        start = frame.region.address
        return {
            "data": start + frame.data,
            "data_end": start + frame.data_end,
            "data_meta": start + frame.data_meta,
            "data_hard_start": start,
            "frame_sz": PAGE_SIZE,
            "rxq": _laid_out(env, "xdp_rxq_info", dev=_device(env, frame.ifindex)),
        }
    if isinstance(frame, Skb):
        return _of_skb(env, frame)
    if isinstance(frame, FieldContext):
        return _of_address(env, frame)
    raise Fault(FaultKind.HELPER_ARGUMENT, "this run has no packet behind its context")


def _of_skb(env: Environment, skb: Skb) -> dict[str, Any]:
    start = skb.region.address
    return {
        "len": skb.length,
        "data_len": skb.nonlinear,
        "head": start,
        "data": start + skb.data,
        "tail": skb.tail - skb.nonlinear,
        "mac_header": skb.mac_header,
        "network_header": skb.network_header,
        "transport_header": skb.transport_header,
        "mac_len": skb.mac_length,
        "protocol": skb.protocol.to_bytes(2, "big"),
        "mark": skb.context["mark"],
        "priority": skb.context["priority"],
        "dev": _device(env, skb.context["ifindex"]),
    }


def _of_address(env: Environment, context: FieldContext) -> dict[str, Any]:
    """Give the address of a unix socket; what others are the program reads in its own context."""
    length = context["path_length"]
    path = context.raw("path")[:length]
    family = context["user_family"]
    return {
        "uaddr": _laid_out(env, "sockaddr_un", sun_family=family, sun_path=path.ljust(108, b"\0")),
        "uaddrlen": length + 2,
    }


def _device(env: Environment, ifindex: int) -> KernelStruct | None:
    found = env.kernel.world.interfaces.get(ifindex)
    if found is None:
        return None
    return _laid_out(env, "net_device", ifindex=found.ifindex, mtu=found.mtu, name=found.name)


def _laid_out(env: Environment, name: str, /, **values: Any) -> KernelStruct:  # noqa: ANN401 - the fields' own
    """Lay out an object that lasts as long as the run, zeros where nothing is said."""
    made = env.kernel.world.struct(name, **values)
    made.forgive()
    region = env.run.memory.find(made.address)
    if region is not None:
        env.run.memory.retire(region)
    return made
