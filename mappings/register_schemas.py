"""JSON Schemas of registers, made from the fields that `evidence/registers.py` tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evidence.fields import HEADER, Field, Form, Register
from evidence.registers import REGISTERS
from mappings.shapes import TEXT

_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_DAY: dict[str, Any] = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}"}
_NAMED = {"type": "object", "required": ["name"], "properties": {"name": TEXT}}
_FORMS: dict[Form, dict[str, Any]] = {
    Form.TEXT: _SCALAR,
    Form.PERSON: _SCALAR,
    Form.DAY: _DAY,
    Form.NUMBER: {"type": ["number", "string"], "pattern": r"^\s*[-+]?[0-9.]"},
    Form.FLAG: {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false", "yes", "no"]}]},
    Form.DECISION: {"type": "boolean"},
    Form.LIST: {"anyOf": [{"type": "array", "items": _SCALAR}, _SCALAR]},
    Form.MODELS: {"anyOf": [{"type": "array", "items": _NAMED}, _NAMED]},
    Form.ENTRIES: {"anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "object"}]},
    Form.MAPPING: {"type": "object"},
}


def register_schemas() -> dict[str, dict[str, Any]]:
    """`registers/NAME` → JSON Schema; fields that Headwater does not know may stand everywhere."""
    return {f"registers/{register.name}": _schema(register) for register in REGISTERS}


def _schema(register: Register) -> dict[str, Any]:
    records = {"type": "array", "items": _record(register)}
    name = {"enum": [register.name, *register.also], "description": "what it is called"}
    draft = {"type": "boolean", "description": "as long as it is true, the file counts for nothing"}
    fields = {"register": name, "draft": draft, **_fields(HEADER), "records": records}
    return {"description": register.what, "type": "object", "properties": fields,
            "required": ["records"]}  # fmt: skip


def _record(register: Register) -> dict[str, Any]:
    told = {"type": ["string", "number"], "description": "its name; no two records share one"}
    return {"type": "object", "properties": {"id": told, **_fields(register.of_record)},
            "required": ["id"]}  # fmt: skip


def _fields(known: tuple[Field, ...]) -> dict[str, Any]:
    return {one.name: {**_form(one), "description": _told(one)} for one in known}


def _form(one: Field) -> dict[str, Any]:
    if not one.words:
        return _FORMS[one.form]
    words: list[str | bool] = [*one.words, *(word.capitalize() for word in one.words)]
    words += [True, False] if {"yes", "no"} <= {*one.words} else []
    return {"enum": words} if one.form is Form.WORD else {"anyOf": [_DAY, {"enum": words}]}


def _told(one: Field) -> str:
    return f"{one.what} (an id of {' or '.join(one.names)})" if one.names else one.what


def field_table() -> Iterator[str]:
    """The lines of a Markdown table: each register with its fields, and what each field may hold.

    What is only text has no word beside it.
    """
    yield "| register | fields of its records, beside `id`, `system`, `reviewed` and `approved` |"
    yield "|---|---|"
    for register in REGISTERS:
        names = ", ".join(f"`{name}`" for name in (register.name, *register.also))
        yield f"| {names} | {'; '.join(map(_cell, register.fields))} |"


_WORDS = {
    Form.TEXT: "", Form.PERSON: "person", Form.DAY: "day", Form.NUMBER: "number",
    Form.FLAG: "true or false", Form.DECISION: "true or false, no quotes", Form.LIST: "list",
    Form.MODELS: "list of `name` and `last_seen`", Form.ENTRIES: "list of mappings",
    Form.MAPPING: "mapping", Form.WORD: "",
}  # fmt: skip


def _cell(one: Field) -> str:
    word = ", ".join(filter(None, (_WORDS[one.form], *one.words)))
    named = f"of {' or '.join(one.names)}" if one.names else ""
    told = " ".join(filter(None, (word, named)))
    return f"`{one.name}` ({told})" if told else f"`{one.name}`"
