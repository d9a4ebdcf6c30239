"""What a program may read of a socket, and how long: the same loads and releases pass on both kernels."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bpflab import Lab
from bpflab.errors import BpfError

OF_PACKET = "r1 = *(u64 *)(r1 + 168)\nif r1 == 0 goto end\n"
POINTERS = {
    "sock_common": f"{OF_PACKET}r0 = r1\n",
    "sock": f"{OF_PACKET}call bpf_sk_fullsock\nif r0 == 0 goto end\n",
    "tcp_sock": f"{OF_PACKET}call bpf_tcp_sock\nif r0 == 0 goto end\n",
}
END = "\nend:\nr0 = 0\nexit"
LOOKUP = """
    r6 = r1
    r2 = 0
    *(u64 *)(r10 - 16) = r2
    *(u64 *)(r10 - 8) = r2
    r2 = r10
    r2 += -16
    r3 = 12
    r4 = -1
    r5 = 0
    call bpf_sk_lookup_tcp
    if r0 == 0 goto end
    r7 = r0
"""
RELEASE = "r1 = r7\ncall bpf_sk_release\n"
USES = {
    "released": RELEASE,
    "leaked": "",
    "released twice": RELEASE + RELEASE,
    "read after release": RELEASE + "r1 = *(u32 *)(r7 + 4)\n",
    "released as its TCP part": "r1 = r7\ncall bpf_tcp_sock\nif r0 == 0 goto none\nr1 = r0\ncall bpf_sk_release\n"
    f"goto end\nnone:\n{RELEASE}",
    "TCP part read after release": "r1 = r7\ncall bpf_tcp_sock\nr8 = r0\n" + RELEASE + "r1 = *(u32 *)(r8 + 0)\n",
    "TCP part not checked": "r1 = r7\ncall bpf_tcp_sock\nr8 = *(u32 *)(r0 + 0)\n" + RELEASE,
    "listener released": "r1 = r7\ncall bpf_get_listener_sock\nif r0 == 0 goto none\nr1 = r0\ncall bpf_sk_release\n"
    f"none:\n{RELEASE}",
    "cast, read, released": "r1 = r7\ncall bpf_skc_to_tcp_sock\nif r0 == 0 goto none\nr1 = *(u16 *)(r0 + 16)\n"
    f"none:\n{RELEASE}",
    "cast, released as what it was cast to": "r1 = r7\ncall bpf_skc_to_tcp_sock\nif r0 == 0 goto none\nr1 = r0\n"
    f"call bpf_sk_release\ngoto end\nnone:\n{RELEASE}",
    "written": "r1 = 0\n*(u32 *)(r7 + 16) = r1\n" + RELEASE,
    "moved": "r7 += 4\nr1 = *(u32 *)(r7 + 0)\n" + RELEASE,
    "released at an offset": "r7 += 4\n" + RELEASE,
}


def is_taken(lab: Lab, code: str) -> bool:
    try:
        lab.program(code, type="sched_cls", license="GPL").close()
    except BpfError:
        return False
    return True


@pytest.mark.parametrize("kind", POINTERS)
def test_a_load_is_taken_or_refused_alike(pair: Any, kind: str) -> None:
    loads = [(size, offset) for size, offset in itertools.product((1, 2, 4, 8), range(128)) if offset % size == 0]
    taken = {}
    for size, offset in loads:
        code = f"{POINTERS[kind]}r0 = *(u{8 * size} *)(r0 + {offset}){END}"
        taken[size, offset] = is_taken(pair.sim, code), is_taken(pair.kernel, code)
    assert {load: answers for load, answers in taken.items() if answers[0] != answers[1]} == {}
    assert any(kernel for _, kernel in taken.values())


@pytest.mark.parametrize("use", USES)
def test_a_socket_that_was_found_is_used_and_given_back_alike(pair: Any, use: str) -> None:
    code = LOOKUP + USES[use] + END
    assert is_taken(pair.sim, code) == is_taken(pair.kernel, code)
