"""Whatever a source goes through between and during pulls: no loss, nothing twice, losses told.

HEADWATER_CURSOR_EXAMPLES=2000 tries so many histories of every style, other ones each time; by
default it is one of each of those that differ most, always the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from evidence.runs import PullOutcome
from flows.config import Source
from flows.pull import Attempt, attempt
from storage.files import read_rows
from storage.lake import Lake
from tests.collectors.cursor_instance import Instance
from tests.collectors.cursor_world import STYLES, Row, Tracker
from tests.collectors.rest_server import Answer, RestServer

pytestmark = pytest.mark.xdist_group("cursor")
EXAMPLES = int(os.environ.get("HEADWATER_CURSOR_EXAMPLES", "0"))
FEW = ("token", "offset", "keyset-by-time", "newest-first-link", "states")
TRIED = tuple(STYLES) if EXAMPLES else FEW
HAPPENINGS = st.sampled_from(["delete", "500", "write", "half", "edit", "commit"])
PLANS = st.dictionaries(st.sampled_from([2, 3, 4, 5, 1]), HAPPENINGS, max_size=2)
"""What happens when a page is asked for, by its number within the pull."""
DEATHS = st.none() | st.tuples(st.integers(0, 2), st.booleans())
"""At which landing the process dies, and whether the landing is done by then."""


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs."""


@dataclass
class Mortal:
    """A lake in a process that dies at a landing."""

    lake: Lake
    landings: int
    done: bool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lake, name)

    def land(self, *args: Any, **given: Any) -> Any:
        """Land, as long as the process lives."""
        self.landings -= 1
        if self.landings < 0 and not self.done:
            raise Killed
        landed = self.lake.land(*args, **given)
        if self.landings < 0:
            raise Killed
        return landed


@dataclass
class House:
    """A server that asks the tracker of the history at hand, and the lake for all histories."""

    server: RestServer
    tracker: Tracker
    folder: Path
    lake: Lake | None = None
    histories: int = 0
    ticks: int = 0

    def begin(self, tracker: Tracker) -> tuple[Lake, str]:
        """A new history: a lake that is not too large yet, a source's name."""
        if self.lake is None or self.histories % 25 == 0:
            lake = self.folder / f"lake-{self.histories}"
            self.lake = Lake.create(lake, clock=self.now)
        self.histories += 1
        self.tracker = tracker
        return self.lake, f"source-{self.histories}"

    def now(self) -> datetime:
        """The tracker's time, and a little more each time: what landed later shows that it did."""
        self.ticks += 1
        return self.tracker.now + timedelta(milliseconds=self.ticks)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    tracker = Tracker(STYLES["none"])
    server = RestServer(lambda asked: made.tracker.say(asked), lambda: made.tracker.now)
    made = House(server, tracker, tmp_path_factory.mktemp("cursor"))
    yield made
    server.close()


