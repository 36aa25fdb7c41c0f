"""Text from sources on a terminal: it is shown, it does not steer."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from rich.console import Console
from rich.text import Text


class Screen(Console):
    """A console on which no text steers: whoever prints need not think of where it came from."""

    def render_str(self, text: str, **given: Any) -> Text:
        """What `printable` leaves of it."""
        return super().render_str(printable(text), **given)


def printable(text: str) -> str:
    """The text with every character that a terminal would obey replaced; newlines and tabs stay."""
    return "".join(c if _shows(c) or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def for_machines(told: object) -> str:
    """As JSON that a terminal shows as well: what would steer it is written as `\\uXXXX`."""
    lines = json.dumps(told, indent=2, ensure_ascii=False).split("\n")
    return "\n".join(line if line.isprintable() else _spelled(line) for line in lines)


def _spelled(line: str) -> str:
    return "".join(c if _shows(c) else json.dumps(c)[1:-1] for c in line)


def _shows(sign: str) -> bool:
    return sign.isprintable() or unicodedata.category(sign) == "Zs"
