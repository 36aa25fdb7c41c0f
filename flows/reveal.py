"""Prove what a hidden value was. The value comes on standard input: arguments show in lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from evidence.errors import ConfigError, LakeError
from flows.config import load, now
from storage.lake import Lake
from storage.pages import find_items
from storage.redaction_key import load_redaction_key
from storage.reveal import check_revealed, prove
from storage.views import connect

SIGNS = 6


def reveal(file: Path, what: str, value: bytes, salt: str, say: Callable[[str], None]) -> int:
    """0 if the item hides this value. With `salt` nothing but the item and the value is needed."""
    config = load(file)
    row = _row(Lake.open(config.lake, clock=now), what)
    text = _text(value)
    if salt:
        return _checked(row, text, salt, say)
    key = load_redaction_key(config.redaction_key)
    if key is None:
        raise LakeError(f"there is no key at {config.redaction_key}; restore it, or give --salt")
    proof = prove(key, row, text)
    say(f"item    {row['item_id']}")
    say(f"hides   {proof.digest} ({proof.why})")
    say(f"salt    {proof.salt}")
    say("check   SHA-256 over these 32 bytes of salt and then the value, or reveal --salt")
    return 0


def _row(lake: Lake, what: str) -> dict[str, Any]:
    if len(what) < SIGNS:
        raise ConfigError(f"an item id, or at least {SIGNS} signs of it, is needed; not {what!r}")
    with connect(lake) as connection:
        rows = find_items(connection, what)
    if len(rows) != 1:
        raise LakeError(f"{what!r} begins the ids of {len(rows)} items shown; give more signs")
    return rows[0]


def _checked(row: dict[str, Any], text: str, salt: str, say: Callable[[str], None]) -> int:
    try:
        held = check_revealed(row, salt, text)
    except ValueError as error:
        raise ConfigError(f"--salt {salt!r} is not hex as `headwater reveal` gives it") from error
    said = "hides this value" if held else "does not hide this value under this salt"
    say(f"item    {row['item_id']} {said}")
    return 0 if held else 1


def _text(value: bytes) -> str:
    """One line end is the terminal's, not the value's."""
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise ConfigError("the value on standard input is not UTF-8") from error
    return text.removesuffix("\n") if text.count("\n") == 1 else text
