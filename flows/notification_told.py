"""What clocks of law say to people: on the board, as what needs a person, in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Column

from dashboards.model import Attention, ClockRow
from evidence.canonical import plain
from evidence.incidents import ALL, Incident, Told
from evidence.notification import NotificationClock, State
from evidence.periods import Place
from flows.config import load, now
from flows.law import WHOSE
from flows.moment import Asked, moment
from flows.notification import Notifications, notifications
from flows.terminal import Screen, Table, for_machines, printable
from storage.engine import ample
from storage.lake import Lake

LEFT = (
    "",
    "Half of the time is over.",
    "Less than a day is left.",
    "Less than six hours are left.",
)
TELL = "Tell them, and record in `told` whom, when and by which item; docs/law.md shows how."
SAY = "Say in its record since when it is known (`became_aware`): until then nothing is in time."
CLASSIFY = "Say in `kind` of which kind each is, or `none` (docs/law.md)."
MEND = "Mend it in its record or ticket: what cannot be read counts for nothing."
WHY_LATE = "Record in `told` why it was late (`why`): the law asks for the reasons."
SHOWN = 5


def pressing(found: Notifications) -> Iterator[Attention]:
    """What needs a person: who is to be told, what nobody said, what cannot be read."""
    called = _called(found)
    for clock in found.clocks:
        about: dict[str, Any] = {"system": clock.incident.system, "item_id": clock.incident.item_id,
                 "cause": f"notify {called(clock.incident)} {clock.duty.law}"}  # fmt: skip
        if clock.state is State.UNDATED:
            yield Attention("judgement", sentence(found, clock), TELL, **about)
        elif clock.state is State.UNKNOWN:
            yield Attention("judgement", sentence(found, clock), SAY, **about)
        elif clock.state.open:
            yield Attention("law", sentence(found, clock), TELL, step=clock.step, **about)
        elif clock.state is State.LATE and clock.told and not clock.told.why:
            yield Attention("judgement", sentence(found, clock), WHY_LATE, **about)
    for incident, problem in found.wrong:
        yield Attention(
            "judgement", f"{named(incident)}: {problem}.", MEND, system=incident.system,
            item_id=incident.item_id, cause=f"incident {called(incident)} {problem[:60]}",
        )  # fmt: skip
    yield from _unclassified(found.unclassified)


def _called(found: Notifications) -> Callable[[Incident], str]:
    """Names for causes: two teams' INC-1 are two of them, or what was told of one would keep the
    other quiet."""
    of_id: dict[str, set[str]] = {}
    for one in (*(clock.incident for clock in found.clocks), *(one for one, _ in found.wrong)):
        of_id.setdefault(one.id, set()).add(one.source)
    return lambda one: f"{one.id} of {one.source}" if len(of_id[one.id]) > 1 else one.id


def _unclassified(incidents: Sequence[Incident]) -> Iterator[Attention]:
    if not incidents:
        return
    names = ", ".join(one.id for one in incidents[:SHOWN])
    more = f" and {len(incidents) - SHOWN} more" if len(incidents) > SHOWN else ""
    yield Attention(
        "judgement", f"Of which kind an incident is, nobody says of {names}{more}: whether anybody "
        "must be told by law is not known.", CLASSIFY, item_id=incidents[0].item_id,
        cause="incidents of no kind",
    )  # fmt: skip


def sentence(found: Notifications, clock: NotificationClock) -> str:
    """How a clock stands: who, by when, by which law, what is known."""
    duty, to = clock.duty, f"{clock.duty.to} by the {clock.duty.role}"
    binds = "" if found.bound else f", if {duty.law.partition(' Art.')[0]} binds you"
    about = f"{named(clock.incident)}: {duty.what}, to be told to {to} ({duty.law}{binds})"
    return f"{about}: {_how(clock, found)}"


def _how(clock: NotificationClock, found: Notifications) -> str:
    runs, told, place = clock.period, clock.told, found.place
    when = _when(told, found) if told else ""
    match clock.state:
        case State.OVER if runs:
            since = "at the latest, counted from when its record began" if clock.estimated else ""
            return f"over since {_at(runs.ends, place)} {since}".rstrip() + ", and nobody was told."
        case State.RUNNING if runs:
            hours = clock.duty.limit is not None and clock.duty.limit.in_hours
            ends = "" if runs.ends == runs.due else _later(runs.ends, place, hours=hours)
            left = LEFT[min(clock.step, len(LEFT) - 1)]
            return " ".join(filter(None, (f"by {_at(runs.due, place)}.", left, ends)))
        case State.AT_ONCE:
            return "without undue delay, and nobody was told."
        case State.UNKNOWN if told:
            return f"told {when}, and since when it was known is not said or later than that."
        case State.UNKNOWN if runs:
            return (f"nobody says since when it is known. By {_at(runs.due, place)} at the latest, "
                    "counted from when its record began.")  # fmt: skip
        case State.UNKNOWN:
            return "nobody says since when it is known."
        case State.LATE if runs:
            return f"told {when}, after {_at(runs.ends, place)}."
        case State.EXEMPT:
            to = {clock.duty.recipient, ALL}
            decided = next(one for one in clock.incident.exempt if one.to in to)
            return f"{decided.by} decided not to tell: {decided.why}."
        case State.UNDATED:
            return "told, and nobody says when."
    return f"told {when}."


def _later(ends: datetime, place: Place, *, hours: bool) -> str:
    """What the Regulation adds: nobody should plan by it."""
    why = "the first hour does not count" if hours else "days off put it off"
    return f"By Regulation 1182/71 it ends {_at(ends, place)}: {why}."


def _when(told: Told, found: Notifications) -> str:
    held = told.evidence in found.held
    by = f", as {told.evidence[:12]} shows" if held else ", by word alone"
    if told.evidence and not held:
        by = f", by an item that the lake does not hold ({told.evidence[:12]})"
    if told.at is None:
        return f"on a day that nobody says{by}"
    at = _at(told.at, found.place) if isinstance(told.at, datetime) else told.at.isoformat()
    return f"{at}{by}"


def _at(moment: datetime, place: Place) -> str:
    return f"{moment.astimezone(place.zone):%Y-%m-%d %H:%M} {place.zone.key}"


def named(incident: Incident) -> str:
    """An incident for a sentence."""
    title = "" if incident.title in {"", incident.id} else f" ({incident.title})"
    return f"Incident {incident.id}{title}"


def clock_rows(found: Notifications) -> tuple[ClockRow, ...]:
    """The clocks for the board, the most pressing first."""
    return tuple(
        ClockRow(
            clock.period.due if clock.period else None, clock.incident.id, clock.duty.law,
            clock.duty.to, clock.state.value, sentence(found, clock), clock.state.open,
            clock.incident.system, clock.incident.item_id,
        )
        for clock in found.clocks
    )  # fmt: skip


def show(file: Path, asked: Asked | None, *, as_json: bool) -> int:
    """Print the clocks; 3 if a time is over, one is unknown, or an incident is of no kind.

    Raises ConfigError, LakeError, MappingError.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    shown = moment(lake, config, asked)
    with shown.connect(lake, ample()) as connection:
        found = notifications(connection, shown, config.law, shown.at)
    if as_json:
        print(for_machines(_machine(found, shown.token)))
    else:
        _print(found, shown.token, shown.notes)
    bad = any(c.state in {State.OVER, State.UNKNOWN, State.UNDATED} for c in found.clocks)
    return 3 if bad or found.unclassified or found.wrong else 0


