"""Marks of what a rendered line owes to facts and what it leaves to people, until it is read.

A fact that is printed marks its line, and so does a line that stands there or not by what facts
say: all that is below an `if` or a `for` of a template. The marks are signs that no text of a fact
may hold, as they cannot be printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from evidence.fields import TO_FILL_IN

FACT, _GAP, _END = "\ue000", "\ue001", "\ue002"
_GAPS = re.compile(rf"{_GAP}.*?{_END}|{TO_FILL_IN}.*")
_SIGNS = re.compile(f"[{FACT}{_GAP}{_END}]")


def gap(text: str) -> str:
    """A text that people are to replace."""
    return f"{_GAP}{text}{_END}"


def bare(text: str) -> str:
    """The text without marks."""
    return _SIGNS.sub("", text)


def parts(line: str) -> tuple[str, ...] | None:
    """What stands before, between and after the gaps of a line; None of one without a fact."""
    if FACT not in line and _GAP not in line:
        return None
    return tuple(bare(part) for part in _GAPS.split(line))


class FactMarks(Extension):
    """Marks the lines below an `if` or a `for`, as Jinja2 reads a template."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """The tokens, with a mark before each text and each expression there."""
        depth, before = 0, ""
        for token in stream:
            if before == "block_begin" and token.type == "name":
                depth += (token.value in {"if", "for"}) - (token.value in {"endif", "endfor"})
            if depth and token.type == "data":
                token = Token(token.lineno, "data", _marked(token.value))
            elif depth and token.type == "variable_begin":
                yield Token(token.lineno, "data", FACT)
            before = token.type
            yield token


def _marked(text: str) -> str:
    return "\n".join(f"{FACT}{line}" if line.strip() else line for line in text.split("\n"))
