"""Deadlines fall where a slow walk through the calendar finds them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.workdays import EVERY_DAY, Workdays
from mappings.deadlines import CronDeadline, workdays_of

DAY, HALF_HOUR = timedelta(days=1), timedelta(minutes=30)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
         "Pacific/Apia", "America/Santiago")  # fmt: skip
BERLIN = workdays_of("DE", "BE")


def shown(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The first moment at which a clock in the zone shows that time, found minute by minute.

    If it never does, as long after the jump as the time lies after its beginning."""
    start = datetime.combine(day, time(), UTC) - DAY
    wanted = datetime.combine(day, clock)
    last = start
    for minute in range(3 * 24 * 60):
        moment = start + timedelta(minutes=minute)
        local = moment.astimezone(zone).replace(tzinfo=None)
        if local == wanted:
            return moment
        if local < wanted:
            last = moment
    local = last.astimezone(zone).replace(tzinfo=None)
    return last + (wanted - local)


def slow(
    day: int, clock: time, zone: str, off: Workdays, since: date, until: date
) -> set[datetime]:
    """All that is due on this day of the month, by looking at each day there is."""
    found = set()
    one = since
    while one <= until:
        if one.day == day:
            put_off = one
            while not off.works(put_off):
                put_off += DAY
            found.add(shown(put_off, clock, ZoneInfo(zone)))
        one += DAY
    return found


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 31), st.integers(0, 23), st.sampled_from((0, 15, 30)), st.sampled_from(ZONES),
    st.sampled_from((EVERY_DAY, BERLIN)), st.dates(date(2023, 11, 1), date(2028, 6, 1)),
)  # fmt: skip
def test_dues_are_those_of_a_walk_through_the_calendar(
    day: int, hour: int, minute: int, zone: str, off: Workdays, around: date
) -> None:
    deadline = CronDeadline(f"{minute} {hour} {day} * *", zone, off)
    now = datetime.combine(around, time(13, 7), UTC)
    known = slow(day, time(hour, minute), zone, off, around - 100 * DAY, around + 100 * DAY)
    assert deadline.after(now, 1)[0] == min(due for due in known if due > now)
    assert deadline.until(now, 1)[0] == max(due for due in known if due <= now)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(("0 9 * * *", "*/30 8-10 * * *", "0 18 L * *", "0 9 * * 1-5", "0 0 29 2 *",
                     "30 2 * * 0")),
    st.sampled_from(ZONES), st.sampled_from((EVERY_DAY, BERLIN)),
    st.integers(0, 8 * 366 * 48).map(lambda n: datetime(2022, 1, 1, tzinfo=UTC) + n * HALF_HOUR),
    st.integers(1, 9),
)  # fmt: skip
def test_looking_back_and_looking_ahead_agree(
    cron: str, zone: str, off: Workdays, now: datetime, most: int
) -> None:
    deadline = CronDeadline(cron, zone, off)
    ahead, back = deadline.after(now, most), deadline.until(now, most)
    assert list(ahead) == sorted(set(ahead))
    assert len(ahead) == len(back) == most
    assert back[-1] <= now < ahead[0]
    assert deadline.until(ahead[-1], 2 * most) == (*back, *ahead)
    assert deadline.after(back[0] - timedelta(seconds=1), 2 * most) == (*back, *ahead)
    assert all(off.works(due.astimezone(ZoneInfo(zone)).date()) for due in ahead)


def test_the_end_of_a_month_on_a_holiday_is_due_on_the_next_working_day() -> None:
    deadline = CronDeadline("0 18 L * *", "Europe/Berlin", BERLIN, timedelta(days=5))
    told = [deadline.told(due)[:10] for due in deadline.after(datetime(2026, 1, 1, tzinfo=UTC), 6)]
    # 31 January 2026 is a Saturday, 28 February too; 31 May is a Sunday.
    assert told == ["2026-02-02", "2026-03-02", "2026-03-31", "2026-04-30", "2026-06-01",
                    "2026-06-30"]  # fmt: skip
    easter = CronDeadline("0 9 3 4 *", "Europe/Berlin", BERLIN)
    (due,) = easter.after(datetime(2026, 1, 1, tzinfo=UTC), 1)
    assert easter.told(due) == "2026-04-07 09:00 Europe/Berlin"


def test_the_hour_of_a_deadline_is_that_of_its_wall() -> None:
    deadline = CronDeadline("0 9 * * *", "Europe/Berlin")
    spring = deadline.after(datetime(2026, 3, 28, 12, tzinfo=UTC), 2)
    assert spring == (datetime(2026, 3, 29, 7, tzinfo=UTC), datetime(2026, 3, 30, 7, tzinfo=UTC))
    grace = CronDeadline("0 18 28 * *", "Europe/Berlin", grace=timedelta(days=2))
    due = grace.after(datetime(2026, 3, 20, tzinfo=UTC), 1)[0]
    assert grace.told(grace.closes(due)) == "2026-03-30 18:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"cron": "whenever"}, "is none"),
        ({"cron": "0 0 31 2 *"}, "is none"),
        ({"cron": "0 0 * * *", "zone": "Mars/Phobos"}, "Europe/Berlin"),
        ({"cron": "0 0 * * *", "zone": "../../etc/passwd"}, "Europe/Berlin"),
        ({"cron": "0 0 * * *", "grace": DAY}, "not shorter"),
    ],
)  # fmt: skip
def test_a_deadline_that_never_comes_or_says_too_little_is_refused(
    given_: dict[str, str], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        CronDeadline(**given_)  # type: ignore[arg-type]


def test_countries_that_nobody_knows_are_refused() -> None:
    for country, part in (("XX", ""), ("DE", "XX"), ("", "BE")):
        with pytest.raises(ValueError, match=r"known|country"):
            workdays_of(country, part)


def test_own_days_off_come_beside_the_public_ones() -> None:
    own = workdays_of("DE", "BE", (date(2026, 12, 24),))
    assert not own.works(date(2026, 12, 24))
    assert not own.works(date(2026, 10, 3))
    assert own.works(date(2026, 12, 23))
    assert workdays_of("", "", (date(2026, 12, 24),)).works(date(2026, 12, 26))
