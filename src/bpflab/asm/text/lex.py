"""The words of a line, and where each stands."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r'"(?:[^"\\]|\\.)*"'
    r"|;.*|//.*|(?<!\S)\#.*"  # comments; a # inside a word belongs to it, as in map_lookup_elem#1
    r"|\bs(?:>>=|/=|%=|>=|<=|>|<)"
    r"|[A-Za-z_.$][\w.$]*"
    r"|0[xX][0-9a-fA-F]+|[0-9]+"
    r"|<<=|>>=|==|!=|<=|>=|[-+*/%&|^]="
    r"|\S"
)
_NAME: Final = re.compile(r"[A-Za-z_.$][\w.$]*")
_PLAIN: Final = re.compile(r"[A-Za-z_.$][A-Za-z0-9_.$]*")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))")
_ESCAPES: Final = {"n": 10, "t": 9, "r": 13, "b": 8, "f": 12, "v": 11, "a": 7}


def tokens_of(line: str) -> list[str]:
    """Return the words of a line without its comment; every visible character is in one of them."""
    tokens: list[str] = _TOKEN.findall(line)
    if tokens and (tokens[-1][0] in ";#" or tokens[-1][:2] == "//"):
        tokens.pop()
    return tokens


def span_of(line: str, token: int) -> tuple[int, int]:
    """Return where a word begins and ends in its line; one column behind the last word if it is past it."""
    spans = [match.span() for match in _TOKEN.finditer(line)][: len(tokens_of(line))]
    if token < len(spans):
        return spans[token]
    end = spans[-1][1] if spans else len(line)
    return end, end + 1


def is_name(token: str) -> bool:
    """Whether a word can name a label, a map, a helper or a symbol without quotes."""
    return _NAME.fullmatch(token) is not None


def quoted(name: str) -> str:
    """Write a name, in quotes if it would not read as one word."""
    if _PLAIN.fullmatch(name):
        return name
    return '"' + "".join(_escaped(byte) for byte in name.encode(errors="surrogatepass")) + '"'


def unquoted(token: str) -> bytes:
    """Return the bytes that a text in quotes stands for."""
    body, out, at = token[1:-1], bytearray(), 0
    for match in _ESCAPE.finditer(body):
        out += body[at : match.start()].encode(errors="surrogatepass")
        digits, octal, letter = match.groups()
        if letter is not None:
            out += bytes((_ESCAPES[letter],)) if letter in _ESCAPES else letter.encode(errors="surrogatepass")
        else:
            out.append((int(digits, 16) if digits else int(octal, 8)) & 0xFF)
        at = match.end()
    return bytes(out + body[at:].encode(errors="surrogatepass"))


def _escaped(byte: int) -> str:
    character = chr(byte)
    if character in '"\\':
        return "\\" + character
    return character if 0x20 <= byte < 0x7F else f"\\{byte:03o}"
