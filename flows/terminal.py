"""Text from sources on a terminal: it is shown, it does not steer."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with every character that a terminal would obey replaced; newlines and tabs stay."""
    shown = (c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(shown)