def _machine(found: Notifications, token: str) -> dict[str, Any]:
    rows = zip(found.clocks, clock_rows(found), strict=True)
    return {
        "as_of": token, "binds": sorted(found.bound), "left_out": list(found.left_out),
        "clocks": [
            {"incident": row.incident, "law": row.law, "what": clock.duty.what, "to": row.to,
             "role": clock.duty.role, "recipient": clock.duty.recipient, "state": row.state,
             "open": row.open, "due": plain(row.due),
             "ends": plain(clock.period.ends) if clock.period else None,
             "estimated": clock.estimated, "why": row.why, "system": row.system,
             "item_id": row.item_id,
             "evidence": clock.told.evidence if clock.told else ""}
            for clock, row in rows
        ],
        "unclassified": [one.id for one in found.unclassified],
        "wrong": [{"incident": one.id, "problem": problem} for one, problem in found.wrong],
    }  # fmt: skip


def _print(found: Notifications, token: str, notes: Sequence[str]) -> None:
    console = Screen(highlight=False)
    console.print(f"as of {token}", soft_wrap=True)
    if found.clocks:
        table = Table(Column("by", no_wrap=True), "state", Column("how it stands", ratio=1))
        for row in clock_rows(found):
            style = {State.OVER.value: "bold red"}.get(row.state, "yellow" if row.open else "")
            by = f"{row.due.astimezone(found.place.zone):%Y-%m-%d %H:%M}" if row.due else ""
            cells = (by, row.state, row.why)
            table.add_row(*(escape(printable(cell)) for cell in cells), style=style)
        console.print(table)
    else:
        by = "the laws and roles that are said to bind here" if found.narrowed else "law"
        console.print(
            f"No incident that landed is of a kind that anybody must be told of by {by}.",
            soft_wrap=True,
        )
    lines = [f"{one.sentence} {one.action}" for one in _unclassified(found.unclassified)]
    lines += [f"{named(one)}: {problem}." for one, problem in found.wrong]
    lines += [f"note: {note}" for note in notes]
    if found.left_out:
        lines.append(f"Left out, as they are not among the laws that bind here: "
                     f"{', '.join(found.left_out)}.")  # fmt: skip
    if not found.bound:
        lines.append("Which laws bind you is not said: write it in [law] binds (docs/law.md).")
    for line in (*lines, WHOSE):
        console.print(escape(printable(line)), soft_wrap=True)
