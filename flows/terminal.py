"""What people read on a terminal: text from sources is shown and does not steer."""

from __future__ import annotations

from datetime import timedelta


def printable(text: str) -> str:
    """The text with every character that a terminal would obey replaced; newlines and tabs stay."""
    shown = (c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(shown)


def lasted(span: timedelta) -> str:
    """How long something took or is ago, in one unit: `45 s`, `3 h`, `12 days`."""
    seconds = max(0, round(span.total_seconds()))
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
