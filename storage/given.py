"""Relations that a connection is given beside the lake's views: what they show, and their columns.

They are made from what the lake showed at the same moment (flows/given.py), not read from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

_TEXT = pa.string()
GIVEN: Mapping[str, tuple[str, pa.Schema]] = {
    "controls": (
        "The clauses and controls of the catalogue, so that ids have titles.",
        pa.schema([(name, _TEXT) for name in ("control", "number", "title", "group_title")]),
    ),
    "broken_edges": (
        "Every broken edge in the lives of AI systems, as `headwater trace` finds them: one row "
        "each with the sentence why. Made anew from the evidence of the moment asked about.",
        pa.schema([
            *((name, _TEXT) for name in ("edge", "system", "stage", "about", "missing", "why")),
            ("item_ids", pa.list_(_TEXT)),
        ]),
    ),
}  # fmt: skip
"""Name → (what it shows, its columns)."""


def given_table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """These rows as the table of that name; none leave its columns."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=GIVEN[name][1])
