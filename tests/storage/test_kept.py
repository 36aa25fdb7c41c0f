"""Whatever lands, the kept state says what the whole lake says, or says nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from evidence import suggestion
from evidence.correction import Act
from evidence.freshness import Sighting
from evidence.model import Change, EvidenceItem, Nature, Outcome
from evidence.runs import PullOutcome
from storage import keeping, seen
from storage.actions import land_own
from storage.arrivals import Asked
from storage.covers import Aging
from storage.engine import Limits
from storage.kept import FOLDER, forget, given_up, load
from storage.landed import landed, landed_after, landed_by_now
from storage.sightings import Key
from storage.suggestions import suggestion_item
from storage.views import connect
from tests.storage.makers import START, Clock, World, days, item
from tests.storage.test_corrections import answered, corrected

KEY = ("iso42001:A.1", "ticket")
ASKED = [Asked(*KEY, START + days(7 * n), START + days(7 * n + 7)) for n in range(-1, 9)]
AGES = [
    Aging(*KEY, timedelta(days=2), ("deployment",)), Aging(*KEY, timedelta(days=20)),
    Aging("iso42001:A.2", "check", timedelta(hours=9), ("deployment",), timedelta(hours=1), True),
]  # fmt: skip
LIMITS = Limits()
ASIDE = ("weak",)


def _tagged(world: World) -> None:
    world.tag(*KEY, "kind LIKE 'jira.%' AND title <> 'untagged'")
    world.tag("iso42001:A.2", "check", "kind = 'jira.check'")
    # Of some items claims that only support, beside others and alone.
    world.tag(*KEY, "title LIKE '%3'", strength="weak")
    world.tag("iso42001:A.2", "check", "kind = 'jira.log'", strength="weak")
    world.tag("iso42001:A.3", "note", "kind = 'jira.log' AND title LIKE '%4'", strength="weak")
    world.tag("event:deployment", "", "kind = 'jira.event'")


def _whole(world: World) -> dict[Key, Sighting]:
    with connect(world.lake, as_of=world.clock.now, mapping_digest="m1",
                 aside=ASIDE) as connection:  # fmt: skip
        return landed(connection, world.clock.now, ASKED, AGES)


@contextmanager
def _large(at_once: int = 25) -> Iterator[None]:
    """As a large lake is judged: in parts, and nothing else that is read is held in memory."""
    with pytest.MonkeyPatch.context() as large:
        large.setattr("storage.views.little", lambda _: False)
        large.setattr(seen, "AT_ONCE", at_once)
        yield


def _by_now(world: World) -> object:
    return landed_by_now(world.lake, "m1", world.clock.now, ASKED, LIMITS, 0, AGES, ASIDE)


def _kept_only(world: World) -> object:
    """By the kept state alone, or None."""
    kept = load(world.lake, "m1", world.clock.now)
    return kept and landed_after(world.lake, kept, world.clock.now, ASKED, LIMITS, AGES, ASIDE)


def _count(world: World) -> int:
    """How many items are counted only; -1 without a state."""
    kept = load(world.lake, "m1", world.clock.now)
    return -1 if kept is None else sum(kept.counts.values())


def _any(rng: random.Random, number: int, at: float) -> EvidenceItem:
    kind = rng.choice(["issue", "check", "check", "log", "log", "log", "event", "board"])
    calm = kind in {"check", "log", "event"} and (number < 30 or rng.random() < 0.98)
    return item(
        number, at=START + days(at - rng.choice((0, 0, 0, rng.uniform(0, 20), -1))),
        collected_at=START + days(at), kind=f"jira.{kind}",
        subject=f"{kind}-{number if kind == 'log' else rng.randint(0, 4)}",
        outcome=rng.choice([*[Outcome.PASSED] * 6, *Outcome]),
        change=Change.NEW if calm else rng.choice(list(Change)),
        nature=Nature.STATE if kind == "board" else Nature.EVENT,
        system=rng.choice(["", "credit-scoring", "churn"]),
        title="untagged" if rng.random() < 0.1 else f"Item {number}",
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(int(os.environ.get("HEADWATER_DOUBTS", "1"))))
def test_the_kept_state_agrees_with_the_whole_lake(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    world, number, used, left_out = World(tmp_path / "lake"), 0, 0, 0
    landed_items: list[EvidenceItem] = []
    for _ in range(int(os.environ.get("HEADWATER_DOUBTS", "1")) + 5):
        world.clock.now += days(rng.uniform(0.05, 0.6))
        at = (world.clock.now - START) / days(1)
        items = [_any(rng, number + n, at) for n in range(rng.randint(0, 12))]
        number += len(items)
        outcome = rng.choice([PullOutcome.COMPLETE] * 3 + [PullOutcome.PARTIAL])
        world.land(*items, outcome=outcome, states=("jira.board",), backfill=rng.random() < 0.15)
        landed_items += items
        if landed_items and rng.random() < 0.15:
            one = rng.choice(landed_items)
            answered(world, Act.CONFIRM, corrected(world, one), "Ben", one)
        _tagged(world)
        before, whole = _kept_only(world), _whole(world)
        used += before is not None
        assert before is None or before == whole
        if rng.random() < 0.2:
            forget(world.lake)
        with _large() if rng.random() < 0.5 else nullcontext():
            assert _by_now(world) == whole
            assert _kept_only(world) == whole, "what was just kept holds"
        left_out += _count(world)
    with _large(10):
        assert _whole(world) == whole
    assert used or seed, "some histories stir too much to use it"
    assert left_out


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake whose many logs are left out of what is kept, but some."""
    made = World(tmp_path_factory.mktemp("first") / "lake")
    logs = [item(n, kind="jira.log", subject=f"log-{n}") for n in range(20)]
    checks = [item(n, kind="jira.check", subject="check") for n in (3, 5)]
    made.land(*logs, *checks, outcome=PullOutcome.COMPLETE)
    _tagged(made)
    _by_now(made)
    made.clock.now += timedelta(hours=1)
    return made


