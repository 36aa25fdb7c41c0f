"""Whom law says to tell of an incident, by when, and whether somebody did.

Whether a law binds an organisation, and of which kind an incident is, is for its people to say.
What they did not say is never in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from evidence.incidents import ALL, Incident, Told
from evidence.periods import DAY, HOUR, Limit, Period, Place, earliest, latest, period


@dataclass(frozen=True, slots=True)
class Duty:
    """To tell `recipient` of incidents of the kinds `incidents`; `law` is where it stands.

    `limit` None: the law gives no number, only "without undue delay". `by` and `to` are who tells
    and who is told in the law's words, `role` and `recipient` in one word.
    """

    law: str
    framework: str
    what: str
    by: str
    to: str
    role: str
    recipient: str
    incidents: tuple[str, ...]
    counted_from: str
    limit: Limit | None = None


class State(StrEnum):
    """How one duty of one incident stands, the most pressing first."""

    OVER = "over"
    RUNNING = "running"
    AT_ONCE = "without undue delay"
    UNKNOWN = "unknown"
    LATE = "told late"
    UNDATED = "told, nobody says when"
    TOLD = "told in time"
    PROMPT = "told"
    EXEMPT = "decided not to tell"

    @property
    def open(self) -> bool:
        """Whether somebody is still to be told, as far as anybody knows."""
        return self in {State.OVER, State.RUNNING, State.AT_ONCE, State.UNKNOWN}


@dataclass(frozen=True, slots=True)
class NotificationClock:
    """One duty of one incident as of a moment.

    `period` None: the law gives no number, or nobody says since when it is known nor when its
    record began. Where it is `estimated` it runs from that beginning, and ends at the latest then.
    `step` grows as time runs out: 1 half of it is over, 2 a day is left, 3 six hours, 4 none.
    """

    incident: Incident
    duty: Duty
    state: State
    period: Period | None = None
    told: Told | None = None
    step: int = 0
    estimated: bool = False


def clocks(
    incidents: Sequence[Incident], duties: Sequence[Duty], place: Place, now: datetime
) -> list[NotificationClock]:
    """Every duty that the incidents' kinds begin, the most pressing first."""
    found = [
        _clock(incident, duty, place, now)
        for incident in incidents for duty in duties if {*incident.kinds} & {*duty.incidents}
    ]  # fmt: skip
    order, never = list(State), datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda c: (order.index(c.state), c.period.due if c.period else never,
                                        c.incident.id, c.duty.law))  # fmt: skip


def _clock(incident: Incident, duty: Duty, place: Place, now: datetime) -> NotificationClock:
    aware = incident.aware
    start = earliest(aware, place.zone) if aware is not None else None
    told = _first(incident, duty, place, now, start)
    if told is None and any(one.to in {duty.recipient, ALL} for one in incident.exempt):
        return NotificationClock(incident, duty, State.EXEMPT)
    if aware is None or start is None or start > now:
        return _unknown(incident, duty, told, place, now)
    runs = period(aware, duty.limit, place) if duty.limit else None
    if told is not None:
        return NotificationClock(incident, duty, _kept(told, runs, place), runs, told)
    if runs is None:
        step = sum(now - start >= after for after in (DAY, 3 * DAY))
        return NotificationClock(incident, duty, State.AT_ONCE, step=step)
    state = State.OVER if now >= runs.ends else State.RUNNING
    return NotificationClock(incident, duty, state, runs, step=_step(start, runs, now))


def _unknown(
    incident: Incident, duty: Duty, told: Told | None, place: Place, now: datetime
) -> NotificationClock:
    """Without a start nothing is in time; the record's beginning says when it ends at the latest:
    nobody writes of what is not known."""
    at_latest = (
        period(incident.opened, duty.limit, place) if incident.opened and duty.limit else None
    )
    over = told is None and at_latest is not None and now >= at_latest.ends
    return NotificationClock(
        incident, duty, State.OVER if over else State.UNKNOWN, at_latest, told,
        step=4 if over else 0, estimated=at_latest is not None,
    )  # fmt: skip


def _first(
    incident: Incident, duty: Duty, place: Place, now: datetime, start: datetime | None
) -> Told | None:
    """The first telling of whom the duty names; one that is to come has not happened, and one from
    before anybody knew is of something else, or a time is wrong."""
    to = [one for one in incident.told
          if one.to == duty.recipient and not before_known(one, start, place)]  # fmt: skip
    dated = [(earliest(one.at, place.zone), one) for one in to if one.at is not None]
    past = [pair for pair in dated if pair[0] <= now]
    if past:
        return min(past, key=lambda pair: pair[0])[1]
    return next((one for one in to if one.at is None), None)


def before_known(told: Told, start: datetime | None, place: Place) -> bool:
    """Whether somebody was told before `start`, since when it is known."""
    return start is not None and told.at is not None and latest(told.at, place.zone) < start


def _kept(told: Told, runs: Period | None, place: Place) -> State:
    if told.at is None:
        return State.UNDATED
    if runs is None:
        return State.PROMPT
    # Of a day alone the last moment counts: what might be late is not called in time.
    return State.LATE if latest(told.at, place.zone) > runs.ends else State.TOLD


def _step(start: datetime, runs: Period, now: datetime) -> int:
    left, whole = runs.due - now, runs.due - start
    return sum((left <= whole / 2, left <= min(DAY, whole / 2), left <= min(6 * HOUR, whole / 4),
                now >= runs.ends))  # fmt: skip
