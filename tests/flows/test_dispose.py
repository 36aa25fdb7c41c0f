"""Nothing looks better after a disposal: judged, counted and drawn before it and after it."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evidence.canonical import plain
from evidence.correction import Act, Correction, Wrong
from evidence.freshness import State
from evidence.gaps import Continuity
from evidence.model import Change, EvidenceItem, Nature, Outcome
from evidence.runs import Gap, Pull, PullFacts, PullOutcome, Total
from flows import coverage as covering
from flows import sources as telling
from flows.board import build
from flows.config import Source
from flows.dispose import make_plan
from flows.follow import follow, seal
from storage.actions import act, land_own
from storage.corrections import correction_item
from storage.disposal import dispose
from storage.health import healths
from storage.holds import HOLD, Hold
from storage.keys import load_key
from storage.lake import Lake
from storage.retention import RetentionClass
from storage.views import connect
from tests.flows.conftest import Home
from tests.flows.house import House, make_house

SYSTEMS = ("credit-scoring", "churn", "ghost", "")
REGISTERS = ("ai_systems", "soa", "attestations", "population")
EVERY = "*"


@dataclass
class Estate:
    """A lake of some years in which anything may have happened."""

    house: House
    rng: random.Random
    pulls: int = 0

    @property
    def lake(self) -> Lake:
        return self.house.lake

    @property
    def now(self) -> datetime:
        return self.house.clock.now

    def pass_time(self) -> None:
        self.house.clock.now += timedelta(days=self.rng.choice([0, 1, 3, 20, 90]), minutes=7)

    def pull(self) -> None:
        """One attempt at a source: whole or not, with items of any kind, late, early or ahead."""
        self.pulls += 1
        self.house.clock.now += timedelta(seconds=1)
        source = self.rng.choice(["one", "two"])
        outcome = self.rng.choice([*[PullOutcome.COMPLETE] * 4, *PullOutcome])
        items = [self._item(source) for _ in range(self.rng.randint(0, 6))]
        whole = outcome is PullOutcome.COMPLETE
        states = self.rng.choice([(), ("gx.expectation_suite",), ("gx.expectation_suite", "x.y")])
        facts = PullFacts(
            1, len(items), query="q", states=states if whole else (),
            gaps=() if whole else (Gap("a project", "hidden"),),
            totals=() if whole else (Total("issues", 9, 4),),
        )  # fmt: skip
        took = timedelta(minutes=self.rng.choice([1, 1, 30, 200]))
        ended = self.now + timedelta(minutes=self.rng.choice([0, 0, 0, -90, 90]))
        record = Pull(
            f"pull-{self.pulls}", source, "tests:None", ended - took, ended, outcome, facts,
            len(items), error="" if whole else "429", backfill=self.rng.random() < 0.1,
        )  # fmt: skip
        lake = self.lake
        lake.land(source, items, bookmark=lake.bookmark(source), cursor=None,
                  pull_id=record.pull_id,
                  pull=record if self.rng.random() < 0.9 else None)  # fmt: skip

    def _item(self, source: str) -> EvidenceItem:
        maker = self.rng.choice([self._result, self._state, self._register, self._ticket])
        at = self.now + timedelta(days=self.rng.choice([0, 0, 0, -2, -40, -400, 3]))
        made = maker(at)
        system = made.pop("system", self.rng.choice(SYSTEMS))
        change = self.rng.choice([*[Change.NEW] * 3, Change.CHANGED, Change.GONE, Change.RESTORED])
        return EvidenceItem(
            source=source, observed_from=at, observed_to=at, collected_at=min(at, self.now),
            system=system, change=change, title="t", **made,
        )  # fmt: skip

    def _outcome(self) -> Outcome:
        return self.rng.choice([*Outcome, Outcome.PASSED])

    def _result(self, at: datetime) -> dict[str, Any]:
        subject = f"check-{self.rng.randint(0, 2)}"
        return {"kind": "gx.validation_result", "subject": subject, "outcome": self._outcome(),
                "payload": {"n": self.rng.random(), "at": at.isoformat()}}  # fmt: skip

    def _state(self, at: datetime) -> dict[str, Any]:
        return {"kind": "gx.expectation_suite", "subject": f"suite-{self.rng.randint(0, 1)}",
                "nature": Nature.STATE, "outcome": self._outcome(),
                "payload": {"expectation_count": self.rng.randint(0, 3),
                            "at": at.isoformat()}}  # fmt: skip

    def _ticket(self, at: datetime) -> dict[str, Any]:
        return {"kind": self.rng.choice(["jira.issue", "odd.thing"]), "outcome": self._outcome(),
                "subject": f"AI-{self.rng.randint(0, 30)}",
                "payload": {"label": "change", "at": at.isoformat()}}  # fmt: skip

    def _register(self, at: datetime) -> dict[str, Any]:
        register = self.rng.choice(REGISTERS)
        own = {"register": register, "level": "record", "at": at.date().isoformat()}
        if register == "attestations":
            control = self.rng.choice(["5.2", "A.7.4", "9.1"])
            until = (at + timedelta(days=self.rng.choice([30, 300]))).date().isoformat()
            return {"kind": "human.attestation", "subject": f"attestation/{control}/ann",
                    "system": "", "payload": own | {"control": control, "by": "ann",
                    "statement": "seen", "until": until}}  # fmt: skip
        key = {"ai_systems": self.rng.choice(SYSTEMS[:3]), "population": "p1",
               "soa": self.rng.choice(["A.7.4", "A.5.2"])}[register]  # fmt: skip
        more = {"applicable": self.rng.random() < 0.5, "reason": "not ours", "name": key,
                "kind": "gx.*", "least": self.rng.randint(1, 4)}  # fmt: skip
        return {"kind": "git.register", "subject": f"register/{register}/{key}",
                "system": key if register == "ai_systems" else "",
                "payload": own | {"id": key} | more}  # fmt: skip

    def hold(self) -> None:
        given = self.rng.choice([{"subjects": ("check-1",)}, {"systems": ("churn",)},
                                 {"kinds": ("odd.*",)}])  # fmt: skip
        self.pulls += 1
        wanted = Hold(f"h{self.pulls}", "Counsel", self.now, "case", **given)
        act(self.lake, HOLD, facts=wanted.facts())

    def correct(self) -> None:
        """Somebody says that an item is wrong; perhaps a second person stands by it."""
        with connect(self.lake) as connection:
            rows = connection.execute(
                "SELECT item_id FROM evidence WHERE source IN ('one', 'two') "
                "AND kind <> 'headwater.pull' ORDER BY landed_at"
            ).fetchall()
        if not rows:
            return
        wrong, holds = self.rng.choice([
            (Wrong.OUTCOME, "failed"), (Wrong.OUTCOME, "passed"), (Wrong.SYSTEM, "churn"),
            (Wrong.MISTAKE, ""),
        ])  # fmt: skip
        said = Correction(self.rng.choice(rows)[0], wrong, holds, "Ann", "seen")
        item = correction_item(self.lake, Act.CORRECT, said.facts(), title="wrong")
        land_own(self.lake, lambda _: ((item,), None))
        if self.rng.random() < 0.6:
            facts = {"item_id": said.item_id, "answers": item.item_id, "by": "Bo", "reason": "y"}
            answer = correction_item(self.lake, Act.CONFIRM, facts, title="right")
            land_own(self.lake, lambda _: ((answer,), None))

    def classes(self) -> tuple[RetentionClass, ...]:
        kinds = [(EVERY,), (EVERY, "headwater.pull"), ("gx.*",), ("headwater.pull",), ("git.*",),
                 ("human.*", "jira.*")]  # fmt: skip
        return tuple(
            RetentionClass(f"c{n}", chosen, timedelta(days=self.rng.choice([1, 30, 200])), "r")
            for n, chosen in enumerate(self.rng.sample(kinds, self.rng.randint(1, 4)))
        )

    def dispose(self) -> int:
        config = self.house.config
        done = dispose(
            self.lake, load_key(config.key), lambda: make_plan(self.lake, config), by="Ann",
            reason="yearly", seal=lambda: seal(self.lake, config),
        )  # fmt: skip
        return done.items

    def follow(self) -> None:
        follow(self.lake, self.house.config)


@pytest.fixture
def estate(home: Home, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Estate]:
    def make(seed: int) -> Estate:
        house = make_house(home(folder=f"home-{seed}"))
        uses = Source("one", "tests:None", "0 * * * *", {})
        house.config = replace(house.config, sources=(uses, replace(uses, name="two", schedule="")))
        for module in ("moment", "board", "dispose", "sources"):
            monkeypatch.setattr(f"flows.{module}.now", house.clock)
        return Estate(house, random.Random(seed))

    return make


@pytest.mark.parametrize("seed", range(int(os.environ.get("HEADWATER_DISPOSALS", "2"))))
def test_nothing_looks_better_after_a_disposal(estate: Callable[[int], Estate], seed: int) -> None:
    built = estate(seed)
    acts = [*[built.pull] * 4, *[built.pass_time] * 3, built.hold, built.correct]
    for _ in range(2):
        for _ in range(12):
            built.rng.choice(acts)()
        built.house.config = replace(built.house.config, retention=built.classes())
        built.follow()
        before = told(built)
        gone = built.dispose()
        built.follow()
        compare(before, told(built), gone)


def told(built: Estate) -> dict[str, Any]:
    """Everything that anybody is shown of a lake."""
    lake, config, at = built.lake, built.house.config, built.now
    board = build(lake, config)
    with connect(lake, mapping_digest=board.lake.mapping_digest) as connection:
        covered = covering._machine(covering.coverage(connection))
        seen = healths(connection, at)
        ids = {row[0] for row in connection.execute("SELECT item_id FROM evidence").fetchall()}
    return {
        "verdicts": {
            (v.control, v.evidence, v.system): v
            for row in board.controls
            for v in row.standing.verdicts
        },
        "ids": ids,
        "standings": {row.control: row.standing for row in board.controls},
        "systems": {row.system for row in board.systems},
        "covered": covered,
        "sources": {
            s.name: telling._machine(s, seen.get(s.name), at) for s in config.sources
        },
        "board": board,
    }  # fmt: skip


def compare(before: dict[str, Any], after: dict[str, Any], gone: int) -> None:
    _same_verdicts(before["verdicts"], after["verdicts"])
    assert before["systems"] == after["systems"]
    for control, stood in before["standings"].items():
        stands = after["standings"][control]
        names = ("standing", "in_date", "expected", "due")
        assert [getattr(stands, n) for n in names] == [getattr(stood, n) for n in names], control
    for name, was in before["sources"].items():
        _same_source(was, after["sources"][name])
    was, covered = before["covered"], after["covered"]
    assert was["not_registered"].keys() == covered["not_registered"].keys()
    assert was["registered"].keys() == covered["registered"].keys()
    assert [p["id"] for p in was["population"]] == [p["id"] for p in covered["population"]]
    for one, other in zip(was["population"], covered["population"], strict=True):
        assert other["found"] <= one["found"]
    assert was["whole"] or not covered["whole"]
    assert after["covered"]["disposed"] == before["covered"]["disposed"] + gone
    assert after["board"].lake.disposed == before["board"].lake.disposed + gone
    notes = {(note.severity, _words(note.sentence)) for note in after["board"].attention}
    assert not gone or ("mapping", "# items were disposed of by signed records: no count includes "
                        "them.") in notes  # fmt: skip
    for note in before["board"].attention:
        counted = re.search(
            "speak to no control|nothing landed|but only from a pull", note.sentence
        )
        # That an item is overridden is told as long as it is there: what counts is in the verdicts.
        went = note.severity == "overridden" and note.item_id not in after["ids"]
        assert counted or went or (note.severity, _words(note.sentence)) in notes, note


def _words(sentence: str) -> str:
    """A sentence without its numbers."""
    return re.sub(r"\d+", "#", sentence)


def _same_verdicts(before: dict[Any, Any], after: dict[Any, Any]) -> None:
    assert before.keys() == after.keys()
    for key, was in before.items():
        now = replace(after[key], count=was.count, judged_at=was.judged_at)
        now = replace(now, continuity=_looked_back(was.continuity, now.continuity))
        if was.state is State.UNKNOWN and not was.failed:
            now = replace(now, why=was.why, source=was.source)
        assert now == was


FOREVER = datetime.max.replace(tzinfo=UTC)


def _looked_back(was: Continuity | None, now: Continuity | None) -> Continuity | None:
    """What was told, if no gap that is looked back on now is shorter than it was told to be."""
    if now is None:
        return was
    assert was is not None
    assert was.since <= now.since
    for gap in was.gaps:
        until = gap.ended or FOREVER
        assert until <= now.since or any(
            one.began <= max(gap.began, now.since) and (one.ended or FOREVER) >= until
            for one in now.gaps
        )
    return was


def _same_source(was: dict[str, Any], now: dict[str, Any]) -> None:
    for one in (was, now):
        for name in ("items", "newest", "backfills", "brought", "moved"):
            (one["health"] or {}).pop(name, None)
        if one["health"]:
            one["health"]["last"].pop("new")
    assert plain(now) == plain(was)
