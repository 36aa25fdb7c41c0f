"""JSON Schemas of the mapping's YAML files, so that an editor completes and checks them.

Made from the code and the catalogue that read the files: `python -m mappings.schemas` writes them
anew. An editor sees shapes and words; what needs more than that (examples that hold, patterns that
end) the loader refuses with file and line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evidence.errors import MappingError
from evidence.freshness import Scope
from evidence.model import Change, Nature, Outcome
from evidence.trace import Stage
from mappings.catalogue import HERE, Catalogue, load_catalogue
from mappings.conditions import COLUMNS, RANGES
from mappings.frameworks import CONFIDENCES, RATIONALES, Relation
from mappings.questions import TYPES
from mappings.read_rules import STRENGTHS

FOLDER = HERE / "schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_ANY_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "number"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_DURATION: dict[str, Any] = {"type": "string", "pattern": "^P"}
_DAY: dict[str, Any] = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
_WORDS = {"nature": Nature, "change": Change, "outcome": Outcome}


def schemas(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Name → JSON Schema: rules, frameworks, clauses, controls, evidence_kinds, expectations,
    questions, trace, labelled, aliases."""
    return {
        name: {"$schema": DRAFT, "title": f"Headwater: {name}.yaml", **made}
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
            "aliases": _record(
                {"aliases": _map(_one(catalogue.source_types)), "own": _TEXTS}, "aliases own"
            ),
        }.items()
    }


def schema(name: str) -> str:
    """One of them as text. Raises MappingError if there is none of that name."""
    made = schemas(load_catalogue())
    if name not in made:
        raise MappingError(f"there is no schema {name!r}; known: {', '.join(made)}")
    return _text(made[name])


def write(folder: Path = FOLDER) -> None:
    """Write all of them as files."""
    folder.mkdir(exist_ok=True)
    for name, made in schemas(load_catalogue()).items():
        (folder / f"{name}.json").write_text(_text(made), encoding="utf-8")


def _text(made: dict[str, Any]) -> str:
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _rules(catalogue: Catalogue) -> dict[str, Any]:
    kind = _one(sorted(catalogue.native_kinds))
    example = _record(
        {"kind": kind, "payload": {"type": "object"}} | dict.fromkeys(COLUMNS, _ANY_TEXT)
    )
    examples = _record({w: _list(example) for w in ("match", "ignore")}, "match ignore")
    control = _one(c.id for c in catalogue.controls)
    weighed = {"id": control, "strength": _one(STRENGTHS), "rationale": _TEXT}
    rule = _record(
        {
            "name": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
            "kind": {"anyOf": [kind, _list(kind), _TEXT, _list(_TEXT)]},
            "when": {"$ref": "#/$defs/when"},
            "evidence": _one(catalogue.kinds),
            "controls": {
                "anyOf": [
                    {"const": "expected"}, _record({"named": _TEXT}, "named"),
                    _list({"anyOf": [control, _record(weighed, "id")]}),
                ]
            },
            "events": _list(_one(catalogue.events)),
            "strength": _one(STRENGTHS), "rationale": _TEXT, "examples": examples,
        },
        "name kind rationale examples",
    )  # fmt: skip
    rule["oneOf"] = [
        {"required": ["evidence", "controls"], "properties": {"events": False}},
        {"required": ["events"], "properties": {"evidence": False, "controls": False}},
    ]
    # A kind of a third party's collector stands for one that the catalogue knows.
    own = _map(_one(catalogue.source_types))
    page = _record({"rules": {"type": "array", "items": rule}, "kinds": own}, "rules")
    return page | {"$defs": {"when": _when()}}


def _when() -> dict[str, Any]:
    scalar = {"type": ["string", "number", "boolean"]}
    operators = dict.fromkeys(RANGES, _NUMBER)
    texts = {"anyOf": [_TEXT, _list(_TEXT)]}
    asked = _record(
        operators | {"exists": {"type": "boolean"}, "has": texts, "like": texts, "matches": _TEXT}
    )
    value = {"anyOf": [scalar, _list(scalar), asked]}
    again = {"$ref": "#/$defs/when"}
    columns: dict[str, Any] = dict.fromkeys(COLUMNS, value)
    for name, words in _WORDS.items():
        word = _one(word.value for word in words)
        columns[name] = {"anyOf": [word, _list(word), asked]}
    return {
        "type": "object", "minProperties": 1, "additionalProperties": False,
        "properties": {"not": again, "all": _list(again), "any": _list(again), **columns},
        "patternProperties": {r"^payload[.\[]": value},
    }  # fmt: skip


def _framework(catalogue: Catalogue) -> dict[str, Any]:
    number = _number(catalogue)
    row = {
        "from": number, "to": {"anyOf": [_TEXT, _list(_TEXT)]}, "relation": _one(Relation),
        "rationale": _one(RATIONALES), "confidence": _one(CONFIDENCES), "sources": _list(_TEXT),
        "note": _TEXT,
    }  # fmt: skip
    lists = {
        "requirements": _record({"title": _TEXT, "ids": _list(_TEXT)}, "title ids"),
        "dates": _record(
            {"on": _DAY, "what": _TEXT, "articles": _TEXT, "source": _TEXT},
            "on what articles source",
        ),
        "outside": _record({"ids": _list(_TEXT), "note": _TEXT}, "ids note"),
        "gaps": _record(
            {"from": number, "coverage": _one(("none", "weak")), "note": _TEXT},
            "from coverage note",
        ),
        "rows": _record(row, "from to relation rationale confidence sources"),
    }
    texts = dict.fromkeys(("framework", "title", "short", "edition", "rights"), _TEXT)
    return _record(
        texts | {name: {"type": "array", "items": one} for name, one in lists.items()},
        "framework title short edition rights requirements rows",
    )


