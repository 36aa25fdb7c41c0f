"""What a Jira must answer so that its issues can be pulled: Cloud and Data Center differ in all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import requests

from collectors._jira.approvals import Entry, changelogs
from collectors._jira.issues import FIELDS
from collectors._jira.json import API, Person, next_token, rows
from collectors._json import moment, number, obj, text
from collectors.http import Http, Reply, clean, pages
from evidence.errors import SourceBroken, SourceRefused

_V2 = "/rest/api/2"
_MOST_PROJECTS = 50
_INDEXED = timedelta(seconds=1)
"""How finely Data Center's index tells times apart."""
Asking = Callable[[datetime | None], str]
"""The JQL for everything that was updated at or after a moment (None: ever), oldest first."""


class Site(Protocol):
    """One Jira, asked with one key. Every method raises SourceError."""

    @property
    def api(self) -> str:
        """Which API in which version is asked."""

    @property
    def exact(self) -> bool:
        """Does it count exactly?"""

    def identity(self) -> Reply:
        """The answer that says who the key belongs to."""

    def visible(self, keys: Sequence[str]) -> set[str]:
        """Which of the projects the account may browse."""

    def count(self, jql: str) -> int:
        """How many issues answer a query."""

    def issues(self, asking: Asking, since: datetime | None) -> Iterator[list[Any]]:
        """The issues that changed since, page by page, the last changed last."""

    def logs(self, ids: Sequence[str]) -> Mapping[str, Sequence[Entry]]:
        """The changelogs of issues, whole as far as approvals need them."""

    def place(self, number: str) -> str | None:
        """The key of the project that an issue lies in; None where the issue is not shown."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """Jira Cloud, REST API v3. Its search gives the order as of the first page; its count is
    approximate."""

    http: Http
    page_size: int
    api: str = "Jira Cloud REST API v3"
    exact: bool = False

    def identity(self) -> Reply:
        return self.http.get(f"{API}/myself")

    def visible(self, keys: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for n in range(0, len(keys), _MOST_PROJECTS):
            params = {"keys": keys[n : n + _MOST_PROJECTS], "action": "browse", "maxResults": 50}
            found |= _keys(rows(self.http.get(f"{API}/project/search", params).data, "values"))
        return found

    def count(self, jql: str) -> int:
        answer = self.http.post(f"{API}/search/approximate-count", {"jql": jql}, safe=True).data
        return _counted(answer, "count", "approximate-count")

    def issues(self, asking: Asking, since: datetime | None) -> Iterator[list[Any]]:
        body = {"jql": asking(since), "fields": list(FIELDS), "maxResults": self.page_size}

        def page(token: str) -> Reply:
            more = {"nextPageToken": token} if token else {}
            return self.http.post(f"{API}/search/jql", body | more, safe=True)

        for reply in pages(page, next_token, what="issue search"):
            yield rows(reply.data, "issues")

    def logs(self, ids: Sequence[str]) -> Mapping[str, Sequence[Entry]]:
        return changelogs(self.http, ids)

    def place(self, number: str) -> str | None:
        return _place(self.http, f"{API}/issue/{number}")


@dataclass(frozen=True, slots=True)
class DataCenter:
    """Jira Data Center or Server, REST API v2. Its pages are counted off, so that an issue that is
    edited would push another past us: each page is asked for by the time where the last ended."""

    http: Http
    page_size: int
    api: str = "Jira Data Center REST API v2"
    exact: bool = True

    def identity(self) -> Reply:
        return self.http.get(f"{_V2}/myself")

    def visible(self, keys: Sequence[str]) -> set[str]:
        found = self.http.get(f"{_V2}/project").data
        if not isinstance(found, list):
            raise SourceBroken("Jira's answer to /project is no list", what="project")
        return _keys(found) & set(keys)

    def count(self, jql: str) -> int:
        return _counted(self._search(jql, 0, 0), "total", "search")

    def issues(self, asking: Asking, since: datetime | None) -> Iterator[list[Any]]:
        start = 0
        while True:
            answer = self._search(asking(since), start, self.page_size)
            page = rows(answer, "issues")
            if page:
                yield page
            if not page or start + len(page) >= _counted(answer, "total", "search"):
                return
            ended = _updated(page[-1]) - _INDEXED
            # More of one second than a page holds: the rest of it can only be counted off.
            forward = since is None or ended > since
            since, start = (ended, 0) if forward else (since, start + len(page))

    def logs(self, ids: Sequence[str]) -> Mapping[str, Sequence[Entry]]:
        return {one: self._log(one) for one in ids}

    def place(self, number: str) -> str | None:
        return _place(self.http, f"{_V2}/issue/{number}")

    def _search(self, jql: str, start: int, size: int) -> Any:
        body = {"jql": jql, "startAt": start, "maxResults": size, "fields": list(FIELDS)}
        return self.http.post(f"{_V2}/search", body, safe=True).data

    def _log(self, issue: str) -> list[Entry]:
        what = f"issue {clean(issue, 40)}"
        try:
            params = {"fields": "status", "expand": "changelog"}
            answer = self.http.get(f"{_V2}/issue/{issue}", params).data
        except SourceRefused as error:
            if error.status != requests.codes.not_found:
                raise
            return []  # it was deleted or hidden since the search
        log = obj(obj(answer, what).get("changelog"), f"{what}: changelog")
        found = [Entry.read(one, what) for one in rows(log, "histories")]
        if len(found) < number(log, "total", f"{what}: changelog"):
            raise SourceBroken(f"{what}: its changelog is cut after {len(found)} entries")
        return found


def who(reply: Reply) -> str:
    """The account, as its id and zone tell it. Raises SourceBroken."""
    data = obj(reply.data, "myself")
    person = Person.read(data, "myself")
    if person is None:
        raise SourceBroken("Jira's answer to /myself names no account", what="myself")
    name, zone = data.get("displayName") or "?", data.get("timeZone") or "unknown"
    return clean(f"{name} ({person.account_id}, time zone {zone})")


def _place(http: Http, path: str) -> str | None:
    what = clean(path.rpartition("/")[2], 40)
    try:
        answer = obj(http.get(path, {"fields": "project"}).data, what)
    except SourceRefused as error:
        if error.status != requests.codes.not_found:
            raise
        return None
    fields = obj(answer.get("fields"), f"{what}: fields")
    return text(obj(fields.get("project"), f"{what}: project"), "key", what).upper()


def _keys(projects: Iterable[Any]) -> set[str]:
    return {text(obj(row, "a project"), "key", "a project").upper() for row in projects}


def _counted(answer: Any, name: str, what: str) -> int:
    count = obj(answer, what).get(name)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise SourceBroken(f"{what} is {clean(repr(count), 40)}, expected a number")
    return count


def _updated(raw: Any) -> datetime:
    fields = obj(obj(raw, "an issue").get("fields"), "an issue: fields")
    return moment(fields.get("updated"), "an issue: updated")
