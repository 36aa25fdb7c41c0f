"""JSON Schemas of the mapping's YAML files, so that an editor completes and checks them.

Made from the code and the catalogue that read the files: `python -m mappings.schemas` writes them
anew. An editor sees shapes and words; what needs more than that (examples that hold, patterns that
end) the loader refuses with file and line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evidence.errors import MappingError
from evidence.freshness import Scope
from evidence.model import Change, Nature, Outcome
from evidence.trace import Stage
from mappings.catalogue import HERE, STRENGTHS, Catalogue, load_catalogue
from mappings.conditions import COLUMNS, RANGES
from mappings.controls import DOCUMENTS
from mappings.frameworks import CONFIDENCES, RATIONALES, Relation
from mappings.guide_schemas import guide_schemas
from mappings.questions import TYPES
from mappings.register_schemas import register_schemas
from mappings.shapes import (
    ANY_TEXT,
    DAY,
    DURATION,
    NUMBER,
    TEXT,
    TEXTS,
    list_of,
    map_of,
    one_of,
    record,
    some_of,
)  # fmt: skip

FOLDER = HERE / "schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_WORDS = {"nature": Nature, "change": Change, "outcome": Outcome}


def schemas(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Name → JSON Schema: rules, frameworks, clauses, controls, evidence_kinds, expectations,
    questions, trace, labelled, aliases, those of what helps people, and `registers/NAME`."""
    return {
        name: _headed(name, made)
        for name, made in {
            "rules": _rules(catalogue),
            "frameworks": {"oneOf": [_framework(catalogue), _reviews(catalogue)]},
            "clauses": _controls(catalogue, "clauses"),
            "controls": _controls(catalogue, "controls"),
            "evidence_kinds": _kinds(catalogue),
            "expectations": _expectations(catalogue),
            "questions": _questions(),
            "trace": _trace(catalogue),
            "labelled": _labelled(catalogue),
            "aliases": record(
                {"aliases": map_of(one_of(catalogue.source_types)), "own": TEXTS}, "aliases own"
            ),
            **guide_schemas(catalogue),
            **register_schemas(),
        }.items()
    }


def schema(name: str) -> str:
    """One of them as text. Raises MappingError if there is none of that name."""
    made = schemas(load_catalogue())
    if name not in made:
        raise MappingError(f"there is no schema {name!r}; known: {', '.join(made)}")
    return _text(made[name])


def of_registers() -> dict[str, str]:
    """The schema of each register as text, by the register's name."""
    return {name.rpartition("/")[2]: _text(_headed(name, made))
            for name, made in register_schemas().items()}  # fmt: skip


def _headed(name: str, made: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": DRAFT, "title": f"Headwater: {name}.yaml", **made}


def write(folder: Path = FOLDER) -> None:
    """Write all of them as files."""
    for name, made in schemas(load_catalogue()).items():
        file = folder / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_text(made), encoding="utf-8")


def _text(made: dict[str, Any]) -> str:
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _rules(catalogue: Catalogue) -> dict[str, Any]:
    kind = one_of(sorted(catalogue.native_kinds))
    example = record(
        {"kind": kind, "payload": {"type": "object"}} | dict.fromkeys(COLUMNS, ANY_TEXT)
    )
    examples = record({w: list_of(example) for w in ("match", "ignore")}, "match ignore")
    control = one_of(c.id for c in catalogue.controls)
    weighed = {"id": control, "strength": one_of(STRENGTHS), "rationale": TEXT}
    rule = record(
        {
            "name": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
            "kind": {"anyOf": [kind, list_of(kind), TEXT, list_of(TEXT)]},
            "when": {"$ref": "#/$defs/when"},
            "evidence": one_of(catalogue.kinds),
            "controls": {
                "anyOf": [
                    {"const": "expected"}, record({"named": TEXT}, "named"),
                    list_of({"anyOf": [control, record(weighed, "id")]}),
                ]
            },
            "events": list_of(one_of(catalogue.events)),
            "strength": one_of(STRENGTHS), "rationale": TEXT, "examples": examples, "broad": TEXT,
        },
        "name kind rationale examples",
    )  # fmt: skip
    rule["oneOf"] = [
        {"required": ["evidence", "controls"], "properties": {"events": False}},
        {"required": ["events"], "properties": {"evidence": False, "controls": False}},
    ]
    # A kind of a third party's collector stands for one that the catalogue knows.
    own = map_of(one_of(catalogue.source_types))
    declared = ("name", "kind", "rationale", "examples")
    context = record(
        {word: rule["properties"][word] for word in declared} | {"when": {"$ref": "#/$defs/when"}},
        "name kind when rationale examples",
    )
    lists = {
        word: {"type": "array", "items": one}
        for word, one in (("rules", rule), ("context", context))
    }
    page = record(lists | {"kinds": own}, "rules")
    return page | {"$defs": {"when": _when()}}


