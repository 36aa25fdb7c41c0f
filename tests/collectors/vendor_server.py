"""One list of any vendor, served as its documentation says: paging, filter, key, limit of calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tests.collectors.rest_server import Answer, Asked, Refused, demand

MOST = 10
"""Records of a page, however many are asked for: every vendor has such a cap."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer may say of the rest: the next token and address ('': the end), and counts."""

    token: str
    url: str
    more: bool
    total: int
    pages: int


@dataclass(frozen=True)
class Vendor:
    """How one vendor's list is asked for and told.

    `record` makes record n as changed at a time, `wrap` the answer around records (bytes are sent
    as they are). `paging` is link, url, token, page, offset or keyset, whose place is sent as
    `place` (from `first` on) and whose page as `size`. `since` and `until` are parameters that
    `read` makes times of, `fixed` those that must be given, `others` answers whatever else is
    asked. `auth` says whether a request carries the key, or what `token` gave for it. `busy` is how
    patience is asked for, of `wait` seconds (None: it does not say).
    """

    path: str
    record: Callable[[int, datetime], dict[str, Any]]
    wrap: Callable[[list[Any], Told], Any]
    auth: Callable[[Asked], bool]
    paging: str
    place: str = ""
    first: int = 0
    size: str = ""
    since: str = ""
    until: str = ""
    read: Callable[[str], datetime] = datetime.fromisoformat
    fixed: Mapping[str, str] = field(default_factory=dict)
    desc: bool = False
    token: str = ""
    others: Callable[[Asked], Any] = lambda _: None
    headers: Callable[[Told], Mapping[str, str]] = lambda _: {}
    busy: Answer | Callable[[], Answer] = field(
        default_factory=lambda: Answer(status=429, headers={"Retry-After": "93"})
    )
    wait: float | None = 93


class Standing:
    """A vendor's list with 25 records, an hour apart, the last an hour ago."""

    def __init__(self, vendor: Vendor, key: str) -> None:
        self.vendor, self.key, self.limited = vendor, key, False
        self.begun = datetime.now(UTC).replace(microsecond=0)
        self.rows = {n: self.begun - timedelta(hours=25 - n) for n in range(25)}

    def change(self) -> None:
        """One record is edited and one is new."""
        self.rows[3] = self.begun - timedelta(minutes=2)
        self.rows[25] = self.begun - timedelta(minutes=1)

    def say(self, asked: Asked) -> Any:
        """The answer to a request."""
        vendor = self.vendor
        if self.limited:
            return vendor.busy() if callable(vendor.busy) else vendor.busy
        if vendor.token and asked.path == vendor.token:
            demand(asked.method == "POST", "a token is posted for")
            if asked.body.get("client_secret") != self.key:
                raise Refused(400, {"error": "invalid_client"})
            return {"access_token": "granted", "token_type": "Bearer", "expires_in": 3600}
        if not vendor.auth(asked):
            raise Refused(401)
        other = vendor.others(asked)
        return self._list(asked) if other is None else other

    def _list(self, asked: Asked) -> Answer:
        vendor = self.vendor
        demand(asked.path == vendor.path, f"no such list: {asked.path}")
        given = {**asked.query, **((asked.body or {}).get("variables") or {})}
        known = {vendor.place, vendor.size, vendor.since, vendor.until, "cursor", *vendor.fixed}
        demand(set(given) <= known, f"unknown parameter in {sorted(given)}")
        for name, value in vendor.fixed.items():
            demand(given.get(name) == value, f"{name} is {given.get(name)!r}")
        rows = self._found(given)
        size = min(int(given.get(vendor.size, MOST)), MOST)
        start = self._start(given, rows, size)
        end = start + size
        told = self._told(asked, given, end if end < len(rows) else 0, len(rows), size)
        shown = [vendor.record(n, self.rows[n]) for n in rows[start:end]]
        headers = dict(vendor.headers(told))
        if vendor.paging == "link" and told.more:
            headers["Link"] = f'<{told.url}>; rel="next"'
        made = vendor.wrap(shown, told)
        return Answer(made, headers=headers, raw=made if isinstance(made, bytes) else None)

    def _found(self, given: Mapping[str, str]) -> list[int]:
        vendor = self.vendor
        rows = sorted(self.rows, key=lambda n: self.rows[n], reverse=vendor.desc)
        if given.get(vendor.since):
            begin = vendor.read(given[vendor.since])
            rows = [n for n in rows if self.rows[n] >= begin]
        if given.get(vendor.until):
            end = vendor.read(given[vendor.until])
            rows = [n for n in rows if self.rows[n] <= end]
        return rows

    def _start(self, given: Mapping[str, str], rows: list[int], size: int) -> int:
        vendor = self.vendor
        place = given.get("cursor") or given.get(vendor.place)
        if not place or (vendor.paging == "keyset" and vendor.place == vendor.since):
            return 0
        if vendor.paging == "keyset":
            ids = [str(vendor.record(n, self.rows[n])["id"]) for n in rows]
            return ids.index(place) + 1
        if vendor.paging in {"link", "url", "token"} and str(place).startswith("t"):
            return int(place[1:])
        return (int(place) - vendor.first) * (1 if vendor.paging == "offset" else size)

    def _told(
        self, asked: Asked, given: Mapping[str, str], start: int, total: int, size: int
    ) -> Told:
        place = self.vendor.place or "cursor"
        number = start // size + self.vendor.first if self.vendor.place else f"t{start}"
        query = urlencode({**asked.query, place: number})
        url = f"{asked.url.split('?')[0]}?{query}" if start else ""
        return Told(f"t{start}" if start else "", url, bool(start), total, -(-total // size))
