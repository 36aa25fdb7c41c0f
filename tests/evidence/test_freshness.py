"""Nothing looks fresh by silence: every way to have no news is told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.freshness import (
    Attestation,
    ControlStanding,
    Expectation,
    Scope,
    Sighting,
    Standing,
    State,
    Support,
    Verdict,
    judge,
    stand,
    together,
    worst,
)  # fmt: skip
from evidence.model import ControlId, Nature

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CONTROL = ControlId("iso42001:A.6.2.4")
WANT = Expectation(
    control=CONTROL, evidence="mlflow_evaluation", scope=Scope.SYSTEM, max_age=90 * DAY,
    warn_before=14 * DAY, stale_on=("new_model_version",), source_types=("mlflow.run",),
)  # fmt: skip
USE = Support("u", "Use", NOW - DAY)
SEEN = Sighting(newest=NOW - 10 * DAY, item_id="i", source="mlflow", heartbeat=NOW, count=1)


def state(seen: Sighting | None, want: Expectation = WANT) -> State:
    return judge(want, "m", seen, NOW).state


@pytest.mark.parametrize(
    ("seen", "expected", "says"),
    [
        (None, State.UNKNOWN, "nothing landed yet"),
        (Sighting(unconfirmed=3), State.UNKNOWN, "did not finish whole"),
        (Sighting(support=USE), State.UNKNOWN, "only supporting evidence: “Use” of 2026-11-22"),
        (SEEN, State.FRESH, "good until"),
        (replace(SEEN, newest=NOW - 80 * DAY), State.DUE, "due again by"),
        (replace(SEEN, newest=NOW - 90 * DAY), State.STALE, "over its age limit"),
        (replace(SEEN, newest=NOW + DAY), State.STALE, "in the future"),
        (replace(SEEN, heartbeat=None), State.UNKNOWN, "never finished"),
        (replace(SEEN, heartbeat=NOW - 3 * DAY), State.UNKNOWN, "has not finished a pull"),
        (replace(SEEN, events={"new_model_version": NOW - DAY}), State.STALE, "came after"),
        (replace(SEEN, events={"new_model_version": NOW - 11 * DAY}), State.FRESH, "good"),
        (replace(SEEN, events={"drift_alert": NOW - DAY}), State.FRESH, "good"),
    ],
)
def test_each_state_has_its_sentence(seen: Sighting | None, expected: State, says: str) -> None:
    verdict = judge(WANT, "m", seen, NOW)
    assert verdict.state is expected
    assert says in verdict.why


def test_what_only_supports_is_shown_but_never_beside_what_speaks() -> None:
    older = replace(USE, item_id="o", at=NOW - 2 * DAY)
    seen = together([Sighting(), Sighting(support=older), Sighting(support=USE)], {})
    assert judge(WANT, "", seen, NOW).item_id == "u"
    seen = together([Sighting(support=USE), replace(SEEN, newest=NOW - 90 * DAY)], {})
    assert state(seen) is State.STALE, "it makes nothing newer"
    assert judge(WANT, "", seen, NOW).item_id == "i"


def test_what_must_come_before_an_event_may_come_within_its_lead() -> None:
    want = replace(WANT, stale_on=("deployment",), lead=5 * DAY)
    assert state(replace(SEEN, events={"deployment": NOW - 5 * DAY}), want) is State.FRESH
    late = {"deployment": NOW - 5 * DAY + timedelta(seconds=1)}
    assert state(replace(SEEN, events=late), want) is State.STALE


def test_a_state_ages_from_the_last_complete_pull() -> None:
    old = replace(SEEN, nature=Nature.STATE, newest=NOW - 400 * DAY, heartbeat=NOW - DAY)
    assert state(old) is State.FRESH
    short = replace(WANT, max_age=DAY, warn_before=timedelta(0), silence=9 * DAY)
    assert state(old, short) is State.STALE


def test_a_failure_shows_whatever_the_age() -> None:
    verdict = judge(WANT, "m", replace(SEEN, failing=("bad",), failing_why="suite failed"), NOW)
    assert verdict.failed
    assert verdict.item_id == "bad"
    assert verdict.why.startswith("suite failed; ")


def test_a_failure_is_outlived_like_any_evidence() -> None:
    failing = replace(SEEN, failing=("bad",), failing_why="refused")
    assert judge(WANT, "m", replace(failing, failing_at=NOW - 89 * DAY), NOW).failed
    assert not judge(WANT, "m", replace(failing, failing_at=NOW - 90 * DAY), NOW).failed
    assert judge(WANT, "m", failing, NOW).failed, "a state that holds still fails still"


def test_together_takes_the_freshest_and_every_failure() -> None:
    old = replace(SEEN, newest=NOW - 50 * DAY, failing=("a",), failing_at=NOW - DAY)
    state_ = replace(SEEN, nature=Nature.STATE, newest=NOW - 300 * DAY, failing=("b",))
    events = {"deployment": NOW}
    seen = together([old, state_, Sighting(unconfirmed=2)], events)
    assert seen is not None
    assert (seen.nature, seen.failing, seen.failing_at) == (Nature.STATE, ("a", "b"), None)
    assert (seen.count, seen.unconfirmed, seen.events) == (2, 2, events)
    assert together([], events) is None


@given(st.integers(0, 200), st.integers(0, 10))
def test_age_and_silence_only_ever_make_it_worse(age: int, silent: int) -> None:
    order = [State.FRESH, State.DUE, State.UNKNOWN, State.STALE]
    now_ = replace(SEEN, newest=NOW - age * DAY, heartbeat=NOW - silent * DAY)
    older = replace(now_, newest=NOW - (age + 1) * DAY)
    quieter = replace(now_, heartbeat=NOW - (silent + 1) * DAY)
    assert order.index(state(older)) >= order.index(state(now_))
    assert order.index(state(quieter)) >= order.index(state(now_))


@given(st.integers(0, 200 * 24), st.integers(-5, 5))
def test_fresh_until_is_the_moment_it_turns(age: int, around: int) -> None:
    seen = replace(SEEN, newest=NOW - timedelta(hours=age))
    until = judge(WANT, "m", seen, NOW).fresh_until
    assert until is not None
    at = until + timedelta(seconds=around)
    then = judge(WANT, "m", replace(seen, heartbeat=at), at)
    assert then.in_date is (around < 0)


def verdict(state: State = State.FRESH, failed: bool = False) -> Verdict:
    return Verdict(CONTROL, "e", "m", state, failed, "why", NOW)


def signed(until: datetime = NOW + DAY) -> Attestation:
    return Attestation(CONTROL, "Ada", NOW - DAY, until)


@pytest.mark.parametrize(
    ("verdicts", "extra", "expected"),
    [
        ([], {}, Standing.MISSING),
        ([], {"attestation_needed": True}, Standing.MISSING),
        ([], {"attestation": signed()}, Standing.ATTESTED),
        ([], {"attestation": signed(NOW)}, Standing.MISSING),
        ([verdict()], {}, Standing.PROVED),
        ([verdict(State.DUE)], {}, Standing.PROVED),
        ([verdict()], {"attestation": signed(NOW)}, Standing.NEEDS_JUDGEMENT),
        ([verdict()], {"attestation_needed": True}, Standing.NEEDS_JUDGEMENT),
        ([verdict()], {"attestation_needed": True, "attestation": signed()}, Standing.PROVED),
        ([verdict(), verdict(State.UNKNOWN)], {"attestation": signed()}, Standing.MISSING),
        ([verdict(), verdict(State.STALE)], {"attestation": signed()}, Standing.STALE),
        ([verdict(State.STALE), verdict(failed=True)], {}, Standing.FAILED),
        ([verdict(failed=True)], {"excluded": "we build no such thing"}, Standing.NOT_APPLICABLE),
    ],
)  # fmt: skip
def test_the_worst_word_wins(verdicts: list[Verdict], extra: dict, expected: Standing) -> None:  # type: ignore[type-arg]
    found: ControlStanding = stand(CONTROL, verdicts, NOW, **extra)
    assert found.standing is expected
    assert found.why
    assert found.expected == len(verdicts)


@given(st.lists(st.builds(verdict, st.sampled_from(State), st.booleans()), max_size=6))
def test_no_green_without_every_expectation_in_date(verdicts: list[Verdict]) -> None:
    found = stand(CONTROL, verdicts, NOW, attestation=signed(), attestation_needed=True)
    green = found.standing in {Standing.PROVED, Standing.ATTESTED}
    assert green <= all(v.in_date and not v.failed for v in verdicts)


def test_the_worst_verdict_is_shown() -> None:
    assert worst([]) is None
    shown = worst([verdict(), verdict(State.STALE), verdict(State.DUE, failed=True)])
    assert shown is not None
    assert shown.failed


def test_warning_comes_before_the_limit() -> None:
    with pytest.raises(ValueError, match="warn_before"):
        replace(WANT, warn_before=WANT.max_age)