def _when() -> dict[str, Any]:
    scalar = {"type": ["string", "number", "boolean"]}
    operators = dict.fromkeys(RANGES, NUMBER)
    texts = {"anyOf": [TEXT, list_of(TEXT)]}
    asked = record(
        operators | {"exists": {"type": "boolean"}, "has": texts, "like": texts, "matches": TEXT}
    )
    value = {"anyOf": [scalar, list_of(scalar), asked]}
    again = {"$ref": "#/$defs/when"}
    columns: dict[str, Any] = dict.fromkeys(COLUMNS, value)
    for name, words in _WORDS.items():
        word = one_of(word.value for word in words)
        columns[name] = {"anyOf": [word, list_of(word), asked]}
    return {
        "type": "object", "minProperties": 1, "additionalProperties": False,
        "properties": {"not": again, "all": list_of(again), "any": list_of(again), **columns},
        "patternProperties": {r"^payload[.\[]": value},
    }  # fmt: skip


def _framework(catalogue: Catalogue) -> dict[str, Any]:
    number = _number(catalogue)
    row = {
        "from": number, "to": {"anyOf": [TEXT, list_of(TEXT)]}, "relation": one_of(Relation),
        "rationale": one_of(RATIONALES), "confidence": one_of(CONFIDENCES),
        "sources": list_of(TEXT), "note": TEXT,
    }  # fmt: skip
    lists = {
        "requirements": record({"title": TEXT, "ids": list_of(TEXT)}, "title ids"),
        "dates": record(
            {"on": DAY, "what": TEXT, "articles": TEXT, "source": TEXT, "moved_from": DAY},
            "on what articles source",
        ),
        "outside": record({"ids": list_of(TEXT), "note": TEXT}, "ids note"),
        "gaps": record(
            {"from": number, "coverage": one_of(("none", "weak")), "note": TEXT},
            "from coverage note",
        ),
        "rows": record(row, "from to relation rationale confidence sources"),
    }
    texts = dict.fromkeys(("framework", "title", "short", "edition", "rights"), TEXT)
    return record(
        texts | {name: {"type": "array", "items": one} for name, one in lists.items()},
        "framework title short edition rights requirements rows",
    )


def _reviews(catalogue: Catalogue) -> dict[str, Any]:
    review = {
        "framework": TEXT, "from": _number(catalogue), "to": TEXT, "relation": one_of(Relation),
        "by": TEXT, "on": DAY, "why": TEXT,
    }  # fmt: skip
    return record({"reviews": {"type": "array", "items": record(review, " ".join(review))}},
                   "reviews")  # fmt: skip


