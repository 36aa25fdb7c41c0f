"""IAM policy documents, as far as it takes to say whether they allow an action."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from evidence.errors import SourceBroken


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: it speaks of `actions`, or of all but them; of `resources` likewise."""

    allow: bool
    actions: tuple[str, ...]
    all_but_actions: bool
    resources: tuple[str, ...]
    all_but_resources: bool
    conditional: bool

    def covers(self, action: str, resource: str) -> bool:
        """Whether it speaks of the action on the resource; `*` asks for any resource at all."""
        return self._of_action(action) and self._of_resource(resource)

    def _of_action(self, action: str) -> bool:
        named = any(_glob(one.lower(), action.lower()) for one in self.actions)
        return named is not self.all_but_actions

    def _of_resource(self, resource: str) -> bool:
        if resource == "*":
            # An allowance of some resources is one; a denial counts only where it is of all.
            return self.allow or ("*" in self.resources and not self.all_but_resources)
        named = any(_glob(one, resource) for one in self.resources)
        return named is not self.all_but_resources


def statements_of(document: Any) -> tuple[Statement, ...]:
    """Of a document as botocore gives it, parsed or as encoded text. Raises SourceBroken."""
    told = _parsed(document)
    found = told.get("Statement") or []
    rows = found if isinstance(found, list) else [found]
    return tuple(_statement(row) for row in rows)


def allows(statements: Sequence[Statement], action: str, resource: str = "*") -> bool:
    """Whether any statement allows it and none denies it without a condition."""
    speaking = [one for one in statements if one.covers(action, resource)]
    denied = any(not one.allow and not one.conditional for one in speaking)
    return not denied and any(one.allow for one in speaking)


def principals_of(document: Any) -> Iterator[str]:
    """Who is allowed by the trust policy of a role, as it names them."""
    found = _parsed(document).get("Statement") or []
    for row in found if isinstance(found, list) else [found]:
        told = row.get("Principal") if row.get("Effect") == "Allow" else None
        for value in told.values() if isinstance(told, dict) else [told] if told else []:
            yield from _texts(value)


def _statement(row: Mapping[str, Any]) -> Statement:
    but, but_resources = "NotAction" in row, "NotResource" in row
    return Statement(
        allow=row.get("Effect") == "Allow",
        actions=_texts(row.get("NotAction" if but else "Action")), all_but_actions=but,
        resources=_texts(row.get("NotResource" if but_resources else "Resource")),
        all_but_resources=but_resources, conditional=bool(row.get("Condition")),
    )  # fmt: skip


def _parsed(document: Any) -> Mapping[str, Any]:
    if isinstance(document, str):
        try:
            document = json.loads(unquote(document))
        except ValueError as error:
            raise SourceBroken("a policy document is not JSON", what="IAM policy") from error
    if document is not None and not isinstance(document, dict):
        raise SourceBroken("a policy document is no object", what="IAM policy")
    return document or {}


def _texts(value: Any) -> tuple[str, ...]:
    found = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(str(one) for one in found)


def _glob(pattern: str, text: str) -> bool:
    """IAM knows `*` and `?` only."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))
