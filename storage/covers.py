"""The stretches of time in which evidence was in date, as known then: what the gaps lie between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from evidence.duration import Duration, Span, shortest, told_span
from evidence.errors import LakeError
from evidence.gaps import Cover, joined
from storage.arrivals import CLAIMED, KNOWN, SPEAKING
from storage.cuts import Cuts, cuts
from storage.engine import Connection
from storage.seen import ask_seen, in_parts, shown_claims
from storage.sightings import Key

_SUBJECT = "source, kind, system, subject"
_ASKED = """asked AS (
    SELECT *, to_months(months) + to_days(days) + to_microseconds(rest) AS age,
        to_microseconds(lead) AS lead_time
    FROM (SELECT unnest($asked::STRUCT(number INT, control VARCHAR, evidence VARCHAR, months INT,
        days INT, rest BIGINT, width BIGINT, lead BIGINT, stale_on VARCHAR[], everywhere BOOLEAN,
        cuts INT)[], recursive := true))
)"""


def _islands(spans: str, key: str) -> str:
    """The rest of a question: the stretches of each key, joined where they meet."""
    return f"""joined AS (
    SELECT *, coalesce(starts > max(ends) OVER (PARTITION BY {key} ORDER BY starts, ends
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS opens
    FROM {spans} WHERE ends > starts
), numbered AS (
    SELECT *, sum(opens::INT) OVER (PARTITION BY {key} ORDER BY starts, ends
        ROWS UNBOUNDED PRECEDING) AS island FROM joined
)
SELECT {key}, min(starts) AS starts, max(ends) AS ends FROM numbered
GROUP BY {key}, island ORDER BY ALL"""  # noqa: S608  ours


_EVENTS = f"""
WITH {{seen}}, {_ASKED}, {CLAIMED}, {SPEAKING}, {KNOWN}, made AS (
    SELECT a.number, a.age, a.lead_time, a.cuts, k.system, k.known, k.observed_to,
        CASE WHEN everywhere THEN '' ELSE k.system END AS about,
        epoch_us(k.observed_to) // a.width AS step
    FROM known k JOIN claims c USING (item_id)
        JOIN asked a ON a.control = c.control AND a.evidence = c.evidence
    WHERE k.nature = 'event' AND k.observed_to <= $now
), cut AS (
    -- Those that became known together and lie within one age limit cover as one.
    SELECT number, system, known, min(observed_to) AS first, max(observed_to) AS last,
        any_value(age) AS age, NULL AS overtaken, NULL AS told
    FROM made WHERE cuts IS NULL GROUP BY number, system, known, step
    UNION ALL
    SELECT m.number, m.system, m.known, min(m.observed_to), max(m.observed_to),
        any_value(m.age), c.moment, any_value(c.told)
    FROM (FROM made WHERE cuts IS NOT NULL) m ASOF LEFT JOIN {{cuts}} c
        ON m.cuts = c.cuts AND m.about = c.about AND m.observed_to + m.lead_time < c.moment
    GROUP BY m.number, m.system, m.known, m.step, c.moment
), spans AS (
    SELECT number, system, false AS late, known AS starts, least(last + age, told) AS ends FROM cut
    UNION ALL
    SELECT number, system, true, first, least(known, last + age, overtaken) FROM cut
), {_islands("spans", "number, system, late")}
"""  # noqa: S608  ours
_SETS = """
WITH asked AS (
    SELECT unnest($asked::STRUCT(control VARCHAR, evidence VARCHAR)[], recursive := true)
)
SELECT control, evidence, count(*), bit_xor(hash(item_id)), sum(hash(item_id)::HUGEINT)
FROM (SELECT DISTINCT item_id, control, evidence FROM {claims}
    SEMI JOIN asked USING (control, evidence) {only} WHERE lake_weighs(strength))
GROUP BY control, evidence ORDER BY control, evidence
"""
_STATES = f"""
WITH {{seen}}, {_ASKED}, {CLAIMED.replace("{only}", "")}, subjects AS (
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
WITH {{seen}}, {_ASKED}, wanted AS (
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
), {_islands("spans", "number, about, source, kind, lost")}
"""  # noqa: S608  ours


@dataclass(frozen=True, slots=True)
class Aging:
    """How old evidence of a kind may be, for a control: what events overtake it, unless they came
    `lead` after it at most, and whether those of all AI systems do (`everywhere`) or its own."""

    control: str
    evidence: str
    max_age: Span
    stale_on: tuple[str, ...] = ()
    lead: timedelta = timedelta(0)
    everywhere: bool = False

    def row(self, number: int) -> dict[str, object]:
        """As the engine takes it; times in microseconds."""
        age = self.max_age
        rest = age.rest if isinstance(age, Duration) else age
        return {
            "number": number, "control": self.control, "evidence": self.evidence,
            "months": age.months if isinstance(age, Duration) else 0, "days": rest.days,
            "rest": _micros(rest - timedelta(days=rest.days)),
            "width": _micros(shortest(age)), "lead": _micros(self.lead),
            "stale_on": list(self.stale_on), "everywhere": self.everywhere,
        }  # fmt: skip


def covers(
    connection: Connection, now: datetime, ages: Sequence[Aging], *, only: str = ""
) -> dict[Key, tuple[Cover, ...]]:
    """(control, evidence kind, system) → the stretches in which evidence was in date, as known
    then, and those in which it would have been, had what came late been known.

    What counts is what counts today: what was corrected, went away or had its date taken back
    covered nothing. A state covers what its source's complete pulls saw it in. `only` is a table of
    the connection with the ids of the events that are asked about (empty: all, and states). Raises
    LakeError.
    """
    found = Covered(connection, now, ages)
    in_parts(connection, now, lambda: found.take(only=only))
    return found.told


@dataclass(slots=True)
class Covered:
    """`covers`, put together of what some subjects cover after the others (`told`)."""

    connection: Connection
    now: datetime
    ages: Sequence[Aging]
    told: dict[Key, tuple[Cover, ...]] = field(default_factory=dict)

    def take(self, *, only: str = "", but: str = "") -> None:
        """Look at the subjects that are shown now; `only` as in `covers`, `but` is a table with
        the ids of events that are left out. Raises LakeError."""
        among = f"SEMI JOIN {only} USING (item_id)" if only else ""
        among += f"ANTI JOIN {but} USING (item_id)" if but else ""
        self.add(_shown(self.connection, self.now, self.ages, among, states=not only))

    def add(self, more: Mapping[Key, Sequence[Cover]]) -> None:
        """What other subjects, or events, cover."""
        for key, many in more.items():
            self.told[key] = joined((*self.told.get(key, ()), *many))


def _shown(
    connection: Connection, now: datetime, ages: Sequence[Aging], among: str, *, states: bool
) -> dict[Key, tuple[Cover, ...]]:
    """`covers` of the subjects that are shown now, `among` whose events, and of their states."""
    if not ages:
        return {}
    try:
        alike = _alike(connection, ages, among)
        if not alike:
            return {}
        asked = list(dict.fromkeys(alike.values()))
        found: dict[tuple[Aging, str], list[Cover]] = defaultdict(list)
        asking = _Asking(connection, now, asked, cuts(connection, now, ages))
        for number, system, late, starts, ends in _asked(asking, among, states=states):
            age = told_span(asked[number].max_age)
            found[asked[number], system].append(Cover(age, starts, ends, late))
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be judged: {error}") from error
    told: dict[Key, tuple[Cover, ...]] = {}
    members = defaultdict(list)
    for one, asked_as in alike.items():
        members[asked_as].append(one)
    for (asked_as, system), many in found.items():
        covered = joined(many)
        for one in members[asked_as]:
            key = one.control, one.evidence, system
            told[key] = joined((*told[key], *covered)) if key in told else covered
    return told


def _alike(connection: Connection, ages: Sequence[Aging], among: str) -> dict[Aging, Aging]:
    """Each that anything is claimed for, with the one that is asked in its place: most controls
    that ask for a kind of evidence claim the same items, and what is claimed alike is covered
    alike. What nothing is claimed for covers nothing."""
    pairs = [{"control": one.control, "evidence": one.evidence} for one in ages]
    sql = _SETS.replace("{only}", among).replace("{claims}", shown_claims(connection))
    rows = connection.execute(sql, {"asked": pairs}).fetchall()
    first: dict[tuple[object, ...], str] = {}
    stands_for = {
        (control, evidence): first.setdefault((evidence, *items), control)
        for control, evidence, *items in rows
    }
    return {
        one: replace(one, control=stands_for[one.control, one.evidence])
        for one in ages
        if (one.control, one.evidence) in stands_for
    }


def _asked(
    asking: _Asking, among: str, *, states: bool
) -> Iterator[tuple[int, str, bool, datetime, datetime]]:
    yield from asking.rows(_EVENTS.replace("{only}", among))
    if states and _any_state(asking.connection, asking.now):
        yield from _seen(asking, asking.rows(_STATES))


def _any_state(connection: Connection, now: datetime) -> bool:
    """Whether there is a state at all: to plan the question of them takes longer than this look."""
    sql = "WITH {seen} SELECT bool_or(nature = 'state') FROM seen"
    row = ask_seen(connection, sql, now, {}).fetchone()
    return bool(row and row[0])


Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class _Asking:
    """Questions about some ages, each by its number."""

    connection: Connection
    now: datetime
    ages: Sequence[Aging]
    cuts: Cuts

    def rows(self, sql: str, **more: Any) -> list[tuple[Any, ...]]:
        """What is answered, times in UTC."""
        asked = [one.row(n) | {"cuts": self.cuts.number(one)} for n, one in enumerate(self.ages)]
        values = {"asked": asked, **more}
        rows = ask_seen(
            self.connection, sql.replace("{cuts}", self.cuts.table), self.now, values
        ).fetchall()
        return [tuple(_utc(value) for value in row) for row in rows]


def _seen(
    asking: _Asking, versions: Sequence[Sequence[Any]]
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


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
