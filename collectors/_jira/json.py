"""What Jira's answers have in common: where they lie, who is named in them, how they are paged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from collectors._json import obj
from collectors.http import clean
from evidence.errors import SourceBroken

API = "/rest/api/3"


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