def _reviews(catalogue: Catalogue) -> dict[str, Any]:
    review = {
        "framework": _TEXT, "from": _number(catalogue), "to": _TEXT, "relation": _one(Relation),
        "by": _TEXT, "on": _DAY, "why": _TEXT,
    }  # fmt: skip
    return _record({"reviews": {"type": "array", "items": _record(review, " ".join(review))}},
                   "reviews")  # fmt: skip


def _controls(catalogue: Catalogue, name: str) -> dict[str, Any]:
    group = _record({"number": _TEXT, "title": _TEXT, "summary": _TEXT}, "number title summary")
    need = {
        "evidence": _one(catalogue.kinds), "collect": _TEXT, "why": _TEXT, "max_age": _DURATION,
        "source_types": _list(_one(catalogue.source_types)), "stale_on": _of(catalogue.events),
    }  # fmt: skip
    signed = {"needed": {"type": "boolean"}, "statement": _TEXT, "max_age": _DURATION}
    entry = {
        "number": _TEXT, "title": _TEXT, "group": _TEXT, "summary": _TEXT,
        "attestation": _record(signed, "needed statement"),
        "needs": {"type": "array", "items": _record(need, "evidence collect")},
        "title_sources": _TEXTS, "typical_role": _TEXTS,
        "documentation_demanded": {"type": "boolean"},
        "documented_information": {
            "type": "array", "items": _record({"what": _TEXT, "kind": _TEXT}, "what kind"),
        },
    }  # fmt: skip
    one = _record(entry, "number title group summary attestation needs title_sources")
    return _record(
        {"groups": _list(group), "headings": {"type": "array", "items": group}, name: _list(one)},
        f"groups headings {name}",
    )


def _kinds(catalogue: Catalogue) -> dict[str, Any]:
    kind = {
        "group": _TEXT, "description": _TEXT, "source_types": _list(_one(catalogue.source_types)),
        "max_age": _DURATION, "stale_on": _of(catalogue.events), "why": _TEXT, "basis": _TEXTS,
    }  # fmt: skip
    return _record(
        {"kinds": _map(_record(kind, " ".join(kind))), "source_types": _TEXTS, "events": _TEXTS},
        "kinds source_types events",
    )


def _expectations(catalogue: Catalogue) -> dict[str, Any]:
    scope = _one(word.value for word in Scope)
    excepted = _record({"scope": scope, "controls": _list(_TEXT)}, "scope controls")
    kind = {
        "scope": scope, "warn_before": _DURATION, "silence": _DURATION, "why": _TEXT,
        "except": excepted, "lead": _DURATION,
    }  # fmt: skip
    kinds = _map(_record(kind, "scope warn_before silence why"))
    return _record({"kinds": kinds | {"propertyNames": _one(catalogue.kinds)}}, "kinds")


def _trace(catalogue: Catalogue) -> dict[str, Any]:
    stage, place = _one(s.value for s in Stage), _TEXT
    each = _record({"each": place, "of": _list(_TEXT)}, "each")
    name = {"oneOf": [place, _record({"join": _list(place)}, "join"), each]}
    stages = {"type": "object", "propertyNames": stage}
    kind = {
        "kind": _several(_one(sorted(catalogue.native_kinds))), "when": {"type": "object"},
        "stage": stage, "key": name, "also": _list(name), "names": _map(_list(name)) | stages,
        "firm": _of(s.value for s in Stage), "facts": _map(place), "system": place, "at": place,
        "who": place,
    }  # fmt: skip
    taken = _map(_of(sorted(catalogue.kinds))) | {"propertyNames": stage}
    return _record({"stages": taken, "kinds": _list(_record(kind, "kind key"))}, "stages kinds")


def _several(value: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [value, _list(value)]}


def _questions() -> dict[str, Any]:
    default = {"type": ["string", "number"]}
    value = _record({"type": _one(TYPES), "what": _TEXT, "default": default}, "type what")
    fields = {"name": _TEXT, "title": _TEXT, "sql": _TEXT, "empty": _TEXT, "with": _map(value)}
    return _record({"questions": _list(_record(fields, "name title sql empty"))}, "questions")


def _labelled(catalogue: Catalogue) -> dict[str, Any]:
    text = {
        "kind": _TEXT,
        "title": _TEXT,
        "text": _TEXT,
        "controls": _of(c.number for c in catalogue.controls),
    }
    return _record({"texts": _list(_record(text, " ".join(text)))}, "texts")


def _number(catalogue: Catalogue) -> dict[str, Any]:
    return _one(c.number for c in catalogue.controls)


def _record(fields: dict[str, Any], required: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object", "additionalProperties": False, "properties": fields,
    }  # fmt: skip
    return made | ({"required": required.split()} if required else {})


def _map(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": value}


def _list(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": value}


def _of(words: Iterable[str]) -> dict[str, Any]:
    return {"type": "array", "items": _one(words)}


def _one(words: Iterable[str]) -> dict[str, Any]:
    return {"enum": list(words)}


if __name__ == "__main__":
    write()
