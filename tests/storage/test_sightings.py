"""The judge is told only what a complete pull confirmed, and every failure at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.freshness import Sighting, Support
from evidence.model import Change, EvidenceItem, Nature, Outcome
from evidence.runs import PullOutcome
from storage.arrivals import Asked, arrivals
from storage.corrections import NONE_CORRECTED, any_correction
from storage.engine import Connection
from storage.sightings import sightings
from storage.views import connect
from tests.storage.makers import START, World, days, item

KEY = ("iso42001:A.1", "ticket", "credit-scoring")
ASIDE = ("supporting",)
DONE, PART = PullOutcome.COMPLETE, PullOutcome.PARTIAL


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def _seen(world: World, *, where: str = "kind <> 'headwater.pull'") -> dict[object, Sighting]:
    world.tag(KEY[0], KEY[1], where)
    with connect(world.lake, mapping_digest="m1") as connection:
        return dict(sightings(connection, world.clock.now))


def test_an_empty_lake_shows_nothing(world: World) -> None:
    assert _seen(world) == {}


def test_a_complete_pull_confirms(world: World) -> None:
    world.land(item(1), item(5), cursor="1", outcome=DONE)
    seen = _seen(world)[KEY]
    assert (seen.newest, seen.item_id) == (START + days(5), item(5).item_id)
    assert (seen.title, seen.source, seen.nature) == ("Ticket 5", "jira", Nature.EVENT)
    assert (seen.heartbeat, seen.count, seen.unconfirmed) == (world.clock.now, 2, 0)


def test_a_partial_pull_refreshes_nothing_until_a_complete_one(world: World) -> None:
    fresh = item(5, collected_at=world.clock.now)
    world.land(fresh, cursor="1", outcome=PART)
    seen = _seen(world)[KEY]
    assert (seen.newest, seen.heartbeat, seen.count, seen.unconfirmed) == (None, None, 0, 1)
    assert seen.source == "jira"
    world.clock.now += timedelta(hours=1)
    world.land(fresh, cursor="2", outcome=DONE)
    seen = _seen(world)[KEY]
    assert (seen.newest, seen.count, seen.unconfirmed) == (START + days(5), 1, 0)
    assert seen.heartbeat == world.clock.now


def test_an_older_confirmed_item_stands_while_a_newer_is_not(world: World) -> None:
    world.land(item(1), cursor="1", outcome=DONE)
    first = world.clock.now
    world.clock.now += days(1)
    world.land(item(2, collected_at=world.clock.now), cursor="2", outcome=PART)
    seen = _seen(world)[KEY]
    assert (seen.item_id, seen.heartbeat, seen.unconfirmed) == (item(1).item_id, first, 1)


def test_the_pull_of_another_source_confirms_nothing(world: World) -> None:
    world.land(item(1), cursor="1")
    world.land(cursor="1", outcome=DONE, source="github")
    assert _seen(world)[KEY].newest is None


def test_a_backfill_is_no_heartbeat(world: World) -> None:
    world.land(item(1), cursor="1", outcome=DONE)
    first = world.clock.now
    world.clock.now += days(3)
    world.land(item(0, collected_at=world.clock.now), cursor="2", outcome=DONE, backfill=True)
    seen = _seen(world)[KEY]
    assert (seen.heartbeat, seen.count, seen.unconfirmed) == (first, 2, 0)


def test_a_failure_counts_at_once(world: World) -> None:
    world.land(item(1), cursor="1", outcome=DONE)
    world.clock.now += days(1)
    bad = item(2, outcome=Outcome.FAILED, collected_at=world.clock.now, title="Null\n check")
    worse = item(3, outcome=Outcome.ERROR, collected_at=world.clock.now)
    world.land(bad, worse, cursor="2", outcome=PullOutcome.BROKEN)
    seen = _seen(world)[KEY]
    assert seen.failing == (worse.item_id, bad.item_id)
    assert seen.failing_why == "“Ticket 3” ended in an error (+1 more)"
    assert seen.item_id == item(1).item_id


def test_a_later_success_of_the_same_subject_ends_the_failure(world: World) -> None:
    world.land(item(1, subject="a", outcome=Outcome.FAILED), cursor="1", outcome=DONE)
    world.land(item(2, subject="a", outcome=Outcome.PASSED), cursor="2", outcome=DONE)
    assert _seen(world)[KEY].failing == ()


@pytest.mark.parametrize(
    "later",
    [{"change": Change.NEW, "outcome": Outcome.PASSED}, {"change": Change.GONE, "payload": {}}],
)
def test_a_partial_pull_ends_no_failure(world: World, later: dict[str, Any]) -> None:
    bad = item(20, subject="a", outcome=Outcome.FAILED)
    world.land(bad, item(19), cursor="1", outcome=DONE)
    world.clock.now += days(1)
    ends = item(30, subject="a", collected_at=world.clock.now, **later)
    world.land(ends, cursor="2", outcome=PART)
    assert _seen(world)[KEY].failing == (bad.item_id,)
    world.land(cursor="3", outcome=DONE)
    assert _seen(world)[KEY].failing == ()


def test_a_success_from_the_future_ends_no_failure_yet(world: World) -> None:
    bad = item(20, subject="a", outcome=Outcome.FAILED)
    world.land(bad, item(40, subject="a", outcome=Outcome.PASSED), cursor="1", outcome=DONE)
    assert _seen(world)[KEY].failing == (bad.item_id,)
    world.clock.now += days(10)
    assert _seen(world)[KEY].failing == ()


def test_what_is_gone_counts_for_nothing(world: World) -> None:
    world.land(item(1, subject="a"), item(3, subject="b"), cursor="1", outcome=DONE)
    gone = item(4, subject="b", change=Change.GONE, outcome=Outcome.FAILED, payload={})
    world.land(gone, cursor="2", outcome=DONE)
    seen = _seen(world)[KEY]
    assert (seen.item_id, seen.count) == (item(1, subject="a").item_id, 1)
    assert seen.failing == ()


def _state(number: float, **given: object) -> object:
    return item(**({"number": 0, "at": START + days(number), "nature": Nature.STATE,
                    "kind": "mlflow.model_alias", "source": "mlflow", "subject": "credit@prod",
                    "payload": {"version": number}} | given))  # type: ignore[arg-type]  # fmt: skip


def _pull_state(world: World, *items: object, states: tuple[str, ...]) -> None:
    world.land(*items, source="mlflow", outcome=DONE, states=states)  # type: ignore[arg-type]


def test_a_state_lives_by_whole_snapshots(world: World) -> None:
    _pull_state(world, _state(1), states=("mlflow.model_alias",))
    whole = world.clock.now
    world.clock.now += days(5)
    _pull_state(world, states=())
    seen = _seen(world)[KEY]
    assert (seen.newest, seen.nature) == (START + days(1), Nature.STATE)
    assert seen.heartbeat == whole


def test_a_state_never_read_whole_has_no_heartbeat(world: World) -> None:
    _pull_state(world, _state(1), states=("mlflow.version",))
    seen = _seen(world)[KEY]
    assert (seen.newest, seen.heartbeat) == (START + days(1), None)


def test_a_state_that_lost_its_tag_speaks_no_more(world: World) -> None:
    """Else a withdrawn approval would stay fresh for ever by the heartbeat of its source."""
    states = ("mlflow.model_alias",)
    _pull_state(world, _state(1, title="approved"), states=states)
    assert _seen(world, where="title = 'approved'")[KEY].item_id
    world.clock.now += days(1)
    _pull_state(world, _state(2, title="draft", change=Change.CHANGED), states=states)
    seen = _seen(world, where="title = 'approved'")[KEY]
    assert (seen.newest, seen.item_id) == (None, "")


def test_a_state_changed_by_a_partial_pull_rests_on_what_was_confirmed(world: World) -> None:
    _pull_state(world, _state(1), states=("mlflow.model_alias",))
    world.clock.now += days(1)
    newer = _state(2, change=Change.CHANGED, collected_at=world.clock.now)
    world.land(newer, source="mlflow", outcome=PART)  # type: ignore[arg-type]
    seen = _seen(world)[KEY]
    assert (seen.newest, seen.unconfirmed) == (START + days(1), 1)


def test_a_believable_item_is_preferred_to_one_from_the_future(world: World) -> None:
    world.land(item(1), item(4000), cursor="1", outcome=DONE)
    assert _seen(world)[KEY].item_id == item(1).item_id
    only = World(world.path.with_name("other"))
    only.land(item(4000), cursor="1", outcome=DONE)
    assert _seen(only)[KEY].newest == START + days(4000)


def test_the_organisation_is_a_system_of_its_own(world: World) -> None:
    world.land(item(1, system=""), item(2), cursor="1", outcome=DONE)
    seen = _seen(world)
    assert seen[KEY].item_id == item(2).item_id
    assert seen[(KEY[0], KEY[1], "")].item_id == item(1, system="").item_id


def test_events_belong_to_their_system(world: World) -> None:
    world.land(
        item(1), item(2, kind="mlflow.version"), item(3, kind="mlflow.version"),
        item(4, kind="mlflow.version", system="churn"), item(900, kind="mlflow.version"),
        cursor="1", outcome=DONE,
    )  # fmt: skip
    world.tag("event:new_model_version", "", "kind = 'mlflow.version'")
    seen = _seen(world, where="kind = 'jira.issue'")
    assert seen[KEY].events == {"new_model_version": START + days(3)}
    assert set(seen) == {KEY}


def test_two_rules_of_one_control_count_an_item_once(world: World) -> None:
    world.land(item(1), cursor="1", outcome=DONE)
    world.lake.follow_sql(
        "tags",
        "SELECT item_id, 'iso42001:A.1' AS control, 'ticket' AS evidence, 'second' AS rule, "
        "'direct' AS strength, '' AS rationale, 'm1' AS mapping_digest FROM items "
        "WHERE kind = 'jira.issue'",
        app="second",
    )
    assert _seen(world)[KEY].count == 1


def test_the_past_is_judged_by_what_had_landed(world: World) -> None:
    world.land(item(1), cursor="1", outcome=DONE)
    then = world.clock.now
    world.clock.now += days(9)
    world.land(item(20, collected_at=world.clock.now), cursor="2", outcome=DONE)
    world.tag(KEY[0], KEY[1], "kind = 'jira.issue'")
    with connect(world.lake, mapping_digest="m1") as connection:
        past, now = sightings(connection, then)[KEY], sightings(connection, world.clock.now)[KEY]
    assert (past.item_id, past.heartbeat, past.count) == (item(1).item_id, then, 1)
    assert now.item_id == item(20).item_id


def _version(change: Change, observed: float, **given: object) -> EvidenceItem:
    at = START + days(observed)
    return item(0, at=at, change=change, subject="policy", payload={"n": str(change)}, **given)


def test_a_withdrawn_later_date_no_longer_speaks(world: World) -> None:
    world.land(_version(Change.NEW, 20), cursor="1", outcome=DONE)
    world.land(_version(Change.CHANGED, 2), cursor="2", outcome=DONE)
    assert _seen(world)[KEY].newest == START + days(2)


def test_an_error_is_mended_by_a_version_with_an_earlier_date(world: World) -> None:
    world.land(_version(Change.NEW, 20, outcome=Outcome.ERROR), cursor="1", outcome=DONE)
    world.land(_version(Change.CHANGED, 2), cursor="2", outcome=DONE)
    assert _seen(world)[KEY].failing == ()


def test_what_was_lost_and_added_again_is_back(world: World) -> None:
    gone, again = _version(Change.GONE, 20), _version(Change.NEW, 2, title="again")
    first = _version(Change.NEW, 1)
    world.land(first, gone, again, cursor="1", outcome=DONE)
    seen = _seen(world)[KEY]
    assert (seen.newest, seen.title) == (START + days(2), "again")


def test_a_late_result_does_not_replace_a_later_one(world: World) -> None:
    bad = _version(Change.NEW, 9, outcome=Outcome.FAILED)
    world.land(bad, cursor="1", outcome=DONE)
    world.land(_version(Change.NEW, 3), cursor="2", outcome=DONE)
    assert _seen(world)[KEY].failing == (bad.item_id,)


def test_what_only_supports_puts_nothing_in_date_alone(world: World) -> None:
    world.land(item(1), item(5), cursor="1", outcome=DONE)
    world.tag(*KEY[:2], "kind <> 'headwater.pull'", strength="supporting")
    alike = _weighed(world, ())
    assert (alike.newest, alike.support) == (START + days(5), None), "mappings of before"
    seen = _weighed(world)
    assert (seen.newest, seen.item_id, seen.heartbeat) == (None, "", None)
    assert seen.support == Support(item(5).item_id, "Ticket 5", START + days(5))
    world.tag(*KEY[:2], "subject = 'AI-1'", strength="partial")
    seen = _weighed(world)
    assert (seen.newest, seen.item_id) == (START + days(1), item(1).item_id)
    assert seen.support is None, "nor does it make older evidence newer"


def test_what_only_supports_fails_like_all_else(world: World) -> None:
    bad = item(5, outcome=Outcome.FAILED)
    world.land(bad, cursor="1", outcome=DONE)
    world.tag(*KEY[:2], "kind <> 'headwater.pull'", strength="supporting")
    assert _weighed(world).failing == (bad.item_id,)


def test_what_only_supports_serves_no_deadline(world: World) -> None:
    world.land(item(1), cursor="1", outcome=DONE)
    world.tag(*KEY[:2], "kind <> 'headwater.pull'", strength="supporting")
    asked = [Asked(*KEY[:2], START, START + days(9))]
    for aside, number in (((), 1), (ASIDE, 0)):
        with connect(world.lake, mapping_digest="m1", aside=aside) as connection:
            found = arrivals(connection, world.clock.now, asked)
            assert len(found.get(KEY, ())) == number


def _weighed(world: World, aside: tuple[str, ...] = ASIDE) -> Sighting:
    with connect(world.lake, mapping_digest="m1", aside=aside) as connection:
        return sightings(connection, world.clock.now)[KEY]


def test_where_nothing_was_corrected_the_short_question_answers_as_the_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.land(item(1), item(2, outcome=Outcome.FAILED), cursor="1", outcome=DONE)
    world.tag(*KEY[:2])
    short = _seen(world)
    with connect(world.lake, mapping_digest="m1") as connection:
        assert not any_correction(connection)
        relations = "lake_corrected", f"({NONE_CORRECTED})"
        one, other = (
            connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
            for relation in relations
        )
    assert one == other
    assert short
    asked: list[Connection] = []

    def corrected(connection: Connection) -> bool:
        asked.append(connection)
        return True

    monkeypatch.setattr("storage.seen.any_correction", corrected)
    assert short == _seen(world)
    assert asked
