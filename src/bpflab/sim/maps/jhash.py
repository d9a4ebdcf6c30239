"""The kernel's hash of keys: Bob Jenkins' lookup3, with the kernel's start value (linux/jhash.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder

WORD: Final = 0xFFFFFFFF
START: Final = 0xDEADBEEF
BLOCK: Final = 12
MIX_TURNS: Final = (4, 6, 8, 16, 19, 4)
FINAL_TURNS: Final = (14, 11, 25, 16, 4, 14, 24)


def jhash(key: bytes, seed: int, byteorder: ByteOrder) -> int:
    """Hash bytes to 32 bits, as jhash2() when their number is a multiple of 4 and as jhash() otherwise."""
    state = [(START + len(key) + seed) & WORD] * 3
    end = max(len(key) - 1, 0) // BLOCK * BLOCK
    for start in range(0, end, BLOCK):
        _add(state, key[start : start + BLOCK], byteorder)
        _mix(state)
    rest = key[end:]
    if rest:
        _add(state, rest.ljust(BLOCK, b"\0"), byteorder if len(key) % 4 == 0 else "little")
        _finish(state)
    return state[2]


def _add(state: list[int], block: bytes, byteorder: ByteOrder) -> None:
    for index in range(3):
        state[index] = (state[index] + int.from_bytes(block[index * 4 : index * 4 + 4], byteorder)) & WORD


def _mix(state: list[int]) -> None:
    """Turn after turn the three words change roles: (x, y, z) is (a, c, b), (b, a, c), (c, b, a), and again."""
    for turn, bits in enumerate(MIX_TURNS):
        x, y, z = turn % 3, (turn + 2) % 3, (turn + 1) % 3
        state[x] = (state[x] - state[y] & WORD) ^ _rotate(state[y], bits)
        state[y] = state[y] + state[z] & WORD


def _finish(state: list[int]) -> None:
    """Turn after turn: (c, b), (a, c), (b, a), and again."""
    for turn, bits in enumerate(FINAL_TURNS):
        x, y = (turn + 2) % 3, (turn + 1) % 3
        state[x] = (state[x] ^ state[y]) - _rotate(state[y], bits) & WORD


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & WORD
