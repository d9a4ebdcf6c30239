"""Settings of /proc/sys that are read or written (kernel/bpf/cgroup.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.run_rules import PAGE_SIZE
from bpflab.sim.hooks.cgroup_sysctl import setting_of

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.test_run import Environment

BASE_NAME: Final = 1
"""BPF_F_SYSCTL_BASE_NAME: the last part of the name alone; other flags are not looked at."""


def sysctl_get_name(env: Environment, ctx: FieldContext, buf: Buffer, buf_len: int, flags: int) -> int:
    """Copy the name with a zero byte behind it; -E2BIG when it was cut to fit."""
    del env
    name = setting_of(ctx).name
    if flags & BASE_NAME:
        name = name.rpartition(b"/")[2]
    if buf_len > len(name):
        buf.write(name + b"\0")
        return len(name)
    buf.write(name[: buf_len - 1] + b"\0")
    return -Errno.E2BIG


def sysctl_get_current_value(env: Environment, ctx: FieldContext, buf: Buffer, buf_len: int) -> int:
    """Copy the value that the setting has; EINVAL when it cannot be read."""
    del env, buf_len
    return _copy(buf, setting_of(ctx).current)


def sysctl_get_new_value(env: Environment, ctx: FieldContext, buf: Buffer, buf_len: int) -> int:
    """Copy the value that is being written; EINVAL, and zeros, when the setting is being read."""
    del env, buf_len
    return _copy(buf, setting_of(ctx).new if ctx["write"] else b"")


def sysctl_set_new_value(env: Environment, ctx: FieldContext, buf: bytes, buf_len: int) -> int:
    """Replace the value that is being written."""
    del env
    setting = setting_of(ctx)
    if not ctx["write"] or not setting.new:
        return -Errno.EINVAL
    if buf_len > PAGE_SIZE - 1:
        return -Errno.E2BIG
    setting.new = buf
    return 0


def _copy(buf: Buffer, value: bytes) -> int:
    if not value:
        buf.fill(b"")
        return -Errno.EINVAL
    if buf.size > len(value):
        buf.fill(value)
        return len(value)
    buf.write(value[: buf.size - 1] + b"\0")
    return -Errno.E2BIG
