"""Text from sources on a terminal: it is shown, it does not steer."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

_DAYS = frozenset({"due", "done"})


class Table(RichTable):
    """A table that cuts nothing off: a name that ends in … can be neither read nor asked for. Days
    by which something is to be done stay in one line."""

    def add_column(self, header: Any = "", *given: Any, **told: Any) -> None:
        """As Rich has it, but for what it does where a word is longer than its column."""
        options: dict[str, Any] = {"overflow": "fold", "no_wrap": header in _DAYS, **told}
        super().add_column(header, *given, **options)


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
