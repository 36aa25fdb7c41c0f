"""The stretches of time in which states were in date: those in which whole pulls saw them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from storage.aging import ASKED, Asking, islands
from storage.arrivals import CLAIMED, KNOWN
from storage.engine import Connection
from storage.seen import ask_seen

_SUBJECT = "source, kind, system, subject"
_STATES = f"""
WITH {{seen}}, {ASKED}, {CLAIMED.replace("{only}", "")}, subjects AS (
    SELECT DISTINCT control, evidence, {_SUBJECT} FROM seen JOIN claims USING (item_id)
    WHERE nature = 'state'
), versions AS (
    SELECT o.control, o.evidence, s.*,
        c.item_id IS NOT NULL AND s.change <> 'gone' AND k.item_id IS NULL AS counts
    FROM seen s JOIN subjects o USING ({_SUBJECT})
        LEFT JOIN claims c ON c.item_id = s.item_id AND c.control = o.control
            AND c.evidence = o.evidence
        LEFT JOIN corrected k ON k.item_id = s.item_id
), speaking AS (
    -- A state holds until a version landed that counts for nothing.
    SELECT control, evidence, source, kind, system, observed_to, collected_at, landed_at, pull_id,
        until
    FROM (SELECT *, min(CASE WHEN NOT counts THEN landed_at END) OVER (
            PARTITION BY control, evidence, {_SUBJECT} ORDER BY place
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS until FROM versions)
    WHERE counts AND confirmed
), {KNOWN}
SELECT a.number, k.system, k.source, k.kind, k.known, k.until
FROM known k JOIN asked a USING (control, evidence) ORDER BY ALL
"""  # noqa: S608  ours
_LOOKS = f"""
WITH {{seen}}, {ASKED}, wanted AS (
    SELECT unnest($wanted::STRUCT(number INT, about VARCHAR, source VARCHAR, kind VARCHAR)[],
        recursive := true)
), looks AS (
    SELECT source, kind, finished_at, greatest(finished_at, landed_at) AS known
    FROM (SELECT source, unnest(states) AS kind, finished_at, landed_at FROM complete
        WHERE NOT backfill)
    SEMI JOIN wanted USING (source, kind)
), again AS (
    SELECT source, kind, finished_at, min(known) OVER (
        PARTITION BY source, kind ORDER BY finished_at
        RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS known FROM looks
), spans AS (
    SELECT number, about, source, kind, false AS lost, known AS starts, finished_at + age AS ends
    FROM wanted JOIN asked USING (number) JOIN looks USING (source, kind)
    UNION ALL
    SELECT w.number, w.about, w.source, w.kind, true, c.told,
        coalesce(g.known, $now + to_years(1000))
    FROM (SELECT * FROM wanted JOIN asked USING (number)) w
        JOIN {{cuts}} c USING (cuts, about) ASOF LEFT JOIN again g
        ON w.source = g.source AND w.kind = g.kind AND c.moment - w.lead_time <= g.finished_at
), {islands("spans", "number, about, source, kind, lost")}
"""  # noqa: S608  ours

Stretch = tuple[datetime, datetime]


def states_covered(
    asking: Asking,
) -> Iterator[tuple[int, str, bool, datetime, datetime]]:
    """Number of the age, AI system, false (nothing is late), beginning and end of each stretch.

    Raises duckdb.Error, LakeError.
    """
    if _any_state(asking.connection, asking.now):
        yield from _seen(asking, asking.rows(_STATES))


def _any_state(connection: Connection, now: datetime) -> bool:
    """Whether there is a state at all: to plan the question of them takes longer than this look."""
    sql = "WITH {seen} SELECT bool_or(nature = 'state') FROM seen"
    row = ask_seen(connection, sql, now, {}).fetchone()
    return bool(row and row[0])


def _seen(
    asking: Asking, versions: Sequence[Sequence[Any]]
) -> Iterator[tuple[int, str, bool, datetime, datetime]]:
    """The stretches in which a state was seen by whole pulls and not overtaken."""
    places = {
        (number, "" if asking.ages[number].everywhere else system, source, kind)
        for number, system, source, kind, *_ in versions
    }
    if not places:
        return
    wanted = [dict(zip(("number", "about", "source", "kind"), one, strict=True))
              for one in sorted(places)]  # fmt: skip
    looked: dict[object, list[Stretch]] = defaultdict(list)
    lost: dict[object, list[Stretch]] = defaultdict(list)
    for *place, gone, starts, ends in asking.rows(_LOOKS, wanted=wanted):
        (lost if gone else looked)[tuple(place)].append((starts, ends))
    for number, system, source, kind, known, until in versions:
        at = (number, "" if asking.ages[number].everywhere else system, source, kind)
        for starts, ends in _without(looked[at], lost[at]):
            first, last = max(starts, known), min(ends, until or ends)
            if first < last:
                yield number, system, False, first, last


def _without(stretches: Iterable[Stretch], lost: Sequence[Stretch]) -> Iterator[Stretch]:
    for first, last in stretches:
        starts = first
        for began, ended in lost:
            if began < last and ended > starts:
                if starts < began:
                    yield starts, began
                starts = ended
        if starts < last:
            yield starts, last
