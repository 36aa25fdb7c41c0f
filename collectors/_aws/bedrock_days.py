"""One day of Bedrock's invocation log in S3: what was called, and whether the log is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from collectors._aws.bedrock_calls import Call, Tally, call_of
from collectors._aws.day_marks import Days, Known
from collectors._aws.s3 import Bucket, Stored, Unreadable, gunzip
from collectors._aws.source import Place
from collectors._text import clean
from collectors.base import system_of
from evidence.errors import SourceBroken
from evidence.model import Change, EvidenceItem, Outcome

CALLS = "aws.bedrock.invocations"
DELIVERY = "aws.bedrock.delivery"
DAY = timedelta(days=1)
# Calls near midnight may be logged and counted on different sides of it.
EDGE = timedelta(minutes=5)
MOST = 2_000_000
# A call that is told in a folder of the next day's first two hours is in time.
_IN_TIME, _LAST = 2, 23


@dataclass(slots=True)
class _Read:
    """What came of a day's files."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)
    near: int = 0
    unread: int = 0

    @property
    def calls(self) -> int:
        return sum(len(tally.requests) for tally in self.tallies.values())

    @property
    def answered(self) -> int:
        """Calls of the day without an error: those that CloudWatch counts as invocations."""
        return sum(
            len(tally.requests) - tally.late - tally.errors.total()
            for tally in self.tallies.values()
        )


