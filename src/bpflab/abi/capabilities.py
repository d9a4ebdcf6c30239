"""The capabilities of a process that BPF asks for, from linux/capability.h and capabilities(7)."""

from __future__ import annotations

from enum import IntEnum


class Capability(IntEnum):
    """A capability: its number is its bit in the masks of /proc/self/status."""

    CAP_NET_ADMIN = 12
    """Network programs and their maps; attach to interfaces."""
    CAP_NET_RAW = 13
    """Packet sockets."""
    CAP_IPC_LOCK = 14
    """Locked memory beyond the limit (before 5.11, maps are charged to it)."""
    CAP_SYS_ADMIN = 21
    """Everything of BPF; objects by their ids, mounts."""
    CAP_SYS_RESOURCE = 24
    """Raise the limit of locked memory."""
    CAP_SYSLOG = 34
    """Addresses of the kernel in programs and their listings."""
    CAP_PERFMON = 38
    """Tracing programs, and pointer arithmetic that the verifier refuses to others (since 5.8)."""
    CAP_BPF = 39
    """Maps, programs and BTF (since 5.8; CAP_SYS_ADMIN before)."""
