"""How long what landed is in date: by its age, by its deadline, until an event overtook it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from evidence.asked import CLOCK_SKEW, Expectation, Sighting, clock_of
from evidence.deadline import Arrival, Deadline, Kept, Met, Period, met, periods
from evidence.duration import plus, told_span
from evidence.gaps import Continuity, Gap, continuity
from evidence.model import Nature

MISSES = 3
"""Of the periods that were not kept on time, or of the gaps, how many a sentence names."""


class State(StrEnum):
    """Freshness of one kind of evidence for one control and system."""

    FRESH = "fresh"
    DUE = "due"
    STALE = "stale"
    RECOVERED = "recovered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Aged:
    """A state with one sentence why, until when it may last, how the last periods of a deadline
    ended, and the gaps by an age limit."""

    state: State
    why: str
    until: datetime | None = None
    history: tuple[Met, ...] = ()
    continuity: Continuity | None = None


@dataclass(frozen=True, slots=True)
class _Limit:
    """Until when evidence is in date, from when a warning is due, and what is said then."""

    until: datetime
    warn: datetime
    over: str
    due: str


def aged(expectation: Expectation, seen: Sighting, now: datetime, began: datetime | None) -> Aged:
    """How fresh it is at `now`. Periods of a deadline are asked for from its own start on, or from
    `began`; without either, all that are looked back on. Never raises."""
    served = _served(expectation, seen, now, began)
    state, why, until = _state(expectation, seen, now, served)
    history = tuple(one for one in served if one.closed)
    unbroken = _continuity(expectation, seen, now)
    if state is State.FRESH and _again(expectation, unbroken, now):
        state = State.RECOVERED
    why += _told(expectation, history) + _gaps(unbroken, now)
    return Aged(state, why, until, history, unbroken)


def outlived(expectation: Expectation, failed_at: datetime | None, now: datetime) -> bool:
    """A failure older than what is asked may be says no more than old evidence does.

    None: it holds still. Under a deadline it counts until the period after its own closed.
    """
    if failed_at is None:
        return False
    ends = [plus(failed_at, expectation.max_age)] if expectation.max_age is not None else []
    if expectation.deadline is not None:
        due = expectation.deadline.after(failed_at, 2)
        ends += [expectation.deadline.closes(due[-1])] if due else []
    return bool(ends) and max(ends) <= now


def _served(
    expectation: Expectation, seen: Sighting, now: datetime, began: datetime | None
) -> tuple[Met, ...]:
    deadline = expectation.deadline
    if deadline is None:
        return ()
    asked = periods(deadline, began, now)
    held = seen.nature is Nature.STATE and seen.heartbeat is not None
    # Of a state nobody knows more than that it held when it was last seen whole.
    beat = [Arrival(seen.heartbeat, seen.heartbeat)] if held and seen.heartbeat else []
    return met(asked, (*seen.arrivals, *beat), now)


def _state(
    expectation: Expectation, seen: Sighting, now: datetime, served: Sequence[Met]
) -> tuple[State, str, datetime | None]:
    if seen.newest is None:
        return State.UNKNOWN, _nothing(expectation, seen), None
    if seen.newest > now + CLOCK_SKEW:
        return State.STALE, f"its time {day(seen.newest)} lies in the future: not believed", None
    if seen.heartbeat is None:
        return State.UNKNOWN, f"{seen.source or 'its source'} never finished a complete pull", None
    clock = clock_of(seen)
    limit = min(_limits(expectation, clock, served, now), key=lambda one: one.until, default=None)
    if limit is None:
        return State.UNKNOWN, "its deadline is not asked for yet, and it has no age limit", None
    if overtaken := _overtaken(expectation, seen, clock):
        return State.STALE, overtaken, limit.until
    if now >= limit.until:
        return State.STALE, limit.over, limit.until
    if now - seen.heartbeat > expectation.silence:
        silent = ago(now - seen.heartbeat)
        return State.UNKNOWN, f"{seen.source} has not finished a pull for {silent}", limit.until
    if now >= limit.warn:
        return State.DUE, limit.due, limit.until
    good = f"from {day(clock)}, good until {day(limit.until)}"
    if _missed(served):
        return State.RECOVERED, good, limit.until
    return State.FRESH, good, limit.until


def _limits(
    expectation: Expectation, clock: datetime, served: Sequence[Met], now: datetime
) -> Iterator[_Limit]:
    warn, last = expectation.warn_before, day(clock)
    if expectation.max_age is not None:
        until = plus(clock, expectation.max_age)
        over = f"last from {last}, {ago(now - until)} over its age limit"
        yield _Limit(until, until - warn, over, f"from {last}, due again by {day(until)}")
    if expectation.deadline is not None and (wanted := _next(served)) is not None:
        due, until = expectation.deadline.told(wanted.due), wanted.closes
        over = f"was due by {due} and is {ago(now - wanted.due)} late; last from {last}"
        told = f"from {last}, due again by {due}"
        if now >= wanted.due:
            told = f"was due by {due}; its grace ends {expectation.deadline.told(until)}"
        yield _Limit(until, wanted.due - warn, over, told)


def _next(served: Sequence[Met]) -> Period | None:
    """The period after the last that was served: what came for it closed the gap before it."""
    after = max((n + 1 for n, one in enumerate(served) if one.known is not None), default=0)
    return served[after].period if after < len(served) else None


def _missed(served: Sequence[Met]) -> bool:
    """Whether the last closed period was not kept on time."""
    closed = [one for one in served if one.closed]
    return bool(closed) and closed[-1].kept is not Kept.ON_TIME


def _told(expectation: Expectation, history: Sequence[Met]) -> str:
    """The periods that closed, in a clause; empty where nothing has closed."""
    if not history or expectation.deadline is None:
        return ""
    kept = sum(one.kept is Kept.ON_TIME for one in history)
    misses = [_miss(expectation.deadline, one) for one in history if one.kept is not Kept.ON_TIME]
    named = "".join(f"; {told}" for told in misses[-MISSES:][::-1])
    more = f" (+{len(misses) - MISSES} more)" if len(misses) > MISSES else ""
    return f"; {kept} of {len(history)} periods on time{named}{more}"


def _miss(deadline: Deadline, one: Met) -> str:
    due = deadline.told(one.period.due)[:10]
    if one.kept is Kept.MISSING:
        return f"the one due {due} is missing"
    days = (one.now if one.known is None else one.known).date() - one.period.due.date()
    return f"the one due {due} came {ago(max(days, one.late))} late"


def _continuity(expectation: Expectation, seen: Sighting, now: datetime) -> Continuity | None:
    age = expectation.max_age
    return None if age is None else continuity(seen.covers, told_span(age), now)


def _again(expectation: Expectation, unbroken: Continuity | None, now: datetime) -> bool:
    """Whether a gap ended less than one age limit ago."""
    age = expectation.max_age
    gaps = unbroken.gaps if unbroken else ()
    return age is not None and any(gap.ended and plus(gap.ended, age) > now for gap in gaps)


def _gaps(unbroken: Continuity | None, now: datetime) -> str:
    """The gaps that ended, in a clause; empty without one. One that lasts is the state itself."""
    ended = [gap for gap in (unbroken.gaps if unbroken else ()) if gap.ended]
    if not unbroken or not ended:
        return ""
    counted = f"; {kept_words(unbroken)}"
    named = "".join(f"; {gap_words(gap, now)}" for gap in ended[-MISSES:][::-1])
    more = f" (+{len(ended) - MISSES} more)" if len(ended) > MISSES else ""
    return f"{counted if unbroken.months else ''}{named}{more}"


def kept_words(unbroken: Continuity) -> str:
    """`10 of 12 months without a gap`."""
    return f"{unbroken.kept} of {unbroken.months} months without a gap"


def gap_words(gap: Gap, now: datetime) -> str:
    """How long, since when, and how much of it was filled by what came late."""
    told = f"out of date for {ago(gap.lasted(now))} from {day(gap.began)}"
    if gap.filled < min(gap.lasted(now), timedelta(days=1)):
        return told
    whole = gap.filled == gap.lasted(now)
    return f"{told}, {'all' if whole else ago(gap.filled)} of it filled by what came late"


def _nothing(expectation: Expectation, seen: Sighting) -> str:
    if seen.support:
        about = f"“{seen.support.title}”" if seen.support.title else seen.support.item_id[:12]
        return f"only supporting evidence: {about} of {day(seen.support.at)}"
    if seen.unconfirmed:
        return f"{seen.unconfirmed} items, but only from a pull that did not finish whole"
    if seen.corrected:
        return f"nothing that counts: {seen.corrected} items landed and were corrected"
    kinds = ", ".join(expectation.source_types)
    return f"nothing landed yet (expected from {kinds})" if kinds else "nothing landed yet"


def _overtaken(expectation: Expectation, seen: Sighting, clock: datetime) -> str:
    for event in expectation.stale_on:
        at = seen.events.get(event)
        if at is not None and at > clock + expectation.lead:
            name = event.replace("_", " ")
            return f"{name} on {day(at)} came after the evidence of {day(clock)}"
    return ""


def day(moment: datetime) -> str:
    """For people: the day in UTC."""
    return moment.strftime("%Y-%m-%d")


def ago(span: timedelta) -> str:
    """For people: a length of time in days, or less."""
    if span >= timedelta(days=2):
        return f"{span.days} days"
    hours = int(span.total_seconds() // 3600)
    return f"{hours} hours" if hours >= 2 else f"{int(span.total_seconds() // 60)} minutes"