class History(RuleBasedStateMachine):
    """One source: what people do there, what the network does, and pulls."""

    def __init__(self, house: House, tracker: Tracker) -> None:
        super().__init__()
        self.lake, self.name = house.begin(tracker)
        self.tracker, self.style = tracker, tracker.style
        self.url, self.reread = house.server.url, False
        self.told: set[Row] = set()

    @rule(count=st.integers(1, 4))
    def burst(self, count: int) -> None:
        """New records of one second."""
        for _ in range(count):
            self.tracker.write()

    @rule(seconds=st.integers(1, 9))
    def overtake(self, seconds: int) -> None:
        """A record that will show late, and one that is newer and shows already."""
        self.tracker.write(late=True)
        self.tracker.wait(seconds)
        self.tracker.write()

    @precondition(lambda self: self.tracker.rows)
    @rule(data=st.data(), late=st.booleans())
    def update(self, data: Any, late: bool) -> None:
        self.tracker.write(self._one(data.draw), late=late)

    @precondition(lambda self: self.tracker.rows)
    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        self.tracker.delete(self._one(data.draw))

    @precondition(lambda self: self.tracker.late)
    @rule()
    def commit(self) -> None:
        """A transaction that began before others ends after them."""
        self.tracker.commit(self.tracker.late[:1])

    @rule()
    def replay(self) -> None:
        """The next pull asks for everything again, as after a change of settings."""
        self.reread = not self.reread

    @rule(plan=PLANS, death=DEATHS)
    def pull(self, plan: dict[int, str], death: tuple[int, bool] | None) -> None:
        """A pull in whose course things happen."""
        before = dict(self.tracker.rows)
        done = self._attempt({page: self._happening(what) for page, what in plan.items()}, death)
        self._judge(done, before)

    @rule(count=st.integers(2, 4), what=st.sampled_from(["delete", "500", "edit"]))
    def disturb(self, count: int, what: str) -> None:
        """Several pages of old and new records, and a pull in the midst of which something is."""
        self.burst(7)
        self.tracker.wait(15)
        self.burst(count)
        self.pull({2: what}, None)

    @rule(again=st.booleans())
    def pull_in_peace(self, again: bool) -> None:
        """Whole, and another one at once brings nothing."""
        self._whole()
        assert not again or self._whole().new == 0

    def teardown(self) -> None:
        """In the end everything has shown, and has landed."""
        self._whole()
        self.tracker.commit(self.tracker.late[:])
        self.pull_in_peace(again=True)

    def _whole(self) -> Attempt:
        before = dict(self.tracker.rows)
        done = self._attempt({})
        assert done is not None
        assert done.pull.outcome is PullOutcome.COMPLETE, (done.error, done.pull.facts.gaps)
        self._judge(done, before)
        return done

    def _one(self, draw: Callable[[Any], Any]) -> int:
        return int(draw(st.sampled_from(sorted(self.tracker.rows))))

    def _first(self) -> int:
        """The record that the list being read begins with: without it all others move up."""
        fresh = [row for row in self.tracker.rows.values() if row not in self.told]
        rows = fresh or self.tracker.rows.values()
        return sorted(rows, key=self.tracker.key, reverse=self.style.down)[0].id

    def _happening(self, what: str) -> Callable[[], Answer | None]:
        tracker = self.tracker

        def happen() -> Answer | None:
            if what == "500":
                return Answer(status=500)
            if what == "half":
                return Answer(raw=b'{"items": [{"id": 1,')
            if what == "write":
                tracker.write()
            elif what == "commit":
                tracker.commit(tracker.late[:1])
            elif tracker.rows and what == "edit":
                tracker.write(self._first())
            elif tracker.rows:
                tracker.delete(self._first())
            return None

        return happen

    def _attempt(
        self, plan: dict[int, Callable[[], Answer | None]], death: tuple[int, bool] | None = None
    ) -> Attempt | None:
        self.tracker.pages, self.tracker.plan = 0, plan
        given = self.tracker.settings(self.url, reread=self.reread)
        source = Source(self.name, self.tracker.uses, "", given)
        lake: Any = self.lake if death is None else Mortal(self.lake, *death)
        try:
            return attempt(lake, source, lambda: self.tracker.now)
        except Killed:
            return None
        finally:
            self.tracker.plan = {}

    def _judge(self, done: Attempt | None, before: dict[int, Row]) -> None:
        landed = list(self._landed())
        ids = [item_id for item_id, _, _ in landed]
        assert len(ids) == len(set(ids)), "an item landed twice"
        told = [(row, change) for _, row, change in landed]
        self.told = {row for row, _ in told}
        if self.style.since is not None:
            versions = [(row.id, row.version) for row, _ in told]
            assert len(versions) == len(set(versions)), "a version landed twice"
        assert {row for row, change in told if change != "gone" or row.deleted} <= self.tracker.ever
        if done is None:
            return
        if done.pull.outcome is not PullOutcome.COMPLETE:
            assert done.pull.error or done.pull.facts.gaps or done.pull.facts.shortfall()
            return
        steady = {row for row in before.values() if self.tracker.rows.get(row.id) == row}
        if self.style.since is None:
            self._judge_states(told, steady, before)
            return
        assert steady <= self.told, "a version was lost"
        assert all((change == "gone") is row.deleted for row, change in told)

    def _judge_states(
        self, told: list[tuple[Row, str]], steady: set[Row], before: dict[int, Row]
    ) -> None:
        """The last that was told of each subject is how it stands."""
        last = {row.id: (row, change) for row, change in told}
        for row in steady:
            assert last[row.id][0] == row
            assert last[row.id][1] != "gone"
        absent = set(last) - set(before) - set(self.tracker.rows)
        assert all(last[number][1] == "gone" for number in absent), "a deletion was not noticed"

    def _landed(self) -> Iterator[tuple[str, Row, str]]:
        """Each item's id, row and change, in the order of landing."""
        folder = self.lake.place.at("evidence")
        files = (folder.local(file.name) for file in self.lake.files("evidence"))
        wanted = (self.name, self.tracker.kind)
        rows = [row for file in files for row in _rows(file) if row[1:3] == wanted]
        for _, _, _, item_id, subject, change, payload in sorted(rows):
            yield item_id, self.tracker.read(subject, json.loads(payload)), change


@cache
def _rows(file: Path) -> list[tuple[Any, ...]]:
    columns = ["landed_at", "source", "kind", "item_id", "subject", "change", "payload"]
    return [tuple(row.values()) for row in read_rows(file, {}, columns).to_pylist()]


@pytest.mark.parametrize("style", TRIED)
def test_nothing_is_lost_and_nothing_comes_twice(
    house: House, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors._rest.pull._BATCH", 2)
    live(lambda: History(house, Tracker(STYLES[style])))


def test_nor_of_servicenow(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors._servicenow.pull._CHUNK", 2)
    live(lambda: History(house, Instance()))


def live(history: Callable[[], History]) -> None:
    """Histories, one after the other."""
    run_state_machine_as_test(
        history,
        settings=settings(
            max_examples=EXAMPLES or 2, stateful_step_count=15 if EXAMPLES else 8,
            derandomize=not EXAMPLES, database=None, deadline=None, print_blob=True,
            phases=tuple(Phase) if EXAMPLES else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
