"""Deadlines by cron, zone and working days, as the catalogue and overrides write them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby, islice, pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import cronsim

from evidence.deadline import Clock
from evidence.duration import Span, plus, shortest
from evidence.workdays import EVERY_DAY, Workdays

YEARS = range(2015, 2046)
"""Years whose public holidays are looked up. Outside of them only weekends are off, so that what is
due is due earlier rather than later."""
_PROBE = datetime(2028, 1, 1)  # noqa: DTZ001  a wall clock, to which a zone comes later


@dataclass(frozen=True, slots=True)
class CronDeadline:
    """Due when `cron` says by the wall clock of `zone`; on a day off, at that time of the next
    working day. Closed when `grace` is over.

    A time that the clock skips in spring is due an hour later; one that it shows twice, the first
    time. Raises ValueError naming what is wrong.
    """

    cron: str
    zone: str = "UTC"
    workdays: Workdays = EVERY_DAY
    grace: Span = timedelta(0)
    since: datetime | None = None
    clock: Clock = Clock.OBSERVED

    def __post_init__(self) -> None:
        _zone(self.zone)
        try:
            gap = self.shortest
        except cronsim.CronSimError as error:
            raise ValueError(f"cron {self.cron!r} is none: {error}") from error
        if shortest(self.grace) < timedelta(0) or shortest(self.grace) >= gap:
            raise ValueError(
                f"grace {self.grace} is not shorter than {gap}, the shortest time between two "
                f"deadlines of cron {self.cron!r}: nobody could say which one is meant"
            )

    def after(self, moment: datetime, most: int) -> tuple[datetime, ...]:
        """The first `most` dues later than `moment`."""
        return _dues(self, moment, most, forward=True)

    def until(self, moment: datetime, most: int) -> tuple[datetime, ...]:
        """The last `most` dues not later than `moment`, in order."""
        return _dues(self, moment, most, forward=False)

    def closes(self, due: datetime) -> datetime:
        """When the grace of a due is over."""
        return plus(due, self.grace, ZoneInfo(self.zone))

    def __str__(self) -> str:
        off = "" if self.workdays == EVERY_DAY else " on working days"
        grace = f" and {self.grace} of grace" if self.grace else ""
        return f"by cron {self.cron} in {self.zone}{off}{grace}"

    @property
    def shortest(self) -> timedelta:
        """The shortest time between two dues, as far as one can see."""
        found = list(islice(cronsim.CronSim(self.cron, _PROBE), 40))
        gaps = (later - earlier for earlier, later in pairwise(found))
        return min(gaps, default=timedelta(days=366))

    def told(self, moment: datetime) -> str:
        """`2026-01-31 18:00 Europe/Berlin`."""
        return f"{moment.astimezone(ZoneInfo(self.zone)):%Y-%m-%d %H:%M} {self.zone}"


@lru_cache(maxsize=1024)
def _dues(
    deadline: CronDeadline, moment: datetime, most: int, *, forward: bool
) -> tuple[datetime, ...]:
    zone, found = ZoneInfo(deadline.zone), set[datetime]()
    for dues in _by_day(deadline, moment.astimezone(zone).date(), forward=forward):
        made = {due.replace(tzinfo=zone).astimezone(UTC) for due in dues}
        found |= {due for due in made if (due > moment) is forward}
        if len(found) >= most:
            break
    ordered = sorted(found)
    return tuple(ordered[:most] if forward else ordered[-most:])


def _by_day(deadline: CronDeadline, day: date, *, forward: bool) -> Iterator[list[datetime]]:
    """All that is due on each working day from `day` on, or back: what its cron says of the day,
    and of the days off that are put off to it."""
    workdays = deadline.workdays
    last = workdays.on_or_after(day)
    if forward:
        start = datetime.combine(workdays.since(last), time.min) - timedelta(seconds=1)
    else:
        start = datetime.combine(last + timedelta(days=1), time.min)
    raw = cronsim.CronSim(deadline.cron, start, reverse=not forward)
    for put_off, dues in groupby(raw, lambda due: workdays.on_or_after(due.date())):
        yield [datetime.combine(put_off, due.time()) for due in dues]


def workdays_of(country: str, subdivision: str = "", off: tuple[date, ...] = ()) -> Workdays:
    """The working days of a country (ISO 3166-1) or a part of it (ISO 3166-2), less `off`.

    Without a country every day but `off` is one. Raises ValueError.
    """
    if not country:
        if subdivision:
            raise ValueError(f"subdivision {subdivision!r} has no country")
        return Workdays(off=frozenset(off))
    public = _public(country, subdivision)
    return replace(public, off=public.off | set(off), worked=public.worked - set(off))


@lru_cache(maxsize=32)
def _public(country: str, subdivision: str) -> Workdays:
    import holidays  # a fifth of a second, which only those pay who use it

    try:
        with warnings.catch_warnings():
            # Of some countries it knows fewer years than we ask for, and says so at each start.
            warnings.filterwarnings("ignore", "Requested Holidays are available only")
            known = holidays.country_holidays(country, subdiv=subdivision or None, years=YEARS)
    except NotImplementedError as error:
        raise ValueError(f"no holidays are known: {error}") from error
    worked = getattr(known, "weekend_workdays", ())
    return Workdays(frozenset(known.weekend), frozenset(known), frozenset(worked))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"zone {name!r} is none: write one such as Europe/Berlin") from error
