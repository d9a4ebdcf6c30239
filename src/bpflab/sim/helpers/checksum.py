"""Checksums in headers, and the sum that came with a packet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.helper_flags import HDR_FIELD_MASK, CsumLevel, CsumReplaceFlag
from bpflab.sim import checksum, skb_checksum
from bpflab.sim.skb import Summed

if TYPE_CHECKING:
    from bpflab.sim.skb import Skb
    from bpflab.sim.test_run import Environment

LARGEST_OFFSET: Final = 0xFFFF
MAX_LEVEL: Final = 3
"""SKB_MAX_CSUM_LEVEL of linux/skbuff.h."""
L4_FLAGS: Final = sum(CsumReplaceFlag) | HDR_FIELD_MASK
MANGLED_ZERO: Final = 0xFFFF
"""How UDP writes a checksum that is 0, as 0 says that there is none."""


def csum_diff(env: Environment, from_: bytes | None, from_size: int, to: bytes | None, to_size: int, seed: int) -> int:
    """Give the 16 bits by which a checksum changes, from the complement of what goes and what comes."""
    order = env.kernel.memory.order
    total = seed
    if from_size and to_size:
        total = checksum.sub(checksum.partial(to or b"", total, order), checksum.partial(from_ or b"", 0, order))
    elif to_size:
        total = checksum.partial(to or b"", total, order)
    elif from_size:
        total = ~checksum.partial(from_ or b"", ~total, order)
    return checksum.folded(total)


def csum_update(env: Environment, skb: Skb, csum: int) -> int:
    """Add to the sum that came with the packet, and give it; -ENOTSUPP when it came with none."""
    del env
    if skb.summed is not Summed.COMPLETE:
        return -Errno.ENOTSUPP
    skb.csum = checksum.add(skb.csum, csum)
    return skb.csum


def csum_level(env: Environment, skb: Skb, level: int) -> int:
    """Read or change how many checksums count as verified."""
    del env
    if level == CsumLevel.QUERY:
        return skb.csum_level if skb.summed is Summed.UNNECESSARY else -Errno.EACCES
    if level == CsumLevel.INC:
        _verify_one_more(skb)
    elif level == CsumLevel.DEC:
        _verify_one_less(skb)
    elif level == CsumLevel.RESET:
        skb_checksum.forget_verified(skb)
    else:
        return -Errno.EINVAL
    return 0


def _verify_one_more(skb: Skb) -> None:
    if skb.summed is Summed.UNNECESSARY:
        skb.csum_level = min(skb.csum_level + 1, MAX_LEVEL)
    elif skb.summed is Summed.NONE:
        skb.summed, skb.csum_level = Summed.UNNECESSARY, 0


def _verify_one_less(skb: Skb) -> None:
    if skb.summed is not Summed.UNNECESSARY:
        return
    if skb.csum_level:
        skb.csum_level -= 1
    else:
        skb.summed = Summed.NONE


def l3_csum_replace(env: Environment, skb: Skb, offset: int, from_: int, to: int, size: int) -> int:
    """Mend the checksum at an offset after a field of `size` bytes changed; a size of 0 gives the sum of the change."""
    del env
    if size & ~HDR_FIELD_MASK:
        return -Errno.EINVAL
    if not _reaches_check(skb, offset):
        return -Errno.EFAULT
    if size == 2:
        _set_check(skb, offset, checksum.replaced_half(_check_at(skb, offset), from_, to))
        answer = 0
    else:
        answer = _replace(skb, offset, from_, to, size)
    skb.refresh()
    return answer


def l4_csum_replace(env: Environment, skb: Skb, offset: int, from_: int, to: int, flags: int) -> int:
    """Mend a checksum of TCP, UDP or ICMP; with PSEUDO_HDR the field is not part of what follows the network header."""
    del env
    if flags & ~L4_FLAGS:
        return -Errno.EINVAL
    if not _reaches_check(skb, offset):
        return -Errno.EFAULT
    mangled = bool(flags & CsumReplaceFlag.MARK_MANGLED_0)
    if mangled and not flags & CsumReplaceFlag.MARK_ENFORCE and not _check_at(skb, offset):
        return 0
    size = flags & HDR_FIELD_MASK
    answer = _replace(skb, offset, from_, to, size)
    if not answer:
        if flags & CsumReplaceFlag.PSEUDO_HDR:
            _replace_pseudo(skb, from_, to, size, ipv6=bool(flags & CsumReplaceFlag.IPV6))
        if mangled and not _check_at(skb, offset):
            _set_check(skb, offset, MANGLED_ZERO)
    skb.refresh()
    return answer


def _reaches_check(skb: Skb, offset: int) -> bool:
    return offset <= LARGEST_OFFSET and not offset & 1 and skb.reach(offset + 2)


def _replace(skb: Skb, offset: int, old: int, new: int, size: int) -> int:
    check = _check_at(skb, offset)
    if size == 0 and not old:
        check = checksum.replaced_by(check, new)
    elif size in {2, 4}:
        check = checksum.replaced_word(check, _cut(old, size), _cut(new, size))
    else:
        return -Errno.EINVAL
    _set_check(skb, offset, check)
    return 0


def _replace_pseudo(skb: Skb, old: int, new: int, size: int, *, ipv6: bool) -> None:
    # The packet's sum covers the checksum but not the pseudo header, so it changes against it.
    if skb.summed is not Summed.COMPLETE:
        return
    if size:
        changed = checksum.add(checksum.sub(~skb.csum, _cut(old, size)), _cut(new, size))
        skb.csum = ~changed & checksum.SUM_MASK
    elif not ipv6:
        skb.csum = ~checksum.sub(new, skb.csum) & checksum.SUM_MASK


def _cut(value: int, size: int) -> int:
    return value & ((1 << 8 * size) - 1)


def _check_at(skb: Skb, offset: int) -> int:
    start = skb.data + offset
    return int.from_bytes(skb.buffer[start : start + 2], skb.order)


def _set_check(skb: Skb, offset: int, check: int) -> None:
    skb.write(offset, check.to_bytes(2, skb.order))
