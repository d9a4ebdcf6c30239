"""C sources as HTML, line by line, with comments, keywords, strings and numbers marked."""

from __future__ import annotations

from html import escape
from typing import Final

from pygments.lexers.c_cpp import CLexer
from pygments.token import Token, _TokenType

CLASSES: Final = {
    Token.Comment.Preproc: "p",
    Token.Comment.PreprocFile: "s",
    Token.Comment: "c",
    Token.Keyword: "k",
    Token.Literal.String: "s",
    Token.Literal.Number: "n",
}
"""Class of the style sheet by kind of token; the first that a token belongs to counts."""


def coloured_lines(text: str) -> list[str]:
    """Return each line of a source as HTML, escaped."""
    lines = [""]
    for kind, value in CLexer(stripnl=False, ensurenl=False).get_tokens(text):
        first, *rest = value.split("\n")
        lines[-1] += _marked(kind, first)
        lines += [_marked(kind, part) for part in rest]
    return lines[:-1] if text.endswith("\n") else lines


def _marked(kind: _TokenType, text: str) -> str:
    name = next((name for token, name in CLASSES.items() if kind in token), "")
    return f"<span class={name}>{escape(text)}</span>" if name and text else escape(text)
