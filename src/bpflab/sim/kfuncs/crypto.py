"""Crypto contexts: made by SYSCALL programs, used by programs on packets (kernel/bpf/crypto.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim import dynptr
from bpflab.sim.ciphers import BLOCK, IV_SIZES, KEY_SIZES, CryptoContext
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.holds import hold, let_go
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.dynptr import Dynptr
    from bpflab.sim.test_run import Environment

PARAMS: Final = "14s2s128s256sII"
"""struct bpf_crypto_params: type, reserved, algorithm, key, its length, bytes of authentication."""
TYPE: Final = b"skcipher"
HELD: Final = "crypto context"


def bpf_crypto_ctx_create(env: Environment, params: int, params_size: int, err: int) -> int:
    """Make a context of an algorithm and a key; null, with the errno written, for what is not taken."""
    try:
        made = _parse(env, params, params_size)
    except Refusal as refusal:
        env.run.memory.store(err, 4, -refusal.errno)
        return 0
    env.run.memory.store(err, 4, 0)
    region = env.run.memory.add(RegionKind.KERNEL_OBJECT, bytearray(8), name="bpf_crypto_ctx", owner=made)
    return hold(env, region.address, HELD)


def bpf_crypto_ctx_acquire(env: Environment, ctx: int) -> int:
    """Hold a context once more."""
    _context(env, ctx)
    return hold(env, ctx, HELD)


def bpf_crypto_ctx_release(env: Environment, ctx: int) -> None:
    """Give a context back."""
    let_go(env, ctx)


def bpf_crypto_encrypt(env: Environment, ctx: int, src: int, dst: int, siv: int) -> int:
    """Encrypt one dynptr's bytes into another's."""
    return _crypt(env, ctx, (src, dst, siv), decrypt=False)


def bpf_crypto_decrypt(env: Environment, ctx: int, src: int, dst: int, siv: int) -> int:
    """Decrypt one dynptr's bytes into another's."""
    return _crypt(env, ctx, (src, dst, siv), decrypt=True)


def _parse(env: Environment, place: int, size: int) -> CryptoContext:
    order = "<" if env.run.memory.order == "little" else ">"
    codec = struct.Struct(order + PARAMS)
    refuse_if(size != codec.size)
    kind, reserved, algorithm, key, length, authsize = codec.unpack(env.run.memory.read(place, size))
    refuse_if(any(reserved))
    refuse_if(kind.partition(b"\0")[0] != TYPE, Errno.ENOENT)
    name = algorithm.partition(b"\0")[0].decode(errors="replace")
    refuse_if(name not in IV_SIZES, Errno.EOPNOTSUPP)
    refuse_if(bool(authsize), Errno.EOPNOTSUPP)
    refuse_if(length not in KEY_SIZES)
    return CryptoContext(name, key[:length])


def _crypt(env: Environment, ctx: int, places: tuple[int, int, int], *, decrypt: bool) -> int:
    context = _context(env, ctx)
    source, target = dynptr.at(env, places[0]), dynptr.at(env, places[1])
    vector = dynptr.at(env, places[2]) if places[2] else None
    if not target.writable or not source.size or source.size > target.size:
        return -Errno.EINVAL
    if (vector.size if vector is not None else 0) != context.iv_size:
        return -Errno.EINVAL
    here, there = _whole(source), _whole(target)
    place = _whole(vector) if vector is not None and context.iv_size else 0
    if not here or not there or (context.iv_size and not place):
        return -Errno.EINVAL
    memory = env.run.memory
    iv = memory.read(place, context.iv_size) if place else b""
    beyond = source.size % BLOCK
    if source.size > beyond:
        result, following = context.crypt(memory.read(here, source.size - beyond), iv, decrypt=decrypt)
        memory.write(there, result)
        if place:
            memory.write(place, following)
    return -Errno.EINVAL if beyond else 0


def _whole(found: Dynptr) -> int:
    """Return the address of all bytes of a dynptr that lie in one piece; 0 otherwise."""
    if found.is_null:
        return 0
    return found.place(0) if found.packet is None else found.packet.pointer(found.place(0), found.size)


def _context(env: Environment, address: int) -> CryptoContext:
    region = env.run.memory.find(address)
    if region is None or not isinstance(region.owner, CryptoContext):
        raise Fault(FaultKind.HELPER_ARGUMENT, f"there is no crypto context at {address:#x}")
    return region.owner
