"""A tracker whose list can be asked for in every style, and changes while it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from collectors._rest.settings import Endpoint, Identity, Paging, Since
from tests.collectors.rest_server import Answer, Asked, Refused

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LOOKBACK, BACK = 10, 20
"""Seconds, and numbers, that are read again: nothing is committed later than that."""
_BUSIEST = 5
"""Writes of one second: a keyset over the time needs pages that hold more."""


@dataclass(frozen=True, slots=True)
class Row:
    """A record in one version; `at` is when it was written, in seconds since 1970."""

    id: int
    version: int
    at: int
    seq: int
    deleted: bool = False

    def told(self) -> dict[str, Any]:
        """As the list shows it."""
        at = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "id": self.id, "version": self.version, "updated_at": at, "seq": self.seq,
            "deleted": self.deleted,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """How a list is asked for, and what the tracker must therefore do: `sort` it by at, id or seq,
    `down` for the newest first; `counted`: pages are counted off, not chained by their last."""

    paging: Paging
    since: Since | None = None
    sort: str = "at"
    down: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def endpoint(self) -> Endpoint:
        """The list as `headwater.toml` would describe it."""
        usual: dict[str, Any] = {
            "name": "records", "path": "/records", "records": "items", "id": "id",
            "kind": "acme.record", "keep": ("*",), "paging": self.paging, "since": self.since,
        }  # fmt: skip
        return Endpoint(**(usual | self.more))

    @property
    def tombstones(self) -> bool:
        """Does the list go on showing what was deleted?"""
        return "gone" in self.more


def _since(**given: Any) -> Since:
    usual: dict[str, Any] = {"param": "since", "order": "asc"}
    return Since("updated_at", lookback=timedelta(seconds=LOOKBACK), **(usual | given))


def _paged(style: str, **given: Any) -> Paging:
    usual: dict[str, Any] = {"size": 3, "size_param": "limit"}
    needed = {
        "url": {"next": "next"}, "token": {"param": "cursor", "next": "next"},
        "relay": {"param": "cursor", "next": "pageInfo"}, "page": {"param": "page"},
        "offset": {"param": "offset"}, "keyset": {"param": "after", "last": "id"},
    }.get(style, {})  # fmt: skip
    return Paging(style, **(usual | needed | given))


_STATE = {"nature": "state"}
_NUMBERED = Since("seq", "since", send="number", order="asc", back=BACK)
STYLES: Mapping[str, Style] = {
    "none": Style(Paging(), _since()),
    "link": Style(_paged("link"), _since()),
    "url": Style(_paged("url"), _since()),
    "token": Style(_paged("token"), _since()),
    "relay": Style(_paged("relay"), _since()),
    "page": Style(_paged("page", total="total"), _since()),
    "page-to-the-short-one": Style(_paged("page", end="short"), _since()),
    "offset": Style(_paged("offset"), _since()),
    "offset-to-the-total": Style(_paged("offset", total="total", end="total"), _since()),
    "offset-read-twice": Style(_paged("offset", confirm="twice"), _since()),
    "keyset-by-id": Style(_paged("keyset"), _since(order="none"), sort="id"),
    "keyset-by-time": Style(
        _paged("keyset", param="since", last="updated_at", size=_BUSIEST + 3), _since()
    ),
    "newest-first-link": Style(_paged("link"), _since(param="", order="desc"), down=True),
    "newest-first-token": Style(_paged("token"), _since(param="", order="desc"), down=True),
    "to-the-minute": Style(_paged("token"), _since(send="minute")),
    "epoch-in-pages": Style(_paged("page"), _since(send="epoch")),
    "numbered": Style(_paged("token"), _NUMBERED, sort="seq", more={"observed_to": "updated_at"}),
    "all-each-time": Style(_paged("page"), _since(param="", order="none"), sort="id"),
    "tombstones": Style(_paged("token"), _since(), more={"gone": "deleted"}),
    "states": Style(_paged("page", total="total"), more=_STATE),
    "states-by-link": Style(_paged("link"), more=_STATE),
    "states-by-token": Style(_paged("token"), more=_STATE),
}  # fmt: skip


class Tracker:
    """What is written, what of it shows yet, and what happens at which page of the next pull."""

    kind = "acme.record"
    uses = "collectors.rest_api:RestApi"

    def __init__(self, style: Style) -> None:
        self.style, self.now = style, START
        self.rows: dict[int, Row] = {}
        self.late: list[Row] = []
        self.ever: set[Row] = set()
        self.seq = self.busy = self.pages = self.serial = 0
        self.plan: dict[int, Callable[[], Answer | None]] = {}

    def write(
        self, number: int | None = None, *, late: bool = False, deleted: bool = False
    ) -> None:
        """A new record, or a new version of one. A late one has its time now and shows later."""
        self.busy += 1
        if self.busy > _BUSIEST:
            self.wait(1)
        self.seq += 1
        if number is None:
            self.serial += 1
            number = self.serial
        waiting = [row for row in self.late if row.id == number]
        before = max((row.version for row in (*waiting, *self.versions(number))), default=0)
        row = Row(number, before + 1, int(self.now.timestamp()), self.seq, deleted)
        if late and not waiting:
            self.late.append(row)
        else:
            self.commit(waiting)
            self.show(row)

    @staticmethod
    def moment(row: Row) -> datetime:
        """When it was written."""
        return datetime.fromtimestamp(row.at, UTC)

    def versions(self, number: int) -> list[Row]:
        """The versions of a record that have shown."""
        return [row for row in self.ever if row.id == number]

    def show(self, row: Row) -> None:
        """From now on the list has it."""
        self.rows[row.id] = row
        self.ever.add(row)

    def commit(self, rows: list[Row]) -> None:
        """Late ones show, with the time at which they were written."""
        for row in rows:
            self.late.remove(row)
            self.show(row)

    def delete(self, number: int) -> None:
        """Without a trace, unless the tracker leaves tombstones."""
        if self.style.tombstones:
            self.write(number, deleted=True)
        else:
            self.commit([row for row in self.late if row.id == number])
            del self.rows[number]

    def wait(self, seconds: int) -> None:
        """Time passes; nothing stays back for longer than it is looked back for."""
        self.now += timedelta(seconds=seconds)
        self.busy = 0
        floor = self.now.timestamp() - LOOKBACK
        self.commit([r for r in self.late if r.at < floor or self.seq - r.seq > BACK - 8])

    def settings(self, url: str, *, reread: bool) -> dict[str, Any]:
        """The source as `headwater.toml` would describe it; `reread` changes what marks hang on."""
        return {
            "url": url, "endpoint": (self.style.endpoint,), "attempts": 1,
            "identity": Identity("/me", "login"), "systems": {"nobody": "x"} if reread else {},
        }  # fmt: skip

    def read(self, subject: str, payload: dict[str, Any]) -> Row:
        """The record that an item was made of; one that tells a loss holds its number only."""
        if "version" not in payload:
            return Row(int(subject), 0, 0, 0)
        at = int(datetime.fromisoformat(payload["updated_at"]).timestamp())
        return Row(int(subject), payload["version"], at, payload["seq"], payload["deleted"])

    def say(self, asked: Asked) -> Any:
        """The answer to one request."""
        if asked.path == "/me":
            return {"login": "evidence-reader"}
        if asked.path != "/records":
            raise Refused(404)
        self.pages += 1
        happens = self.plan.pop(self.pages, None)
        if happens and (answer := happens()) is not None:
            return answer
        return self._list(asked)

    def _list(self, asked: Asked) -> Any:
        query, paging = asked.query, self.style.paging
        rows = [row for row in self.rows.values() if self._asked_for(row, query.get("since", ""))]
        rows.sort(key=self.key, reverse=self.style.down)
        size = int(query.get("limit", "1000"))
        told: dict[str, Any] = {"total": len(rows)}
        if after := query.get("cursor") or (query.get("after") and f"{query['after']}:0"):
            key = tuple(map(int, after.split(":")))
            rows = [
                r for r in rows if (self.key(r) < key if self.style.down else self.key(r) > key)
            ]
        first = (int(query.get("page", "1")) - 1) * size + int(query.get("offset", "0"))
        shown, more = rows[first : first + size], first + size < len(rows)
        token = ":".join(map(str, self.key(shown[-1]))) if shown and more else None
        headers, kept = {}, "&".join(f"{k}={v}" for k, v in query.items() if k not in _MOVING)
        if paging.style == "link" and more:
            to = f"{asked.url.partition('?')[0]}?{kept}&page={int(query.get('page', '1')) + 1}"
            headers = {"Link": f'<{to}>; rel="next"'}
        told["next"] = token and (
            f"/records?{kept}&cursor={token}" if paging.style == "url" else token
        )
        told["pageInfo"] = {"hasNextPage": more, "endCursor": token}
        return Answer(told | {"items": [row.told() for row in shown]}, headers=headers)

    def key(self, row: Row) -> tuple[int, int]:
        """What the list is sorted by."""
        return {"at": (row.at, row.id), "id": (row.id, 0), "seq": (row.seq, 0)}[self.style.sort]

    def _asked_for(self, row: Row, since: str) -> bool:
        if not since or self.style.since is None:
            return True
        if self.style.since.send == "number":
            return row.seq >= int(since)
        if self.style.since.send == "epoch":
            return row.at >= int(since)
        moment = datetime.fromisoformat(since)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return row.at >= moment.timestamp()


_MOVING = {"page", "cursor"}
