"""A year of three sources with outages, holidays and backfills, and a slow judge of it.

The judge knows nothing of the lake, of SQL or of how deadlines are worked out: it walks through
lists, day by day, as docs/freshness.md tells it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays
import pyarrow as pa
import pyarrow.parquet as pq

from evidence.deadline import Arrival
from evidence.freshness import Sighting
from evidence.model import EvidenceItem
from evidence.runs import Pull, PullFacts, PullOutcome
from storage.admission import pull_item
from storage.rows import evidence_rows
from storage.schema import EVIDENCE, TABLES, TAGS

BERLIN = ZoneInfo("Europe/Berlin")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2026, 1, 1, 5, tzinfo=UTC)
END = datetime(2027, 1, 1, 5, tzinfo=UTC)
SYSTEM = "credit-scoring"
OFF = holidays.country_holidays("DE", subdiv="BE", years=range(2024, 2029))


@dataclass(frozen=True)
class Fact:
    """What happened at a source; `seen` says whether its source shows it at a moment."""

    source: str
    number: int
    at: datetime
    shown: datetime


@dataclass(frozen=True)
class Brought:
    """A pull with what it brought."""

    source: str
    number: int
    at: datetime
    complete: bool
    backfill: bool
    facts: tuple[Fact, ...]


@dataclass
class Year:
    """All that happened, and all that was pulled, in order."""

    seed: int
    pulls: list[Brought] = field(default_factory=list)
    events: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        for source in ("reviews", "checks", "tickets"):
            facts = list(_facts(source, rng))
            self.pulls += _pulls(source, facts, rng)
        self.pulls.sort(key=lambda one: one.at)
        self.events = sorted(START + DAY * rng.uniform(5, 360) for _ in range(4))

    def files(self, folder: Path) -> dict[str, list[Path]]:
        """The lake's tables as files, with what landed when."""
        rows, tags = list[pa.Table](), list[dict[str, object]]()
        for pull in self.pulls:
            items = [_item(fact, pull.at) for fact in pull.facts]
            record = pull_item(_record(pull))
            rows.append(evidence_rows([*items, record], landed_at=pull.at, pull_id=_id(pull)))
            for name in _NAMES[pull.source]:
                tags += [_tag(item, f"iso42001:{name}", name) for item in items]
        for number, at in enumerate(self.events):
            made = _item(Fact("models", number, at, at), at)
            rows.append(evidence_rows([made], landed_at=at, pull_id="models"))
            tags.append(_tag(made, "event:new_model_version", ""))
        return {name: [] for name in TABLES} | {
            "evidence": [_write(folder / "month=2026-01", pa.concat_tables(rows), EVIDENCE)],
            "tags": [_write(folder / "tags", pa.Table.from_pylist(tags, TAGS), TAGS)],
        }


_NAMES = {"reviews": ("review", "quarter"), "checks": ("check",), "tickets": ("ticket",)}


def _facts(source: str, rng: random.Random) -> Iterator[Fact]:
    """Reviews about monthly, some forgotten; checks each working day; tickets now and then."""
    day = START - 20 * DAY
    number = 0
    while day < END:
        steps = {"reviews": rng.uniform(20, 40), "checks": 1.0, "tickets": rng.uniform(1, 12)}
        day += steps[source] * DAY
        if source == "checks" and (day.date() in OFF or day.weekday() > 4 or rng.random() < 0.06):
            continue
        if rng.random() < 0.1:
            day += rng.uniform(0, 30) * DAY if source == "tickets" else timedelta(0)
        late = rng.choice((0, 0, 0, 0, rng.uniform(1, 60))) * DAY
        number += 1
        yield Fact(source, number, day, day + late)


def _pulls(source: str, facts: list[Fact], rng: random.Random) -> Iterator[Brought]:
    """A pull a day, save in outages; some partial, and a backfill once a quarter."""
    outages = [(START + DAY * at, START + DAY * (at + rng.uniform(1, 12)))
               for at in (rng.uniform(0, 350) for _ in range(5))]  # fmt: skip
    brought = set[int]()
    now, number = START + rng.uniform(0, 3) * HOUR, 0
    while now < END:
        number += 1
        now += DAY
        if any(begin <= now < end for begin, end in outages):
            continue
        complete, backfill = rng.random() > 0.12, number % 90 == 0
        # A window that moved on does not see what shows only later: a backfill does.
        reach = timedelta(days=400) if backfill else timedelta(days=10)
        new = [
            fact for fact in facts
            if fact.number not in brought and fact.shown <= now < fact.at + reach
        ]  # fmt: skip
        brought |= {fact.number for fact in new}
        yield Brought(source, number, now, complete, backfill, tuple(new))


def _item(fact: Fact, at: datetime) -> EvidenceItem:
    return EvidenceItem(
        source=fact.source, kind=f"{fact.source}.fact", subject=f"{fact.source}-{fact.number}",
        observed_from=fact.at, observed_to=fact.at, collected_at=at, system=SYSTEM,
        payload={"n": fact.number},
    )  # fmt: skip


def _id(pull: Brought) -> str:
    return f"{pull.source}-pull-{pull.number}"


