"""Asking ServiceNow's Table API: whole lists, in an order that cannot shift while they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from collectors._json import array, obj
from collectors.http import Http, Reply, clean
from evidence.errors import SourceBroken, SourceRefused

API = "/api/now/table"
STATS = "/api/now/stats"
_REFUSED = {requests.codes.forbidden, requests.codes.not_found}
_FORM = "%Y-%m-%d %H:%M:%S"
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


def withheld(error: SourceRefused) -> bool:
    """Is it the table that this key may not read, rather than the key that is wrong?"""
    return error.status in _REFUSED


@dataclass(frozen=True, slots=True)
class Row:
    """One record as `sysparm_display_value=all` gives it: each field with its value and how it is
    shown to the account. Only the value is the same for everybody, and in UTC."""

    table: str
    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The sys_id. Raises SourceBroken."""
        return self.key("sys_id")

    def key(self, name: str) -> str:
        """A sys_id that the record has or refers to. Raises SourceBroken."""
        if not _ID.fullmatch(found := self.needed(name)):
            told = f"{self.table}: {name} is {clean(repr(found), 60)}, no sys_id"
            raise SourceBroken(told, what=name)
        return found

    def value(self, name: str) -> str:
        """The value as text; '' where it is empty or not shown. 1.0, 1 and "1" are one number."""
        found = self._part(name, "value")
        if isinstance(found, bool):
            return str(found).lower()
        if isinstance(found, float) and found.is_integer():
            return str(int(found))
        return "" if found is None else str(found)

    def shown(self, name: str) -> str:
        """As a person reads it; '' where it is empty or not shown."""
        return str(self._part(name, "display_value") or "")

    def needed(self, name: str) -> str:
        """A value without which the record says nothing. Raises SourceBroken."""
        if not (found := self.value(name)):
            what = f"{self.table} {clean(self.value('number') or self.value('sys_id'), 60)}"
            raise SourceBroken(f"{what}: {name} is empty or not shown to this account", what=what)
        return found

    def at(self, name: str) -> datetime | None:
        """A time; None where there is none. Raises SourceBroken."""
        return self.moment(name) if self.value(name) else None

    def moment(self, name: str) -> datetime:
        """A time without which the record says nothing. Raises SourceBroken."""
        found = self.needed(name)
        try:
            return datetime.strptime(found, _FORM).replace(tzinfo=UTC)
        except ValueError as error:
            told = f"{self.table}: {name} is {clean(repr(found), 40)}, expected {_FORM}"
            raise SourceBroken(told, what=name) from error

    def _part(self, name: str, form: str) -> Any:
        found = self.raw.get(name)
        return found.get(form) if isinstance(found, Mapping) else found


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of `table`, narrowed by an encoded query, read by the time in `clock`."""

    table: str
    fields: tuple[str, ...]
    query: str = ""
    clock: str = "sys_updated_on"


@dataclass(frozen=True, slots=True)
class _Page:
    """The rows shown, whether more come behind them, and how many the instance counts in all."""

    rows: list[Row]
    more: bool
    total: int | None


@dataclass(frozen=True, slots=True)
class Tables:
    """One instance, asked with one key. `page_size` rows an answer. Raises SourceError."""

    http: Http
    page_size: int

    def since(self, of: Listing, since: datetime | None) -> Iterator[list[Row]]:
        """Every row whose clock shows `since` or later, oldest first; a page of what is shown.

        The key is (clock, sys_id), so rows that change while we read, thousands of one second and
        rows that are hidden shift nothing. Raises SourceBroken where the order does not hold.
        """
        asked, floor = f"{of.clock}>={written(since)}" if since else "", ("", "")
        while True:
            page = self._shown(of, asked, of.clock, "sys_id")
            if not page.rows:
                return
            floor = _sorted(of, page.rows, floor, written(since) if since else "")
            yield page.rows
            if not page.more:
                return
            for rows in self._rest_of(of, *floor):
                floor = _sorted(of, rows, floor, "")
                yield rows
            asked = f"{of.clock}>{floor[0]}"

    def _rest_of(self, of: Listing, second: str, last: str) -> Iterator[list[Row]]:
        """What else there is of the second at which a page ended."""
        more = True
        while more:
            page = self._shown(of, f"{of.clock}={second}^sys_id>{last}", "sys_id")
            if not page.rows:
                return
            last, more = page.rows[-1].id, page.more
            yield page.rows

    def every(self, table: str, query: str, fields: Sequence[str]) -> tuple[list[Row], int]:
        """All rows that answer a query, and how many more the instance counts than it shows."""
        of, found = Listing(table, tuple(fields), query), list[Row]()
        page = self._shown(of, "", "sys_id")
        counted = page.total or 0
        while page.rows:
            found += page.rows
            if not page.more:
                break
            page = self._shown(of, f"sys_id>{found[-1].id}", "sys_id")
        return found, max(0, counted - len({row.id for row in found}))

    def count(self, of: Listing, since: datetime | None) -> int | None:
        """How many rows there are by both ways that do not list them, the greater; None: untold.

        Neither leaves out the rows that access rules hide from the list.
        """
        asked = f"{of.clock}>={written(since)}" if since else ""
        told = (self.header(of, asked), self._aggregate(of, asked))
        return max((n for n in told if n is not None), default=None)

    def header(self, of: Listing, asked: str) -> int | None:
        """What the header X-Total-Count says; None where there is none."""
        return _total(self._page(of, asked, (), 0, 1))

    def _aggregate(self, of: Listing, asked: str) -> int | None:
        params = {"sysparm_count": "true", "sysparm_query": _joined(of.query, asked)}
        try:
            answer = self.http.get(f"{STATS}/{of.table}", params).data
        except SourceRefused as error:
            if not withheld(error):
                raise
            return None
        result = obj(obj(answer, "stats").get("result"), "stats: result")
        count = str(obj(result.get("stats"), "stats").get("count"))
        if not count.isdigit():
            raise SourceBroken(f"stats of {of.table}: count is {clean(count, 40)}, no number")
        return int(count)

    def _shown(self, of: Listing, asked: str, *order: str) -> _Page:
        """The first page of a question on which a row is shown: a page of which every row is
        hidden is empty, and is not the end."""
        offset = 0
        while True:
            reply = self._page(of, asked, order, offset, self.page_size)
            rows = _rows(of.table, reply.data)
            offset += self.page_size
            total = _total(reply)
            more = bool(rows) if total is None else offset < total
            if rows or not more:
                return _Page(rows, more, total)

    def _page(
        self, of: Listing, asked: str, order: Sequence[str], offset: int, limit: int
    ) -> Reply:
        query = _joined(of.query, asked, *(f"ORDERBY{name}" for name in order))
        return self.http.get(f"{API}/{of.table}", {
            "sysparm_query": query, "sysparm_fields": ",".join(of.fields),
            "sysparm_display_value": "all", "sysparm_exclude_reference_link": "true",
            "sysparm_limit": limit, "sysparm_offset": offset,
        })  # fmt: skip


def written(moment: datetime) -> str:
    """A time as queries take it: text, which is read as UTC whatever the account's zone."""
    return moment.astimezone(UTC).strftime(_FORM)


def _joined(*conditions: str) -> str:
    return "^".join(one for one in conditions if one)


def _rows(table: str, data: Any) -> list[Row]:
    answer = obj(data, f"{table}: answer")
    if "result" not in answer:
        raise SourceBroken(f"{table}: the answer holds no result", what=table)
    return [Row(table, obj(one, table)) for one in array(answer["result"], f"{table}: result")]


def _total(reply: Reply) -> int | None:
    told = reply.headers.get("X-Total-Count", "")
    return int(told) if told.isdigit() else None


def _sorted(
    of: Listing, rows: Sequence[Row], floor: tuple[str, str], since: str
) -> tuple[str, str]:
    """The key of the last row. Raises SourceBroken if the page is not what was asked for."""
    for row in rows:
        key = (written(row.moment(of.clock)), row.id)
        if key[0] < since:
            raise SourceBroken(
                f"{of.table}: asked from {since} UTC, got {key[0]}: the instance reads "
                "times in another zone; set the account's time zone to GMT", what=of.table,
            )  # fmt: skip
        if key <= floor:
            raise SourceBroken(f"{of.table}: the rows are not sorted as asked", what=of.table)
        floor = key
    return floor
