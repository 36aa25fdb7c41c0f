"""A missed deadline is remembered: what came late closed the gap and was late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.deadline import HISTORY, Arrival, Clock, Kept, met, periods
from evidence.duration import Duration, plus, shortest, span, told_span
from evidence.freshness import Expectation, Scope, Sighting, State, judge
from evidence.model import ControlId, Nature
from evidence.workdays import Workdays

DAY = timedelta(days=1)
YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Monthly:
    """Due when a month is over, in UTC, with five days of grace."""

    since: datetime | None = None
    clock: Clock = Clock.OBSERVED

    def _months(self, moment: datetime, numbers: range) -> tuple[datetime, ...]:
        first = moment.year * 12 + moment.month - 1
        return tuple(datetime((first + n) // 12, (first + n) % 12 + 1, 1, tzinfo=UTC) - DAY / 4
                     for n in numbers)  # fmt: skip

    def after(self, moment: datetime, most: int) -> tuple[datetime, ...]:
        found = [due for due in self._months(moment, range(-1, most + 2)) if due > moment]
        return tuple(found[:most])

    def until(self, moment: datetime, most: int) -> tuple[datetime, ...]:
        found = [due for due in self._months(moment, range(-most - 1, 2)) if due <= moment]
        return tuple(found[-most:])

    def closes(self, due: datetime) -> datetime:
        return due + 5 * DAY

    def told(self, moment: datetime) -> str:
        return f"{moment:%Y-%m-%d %H:%M} UTC"


REVIEW = Expectation(
    control=ControlId("iso42001:9.3.1"), evidence="management_review", scope=Scope.ORGANISATION,
    max_age=None, warn_before=7 * DAY, deadline=Monthly(),
)  # fmt: skip


def seen(now: datetime, *known: tuple[datetime, datetime]) -> Sighting:
    """What was known by `now` of facts of these times."""
    there = [Arrival(at, when) for at, when in known if when <= now]
    newest = max((one.at for one in there), default=None)
    return Sighting(
        newest=newest, source="registers", heartbeat=now, count=len(there), arrivals=tuple(there),
    )  # fmt: skip


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number, 12, tzinfo=UTC)


def test_a_missed_january_filled_in_march_stays_late_by_58_days() -> None:
    facts = [(day(1, 20), day(3, 30)), (day(2, 20), day(2, 20)), (day(3, 20), day(3, 20))]
    facts += [(day(4, 20), day(4, 20))]
    days = ((1, 10), (2, 3), (2, 10), (2, 21), (3, 10), (3, 31), (5, 9))
    told = {
        now: judge(REVIEW, "", seen(now, *facts), now, YEAR)
        for now in (day(month, number) for month, number in days)
    }
    states = [verdict.state for verdict in told.values()]
    assert states == [State.UNKNOWN, State.UNKNOWN, State.UNKNOWN, State.RECOVERED, State.FRESH,
                      State.FRESH, State.FRESH]  # fmt: skip
    assert "1 of 2 periods on time; the one due 2026-01-31 is missing" in told[day(3, 10)].why
    assert "2 of 3 periods on time" not in told[day(3, 31)].why, "March is still in its grace"
    after = told[day(5, 9)]
    assert "3 of 4 periods on time; the one due 2026-01-31 came 58 days late" in after.why
    assert [one.kept for one in after.history] == [Kept.LATE] + [Kept.ON_TIME] * 3


@pytest.mark.parametrize(
    ("now", "state", "says"),
    [
        (day(2, 10), State.FRESH, "good until 2026-03-05"),
        (day(2, 25), State.DUE, "due again by 2026-02-28 18:00 UTC"),
        (day(3, 2), State.DUE, "its grace ends 2026-03-05 18:00 UTC"),
        (day(3, 6), State.STALE, "was due by 2026-02-28 18:00 UTC and is 5 days late"),
    ],
)
def test_each_state_of_a_deadline_has_its_sentence(now: datetime, state: State, says: str) -> None:
    verdict = judge(REVIEW, "", seen(now, (day(1, 20), day(1, 20))), now, YEAR)
    assert verdict.state is state
    assert says in verdict.why


def test_an_age_limit_beside_a_deadline_ends_first_if_it_does() -> None:
    both = replace(REVIEW, max_age=Duration(1), warn_before=DAY)
    verdict = judge(both, "", seen(day(2, 25), (day(1, 20), day(1, 20))), day(2, 25), YEAR)
    assert (verdict.state, verdict.fresh_until) == (State.STALE, day(2, 20))
    assert "5 days over its age limit" in verdict.why


def test_a_deadline_that_is_not_asked_yet_makes_nothing_green() -> None:
    want = replace(REVIEW, deadline=Monthly(since=day(12, 1)))
    verdict = judge(want, "", seen(day(2, 1), (day(1, 20), day(1, 20))), day(2, 1), YEAR)
    assert verdict.state is State.UNKNOWN


def test_a_silent_collector_is_told_from_a_silent_source() -> None:
    dead = replace(seen(day(2, 10), (day(1, 20), day(1, 20))), heartbeat=day(2, 1))
    assert "registers has not finished a pull" in judge(REVIEW, "", dead, day(2, 10), YEAR).why
    silent = judge(REVIEW, "", seen(day(3, 6), (day(1, 20), day(1, 20))), day(3, 6), YEAR)
    assert "late" in silent.why


def test_a_state_serves_the_period_in_which_it_was_last_seen_whole() -> None:
    held = Sighting(newest=day(1, 1), nature=Nature.STATE, source="x", heartbeat=day(2, 10))
    assert judge(REVIEW, "", held, day(2, 11), day(2, 1)).state is State.FRESH
    assert judge(REVIEW, "", held, day(3, 8), day(2, 1)).state is State.UNKNOWN
    assert judge(REVIEW, "", held, day(4, 8), day(2, 1)).state is State.STALE


def test_a_failure_lives_until_the_period_after_its_own_closed() -> None:
    failing = replace(seen(day(2, 20), (day(2, 20), day(2, 20))), failing=("bad",),
                      failing_at=day(1, 20))  # fmt: skip
    assert judge(REVIEW, "", failing, day(3, 5), YEAR).failed
    assert not judge(REVIEW, "", failing, day(3, 6), YEAR).failed


def test_by_the_clock_of_landing_the_grace_is_part_of_the_period() -> None:
    landed = Monthly(clock=Clock.LANDED)
    asked = periods(landed, YEAR, day(2, 10))
    kept = [one.kept for one in met(asked, [Arrival(day(2, 3), day(2, 3))], day(2, 10))]
    assert kept == [Kept.ON_TIME, Kept.OPEN, Kept.OPEN]


moments = st.integers(0, 700 * 24).map(lambda hours: YEAR - 365 * DAY + DAY / 24 * hours)
facts = st.lists(st.tuples(moments, st.integers(0, 90)), max_size=12)


@given(facts, moments, st.integers(0, 400))
def test_what_was_said_of_a_closed_period_never_gets_better_than_late(
    given_: list[tuple[datetime, int]], now: datetime, later: int
) -> None:
    known = [(at, at + number * DAY) for at, number in given_]
    then = now + later * DAY
    before = {one.period.due: one for one in _met(known, now)}
    for one in _met(known, then):
        old = before.get(one.period.due)
        if old is not None and old.closed:
            assert one.kept is old.kept or (old.kept, one.kept) == (Kept.MISSING, Kept.LATE)
            assert one.late >= old.late


def _met(known: list[tuple[datetime, datetime]], now: datetime) -> tuple:  # type: ignore[type-arg]
    there = [Arrival(at, when) for at, when in known if when <= now]
    return met(periods(Monthly(), datetime(2025, 1, 1, tzinfo=UTC), now), there, now)


@given(facts, moments)
def test_each_period_is_judged_by_what_lies_in_it_alone(
    given_: list[tuple[datetime, int]], now: datetime
) -> None:
    known = [(at, at + number * DAY) for at, number in given_]
    found = _met(known, now)
    assert sum(one.closed for one in found) <= HISTORY
    for one in found:
        inside = [when for at, when in known
                  if one.period.opens < at <= one.period.ends and when <= now]  # fmt: skip
        assert one.known == min(inside, default=None)


@given(st.dates(date(1999, 1, 1), date(2050, 1, 1)), st.integers(1, 60))
def test_months_are_counted_by_the_calendar(start: date, months: int) -> None:
    found = plus(datetime(start.year, start.month, start.day, tzinfo=UTC), Duration(months))
    assert (found.year * 12 + found.month) - (start.year * 12 + start.month) == months
    assert found.day == start.day or (found.day < start.day and (found + DAY).day == 1)
    assert timedelta(days=28 * months) <= found.date() - start <= timedelta(days=31 * months)
    assert shortest(Duration(months)) <= found.date() - start


@pytest.mark.parametrize("text", ["P1Y", "P3M", "P1Y2M", "P1M10D", "P90D", "P1DT3600S", "PT60S"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    assert told_span(span(text)) == text


@pytest.mark.parametrize("text", ["", "P", "P1M1Y", "1M", "P-1M", "PM", "P1YT"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration"):
        span(text)


def test_a_week_without_days_is_refused_and_nothing_waits_for_ever() -> None:
    with pytest.raises(ValueError, match="no day"):
        Workdays(frozenset(range(7)))
    start = date(2026, 1, 1)
    closed = Workdays(off=frozenset(start + n * DAY for n in range(400)))
    assert closed.on_or_after(start) == start


def test_a_deadline_that_is_asked_for_later_puts_nothing_in_date() -> None:
    later = replace(REVIEW, deadline=Monthly(since=datetime(2099, 1, 1, tzinfo=UTC)))
    now = day(5, 9)
    verdict = judge(later, "", seen(now, (day(5, 1), day(5, 1))), now, YEAR)
    assert verdict.state is State.UNKNOWN
    assert "not asked for yet" in verdict.why


def test_nothing_is_put_off_for_ever() -> None:
    first = date(2026, 1, 1)
    off = Workdays(off=frozenset(first + n * DAY for n in range(900)))
    assert off.on_or_after(first) == first
