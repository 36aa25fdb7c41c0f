"""One item of evidence with everything that an auditor asks of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from dashboards.asked import Asked
from dashboards.detail import VersionRow
from dashboards.model import ItemPage
from dashboards.pages.page import Head, Page
from dashboards.reads import Reads
from dashboards.tables import Cell, Code, Ref, Table, Word
from evidence.canonical import canonical


def item(reads: Reads, key: str, asked: Asked) -> Page:
    """The page of one item, whether or not the board shows it. Raises LookupError."""
    if not re.fullmatch("[0-9a-f]{64}", key):
        raise LookupError(key)
    found = reads.items([key], asked.as_of)[key]
    versions = reads.versions([key], asked.as_of).get(key, ())
    proof, unproved = reads.proof(key, asked.as_of)
    raw = canonical(json.loads(found.payload))
    return Page(
        Head("", shown=asked.as_of), found.title or found.subject, template="item.html",
        tables=(_tags(found), _versions(key, versions)),
        values={
            "item": found, "systems": {}, "proof": proof, "unproved": unproved,
            "raw": raw.decode(),
            "raw_holds": hashlib.sha256(raw).hexdigest() == found.content_sha256,
        },
    )  # fmt: skip


def _tags(item: ItemPage) -> Table:
    rows = tuple(
        (_claimed(tag.control), Code(tag.evidence), Code(tag.rule),
         tag.strength, tag.rationale)
        for tag in item.tags
    )  # fmt: skip
    return Table("tags", "Why it speaks to a control",
                 ("control", "evidence", "rule", "strength", "why"), rows,
                 "No rule claims that this item speaks to a control.", len(rows))  # fmt: skip


def _claimed(name: str) -> Cell:
    """A control; an event that outdates evidence has no page."""
    return Code(name) if name.startswith("event:") else Ref("controls", name, name)


def _versions(shown: str, versions: Sequence[VersionRow]) -> Table:
    rows = tuple(_version(shown, one) for one in versions)
    return Table("versions", "All that landed of this subject, newest first",
                 ("what", "change", "outcome", "happened", "landed"), rows,
                 "Its other versions are not told here.", len(rows))  # fmt: skip


def _version(shown: str, one: VersionRow) -> tuple[Cell, ...]:
    title = one.title or one.item_id[:12]
    named: Cell = "this one" if one.item_id == shown else Ref("items", one.item_id, title)
    return (named, one.change, Word(one.outcome), one.observed_to, one.landed_at)
