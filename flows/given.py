"""What a question is given beside the lake's views: the catalogue, and what is broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from evidence.broken import Look, broken_edges
from evidence.excerpt import EVERYTHING, Excerpt
from evidence.trace import Broken
from flows.moment import Moment, tagged
from flows.trace import tied_graph
from mappings.catalogue import Catalogue
from mappings.trace import load_trace
from storage.engine import ample
from storage.given import given_table
from storage.lake import Lake
from storage.pages import Connection, all_rows

EDGES = "broken_edges"


def given(lake: Lake, shown: Moment, *sql: str, excerpt: Excerpt = EVERYTHING) -> dict[str, Any]:
    """The relations that these questions may ask for, as of the moment; cut to the excerpt.

    What takes a look at the whole lake is made only where a question names it. Raises LakeError.
    """
    made = {"controls": controls(shown.mapping.catalogue)}
    if any(_names(text, EDGES) for text in sql):
        made[EDGES] = _edges(lake, shown, excerpt)
    return made


def controls(catalogue: Catalogue) -> Any:
    """The catalogue as a table."""
    return given_table(
        "controls",
        [{"control": c.id, "number": c.number, "title": c.title, "group_title": c.group_title}
         for c in catalogue.controls],
    )  # fmt: skip


def _names(sql: str, relation: str) -> bool:
    return re.search(rf"\b{relation}\b", sql, re.IGNORECASE) is not None


def _edges(lake: Lake, shown: Moment, excerpt: Excerpt) -> Any:
    """Of an excerpt only what rests on items in it and nothing else: the sentence names them."""
    shown = tagged(lake, shown)
    with shown.connect(lake, ample()) as connection:
        found = broken_edges(Look(tied_graph(connection, load_trace()), shown.at))
    if excerpt.limited:
        with shown.connect(lake, excerpt=excerpt) as connection:
            found = _within(connection, found)
    return given_table(EDGES, [_row(edge) for edge in found])


def _within(connection: Connection, found: Sequence[Broken]) -> list[Broken]:
    ids = sorted({item_id for edge in found for item_id in edge.item_ids})
    rows = all_rows(
        connection,
        "SELECT item_id FROM evidence WHERE item_id IN (SELECT unnest($ids::VARCHAR[]))",
        {"ids": ids},
    )
    seen = {row["item_id"] for row in rows}
    return [edge for edge in found if edge.item_ids and seen.issuperset(edge.item_ids)]


def _row(edge: Broken) -> dict[str, object]:
    return {
        "edge": edge.check, "system": edge.system, "stage": edge.stage.value, "about": edge.about,
        "missing": edge.missing.value, "why": edge.why, "item_ids": list(edge.item_ids),
    }  # fmt: skip
