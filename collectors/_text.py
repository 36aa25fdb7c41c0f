"""A stranger's text, made harmless for one line of a message or a title."""

from __future__ import annotations

import unicodedata

_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str, limit: int = 200) -> str:
    """A stranger's text as one line: no control or direction marks, at most `limit` characters."""
    if text.isascii() and text.isprintable() and len(text) <= limit and "  " not in text:
        return text.strip()
    kept = (
        " " if char in _BIDI or unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char
        for char in text[: limit * 4]
    )
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
