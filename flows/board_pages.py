"""The items that a board links to, with all that their pages say of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from dashboards.model import ItemPage, TagRow
from storage.corrections import told_correction, what_counts
from storage.pages import Connection, context_of, corrections_of, item_rows, item_tags, leaf_indexes
from storage.tally import Table, table_of_texts, texts_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter

PAGES = "pages"
"""The table that is kept: what was read of items that are sealed. While nothing lands by which an
item counts otherwise, the same is read again."""


def shown_pages(connection: Connection, ids: Sequence[str]) -> dict[str, ItemPage]:
    """As `pages`; what was read for the board before is not read again. Raises LakeError."""
    known = _read(connection.tallies.get(PAGES))
    new = pages(connection, (item_id for item_id in ids if item_id not in known))
    found = {item_id: page for item_id in ids if (page := known.get(item_id) or new.get(item_id))}
    sealed = {item_id: page for item_id, page in found.items() if page.leaf_index is not None}
    connection.tallies[PAGES] = table_of_texts([_adapter().dump_json(sealed)])
    return found


def _read(table: Table | None) -> dict[str, ItemPage]:
    if table is None:
        return {}
    (text,) = texts_of(table)
    found: dict[str, ItemPage] = _adapter().validate_json(text)
    return found


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, ItemPage])


def pages(connection: Connection, ids: Iterable[str]) -> dict[str, ItemPage]:
    """The item pages of these ids, with their tags and their places in the ledger."""
    wanted = list(ids)
    tags: dict[str, list[TagRow]] = defaultdict(list)
    for row in item_tags(connection, wanted):
        tags[row.pop("item_id")].append(TagRow(**row))
    leaves = leaf_indexes(connection, wanted)
    corrections: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in corrections_of(connection, wanted):
        corrections[row["item_id"]].append(row)
    declared: dict[str, list[str]] = defaultdict(list)
    for row in context_of(connection, wanted):
        declared[row["item_id"]].append(f"{row['declaration']}: {row['rationale']}")
    rows = {row["item_id"]: row for row in item_rows(connection, wanted)}
    return {
        row["item_id"]: ItemPage(
            **row | {"payload": _pretty(row["payload"])},
            tags=tuple(tags[row["item_id"]]),
            leaf_index=leaves.get(row["item_id"]),
            corrections=tuple(map(told_correction, corrections[row["item_id"]])),
            corrected=what_counts(corrections[row["item_id"]]),
            context=tuple(declared[row["item_id"]]),
        )
        for row in (rows[item_id] for item_id in wanted if item_id in rows)
    }


def _pretty(payload: str) -> str:
    return json.dumps(json.loads(payload), indent=2, ensure_ascii=False, sort_keys=True)
