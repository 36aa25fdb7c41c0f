"""A gap stays on record, a month with one is not kept, and after one evidence is recovered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from evidence.duration import Duration, Span, told_span
from evidence.freshness import Expectation, Scope, Sighting, State, Verdict, judge
from evidence.gaps import Continuity, Cover, Gap, continuity, joined
from evidence.model import ControlId

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 15, tzinfo=UTC)
AGE = timedelta(days=30)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T00:00:00+00:00")


def cover(starts: str, ends: str, *, late: bool = False, age: Span = AGE) -> Cover:
    return Cover(told_span(age), at(starts), at(ends), late)


def found(*covers: Cover, now: datetime = NOW) -> Continuity:
    told = continuity(covers, told_span(AGE), now)
    assert told is not None
    return told


def verdict(*covers: Cover, newest: datetime = NOW - DAY, age: Span = AGE) -> Verdict:
    want = Expectation(ControlId("iso42001:A.1"), "ticket", Scope.SYSTEM, age, DAY)
    seen = Sighting(newest, item_id="i", source="s", heartbeat=NOW, count=1, covers=covers)
    return judge(want, "x", seen, NOW)


def test_months_count_from_the_first_that_was_known() -> None:
    told = found(cover("2026-02-10", "2026-04-20"), cover("2026-05-03", "2026-07-01"))
    gap = Gap(at("2026-04-20"), at("2026-05-03"), timedelta(0))
    assert told == Continuity(at("2026-02-10"), 4, 2, (gap,))


def test_a_year_of_months_is_looked_back_on() -> None:
    told = found(cover("2024-01-01", "2025-05-30"), cover("2025-06-04", "2026-07-01"))
    assert told == Continuity(
        at("2025-06-01"), 12, 11, (Gap(at("2025-06-01"), at("2025-06-04"), timedelta(0)),)
    )


def test_a_gap_that_lasts_has_no_end_and_its_months_are_not_kept() -> None:
    told = found(cover("2026-01-01", "2026-04-10"))
    assert told == Continuity(at("2026-01-01"), 5, 3, (Gap(at("2026-04-10"), None, timedelta(0)),))


def test_what_came_late_fills_a_gap_and_does_not_close_it() -> None:
    told = found(
        cover("2026-01-01", "2026-01-31"), cover("2026-03-30", "2026-07-01"),
        cover("2026-01-20", "2026-02-19", late=True), cover("2026-02-10", "2026-03-30", late=True),
        cover("2026-05-01", "2026-05-02", late=True),
    )  # fmt: skip
    assert told.gaps == (Gap(at("2026-01-31"), at("2026-03-30"), 58 * DAY),)
    assert told.kept == 2


def test_another_age_is_another_history_and_nothing_known_is_none() -> None:
    other = cover("2026-01-01", "2026-02-01", age=Duration(1))
    assert continuity([other], told_span(AGE), NOW) is None
    late = cover("2026-01-01", "2026-02-01", late=True)
    assert continuity([late], told_span(AGE), NOW) is None
    ahead = cover("2026-07-01", "2026-08-01")
    assert continuity([ahead], told_span(AGE), NOW) is None


def test_rows_of_one_landing_leave_no_gap() -> None:
    """An event and what was checked after it land together, microseconds apart."""
    first = cover("2026-01-01", "2026-03-01")
    for apart, gaps in ((timedelta(microseconds=20_000), 0), (timedelta(seconds=1), 1)):
        next_ = Cover(first.age, first.ends + apart, NOW + DAY)
        assert len(found(first, next_).gaps) == gaps


def test_covers_that_meet_are_one() -> None:
    late = cover("2026-01-02", "2026-01-04", late=True)
    parts = [
        ("2026-01-03", "2026-01-09"),
        ("2026-01-01", "2026-01-03"),
        ("2026-01-02", "2026-01-04"),
    ]
    found = joined([late, *(cover(*part) for part in parts)])
    assert found == (cover("2026-01-01", "2026-01-09"), late)


def test_a_month_that_came_late_is_told() -> None:
    told = verdict(
        cover("2026-01-01", "2026-01-31"), cover("2026-03-30", "2026-07-01"),
        cover("2026-01-31", "2026-03-30", late=True),
    )  # fmt: skip
    assert told.state is State.FRESH, "more than an age limit ago"
    assert told.why.endswith(
        "; 2 of 5 months without a gap; out of date for 58 days from 2026-01-31, all of it filled "
        "by what came late"
    )


def test_recovered_is_what_had_a_gap_within_one_age_limit() -> None:
    told = verdict(cover("2026-01-01", "2026-05-25"), cover("2026-06-01", "2026-07-01"))
    assert told.state is State.RECOVERED
    assert told.in_date
    assert "; 4 of 5 months without a gap; out of date for 7 days from 2026-05-25" in told.why


@pytest.mark.parametrize("age", [AGE, Duration(1), timedelta(weeks=2)])
def test_without_a_gap_nothing_is_said_of_it(age: Span) -> None:
    told = verdict(cover("2026-01-01", "2026-07-01", age=age), age=age)
    assert (told.state, "gap" in told.why) == (State.FRESH, False)
    assert told.continuity is not None
    assert (told.continuity.kept, told.continuity.months) == (5, 5)


def test_a_gap_that_lasts_is_the_state_itself() -> None:
    told = verdict(cover("2026-01-01", "2026-04-10"), newest=at("2026-03-11"))
    assert told.state is State.STALE
    assert "without a gap" not in told.why