@pytest.fixture
def world(first: World, tmp_path: Path) -> World:
    """A copy of it."""
    shutil.copytree(first.path, tmp_path / "lake")
    clock = Clock(first.clock.now)
    made = World(tmp_path / "lake", clock)
    made.pulls = first.pulls
    return made


def test_what_can_speak_no_more_is_counted_only(world: World) -> None:
    assert _count(world) > 10
    assert _kept_only(world) == _whole(world)


@pytest.mark.parametrize(
    "stirring",
    [
        item(26, kind="jira.log", subject="log-3", change=Change.GONE, payload={}),
        item(25, kind="jira.log", subject="log-3", change=Change.CHANGED),
        item(2.5, kind="jira.log", subject="log-3", outcome=Outcome.FAILED),
    ],
)
def test_what_could_make_it_speak_again_is_a_doubt(world: World, stirring: EvidenceItem) -> None:
    world.land(stirring, outcome=PullOutcome.COMPLETE)
    _tagged(world)
    assert _kept_only(world) is None
    assert _by_now(world) == _whole(world)


def test_a_failure_of_another_subject_is_none(world: World) -> None:
    bad = item(25, kind="jira.log", subject="log-new", outcome=Outcome.FAILED)
    again = item(4, kind="jira.check", subject="check", outcome=Outcome.FAILED)
    world.land(bad, again, outcome=PullOutcome.COMPLETE)
    _tagged(world)
    assert _kept_only(world) == _whole(world) is not None


def test_tags_that_come_later_than_what_they_speak_of_are_a_doubt(tmp_path: Path) -> None:
    """Of what was left out nobody would find them, also not that it was an event."""
    world = World(tmp_path / "lake")
    logs = [item(n, kind="jira.log", subject=f"log-{n}") for n in range(9)]
    world.land(*logs, outcome=PullOutcome.COMPLETE)
    _by_now(world)
    world.clock.now += timedelta(hours=1)
    assert _kept_only(world) == _whole(world)
    _tagged(world)
    assert _kept_only(world) is None
    assert _by_now(world) == _whole(world) != {}


def test_a_damaged_list_of_what_was_left_out_is_a_doubt(world: World) -> None:
    file = next(world.lake.place.derived(FOLDER).rglob("alone.npy"))
    file.write_bytes(file.read_bytes()[:-8])
    bad = item(25, kind="jira.log", subject="log-3", outcome=Outcome.FAILED)
    world.land(bad, outcome=PullOutcome.COMPLETE)
    _tagged(world)
    assert _kept_only(world) is None
    assert _by_now(world) == _whole(world)


