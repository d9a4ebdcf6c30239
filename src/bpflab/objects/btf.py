"""An object's BTF in a kernel."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.backend.attr import Attr
from bpflab.backend.descriptor import Descriptor
from bpflab.errors import NotPermittedError, SyscallError

if TYPE_CHECKING:
    from bpflab.backend.call import Caller
    from bpflab.lab import Lab
    from bpflab.obj.spec import ObjectSpec

LOG_SIZE = 1 << 16


def load_btf(lab: Lab, spec: ObjectSpec) -> tuple[Descriptor | None, str]:
    """Load the object's BTF and return its descriptor, or None and the kernel's reason not to take it.

    A kernel too old for a kind of type refuses the whole; programs then load without source lines, as with libbpf.
    """
    if spec.btf is None:
        return None, ""
    try:
        answer = lab.call(Command.BTF_LOAD, btf=spec.btf, btf_size=len(spec.btf))
    except NotPermittedError:
        raise
    except SyscallError as error:
        return None, f"{error} {_log(lab.call, spec.btf)}"
    return lab.own(Descriptor(lab.backend, answer.result, f"The BTF of {spec.name}")), ""


def _log(call: Caller, btf: bytes) -> str:
    log = ctypes.create_string_buffer(LOG_SIZE)
    attr = Attr(
        Command.BTF_LOAD,
        {"btf": btf, "btf_size": len(btf), "btf_log_buf": log, "btf_log_size": LOG_SIZE, "btf_log_level": 1},
    )
    fd = call.send(Command.BTF_LOAD, attr)
    if fd >= 0:
        call.backend.close(fd)
    return log.value.decode(errors="replace").strip()
