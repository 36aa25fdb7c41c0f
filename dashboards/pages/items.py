"""One item of evidence with everything that an auditor asks of it."""

from __future__ import annotations

import re

from dashboards.asked import Asked
from dashboards.model import ItemPage
from dashboards.pages.page import Head, Page
from dashboards.reads import Reads
from dashboards.tables import Code, Ref, Table, Word


def item(reads: Reads, key: str, asked: Asked) -> Page:
    """The page of one item, whether or not the board shows it. Raises LookupError."""
    found = reads.item(key, asked.as_of) if re.fullmatch("[0-9a-f]{64}", key) else None
    if found is None:
        raise LookupError(key)
    return Page(
        Head("", shown=asked.as_of), found.title or found.subject, template="item.html",
        tables=(_tags(found),), values={"item": found, "systems": {}},
    )  # fmt: skip


def _tags(item: ItemPage) -> Table:
    rows = tuple(
        (Ref("controls", tag.control, tag.control), Code(tag.evidence), Code(tag.rule),
         Word(tag.strength), tag.rationale)
        for tag in item.tags
    )  # fmt: skip
    return Table("tags", "Why it speaks to a control",
                 ("control", "evidence", "rule", "strength", "why"), rows,
                 "No rule claims that this item speaks to a control.", len(rows))  # fmt: skip