@dataclass(slots=True)
class Reader:
    """Reads days of one region from below `root`; `known` is what they came to."""

    place: Place
    bucket: Bucket
    root: str
    known: Days
    received: int = 0

    def day(self, day: date, counted: int | None) -> Iterator[EvidenceItem]:
        """Items of the day, if its files differ from those that were read. Raises SourceError.

        `counted` is how many invocations CloudWatch counted, None where it was not asked or told.
        """
        files = [stored for prefix in self._folders(day) for stored in self._files(prefix)]
        found = _fingerprint(files)
        old = self.known.get(day)
        if old is not None and old.digest == found:
            return
        read = self._read(day, files)
        if len(read.seen) > MOST:
            self._gap(f"{day}", f"it has more than {MOST} invocations")
            return
        self.received += read.calls
        # A file that could not be read is asked for again.
        now = int(self.place.asking.now.timestamp())
        self.known[day] = Known(read.calls, "" if read.unread else found, now)
        yield from self._calls(day, read)
        yield self._delivery(day, read, len(files), counted, old)

    def _folders(self, day: date) -> Iterator[str]:
        """Bedrock files by hour; calls near midnight may lie in its neighbours."""
        yield f"{self.root}{day - DAY:%Y/%m/%d}/{_LAST}/"
        yield f"{self.root}{day:%Y/%m/%d}/"
        for hour in range(_IN_TIME):
            yield f"{self.root}{day + DAY:%Y/%m/%d}/{hour:02}/"

    def _files(self, prefix: str) -> Iterator[Stored]:
        """`data/` holds long prompts and answers by themselves: those are not even fetched."""
        for page in self.bucket.pages(prefix, ""):
            self.place.asking.pages += 1
            for stored in page:
                if stored.key.endswith(".json.gz") and "/data/" not in stored.key:
                    yield stored

    def _read(self, day: date, files: list[Stored]) -> _Read:
        read = _Read()
        for stored in files:
            try:
                self._file(day, stored, read)
            except (Unreadable, ValueError) as error:
                read.unread += 1
                self._gap(stored.key, clean(str(error)))
        return read

    def _file(self, day: date, stored: Stored, read: _Read) -> None:
        body = self.bucket.get(stored.key)
        self.place.asking.pages += 1
        self.place.asking.raw.append(hashlib.sha256(body.raw).hexdigest())
        data, problem = gunzip(body.raw)
        hour = stored.key.removeprefix(f"{self.root}{day:%Y/%m/%d}/")[:2]
        own = int(hour) if hour.isdigit() else None
        for line in data.splitlines():
            try:
                self._place(day, call_of(json.loads(line)), own, read)
            except (SourceBroken, ValueError, RecursionError) as error:
                problem = str(error)
        if problem:
            raise ValueError(problem)

    def _place(self, day: date, call: Call, own: int | None, read: _Read) -> None:
        """Each call counts once: on its day, or as late on the day in whose folder it lies.

        `own` is the hour of the day's folder that it lies in, None if it is a neighbour's.
        """
        begin = datetime.combine(day, time(), UTC)
        within = begin <= call.at < begin + DAY
        late = own is not None and not within and (
            own >= _IN_TIME if call.at < begin else own < _LAST
        )  # fmt: skip
        digest = hashlib.sha256(call.request.encode("utf-8", "surrogatepass")).digest()[:16]
        if digest in read.seen:
            return
        read.seen.add(digest)
        read.near += min(abs(call.at - begin), abs(call.at - begin - DAY)) <= EDGE
        if not within and not late:
            return
        system = system_of(self.place.source.systems, *call.names)
        read.tallies.setdefault((call.model, system), Tally()).add(call, late=late)

    def _calls(self, day: date, read: _Read) -> Iterator[EvidenceItem]:
        for (model, system), tally in sorted(read.tallies.items()):
            told = tally.told()
            yield self._item(
                CALLS, day, f"{day}/{model}" + (f"/{system}" if system else ""),
                {"model": model, **told}, f"{told['calls']} calls of {model} on {day}",
                Outcome.RECORDED, Change.NEW, system,
            )  # fmt: skip

    def _delivery(
        self, day: date, read: _Read, files: int, counted: int | None, old: Known | None
    ) -> EvidenceItem:
        lost = old.events - read.calls if old is not None and not read.unread else 0
        outcome, why = _judged(read, counted, lost)
        if outcome is Outcome.FAILED:
            self._gap(f"{day}", why)
        told = {
            "files": files, "calls": read.calls, "answered": read.answered, "near": read.near,
            "counted": counted, "unread": read.unread, "lost": max(lost, 0),
            "from": f"s3://{self.bucket.name}/{self.root}",
        }  # fmt: skip
        said = f"Bedrock's invocation log of {self.place.region} on {day}: {why}"
        change = Change.CHANGED if lost > 0 else Change.NEW
        return self._item(DELIVERY, day, str(day), told, said, outcome, change, "")

    def _item(
        self, kind: str, day: date, name: str, told: Mapping[str, object], title: str,
        outcome: Outcome, change: Change, system: str,
    ) -> EvidenceItem:  # fmt: skip
        begin = datetime.combine(day, time(), UTC)
        where = {"account": self.place.asking.account, "region": self.place.region}
        return EvidenceItem(
            source=self.place.source.source, kind=kind, subject=self.place.subject(name),
            observed_from=begin, observed_to=begin + DAY, collected_at=self.place.asking.at,
            payload={**where, "day": str(day), **told}, system=system, title=clean(title),
            change=change, outcome=outcome,
            locator=f"s3://{self.bucket.name}/{self.root}{day:%Y/%m/%d}/",
        )  # fmt: skip

    def _gap(self, what: str, why: str) -> None:
        self.place.asking.gap(f"invocation log {self.place.subject(what)}", why)


def _judged(read: _Read, counted: int | None, lost: int) -> tuple[Outcome, str]:
    """Passed only where CloudWatch, asked apart, counted what is logged."""
    if read.unread:
        return Outcome.ERROR, f"{read.unread} files could not be read whole"
    if lost > 0:
        return Outcome.FAILED, f"{lost} calls that were logged are gone"
    if counted is None:
        return Outcome.RECORDED, f"{read.calls} calls logged, nothing else counted them"
    both = f"CloudWatch counted {counted} invocations, {read.answered} are logged"
    if counted - read.answered > read.near:
        return Outcome.FAILED, both
    whole = counted > 0 and read.answered - counted <= read.near
    return (Outcome.PASSED if whole else Outcome.RECORDED), both


def _fingerprint(files: list[Stored]) -> str:
    told = "\n".join(f"{one.key} {one.etag} {one.size}" for one in files)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
