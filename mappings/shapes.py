"""Pieces of JSON Schema of which the schemas of the mapping's files are made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
ANY_TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "number"}
TEXTS: dict[str, Any] = {"type": "array", "items": TEXT}
DURATION: dict[str, Any] = {"type": "string", "pattern": "^P"}
DAY: dict[str, Any] = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}


def record(fields: dict[str, Any], required: str = "") -> dict[str, Any]:
    """An object with these fields and no others; `required` are words."""
    made: dict[str, Any] = {
        "type": "object", "additionalProperties": False, "properties": fields,
    }  # fmt: skip
    return made | ({"required": required.split()} if required else {})


def map_of(value: dict[str, Any]) -> dict[str, Any]:
    """An object of any names."""
    return {"type": "object", "additionalProperties": value}


def list_of(value: dict[str, Any]) -> dict[str, Any]:
    """A list that is not empty."""
    return {"type": "array", "minItems": 1, "items": value}


def some_of(words: Iterable[str]) -> dict[str, Any]:
    """A list of some of these words, or of none."""
    return {"type": "array", "items": one_of(words)}


def one_of(words: Iterable[str]) -> dict[str, Any]:
    """One of these words."""
    return {"enum": list(words)}
