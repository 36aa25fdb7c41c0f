"""Clocks of law: what is in time, what is not, and what nobody can say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from evidence.incidents import (
    Exempt,
    Incident,
    Told,
    Words,
    grave,
    read_record,
    read_ticket,
    together,
)
from evidence.notification import Duty, NotificationClock, State, clocks
from evidence.periods import HOUR, Limit, Place

AWARE = datetime(2026, 11, 16, 9, 30, tzinfo=UTC)
PLACE = Place(ZoneInfo("UTC"))
WORDS = Words(frozenset({"personal_data_breach", "death"}), frozenset({"authority", "people"}))
BREACH = Duty("GDPR Art. 33(1)", "gdpr", "breach", "controller", "authority", "controller",
              "authority", ("personal_data_breach",), "becoming aware",
              Limit(timedelta(hours=72), in_hours=True))  # fmt: skip
PEOPLE = replace(BREACH, law="GDPR Art. 34(1)", recipient="people", limit=None)
DEATH = replace(BREACH, law="AI Act Art. 73(4)", incidents=("death",),
                limit=Limit(timedelta(days=10), in_hours=False))  # fmt: skip
INCIDENT = Incident("INC-1", "Lists left open", "triage", ("personal_data_breach",), AWARE)


def clock(incident: Incident, now: datetime, duty: Duty = BREACH) -> NotificationClock:
    (found,) = clocks([incident], [duty], PLACE, now)
    return found


def told(at: datetime | date | None, to: str = "authority") -> Incident:
    return replace(INCIDENT, told=(Told(to, at),))


def test_it_presses_more_as_time_runs_out() -> None:
    steps = [clock(INCIDENT, AWARE + hours * HOUR) for hours in (1, 37, 49, 67, 73)]
    assert [one.step for one in steps] == [0, 1, 2, 3, 4]
    assert [one.state for one in steps] == [State.RUNNING] * 4 + [State.OVER]
    last = clock(INCIDENT, AWARE + 72.4 * HOUR)  # the first hour does not count
    assert (last.state, last.step) == (State.RUNNING, 3)
    assert clock(INCIDENT, AWARE + 72.5 * HOUR).state is State.OVER


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (AWARE + HOUR, State.TOLD),
        (AWARE + 72.5 * HOUR, State.TOLD),
        (AWARE + 72.6 * HOUR, State.LATE),
        (date(2026, 11, 18), State.TOLD),
        (date(2026, 11, 19), State.LATE),  # at its end it would be too late, and nobody says when
        (None, State.UNDATED),
        (AWARE - HOUR, State.OVER),  # before anybody knew
        (AWARE + 999 * HOUR, State.OVER),  # a day to come
    ],
)
def test_told_is_in_time_only_if_it_is_sure(at: datetime | date | None, state: State) -> None:
    assert clock(told(at), AWARE + 100 * HOUR).state is state


def test_whom_else_was_told_is_no_help() -> None:
    assert clock(told(AWARE + HOUR, "people"), AWARE + 2 * HOUR).state is State.RUNNING
    twice = replace(INCIDENT, told=(Told("authority", AWARE + 90 * HOUR),
                                    Told("authority", AWARE + HOUR)))  # fmt: skip
    assert clock(twice, AWARE + 100 * HOUR).state is State.TOLD


def test_without_a_start_nothing_is_in_time() -> None:
    bare = replace(INCIDENT, aware=None)
    assert clock(bare, AWARE).state is State.UNKNOWN
    assert clock(replace(bare, told=(Told("authority", AWARE),)), AWARE).state is State.UNKNOWN
    written = replace(bare, opened=AWARE)
    early, late = clock(written, AWARE + HOUR), clock(written, AWARE + 80 * HOUR)
    assert (early.state, early.estimated, early.period) == (
        State.UNKNOWN, True, clock(INCIDENT, AWARE).period,
    )  # fmt: skip
    assert (late.state, late.step) == (State.OVER, 4)
    to_come = replace(INCIDENT, aware=AWARE + 9 * HOUR)
    assert clock(to_come, AWARE).state is State.UNKNOWN


def test_without_a_number_it_runs_at_once() -> None:
    assert [clock(INCIDENT, AWARE + n * HOUR, PEOPLE).step for n in (1, 25, 73)] == [0, 1, 2]
    assert clock(INCIDENT, AWARE, PEOPLE).state is State.AT_ONCE
    done = replace(INCIDENT, told=(Told("people", AWARE + HOUR),))
    assert clock(done, AWARE + 2 * HOUR, PEOPLE).state is State.PROMPT


def test_a_person_may_decide_not_to_tell() -> None:
    for to in ("authority", "all"):
        decided = replace(INCIDENT, exempt=(Exempt(to, "Ann", "no risk for anybody"),))
        assert clock(decided, AWARE + 99 * HOUR).state is State.EXEMPT
    other = replace(INCIDENT, exempt=(Exempt("people", "Ann", "encrypted"),))
    assert clock(other, AWARE + 99 * HOUR).state is State.OVER


def test_only_its_kinds_begin_a_duty_and_the_most_pressing_comes_first() -> None:
    both = replace(INCIDENT, id="INC-2", kinds=("personal_data_breach", "death"))
    found = clocks([INCIDENT, both], [BREACH, DEATH], PLACE, AWARE + 100 * HOUR)
    assert [(one.incident.id, one.duty.law, one.state) for one in found] == [
        ("INC-1", BREACH.law, State.OVER), ("INC-2", BREACH.law, State.OVER),
        ("INC-2", DEATH.law, State.RUNNING),
    ]  # fmt: skip
    assert clocks([replace(INCIDENT, kinds=("none",))], [BREACH], PLACE, AWARE) == []


RECORD: dict[str, Any] = {
    "id": "INC-1", "title": "Lists left open", "system": "triage", "kind": "Personal data-breach",
    "became_aware": "2026-11-16T10:30:00+01:00", "item_id": "i1",
    "told": [{"to": "Authority", "at": "2026-11-17", "evidence": "e1"}],
    "not_told": [{"to": "people", "by": "Ann", "why": "encrypted"}],
}  # fmt: skip


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-30", "True", "FILL IN"])
def test_what_cannot_be_a_time_ends_no_clock(day: str) -> None:
    read = read_record(RECORD | {"told": [{"to": "authority", "at": day}]}, WORDS)
    assert clock(read, AWARE + 99 * HOUR).state is State.OVER
    assert any(f"`at` is {day!r}" in problem for problem in read.problems)


def test_a_decision_that_is_still_to_fill_in_is_none() -> None:
    left = [{"to": "authority", "by": "FILL IN", "why": "FILL IN: the reason"}]
    read = read_record(RECORD | {"not_told": left, "told": []}, WORDS)
    assert clock(read, AWARE + 99 * HOUR).state is State.OVER
    assert "`not_told` counts only with `by` and `why`" in read.problems


def test_a_record_is_read() -> None:
    assert read_record(RECORD, WORDS) == Incident(
        "INC-1", "Lists left open", "triage", ("personal_data_breach",), AWARE,
        told=(Told("authority", date(2026, 11, 17), "e1"),),
        exempt=(Exempt("people", "Ann", "encrypted"),), item_id="i1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"kind": ["fire", "death"]}, "`kind` is 'fire', none of death, personal_data_breach"),
        ({"became_aware": "yesterday"}, "`became_aware` is 'yesterday': write YYYY-MM-DD"),
        ({"became_aware": "2026-11-16T09:30"}, "or a time with its zone"),
        ({"told": "the authority"}, "`told` is a list of entries with to, at and evidence"),
        ({"told": [{"to": "press", "at": "2026-11-17"}]}, "`to` is 'press', none of authority"),
        ({"told": [{"to": "authority", "at": "soon"}]}, "`at` is 'soon'"),
        ({"told": [{"to": "all", "at": "2026-11-17"}]}, "`to` is 'all'"),
        ({"not_told": [{"to": "all", "by": "Ann"}]}, "`not_told` counts only with `by` and `why`"),
    ],
)
def test_what_cannot_be_read_is_said_and_counts_for_nothing(
    changed: dict[str, Any], problem: str
) -> None:
    found = read_record(RECORD | {"told": [], "not_told": []} | changed, WORDS)
    assert any(problem in one for one in found.problems)
    if "became_aware" in changed:
        assert found.aware is None
    assert not any(one.at is not None for one in found.told)
    assert found.exempt == ()


@pytest.mark.parametrize("beside", [[], ["none"]], ids=["alone", "none"])
def test_no_misspelling_takes_a_clock_away(beside: list[str]) -> None:
    slip = {
        "kind": ["personal_data_breech", *beside],
        "severity": "mayor",
        "not_told": [],
        "told": [{"to": "authorty", "at": "2026-11-16"}],
        "problems": ["`severity` is 'mayor'"],
    }
    read = read_record(RECORD | slip, WORDS)
    assert clock(read, AWARE + 99 * HOUR).state is State.OVER
    assert "taken for personal_data_breach until somebody corrects it" in read.problems[1]
    assert read.problems[2].endswith("none of authority, people: is authority meant?")


def test_a_kind_like_none_that_is_known_leaves_all_to_people() -> None:
    read = read_record(RECORD | {"kind": "xyzzy, none", "told": []}, WORDS)
    assert (read.kinds, len(read.problems)) == ((), 1)


def test_only_what_is_minor_is_not_grave() -> None:
    said = ["", "minor", "Low", "severity-3", "SEV 4", "critical", "mayor", "FILL IN", "sev-1"]
    assert [grave(one) for one in said] == [False] * 5 + [True] * 4


def test_labels_of_a_ticket_say_the_same() -> None:
    labels = ["ai-incident", "personal-data-breach", "none", "aware:2026-11-16T09:30:00Z",
              "told:Authority:2026-11-17T08:00:00Z", "told:nobody"]  # fmt: skip
    ticket = read_ticket({"id": "OPS-7", "labels": labels}, WORDS)
    assert (ticket.kinds, ticket.aware) == (("personal_data_breach",), AWARE)
    assert ticket.told == (Told("authority", datetime(2026, 11, 17, 8, tzinfo=UTC)),)
    assert read_ticket({"id": "OPS-8", "labels": ["kind:none"]}, WORDS).kinds == ("none",)
    two = read_ticket({"id": "OPS-9", "labels": ["aware:2026-11-16", "aware:2026-11-15"]}, WORDS)
    assert two.aware == date(2026, 11, 15)
    assert two.problems


def test_a_record_that_names_its_ticket_is_one_incident_and_loses_no_kind() -> None:
    ticket = Incident("OPS-7", "", "triage", ("death",), AWARE, opened=AWARE)
    record = replace(INCIDENT, ticket="OPS-7", aware=None, opened=AWARE + HOUR)
    (one,) = together([record], [ticket])
    assert (one.id, one.kinds) == ("INC-1", ("personal_data_breach", "death"))
    assert (one.aware, one.opened) == (AWARE, AWARE)
    assert together([], [ticket]) == [ticket]
    none = replace(ticket, kinds=("none",))
    assert together([record], [none])[0].kinds == ("personal_data_breach",)
