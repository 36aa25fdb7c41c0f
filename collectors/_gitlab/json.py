"""What GitLab's answers have in common: lists in pages, and who is named in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlencode

from collectors._json import number, obj, text
from collectors._pages import linked
from collectors._review.approval import Account
from collectors.http import Http

API = "/api/v4"
_MACHINE = re.compile(r"(?:project|group)_\d+_bot\w*|service_account_\w+", re.ASCII)
"""The users that GitLab makes for access tokens of projects and groups, and service accounts."""


@dataclass(frozen=True, slots=True)
class Api:
    """REST and GraphQL of one site, asked with one key. `machines` are globs over logins of users
    that are nobody's eyes; `page_size` is at most 100. Every method raises SourceError."""

    http: Http
    machines: tuple[str, ...]
    page_size: int

    def get(self, path: str, what: str) -> dict[str, Any]:
        """The object at a path below the API."""
        return obj(self.http.get(API + path).data, what)

    def pages(self, path: str, what: str, **params: object) -> Iterator[list[Any]]:
        """The rows of a list, page by page."""
        first = f"{API}{path}?{urlencode({**params, 'per_page': self.page_size})}"
        for _, rows in linked(self.http.get, first, what=what):
            yield rows

    def every(self, path: str, what: str, **params: object) -> list[dict[str, Any]]:
        """All rows of a list that is never long."""
        return [obj(row, what) for rows in self.pages(path, what, **params) for row in rows]

    def ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The answer to a GraphQL query that only reads; beside `data` it may hold `errors`."""
        body = {"query": query, "variables": variables}
        return obj(self.http.post("/api/graphql", body, safe=True).data, "GraphQL")

    def account(self, raw: Any, what: str) -> Account | None:
        """The account; None where it is unknown or deleted (`ghost` stands in for all those)."""
        if not raw:
            return None
        found = obj(raw, what)
        login = text(found, "username", what)
        if login == "ghost":
            return None
        machine = any(fnmatchcase(login, glob) for glob in self.machines)
        return Account(
            str(number(found, "id", what)), login, machine or bool(_MACHINE.fullmatch(login))
        )
