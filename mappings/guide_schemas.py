"""JSON Schemas of the files that help people: guidance, records, certification, law."""

from __future__ import annotations

from typing import Any

from mappings.catalogue import Catalogue
from mappings.law import FORCES
from mappings.shapes import DURATION, TEXT, TEXTS, list_of, one_of, record


def guide_schemas(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Name → JSON Schema: guidance, records, certification, retention, deadlines."""
    numbers = [control.number for control in catalogue.controls]
    return {
        "guidance": record(
            {"guidance": record(dict.fromkeys(numbers, TEXT), " ".join(numbers))}, "guidance"
        ),
        "records": _records(one_of(numbers)),
        "certification": _certification(catalogue),
        "retention": _retention(),
        "deadlines": _deadlines(one_of(numbers)),
    }


def _records(number: dict[str, Any]) -> dict[str, Any]:
    part = record({"title": TEXT, "points": list_of(TEXT)}, "title points")
    entry = {
        "name": TEXT, "clauses": list_of(number), "parts": list_of(part), "sources": list_of(TEXT),
    }  # fmt: skip
    return record({"records": list_of(record(entry, " ".join(entry)))}, "records")


def _certification(catalogue: Catalogue) -> dict[str, Any]:
    groups = sorted({c.group for c in catalogue.controls if c.kind == "clause"})
    standard = {"name": TEXT, "edition": TEXT, "sources": TEXTS}
    stage = {"name": TEXT, "what": TEXT, "ends_in": TEXT}
    rule = {"what": TEXT, "sources": TEXTS}
    fields = {
        "standard": record(standard, " ".join(standard)),
        "stages": list_of(record(stage, " ".join(stage))),
        "rules": list_of(record(rule, " ".join(rule))),
        "areas": record(dict.fromkeys(groups, TEXT), " ".join(groups)),
    }
    return record(fields, " ".join(fields))


def _retention() -> dict[str, Any]:
    floor = {
        "what": TEXT, "article": TEXT, "least": DURATION, "force": one_of(FORCES),
        "kinds": list_of(TEXT), "source": TEXT,
    }  # fmt: skip
    forgets = {"what": TEXT, "keeps": DURATION, "source": TEXT}
    fields = {
        "floors": list_of(record(floor, " ".join(floor))),
        "forgets": list_of(record(forgets, " ".join(forgets))),
    }
    return record(fields, " ".join(fields))


def _deadlines(number: dict[str, Any]) -> dict[str, Any]:
    words = "duty by to counted_from framework requirement paragraph source role recipient"
    lists = {"controls": list_of(number), "incidents": list_of(TEXT)}
    needed = dict.fromkeys(words.split(), TEXT) | lists
    one = record(needed | {"limit": DURATION}, " ".join(needed))
    return record({"deadlines": list_of(one)}, "deadlines")