def _controls(catalogue: Catalogue, name: str) -> dict[str, Any]:
    group = record({"number": TEXT, "title": TEXT, "summary": TEXT}, "number title summary")
    need = {
        "evidence": one_of(catalogue.kinds), "collect": TEXT, "why": TEXT, "max_age": DURATION,
        "source_types": list_of(one_of(catalogue.source_types)),
        "stale_on": some_of(catalogue.events),
    }  # fmt: skip
    signed = {"needed": {"type": "boolean"}, "statement": TEXT, "max_age": DURATION}
    entry = {
        "number": TEXT, "title": TEXT, "group": TEXT, "summary": TEXT,
        "attestation": record(signed, "needed statement"),
        "needs": {"type": "array", "items": record(need, "evidence collect")},
        "title_sources": TEXTS, "typical_role": TEXTS,
        "documentation_demanded": {"type": "boolean"},
        "documented_information": {
            "type": "array",
            "items": record({"what": TEXT, "kind": one_of(DOCUMENTS)}, "what kind"),
        },
    }  # fmt: skip
    one = record(entry, "number title group summary attestation needs title_sources")
    return record(
        {
            "groups": list_of(group),
            "headings": {"type": "array", "items": group},
            name: list_of(one),
        },
        f"groups headings {name}",
    )


def _kinds(catalogue: Catalogue) -> dict[str, Any]:
    kind = {
        "group": TEXT, "description": TEXT, "source_types": list_of(one_of(catalogue.source_types)),
        "max_age": DURATION, "stale_on": some_of(catalogue.events), "why": TEXT, "basis": TEXTS,
    }  # fmt: skip
    return record(
        {"kinds": map_of(record(kind, " ".join(kind))), "source_types": TEXTS, "events": TEXTS},
        "kinds source_types events",
    )


def _expectations(catalogue: Catalogue) -> dict[str, Any]:
    scope = one_of(word.value for word in Scope)
    excepted = record({"scope": scope, "controls": list_of(TEXT)}, "scope controls")
    kind = {
        "scope": scope, "warn_before": DURATION, "silence": DURATION, "why": TEXT,
        "except": excepted, "lead": DURATION,
    }  # fmt: skip
    kinds = map_of(record(kind, "scope warn_before silence why"))
    fields = {
        "kinds": kinds | {"propertyNames": one_of(catalogue.kinds)},
        "aside": some_of(STRENGTHS[1:]),
    }
    return record(fields, "kinds")


def _trace(catalogue: Catalogue) -> dict[str, Any]:
    stage, place = one_of(s.value for s in Stage), TEXT
    each = record({"each": place, "of": list_of(TEXT), "after": TEXT}, "each")
    name = {"oneOf": [place, record({"join": list_of(place)}, "join"), each]}
    stages = {"type": "object", "propertyNames": stage}
    kind = {
        "kind": _several(one_of(sorted(catalogue.native_kinds))), "when": {"type": "object"},
        "stage": stage, "key": name, "also": list_of(name), "names": map_of(list_of(name)) | stages,
        "firm": some_of(s.value for s in Stage), "facts": map_of(place), "system": place,
        "at": place, "who": place, "nowhere": {"const": True},
    }  # fmt: skip
    taken = map_of(some_of(sorted(catalogue.kinds))) | {"propertyNames": stage}
    return record({"stages": taken, "kinds": list_of(record(kind, "kind key"))}, "stages kinds")


def _several(value: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [value, list_of(value)]}


def _questions() -> dict[str, Any]:
    default = {"type": ["string", "number"]}
    value = record({"type": one_of(TYPES), "what": TEXT, "default": default}, "type what")
    fields = {"name": TEXT, "title": TEXT, "sql": TEXT, "empty": TEXT, "with": map_of(value)}
    return record({"questions": list_of(record(fields, "name title sql empty"))}, "questions")


def _labelled(catalogue: Catalogue) -> dict[str, Any]:
    text = {
        "kind": TEXT,
        "title": TEXT,
        "text": TEXT,
        "controls": some_of(c.number for c in catalogue.controls),
    }
    return record({"texts": list_of(record(text, " ".join(text)))}, "texts")


def _number(catalogue: Catalogue) -> dict[str, Any]:
    return one_of(c.number for c in catalogue.controls)


if __name__ == "__main__":
    write()
