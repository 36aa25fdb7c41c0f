"""What GitHub's answers have in common: lists in pages, and who is named in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlencode

from collectors._json import number, obj, text
from collectors._pages import linked
from collectors._review.approval import Account
from collectors.http import Http, Reply

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


@dataclass(frozen=True, slots=True)
class Api:
    """The REST API, asked with one key. `machines` are globs over logins of users that are nobody's
    eyes, as apps are anyway; `page_size` is at most 100. Every method raises SourceError."""

    http: Http
    machines: tuple[str, ...]
    page_size: int

    def get(self, path: str, what: str) -> dict[str, Any]:
        """The object at a path."""
        return obj(self.http.get(path).data, what)

    def pages(
        self, path: str, what: str, key: str = "", **params: object
    ) -> Iterator[tuple[Reply, list[Any]]]:
        """A list, page by page with its rows."""
        first = f"{path}?{urlencode({**params, 'per_page': self.page_size})}"
        return linked(self.http.get, first, what=what, key=key)

    def every(self, path: str, what: str) -> list[dict[str, Any]]:
        """All rows of a list that is never long."""
        return [obj(row, what) for _, rows in self.pages(path, what) for row in rows]

    def account(self, raw: Any, what: str) -> Account | None:
        """The account; None where it is unknown or deleted (`ghost` stands in for all those)."""
        if not raw:
            return None
        found = obj(raw, what)
        login = text(found, "login", what)
        if login == "ghost":
            return None
        machine = found.get("type") == "Bot" or any(fnmatchcase(login, m) for m in self.machines)
        return Account(str(number(found, "id", what)), login, machine)