def test_an_event_that_comes_to_be_known_late_is_folded_into_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: what was left out is asked anew for it, in parts, and that is kept."""
    before, state = _whole(world), load(world.lake, "m1", world.clock.now)
    world.land(item(10, kind="jira.event", subject="e", at=START + days(12.5)),
               item(11, kind="jira.event", subject="f", system="churn", at=START + days(5)),
               outcome=PullOutcome.COMPLETE)  # fmt: skip
    _tagged(world)
    assert before != _whole(world)
    with _large(5):
        assert _kept_only(world) == _whole(world)
    heeded = load(world.lake, "m1", world.clock.now)
    assert state
    assert heeded
    assert (heeded.folder, len(heeded.heeded)) == (state.folder, 2)
    assert heeded.covers != state.covers
    monkeypatch.setattr("storage.landed.heed", None)
    assert _by_now(world) == _whole(world)


def test_a_correction_is_a_doubt(world: World) -> None:
    corrected(world, item(19, kind="jira.log", subject="log-19"))
    assert _kept_only(world) is None
    assert _by_now(world) == _whole(world)


def test_what_people_decide_of_a_proposal_is_a_doubt(world: World) -> None:
    """An accepted tag makes an item speak that was left out; taken back, it may not go on to."""
    proposal = _decided(world, suggestion.Act.PROPOSE)
    _by_now(world)
    acceptance = _decided(world, suggestion.Act.ACCEPT, answers=proposal, becomes="tag")
    for _ in range(2):
        assert _kept_only(world) is None
        assert _by_now(world) == _whole(world)
        assert _kept_only(world) == _whole(world), "kept anew"
        assert (("iso42001:A.9", "ticket", "credit-scoring") in _whole(world)) is bool(acceptance)
        if acceptance:
            _decided(world, suggestion.Act.WITHDRAW, answers=acceptance)
            acceptance = ""


def _decided(world: World, act: suggestion.Act, **more: str) -> str:
    one = item(4, kind="jira.log", subject="log-4")
    facts = {"item_id": one.item_id, "control": "iso42001:A.9", "evidence": "ticket", "score": 0.9}
    facts |= {"by": "Ann", "reason": "read", "model": "m"}
    made = suggestion_item(world.lake, act, facts | more, title=act)
    land_own(world.lake, lambda _: ((made,), None))
    world.clock.now += timedelta(minutes=1)
    return made.item_id


def test_nothing_is_believed_that_is_old_damaged_or_of_another_mapping(world: World) -> None:
    now = world.clock.now
    assert load(world.lake, "m1", now) is not None
    assert load(world.lake, "m2", now) is None
    assert load(world.lake, "m1", now + days(1)) is None
    assert load(world.lake, "m1", now - days(1)) is None, "a clock that was set back"
    home = world.lake.place.derived(FOLDER)
    folder = home / (home / "current").read_text()
    file = folder / "month=kept" / "evidence.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert load(world.lake, "m1", now) is None
    assert _by_now(world) == _whole(world)
    assert load(world.lake, "m1", now) is not None, "made anew"


def test_another_lake_in_its_place_is_not_judged_by_it(world: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other")
    other.land(item(30), outcome=PullOutcome.COMPLETE)
    _tagged(other)
    world.lake.place.derived(FOLDER).rename(other.lake.place.derived(FOLDER))
    other.clock.now = world.clock.now
    assert _kept_only(other) is None
    assert _by_now(other) == _whole(other)


def test_a_lake_that_may_only_be_read_is_judged_all_the_same(world: World) -> None:
    lake = replace(world.lake)
    home = lake.place.derived(FOLDER)
    for file in sorted(home.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    home.rmdir()
    home.write_text("no folder can be made here")
    assert landed_by_now(lake, "m1", world.clock.now, ASKED, LIMITS, 0, AGES, ASIDE) == _whole(
        world
    )


def test_what_was_changed_by_another_hand_says_otherwise(world: World) -> None:
    """It is believed, as whoever changed it mended its digests, too: `verify` must compare."""
    home = world.lake.place.derived(FOLDER)
    folder = home / (home / "current").read_text()
    state = json.loads((folder / "state.json").read_text())
    state["counts"][0][3] += 5
    (folder / "state.json").write_text(json.dumps(state))
    assert _kept_only(world) is not None
    assert _kept_only(world) != _whole(world)
    forget(world.lake)
    assert _kept_only(world) is None


def test_a_state_that_cannot_be_made_stops_no_judgement(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(world.lake)
    monkeypatch.setattr(keeping, "_LEFT_OUT", "SELECT item_id FROM range(1)")
    assert _by_now(world) == _whole(world)
    assert given_up(world.lake, world.clock.now)
    monkeypatch.undo()
    assert _by_now(world) == _whole(world)
    assert load(world.lake, "m1", world.clock.now) is None, "tried again only after a day"
    world.clock.now += days(1)
    assert _by_now(world) == _whole(world)
    assert load(world.lake, "m1", world.clock.now) is not None
