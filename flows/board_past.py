"""The past beside the board: where controls stood, and what changed since."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from dashboards.detail import Changes, LandedRow, MovedRow, Past, Point
from evidence.errors import ConfigError
from flows.compare import Moved, compare, items_between
from flows.compare_mapping import decided
from flows.config import Config
from flows.judgement import judge_lake
from flows.moment import Asked, Moment, moment
from storage.lake import Lake
from storage.trend import first_judged, stood

WEEK = timedelta(days=7)
POINTS = 12
_STEPS = (timedelta(days=1), WEEK, timedelta(days=30))


def past(lake: Lake, shown: Moment) -> Past:
    """Where today's controls stood a week ago, and up to twelve times before, as judged then."""
    since = shown.at - WEEK
    with shown.connect(lake) as connection:
        step, moments = _moments(first_judged(connection), shown.at)
        found = stood(connection, (*moments, since))
    controls = {control.id for control in shown.mapping.catalogue.controls}
    held = {
        at: {c: word for c, word in many.items() if c in controls} for at, many in found.items()
    }  # fmt: skip
    points = tuple(
        Point(at, dict(Counter(held[at].values())), len(controls)) for at in moments
    )  # fmt: skip
    return Past(points, step, since, held[since])


def _moments(began: datetime | None, at: datetime) -> tuple[timedelta, list[datetime]]:
    """The shortest step by which twelve points reach back to the first judgement, and they."""
    if began is None or began > at:
        return _STEPS[-1], []
    step = next((s for s in _STEPS if at - began <= s * (POINTS - 1)), _STEPS[-1])
    return step, [at - step * n for n in reversed(range(POINTS)) if at - step * n >= began]


def changes(lake: Lake, config: Config, since: Asked | None, shown: Moment) -> Changes:
    """What differs from `since` (a week before, if None) to `shown`. Raises ConfigError."""
    first = moment(lake, config, since or Asked(shown.at - WEEK))
    if first.at > shown.at:
        raise ConfigError("the moment to compare with is later than the one that is shown")
    before, after = judge_lake(lake, first), judge_lake(lake, shown)
    told = decided(lake, before, after)
    found = compare(before, after, items_between(lake, before, after), told)
    return Changes(
        first.token, shown.token,
        tuple(_row(one, one.what) for one in found.controls),
        tuple(_row(one, one.what.partition(" ")[0]) for one in found.verdicts),
        tuple(LandedRow(*row.values()) for row in found.items),
        found.systems, found.mapping, found.decided,
        tuple(dict.fromkeys((*before.notes, *after.notes))),
    )  # fmt: skip


def _row(one: Moved, control: str) -> MovedRow:
    return MovedRow(one.what, control, one.before, one.after, one.why, one.worse)
