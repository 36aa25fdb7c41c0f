"""One query of Logs Insights: asked, waited for, and its answer held against what it promises."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

from collectors._aws.day_marks import Known
from collectors._aws.source import Place
from collectors._text import clean
from collectors.base import system_of
from evidence.canonical import canonical
from evidence.model import Change, EvidenceItem, Outcome
from evidence.runs import Total

KIND = "aws.cloudwatch_logs.query"
LIMIT, KEPT = 10_000, 1_000
PATIENCE = timedelta(minutes=15)
_DAY = timedelta(days=1)
_UNDER_WAY = frozenset({"Scheduled", "Running"})
_COMPLETE, _POINTER = "Complete", "@ptr"
_SHORT, _LONG = 0.2, 5.0


class Asker(Protocol):
    """What the collector's settings say of its queries."""

    @property
    def groups(self) -> Sequence[str]:
        """Names of log groups."""

    @property
    def queries(self) -> Mapping[str, str]:
        """Queries by name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows in an order of their own; `wrong` says why they may not be all ("" if they are).

    `matched` is how many records Insights says matched, None where it does not say; `events` that
    each row is such a record, and no sum over many.
    """

    rows: tuple[Mapping[str, str], ...] = ()
    matched: int | None = None
    events: bool = False
    wrong: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)

    def totals(self, what: str) -> Iterator[Total]:
        """Promised and received, where the rows are what was promised."""
        if self.events and self.matched is not None:
            yield Total(what, self.matched, len(self.rows))


@dataclass(frozen=True, slots=True)
class Question:
    """The query `name` as it is asked in one place."""

    place: Place
    name: str
    asker: Asker

    def what(self, day: date) -> str:
        """Its name in pulls."""
        return f"{self.place.subject(self.name)} {day}"

    def day(self, day: date) -> tuple[Answer, Known | None]:
        """The answer of a day, and what to know of it: nothing where none came, so that it is
        asked for again. Raises SourceError."""
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        answer = self.answer(begin, begin + _DAY)
        if answer.wrong:
            self.place.asking.gap(f"query {self.what(day)}", answer.wrong)
        if answer.told["status"] != _COMPLETE:
            return answer, None
        digest = hashlib.sha256(canonical([*answer.rows, answer.wrong])).hexdigest()
        return answer, Known(len(answer.rows), digest, int(self.place.asking.now.timestamp()))

    def answer(self, begin: datetime, until: datetime) -> Answer:
        """What the query comes to from `begin` up to `until`. Raises SourceError."""
        asked = self.place.one(
            "logs", "start_query", "queryId", logGroupNames=list(self.asker.groups),
            startTime=int(begin.timestamp()), endTime=int(until.timestamp()) - 1,  # inclusive
            queryString=self.asker.queries[self.name], limit=LIMIT,
        )  # fmt: skip
        query = str(asked["queryId"])
        told = page = self._ended(query)
        rows, tokens = list(page.get("results", [])), set[str]()
        while (token := page.get("nextToken")) and token not in tokens:
            tokens.add(token)
            page = self._results(query, nextToken=token)
            rows += page.get("results", [])
        return _answer(told, rows)

    def _ended(self, query: str) -> dict[str, Any]:
        """The first results that are final, or the last that came in time."""
        wait, until = _SHORT, time.monotonic() + PATIENCE.total_seconds()
        while True:
            told = self._results(query)
            if told["status"] not in _UNDER_WAY or time.monotonic() > until:
                return told
            time.sleep(wait)
            wait = min(wait * 2, _LONG)

    def _results(self, query: str, **asked: Any) -> dict[str, Any]:
        return self.place.one("logs", "get_query_results", "status", queryId=query, **asked)

    def item(self, day: date, answer: Answer, before: Known | None) -> EvidenceItem:
        """The answer as evidence; `before` is what the same day came to."""
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        asking, groups = self.place.asking, list(self.asker.groups)
        told = {
            "account": asking.account, "region": self.place.region, "name": self.name,
            "query": self.asker.queries[self.name], "groups": groups, "day": str(day),
            "rows": list(answer.rows[:KEPT]), "returned": len(answer.rows),
            "matched": answer.matched, "wrong": answer.wrong,
            "sha256": hashlib.sha256(canonical(list(answer.rows))).hexdigest(), **answer.told,
        }  # fmt: skip
        # Late events make the answer what it would have been if they had been in time.
        fewer = before is not None and len(answer.rows) < before.events
        came = f"{len(answer.rows)} rows" if answer.matched is None else (
            f"{len(answer.rows)} rows from {answer.matched} records"
        )  # fmt: skip
        return EvidenceItem(
            source=self.place.source.source, kind=KIND,
            subject=f"{self.place.subject(self.name)}/{day}", observed_from=begin,
            observed_to=begin + _DAY, collected_at=asking.at, payload=told,
            system=system_of(self.place.source.systems, self.name, *groups),
            title=clean(f"{self.name} on {day}: {answer.wrong or came}"),
            change=Change.CHANGED if fewer else Change.NEW,
            outcome=Outcome.ERROR if answer.wrong else Outcome.RECORDED,
            locator=f"aws:{self.place.subject(self.name)}",
        )  # fmt: skip


def _answer(told: Mapping[str, Any], raw: Sequence[Sequence[Mapping[str, str]]]) -> Answer:
    """Insights gives no order unless asked, and its pointers differ from one query to the next."""
    rows = [{str(one["field"]): str(one.get("value", "")) for one in row} for row in raw]
    events = any(_POINTER in row for row in rows)
    kept = [{clean(k): clean(v, 500) for k, v in row.items() if k != _POINTER} for row in rows]
    counts = told.get("statistics", {})
    matched = int(counts["recordsMatched"]) if "recordsMatched" in counts else None
    facts = {
        "status": str(told["status"]), "scanned": int(counts.get("recordsScanned", 0)),
        "bytes": int(counts.get("bytesScanned", 0)),
    }  # fmt: skip
    return Answer(
        rows=tuple(sorted(kept, key=canonical)), matched=matched, events=events,
        wrong=_wrong(told["status"], len(rows), matched if events else None, counts), told=facts,
    )  # fmt: skip


def _wrong(status: str, rows: int, promised: int | None, counts: Mapping[str, Any]) -> str:
    if status != _COMPLETE:
        return f"Insights did not answer: {clean(status, 40)}"
    if rows >= LIMIT:
        return f"the answer was cut at {LIMIT} rows: ask for less, or count"
    if rows < int(counts.get("resultCount", 0)):
        return f"{rows} rows came of {int(counts['resultCount'])}"
    if promised is not None and rows < promised:
        return f"{rows} rows came of {promised} records that matched"
    if skipped := int(counts.get("estimatedRecordsSkipped", 0)):
        return f"Insights skipped about {skipped} records"
    return ""
