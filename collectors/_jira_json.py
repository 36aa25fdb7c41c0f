"""Reading Jira's JSON strictly: what is not as described is named, not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors.http import clean
from evidence.errors import InvalidItem, SourceBroken
from evidence.times import from_ms, parse

API = "/rest/api/3"
_MS_FROM = 10**11


@dataclass(frozen=True, slots=True)
class Person:
    """An account; Jira Cloud hides e-mail addresses, so the account id is the identity."""

    account_id: str
    name: str
    app: bool = False

    @classmethod
    def read(cls, raw: Any, what: str) -> Person | None:
        """From a user object; None for nobody and for the erased account `unknown`."""
        if raw is None:
            return None
        found = obj(raw, what)
        account = next((found[k] for k in ("accountId", "key", "name") if found.get(k)), "unknown")
        if account == "unknown":
            return None
        name = str(found.get("displayName") or account)
        return cls(str(account), name, app=found.get("accountType") == "app")

    def payload(self) -> dict[str, str]:
        """As it is kept."""
        return {"accountId": self.account_id, "displayName": self.name}

    def __str__(self) -> str:
        return f"{clean(self.name, 80)} ({clean(self.account_id, 128)})"


def moment(value: Any, what: str) -> datetime:
    """A time as Jira writes it: ISO 8601 with any offset form, epoch milliseconds or seconds."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return from_ms(value if abs(value) >= _MS_FROM else value * 1000)
        return parse(str(value), what=what)
    except (InvalidItem, OverflowError) as error:
        raise SourceBroken(f"{what}: {clean(repr(value), 60)} is no time", what=what) from error


def obj(raw: Any, what: str) -> dict[str, Any]:
    """A JSON object, or SourceBroken naming `what`."""
    if not isinstance(raw, dict):
        raise SourceBroken(f"{what}: expected an object, got {type(raw).__name__}", what=what)
    return raw


def array(raw: Any, what: str) -> list[Any]:
    """A JSON array, empty for null, or SourceBroken naming `what`."""
    if raw is not None and not isinstance(raw, list):
        raise SourceBroken(f"{what}: expected a list, got {type(raw).__name__}", what=what)
    return raw or []


def text(raw: Mapping[str, Any], name: str, what: str) -> str:
    """The text under a name, or SourceBroken naming it and `what`."""
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise SourceBroken(f"{what}: {name} should be text, is {clean(repr(value), 60)}", what=what)
    return value


def rows(data: Any, name: str) -> list[Any]:
    """The list under a name that every good answer has, or SourceBroken."""
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise SourceBroken(f"Jira's answer holds no list {name!r}", what=name)
    return found


def next_token(data: Any) -> str:
    """'' at the end. Beside `isLast` a token is followed once more: rows may not be lost."""
    token = obj(data, "Jira's answer").get("nextPageToken")
    if token is None or (data.get("isLast") is True and not data.get("issues")):
        return ""
    if not isinstance(token, str) or not token:
        raise SourceBroken(f"nextPageToken is {clean(repr(token), 60)}, expected text")
    return token