def _record(pull: Brought) -> Pull:
    return Pull(
        _id(pull), pull.source, "tests:None", pull.at, pull.at,
        PullOutcome.COMPLETE if pull.complete else PullOutcome.PARTIAL, PullFacts(),
        len(pull.facts), backfill=pull.backfill,
    )  # fmt: skip


def _tag(item: EvidenceItem, control: str, evidence: str) -> dict[str, object]:
    return dict.fromkeys(TAGS.names, "") | {
        "item_id": item.item_id, "control": control, "evidence": evidence, "mapping_digest": "m1",
        "tagged_at": START,
    }  # fmt: skip


def _write(folder: Path, rows: pa.Table, schema: pa.Schema) -> Path:
    folder.mkdir()
    path = folder / "all.parquet"
    pq.write_table(rows.select([name for name in schema.names if name != "month"]), path)
    return path


# The slow judge.


@dataclass(frozen=True)
class Rule:
    """What is asked, in plain words: days of the month or every day, at an hour, some grace."""

    source: str
    ends: str
    hour: int
    grace: timedelta
    warn: timedelta
    max_age: timedelta | None = None
    stale_on: bool = False

    def dues(self) -> list[tuple[datetime, datetime]]:
        """Each due with the close of its grace, from 2024 on."""
        found, day = set[datetime](), date(2024, 1, 1)
        while day < date(2027, 12, 31):
            last = (day + DAY).month != day.month
            if self.ends == "day" or (last and (self.ends == "month" or day.month % 3 == 0)):
                put_off = day
                while put_off in OFF or put_off.weekday() > 4:
                    put_off += DAY
                found.add(datetime.combine(put_off, time(self.hour)))
            day += DAY
        whole = timedelta(days=self.grace.days)
        return [
            (due.replace(tzinfo=BERLIN).astimezone(UTC),
             (due + whole).replace(tzinfo=BERLIN).astimezone(UTC) + (self.grace - whole))
            for due in sorted(found)
        ]  # fmt: skip


@dataclass
class SlowJudge:
    """One rule against one year; asked for each moment by itself."""

    year: Year
    rule: Rule
    began: datetime

    def __post_init__(self) -> None:
        self.dues = self.rule.dues() if self.rule.ends else []
        self.pulls = [pull for pull in self.year.pulls if pull.source == self.rule.source]
        self.facts = [
            (fact.at, known) for n, pull in enumerate(self.pulls) for fact in pull.facts
            if (known := self._known(n)) is not None
        ]  # fmt: skip
        self.asked = [
            (due, close, [when for at, when in self.facts if before < at <= due])
            for (before, _), (due, close) in zip(self.dues, self.dues[1:], strict=False)
            if due > self.began
        ]  # fmt: skip

    def _known(self, number: int) -> datetime | None:
        """When what this pull brought became known, if ever."""
        if self.pulls[number].complete:
            return self.pulls[number].at
        for later in self.pulls[number + 1 :]:
            if later.complete and not later.backfill:
                return later.at
        return None

    def sighting(self, now: datetime) -> Sighting | None:
        """What the judge under test should have been told by `now`."""
        there = [Arrival(at, when) for at, when in self.facts if when <= now]
        if not there:
            return None
        beats = [p.at for p in self.pulls if p.complete and not p.backfill and p.at <= now]
        happened = [at for at in self.year.events if at <= now]
        return Sighting(
            newest=max(one.at for one in there), source=self.rule.source, arrivals=tuple(there),
            heartbeat=max(beats, default=None), count=len(there),
            events={"new_model_version": max(happened)} if happened else {},
        )  # fmt: skip

    def history(self, now: datetime) -> list[tuple[datetime, str]]:
        """The last twelve closed periods: when each was due and how it ended."""
        ended = []
        for due, close, known in self.asked:
            if close <= now:
                in_time = [when for when in known if when < close]
                late = [when for when in known if when <= now]
                ended.append((due, "on time" if in_time else "late" if late else "missing"))
        return ended[-12:]

    def state(self, now: datetime) -> str:
        """The state in a word."""
        known = [at for at, when in self.facts if when <= now]
        if not known:
            return "unknown"
        beats = [p.at for p in self.pulls if p.complete and not p.backfill and p.at <= now]
        if not beats:
            return "unknown"
        if self.rule.stale_on and any(max(known) < at <= now for at in self.year.events):
            return "stale"
        ends, warns = [], []
        if self.rule.max_age:
            ends.append(max(known) + self.rule.max_age)
            warns.append(ends[-1] - self.rule.warn)
        wanted = self._wanted(now)
        if wanted is not None:
            ends.append(wanted[1])
            warns.append(wanted[0] - self.rule.warn)
        first = ends.index(min(ends))
        if now >= ends[first]:
            return "stale"
        if now - max(beats) > timedelta(days=2):
            return "unknown"
        if now >= warns[first]:
            return "due"
        missed = self.history(now)
        return "recovered" if missed and missed[-1][1] != "on time" else "fresh"

    def _wanted(self, now: datetime) -> tuple[datetime, datetime] | None:
        """The period after the last that was served, or the first that was asked for."""
        wanted = None
        for due, close, known in reversed(self.asked):
            if any(when <= now for when in known):
                return wanted
            wanted = due, close
        return wanted
