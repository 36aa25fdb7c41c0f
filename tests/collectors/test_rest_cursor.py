"""Whatever happens at a tracker between and during pulls, nothing that is there is passed over."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors._rest.settings import Endpoint, Identity, Paging, Since
from collectors.rest_api import RestApi
from evidence.errors import SourceBusy
from evidence.model import Cursor, EvidenceItem
from evidence.runs import PullFacts
from tests.collectors.rest_server import Answer, Asked, RestServer

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LOOKBACK = timedelta(seconds=6)
SIZE = 6

CHANGES = st.one_of(
    st.sampled_from(["create", "burst", "late", "late"]),
    st.tuples(st.sampled_from(["edit", "delete"]), st.integers(0, 30)),
)
ACTS = st.one_of(
    CHANGES, CHANGES, st.just("pull"), st.just("pull"),
    st.tuples(st.just("fault"), st.integers(1, 9)), st.tuples(st.just("during"), CHANGES),
)  # fmt: skip


class Tracker:
    """Tickets that store parts of a second and show none; some are seen later than they are dated.

    `during` are acts of which some follow each page that is served, `faults` the calls that fail.
    """

    def __init__(self) -> None:
        self.now = START
        self.stored: dict[int, datetime] = {}
        self.version: dict[int, int] = {}
        self.numbers = itertools.count(1)
        self.during: list[Any] = []
        self.faults: set[int] = set()
        self.calls = 0
        for _ in range(30):
            self.act("create")

    def act(self, what: Any) -> None:
        """One change; time goes on, so that no second holds more than half a page."""
        self.now += timedelta(milliseconds=1100)
        name, number = what if isinstance(what, tuple) else (what, 0)
        if name in {"create", "burst"}:
            for part in range(2 if name == "burst" else 1):
                self._put(next(self.numbers), self.now + timedelta(milliseconds=part))
        elif name == "late":
            self._put(next(self.numbers), self.now - LOOKBACK + timedelta(seconds=2))
        elif self.stored:
            one = sorted(self.stored)[number % len(self.stored)]
            if name == "edit":
                self._put(one, self.now)
            else:
                del self.stored[one]

    def _put(self, number: int, at: datetime) -> None:
        self.stored[number] = at
        self.version[number] = self.version.get(number, 0) + 1

    def say(self, asked: Asked) -> Any:
        if asked.path == "/me":
            return {"name": "reader"}
        self.calls += 1
        if self.calls in self.faults:
            return Answer(status=503)
        since = datetime.fromisoformat(asked.query.get("since", "2000-01-01T00:00:00Z"))
        found = [n for n, at in self.stored.items() if at >= since]
        found.sort(key=lambda n: (self.stored[n], n))
        if asked.query.get("sort") == "desc":
            found.reverse()
        page, start = int(asked.query.get("page", "1")), int(asked.query.get("start", "0"))
        begin = start or (page - 1) * SIZE
        shown = [self._told(n) for n in found[begin : begin + SIZE]]
        link = f'<{asked.url.split("&page")[0]}&page={page + 1}>; rel="next"'
        more = begin + SIZE < len(found)
        answer = Answer(shown, headers={"Link": link} if more else {})
        for act in self.during[:3]:
            self.act(act)
        del self.during[:3]
        return answer

    def _told(self, number: int) -> dict[str, Any]:
        at = self.stored[number].replace(microsecond=0)
        return {"id": number, "version": self.version[number], "at": at.isoformat()}


STYLES = {
    "keyset": (Paging("keyset", "since", size=SIZE, last="at"), "asc"),
    "offset": (Paging("offset", "start", size=SIZE), "asc"),
    "page": (Paging("page", "page", size=SIZE), "none"),
    "link": (Paging("link", size=SIZE), "asc"),
    "newest first": (Paging("page", "page", size=SIZE), "desc"),
}


class Reader:
    """Pulls as flows do: what was yielded has landed, and so has its cursor."""

    def __init__(self, url: str, tracker: Tracker, style: str) -> None:
        paging, order = STYLES[style]
        param = "" if order == "desc" else "since"
        tickets = Endpoint(
            name="tickets", path="/tickets", id="id", keep=("version",), paging=paging,
            params={"sort": order}, since=Since("at", param, order=order, lookback=LOOKBACK),
        )  # fmt: skip
        self.api = RestApi(
            source="t", url=url, endpoint=(tickets,), identity=Identity("/me", "name"),
            attempts=1, clock=lambda: tracker.now,
        )  # fmt: skip
        self.cursor: Cursor | None = None
        self.items: dict[str, EvidenceItem] = {}

    def pull(self) -> PullFacts:
        """One pull, which may be cut; what came before that stays."""
        facts = PullFacts()
        try:
            for batch in self.api.collect(self.cursor):
                self.items |= {item.item_id: item for item in batch.items}
                self.cursor, facts = batch.cursor, facts + batch.facts
        except SourceBusy:
            pass
        return facts

    def seen(self) -> set[tuple[int, int]]:
        """Number and version of everything that landed."""
        return {(int(i.subject), int(i.payload["version"])) for i in self.items.values()}


@pytest.fixture(scope="module")
def server() -> Iterator[RestServer]:
    running = RestServer(lambda _: None)
    yield running
    running.close()


@pytest.mark.parametrize("style", sorted(STYLES))
@settings(max_examples=10)
@given(acts=st.lists(ACTS, min_size=4, max_size=25))
def test_all_that_is_there_has_landed(server: RestServer, style: str, acts: list[Any]) -> None:
    tracker = Tracker()
    server.say, server.now = tracker.say, lambda: tracker.now
    reader = Reader(server.url, tracker, style)
    for act in acts:
        if act == "pull":
            tracker.calls = 0
            reader.pull()
            tracker.faults.clear()
        elif isinstance(act, tuple) and act[0] == "fault":
            tracker.faults.add(act[1])
        elif isinstance(act, tuple) and act[0] == "during":
            tracker.during.append(act[1])
        else:
            tracker.act(act)
    tracker.during.clear()
    tracker.faults.clear()
    facts = reader.pull()
    assert facts.gaps == ()
    assert {(n, tracker.version[n]) for n in tracker.stored} <= reader.seen()
    assert all(version <= tracker.version[n] for n, version in reader.seen())
