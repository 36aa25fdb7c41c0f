"""The stretches of time in which evidence was in date, as known then: what the gaps lie between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import duckdb

from evidence.duration import told_span
from evidence.errors import LakeError
from evidence.gaps import Cover, joined
from storage.aging import ASKED, Aging, Asking, islands
from storage.arrivals import CLAIMED, KNOWN, SPEAKING
from storage.cuts import cuts
from storage.engine import Connection
from storage.seen import in_parts, shown_claims
from storage.sightings import Key
from storage.state_covers import states_covered

__all__ = ["Aging", "Covered", "covers"]

_EVENTS = f"""
WITH {{seen}}, {ASKED}, {CLAIMED}, {SPEAKING}, {KNOWN}, made AS (
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
), {islands("spans", "number, system, late")}
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
        asking = Asking(connection, now, asked, cuts(connection, now, ages))
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
    asking: Asking, among: str, *, states: bool
) -> Iterator[tuple[int, str, bool, datetime, datetime]]:
    yield from asking.rows(_EVENTS.replace("{only}", among))
    if states:
        yield from states_covered(asking)
