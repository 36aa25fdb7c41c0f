"""Periods of law to the hour: every sentence of Article 3 of Regulation 1182/71 that we use."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from evidence.periods import DAY, HOUR, Limit, Place, earliest, latest, period
from evidence.workdays import Workdays

HOME = Place(ZoneInfo("Europe/Berlin"))
H72 = Limit(timedelta(hours=72), in_hours=True)


def days(number: int) -> Limit:
    return Limit(timedelta(days=number), in_hours=False)


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("since", "due", "ends"),
    [
        # Friday afternoon: the weekend is in it, and nothing is put off.
        ("2026-11-20 16:40", "2026-11-23 16:40", "2026-11-23 17:00"),
        ("2026-11-20 16:00", "2026-11-23 16:00", "2026-11-23 17:00"),
        # Over both changes of the clock 72 hours are 72 hours.
        ("2026-03-27 12:30", "2026-03-30 13:30", "2026-03-30 14:00"),
        ("2026-10-23 12:30", "2026-10-26 11:30", "2026-10-26 12:00"),
    ],
)
def test_hours_run_from_the_next_hour_through_nights_and_weekends(
    since: str, due: str, ends: str
) -> None:
    found = period(at(since), H72, HOME)
    assert (found.due, found.ends) == (at(due), at(ends))


def test_of_a_day_alone_hours_run_from_its_beginning() -> None:
    assert period(date(2026, 11, 20), H72, HOME).due == at("2026-11-23 00:00")


@pytest.mark.parametrize(
    ("since", "number", "due", "ends"),
    [
        # The day itself does not count; the last day counts whole.
        ("2026-11-02 00:00", 15, "2026-11-18", "2026-11-18"),
        ("2026-11-02 23:59", 15, "2026-11-18", "2026-11-18"),
        # The fifteenth day is a Saturday: the period ends with Monday.
        ("2026-11-06 10:00", 15, "2026-11-22", "2026-11-24"),
        ("2026-11-03 10:00", 10, "2026-11-14", "2026-11-14"),
        # Two days from Thursday: Friday and Saturday; ends with Monday, two working days.
        ("2026-11-05 10:00", 2, "2026-11-08", "2026-11-10"),
        # From Friday: Saturday and Sunday, put off to Monday; one working day more (5).
        ("2026-11-06 10:00", 2, "2026-11-09", "2026-11-11"),
        # From Saturday: Sunday and Monday hold one working day (5).
        ("2026-11-07 10:00", 2, "2026-11-10", "2026-11-11"),
    ],
)
def test_days_end_with_a_day(since: str, number: int, due: str, ends: str) -> None:
    found = period(at(since), days(number), HOME)
    assert (found.due, found.ends) == (at(f"{due} 00:00"), at(f"{ends} 00:00"))
    of_the_day = period(at(since).date(), days(number), HOME)
    assert of_the_day == found


def test_it_is_the_day_where_people_act() -> None:
    late = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)  # the third in Berlin
    assert period(late, days(15), HOME).due == at("2026-11-19 00:00")
    assert period(late, days(15), Place(ZoneInfo("UTC"))).due == at("2026-11-18 00:00", "UTC")


def test_a_holiday_puts_off_and_years_without_a_working_day_end() -> None:
    christmas = frozenset({date(2026, 12, 25)})
    place = Place(HOME.zone, Workdays(frozenset({5, 6}), christmas))
    assert period(at("2026-12-10 09:00"), days(15), place).ends == at("2026-12-29 00:00")
    never = Workdays(off=frozenset(date(2026, 1, 1) + n * DAY for n in range(700)))
    found = period(at("2026-02-02 09:00"), days(2), Place(HOME.zone, never))
    assert found.ends == found.due == at("2026-02-05 00:00")


def test_a_day_alone_means_any_moment_of_it() -> None:
    day = date(2026, 11, 20)
    assert latest(day, HOME.zone) - earliest(day, HOME.zone) == 24 * HOUR
    assert earliest(at("2026-11-20 09:00"), HOME.zone) == at("2026-11-20 09:00")
