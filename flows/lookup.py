"""The one item that somebody named by its id or the start of it."""

from __future__ import annotations

from typing import Any

from evidence.errors import LakeError
from storage.disposed import disposal_of
from storage.pages import Connection, find_items

SIGNS = 6
"""How much of an id somebody must write at least."""


def find_item(connection: Connection, what: str, *, also: str = "") -> dict[str, Any]:
    """The item whose id begins with `what`. Raises LakeError: none, several, or disposed of.

    `also` says what else was looked for.
    """
    rows = find_items(connection, what)
    gone = disposal_of(connection, what) if not rows else []
    if gone:
        raise LakeError("; ".join(f"item {item_id} {told}" for item_id, told in gone))
    if not rows:
        raise LakeError(f"no item's id begins with {what!r}{also}")
    if len(rows) > 1:
        ids = ", ".join(row["item_id"][:16] for row in rows)
        raise LakeError(f"{what!r} fits more than one item: {ids} …")
    return rows[0]
