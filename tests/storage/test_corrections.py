"""One person can make things look worse, two are needed to make them look better."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evidence.correction import Act, Correction, Wrong
from evidence.freshness import Expectation, Scope, Sighting, judge
from evidence.model import Change, ControlId, EvidenceItem, Nature, Outcome
from evidence.own import CORRECTION_KIND, OWN_SOURCE
from evidence.people import same_person
from evidence.runs import PullOutcome
from storage.actions import land_own
from storage.corrections import correction_item, told_correction
from storage.living import living
from storage.pages import corrections_of, records, seen_systems
from storage.population import Expected, count_population
from storage.sightings import sightings
from storage.views import connect
from tests.storage.makers import START, World, days, item

KEY = ("iso42001:A.1", "ticket", "credit-scoring")
BAD = item(20, subject="a", outcome=Outcome.FAILED)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def collected(world: World, *items: EvidenceItem) -> None:
    world.land(*items, outcome=PullOutcome.COMPLETE, states=("jira.board",))
    world.clock.now += days(0.01)


def said(world: World, act: Act, by: str, **facts: Any) -> str:
    """Land an act as it is, also one that no verb would make; its id."""
    facts = {"by": by, "reason": f"{by} looked", **facts}
    made = correction_item(world.lake, act, facts, title=act)
    land_own(world.lake, lambda _: ((made,), None))
    world.clock.now += days(0.01)
    return made.item_id


def corrected(
    world: World, one: EvidenceItem, by: str = "Ann", wrong: Wrong = Wrong.MISTAKE, holds: str = ""
) -> str:
    facts = Correction(one.item_id, wrong, holds, by, f"{by} looked").facts()
    return said(world, Act.CORRECT, **facts)


def failed(world: World, one: EvidenceItem, by: str = "Ann") -> str:
    return corrected(world, one, by, Wrong.OUTCOME, "failed")


def answered(world: World, act: Act, to: str, by: str, one: EvidenceItem = BAD) -> str:
    return said(world, act, by, item_id=one.item_id, answers=to)


def overridden(world: World, one: EvidenceItem) -> str:
    first = corrected(world, one)
    answered(world, Act.CONFIRM, first, "Ben", one)
    return first


def seen(world: World) -> Sighting:
    world.tag(KEY[0], KEY[1], "source = 'jira'")
    with connect(world.lake, mapping_digest="m1") as connection:
        return sightings(connection, world.clock.now)[KEY]


def states(world: World) -> list[str]:
    with connect(world.lake) as connection:
        sql = "SELECT state FROM corrections ORDER BY corrected_at"
        return [row[0] for row in connection.execute(sql).fetchall()]


def test_a_corrected_item_proves_nothing_and_the_one_before_it_speaks(world: World) -> None:
    collected(world, item(1), item(5))
    corrected(world, item(5))
    now = seen(world)
    assert (now.newest, now.count, now.corrected) == (START + days(1), 1, 1)
    corrected(world, item(1))
    now = seen(world)
    assert (now.newest, now.item_id, now.count, now.corrected) == (None, "", 0, 2)


def test_one_person_is_enough_to_say_that_it_failed(world: World) -> None:
    collected(world, item(1, title="Check"))
    failed(world, item(1))
    now = seen(world)
    assert (now.failing, now.failing_at) == ((item(1).item_id,), START + days(1))
    assert now.failing_why == "“Check” failed, as Ann states: Ann looked"


def test_a_false_alarm_takes_two_people_and_is_told(world: World) -> None:
    collected(world, item(1), BAD)
    first = corrected(world, BAD, wrong=Wrong.OUTCOME, holds="passed")
    assert seen(world).failing == (BAD.item_id,), "one person makes no failure harmless"
    answered(world, Act.CONFIRM, first, "Ben")
    now = seen(world)
    assert (now.failing, now.overridden) == ((), (BAD.item_id,))
    assert now.overridden_at == START + days(20)
    assert now.overridden_why == "“Ticket 20” failed, overridden by Ann and Ben because Ann looked"
    assert now.item_id == item(1).item_id, "it is no proof either"


@pytest.mark.parametrize("by", ["Ann", "ann", " ANN ", "A\u00a0nn".replace("\u00a0", "")])
def test_nobody_confirms_their_own_word(world: World, by: str) -> None:
    collected(world, BAD)
    answered(world, Act.CONFIRM, corrected(world, BAD), by)
    assert states(world) == ["in force"]
    assert seen(world).failing == (BAD.item_id,)


def test_nobody_overrides_a_failure_that_somebody_states(world: World) -> None:
    collected(world, item(1))
    answered(world, Act.CONFIRM, failed(world, item(1)), "Ben", item(1))
    overridden(world, item(1))
    now = seen(world)
    assert (now.failing, now.overridden) == ((item(1).item_id,), ())


def test_a_failure_that_a_corrected_pass_had_ended_is_back(world: World) -> None:
    good = item(25, subject="a", outcome=Outcome.PASSED)
    collected(world, BAD, good)
    assert seen(world).failing == ()
    corrected(world, good)
    assert seen(world).failing == (BAD.item_id,)


def test_a_loss_that_was_corrected_ends_no_failure_and_brings_no_proof_back(world: World) -> None:
    gone = item(21, subject="a", change=Change.GONE, payload={})
    collected(world, item(3, subject="a"), BAD, gone)
    assert (seen(world).failing, seen(world).count) == ((), 0)
    overridden(world, gone)
    now = seen(world)
    assert (now.failing, now.newest) == ((BAD.item_id,), None)


def test_a_stated_failure_stands_where_what_ended_it_was_corrected(world: World) -> None:
    early, late = item(1, subject="a"), item(2, subject="a")
    collected(world, early, late)
    failed(world, early)
    assert seen(world).failing == (), "a later result ended it"
    corrected(world, late)
    assert seen(world).failing == (early.item_id,)


def test_what_an_overridden_failure_had_replaced_counts_again(world: World) -> None:
    worse = item(25, subject="a", outcome=Outcome.ERROR)
    collected(world, BAD, worse)
    overridden(world, worse)
    assert seen(world).failing == (BAD.item_id,)


def test_a_corrected_state_brings_no_older_one_back(world: World) -> None:
    old = item(1, subject="b", kind="jira.board", nature=Nature.STATE)
    new = item(2, subject="b", kind="jira.board", nature=Nature.STATE, change=Change.CHANGED)
    collected(world, old, new)
    overridden(world, new)
    assert seen(world).newest is None


@pytest.mark.parametrize(
    ("acts", "ends"),
    [
        (["withdraw Ann"], "withdrawn"),
        (["withdraw Cid"], "withdrawal asked"),
        (["withdraw Cid", "second Cid"], "withdrawal asked"),
        (["withdraw Cid", "second Ann"], "withdrawn"),
        (["confirm Ben"], "overriding"),
        (["confirm Ben", "withdraw Ann"], "withdrawal asked"),
        (["confirm Ben", "withdraw Ben"], "withdrawal asked"),
        (["confirm Ben", "withdraw Ann", "second Ben"], "withdrawn"),
        (["withdraw Ann", "confirm Ben"], "withdrawal asked"),
        (["withdraw Cid", "withdraw Dan", "second Ann"], "withdrawn"),
    ],
    ids=", ".join,
)  # fmt: skip
def test_taking_back_takes_two_unless_nobody_had_confirmed(
    world: World, acts: Sequence[str], ends: str
) -> None:
    collected(world, BAD)
    first = last = corrected(world, BAD)
    for act in acts:
        word, _, by = act.partition(" ")
        if word == "second":
            answered(world, Act.CONFIRM, last, by)
        else:
            last = answered(world, Act(word), first, by)
    assert states(world) == [ends]
    assert bool(seen(world).overridden) is (ends == "overriding")


def test_the_past_stays_as_it_was(world: World) -> None:
    collected(world, item(1))
    then = world.clock.now
    world.clock.now += days(1)
    failed(world, item(1))
    assert seen(world).failing
    with connect(world.lake, mapping_digest="m1") as connection:
        past = sightings(connection, then)[KEY]
    assert (past.failing, past.corrected, past.count) == ((), 0, 1)
    with connect(world.lake, as_of=then) as connection:
        assert connection.execute("SELECT count(*) FROM corrections").fetchall() == [(0,)]


def test_what_cannot_be_read_takes_proof_away_and_gives_none_back(world: World) -> None:
    collected(world, item(1), BAD)
    first = corrected(world, BAD)
    strange = [
        {"form": "headwater.correction/2", "what": "confirm", "answers": first, "by": "Ben",
         "item_id": BAD.item_id},
        {"form": "headwater.correction/2", "what": "doubt", "item_id": item(1).item_id},
        {"what": ["confirm"], "answers": 7}, {"form": None}, {"item_id": {"a": 1}, "by": []},
    ]  # fmt: skip
    for number, payload in enumerate(strange):
        at = world.clock.now
        made = EvidenceItem(
            source=OWN_SOURCE, kind=CORRECTION_KIND, subject=f"s{number}", observed_from=at,
            observed_to=at, collected_at=at, payload=payload,
        )  # fmt: skip
        land_own(world.lake, lambda _, made=made: ((made,), None))
    now = seen(world)
    assert (now.newest, now.failing, now.overridden) == (None, (BAD.item_id,), ())
    with connect(world.lake) as connection:
        (row,) = corrections_of(connection, [item(1).item_id])
    assert "in words that only a newer Headwater knows" in told_correction(row)


def test_a_corrected_item_counts_for_no_population_and_overridden_names_no_system(
    world: World,
) -> None:
    typo = item(1, system="credit-scorng")
    collected(world, typo, item(2))
    first = corrected(world, typo, wrong=Wrong.SYSTEM, holds="credit-scoring")
    with connect(world.lake) as connection:
        (counted,) = count_population(connection, [Expected("all", "jira.issue", least=2)])
        assert counted.found == 1
        assert "credit-scorng" in seen_systems(connection)
    answered(world, Act.CONFIRM, first, "Ben", typo)
    with connect(world.lake) as connection:
        assert seen_systems(connection) == ["credit-scoring"]


def test_a_corrected_attestation_signs_for_nothing(world: World) -> None:
    payload = {"level": "record", "register": "attestations", "id": "1"}
    signed = item(1, kind="human.attestation", payload=payload, nature=Nature.STATE)
    collected(world, signed)
    for expected in (1, 0):
        with connect(world.lake) as connection:
            assert len(records(connection, "attestations", confirmed=True)) == expected
            assert len(records(connection, "attestations")) == 1
        corrected(world, signed)


def test_the_last_item_that_truly_names_a_system_is_kept(world: World) -> None:
    """Else the system would vanish with it, and all that it lacks."""
    true, false = item(1, system="churn"), item(2, system="churn")
    collected(world, true, false)
    overridden(world, false)
    with connect(world.lake) as connection:
        kept = living(connection, [], world.clock.now)["item_id"].to_pylist()
    assert true.item_id in kept


WANTED = Expectation(ControlId(KEY[0]), KEY[1], Scope.SYSTEM, days(40), days(5))


@pytest.mark.parametrize("seed", range(int(os.environ.get("HEADWATER_DOUBTS", "2"))))
def test_no_act_of_one_person_makes_anything_look_better(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    world = World(tmp_path / "lake")
    items = [_any_item(rng, number) for number in range(14)]
    collected(world, *items)
    others = [(failed(world, one, "Cid"), one) for one in rng.sample(items, 3)]
    others += [(overridden(world, one), one) for one in rng.sample(items, 2)]
    for _ in range(5):
        before, one = seen(world), rng.choice(items)
        _any_act_of_dan(world, rng, others, one)
        _no_better(before, seen(world), world)


def _any_item(rng: random.Random, number: int) -> EvidenceItem:
    change = rng.choice([Change.NEW, Change.NEW, Change.NEW, *Change])
    state = rng.random() < 0.3
    return item(
        number, subject=f"s{rng.randint(0, 3)}", outcome=rng.choice(list(Outcome)), change=change,
        kind="jira.board" if state else "jira.issue",
        nature=Nature.STATE if state else Nature.EVENT,
    )  # fmt: skip


def _any_act_of_dan(
    world: World, rng: random.Random, others: list[tuple[str, EvidenceItem]], one: EvidenceItem
) -> None:
    """Dan corrects, confirms what he himself said, and asks to withdraw what others said."""
    match rng.choice(["fail", "correct", "confirm", "withdraw"]):
        case "fail":
            failed(world, one, "Dan")
        case "correct":
            corrected(world, one, "Dan")
        case "confirm":
            answered(world, Act.CONFIRM, corrected(world, one, "Dan"), "dan", one)
        case _:
            first, one = rng.choice(others)
            last = answered(world, Act.WITHDRAW, first, "Dan", one)
            answered(world, Act.CONFIRM, last, "Dan", one)


def _no_better(before: Sighting, after: Sighting, world: World) -> None:
    assert set(before.failing) <= set(after.failing)
    assert set(before.failing).isdisjoint(after.overridden)
    assert after.count <= before.count
    one, two = (judge(WANTED, KEY[2], sighting, world.clock.now) for sighting in (before, after))
    assert one.in_date >= two.in_date
    assert one.failed <= two.failed
    if two.fresh_until is not None:
        assert one.fresh_until is not None
        assert two.fresh_until <= one.fresh_until


def test_two_names_of_one_person_are_one() -> None:
    assert same_person("Ann  Lee", "ann lee\u200b")
    assert same_person("\uff21nn", "Ann")  # a wide letter
    assert not same_person("Ann", "Anne")
    with pytest.raises(ValueError, match="--by is empty"):
        same_person("\u200b", "Ann")
