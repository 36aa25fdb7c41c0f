"""A year with outages, holidays and backfills is judged each day as a slow, obvious judge does."""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from evidence.deadline import Kept
from evidence.freshness import Expectation, Scope, State, Verdict, judge
from evidence.model import ControlId
from flows.judgement import asked_periods
from mappings.deadlines import CronDeadline, workdays_of
from storage.arrivals import began
from storage.landed import landed
from storage.views import connect_files
from tests.flows.year import DAY, END, HOUR, START, SYSTEM, Rule, SlowJudge, Year

WORKDAYS = workdays_of("DE", "BE")
RULES = {
    "review": Rule("reviews", "month", 18, 5 * DAY, 7 * DAY),
    "quarter": Rule("reviews", "quarter", 12, 14 * DAY, 10 * DAY, max_age=60 * DAY),
    "check": Rule("checks", "day", 9, 12 * HOUR, 2 * HOUR),
    "ticket": Rule("tickets", "", 0, timedelta(0), 3 * DAY, max_age=14 * DAY, stale_on=True),
}
CRON = {"month": "0 18 L * *", "quarter": "0 12 L 3,6,9,12 *", "day": "0 9 * * *"}


def _expectation(name: str, rule: Rule) -> Expectation:
    deadline = None
    if rule.ends:
        deadline = CronDeadline(CRON[rule.ends], "Europe/Berlin", WORKDAYS, rule.grace)
    return Expectation(
        ControlId(f"iso42001:{name}"), name, Scope.SYSTEM, rule.max_age, rule.warn,
        deadline=deadline, stale_on=("new_model_version",) if rule.stale_on else (),
    )  # fmt: skip


EVERY = int(os.environ.get("HEADWATER_DAYS", "40"))
"""The lake is asked on each so manieth day; 1 asks every day, which takes most of a minute."""


@pytest.mark.parametrize("seed", range(1, 1 + int(os.environ.get("HEADWATER_DOUBTS", "2"))))
def test_every_day_of_a_year_is_judged_as_the_slow_judge_does(seed: int) -> None:
    year, words, misses = Year(seed), Counter[str](), Counter[str]()
    begun = year.pulls[0].at
    for name, rule in RULES.items():
        want, slow = _expectation(name, rule), SlowJudge(year, rule, begun)
        for day in range((END - START).days):
            now = START + day * DAY + seed * HOUR
            verdict = judge(want, SYSTEM, slow.sighting(now), now, begun)
            _agree(verdict, slow, now)
            words[verdict.state] += 1
            misses.update(one.kept for one in verdict.history)
    assert min(words[word] for word in State) > 5, words
    assert min(misses[kept] for kept in Kept if kept is not Kept.OPEN) > 20, misses


def test_the_lake_tells_the_judge_what_happened(tmp_path: Path) -> None:
    year = Year(1)
    wanted = {name: _expectation(name, rule) for name, rule in RULES.items()}
    with connect_files(year.files(tmp_path), mapping_digest="m1") as connection:
        begun = began(connection)
        assert begun is not None
        slow = {name: SlowJudge(year, rule, begun) for name, rule in RULES.items()}
        for day in range(5, (END - START).days, EVERY):
            now = START + day * DAY
            seen = landed(connection, now, asked_periods(list(wanted.values()), begun, now))
            for name, want in wanted.items():
                key = (want.control, want.evidence, SYSTEM)
                _agree(judge(want, SYSTEM, seen.get(key), now, begun), slow[name], now)


def _agree(verdict: Verdict, slow: SlowJudge, now: datetime) -> None:
    assert verdict.state == slow.state(now), (verdict.evidence, now, verdict.why)
    history = [(one.period.due, one.kept.value) for one in verdict.history]
    assert history == slow.history(now), (verdict.evidence, now)
