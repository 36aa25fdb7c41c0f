"""Reads the log files of one account and region, and remembers which were read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from collectors._aws.s3 import Body, Bucket, Stored, Unreadable, gunzip
from collectors._trail import events
from collectors._trail.digests import Hashed
from collectors._trail.draft import Draft
from collectors._trail.findings import Reporter
from collectors._trail.names import back, day_of
from collectors._trail.state import RELIST_DAYS, Progress, Seen
from evidence.errors import InvalidItem, SourceRefused
from evidence.model import Outcome

DENIED_ALL = 20


@dataclass(slots=True)
class LogReader:
    """`since` is the first day folder listed in this pull, `start` the first ever wanted."""

    bucket: Bucket
    report: Reporter
    systems: Mapping[str, str]
    draft: Draft
    progress: Progress
    start: str
    since: str
    resumed: bool
    hashes: dict[str, Hashed] = field(default_factory=dict)
    denied: int = 0
    read: int = 0
    torn: list[str] = field(default_factory=list)

    def again(self) -> None:
        """Ask once more for what was withheld last time and will not be listed again."""
        for suffix in sorted(self.progress.unread):
            if day_of(suffix) < self.since:
                self._fetch(suffix)
        for day in sorted({day_of(suffix) for suffix in self.progress.awaited}):
            self._late(day)

    def _late(self, day: str) -> None:
        """Read what a digest named and was not there, if it has come since."""
        scope = self.report.scope
        for page in self.bucket.pages(f"{scope.logs}{day}/", ""):
            self.draft.pages += 1
            for stored in page:
                suffix = stored.key.removeprefix(scope.logs)
                if suffix in self.progress.awaited:
                    self._fetch(suffix)

    def log(self, stored: Stored) -> None:
        """One listed object. Raises SourceBusy, SourceRefused, SourceBroken."""
        suffix = stored.key.removeprefix(self.report.scope.logs)
        seen = self.progress.seen.get(suffix)
        if seen and seen.etag == stored.etag:
            return
        if self.report.scope.log(suffix) is None:
            self.progress.seen[suffix] = Seen(stored.etag, stored.modified, settled=True)
            self._stray(stored)
            return
        if seen and seen.etag:
            self._rewritten(stored)
        self._fetch(suffix)

    def look(self, bucket: str, key: str) -> Hashed:
        """How a log file that a digest names lies there now; a late one's events are read too."""
        if bucket != self.bucket.name:
            return Hashed(problem=f"it is in another bucket, {bucket}", withheld=True)
        suffix = key.removeprefix(self.report.scope.logs)
        if suffix in self.hashes:
            return self.hashes[suffix]
        if key != suffix and self._is_late(suffix):
            return self._fetch(suffix)
        try:
            body = self.bucket.get(key)
        except Unreadable as error:
            if not error.absent:
                self.draft.gap(f"s3://{bucket}/{key}", error.why)
            return Hashed(problem=error.why, absent=error.absent, withheld=not error.absent)
        self.draft.answered(body.raw)
        data, problem = gunzip(body.raw)
        return Hashed(hashlib.sha256(data).hexdigest() if data else "", problem)

    def settle(self, keys: Iterable[str], at: datetime) -> None:
        """A digest that ends `at` names these; one not read yet is remembered as named."""
        for key in keys:
            suffix = key.removeprefix(self.report.scope.logs)
            if suffix != key:
                self.progress.seen.setdefault(suffix, Seen("", at)).settled = True

    def expect(self, key: str, named: str) -> None:
        """A log file that the digest `named` tells of was not there: it may come, however late."""
        suffix = key.removeprefix(self.report.scope.logs)
        if suffix != key and self.report.scope.log(suffix):
            self.progress.awaited[suffix] = named

    def forget(self, day: str) -> None:
        """Let go of what belongs to days long before `day`."""
        oldest = back(day, RELIST_DAYS)
        self.hashes = {s: h for s, h in self.hashes.items() if day_of(s) >= oldest}
        self.progress.prune()

    def _is_late(self, suffix: str) -> bool:
        """A file put into a day folder after that folder was last listed."""
        seen = self.progress.seen.get(suffix)
        known = seen and seen.etag
        return self.resumed and not known and self.start <= day_of(suffix) < self.since

    def _fetch(self, suffix: str) -> Hashed:
        try:
            body = self.bucket.get(self.report.scope.logs + suffix)
        except Unreadable as error:
            return self._withheld(suffix, error)
        self.read += 1
        self.draft.answered(body.raw)
        self.torn = []
        self.hashes[suffix] = self._events(body)
        if self.torn:
            self._torn(body.stored)
        self._note(suffix, body.stored)
        if named := self.progress.awaited.pop(suffix, ""):
            self.progress.recheck.add(named)
        return self.hashes[suffix]

    def _withheld(self, suffix: str, error: Unreadable) -> Hashed:
        self.draft.gap(f"s3://{self.bucket.name}/{error.key}", error.why)
        if error.absent:
            self.progress.unread.discard(suffix)
            return Hashed(problem=error.why, absent=True)
        self.progress.unread.add(suffix)
        self.denied += 1
        if self.denied >= DENIED_ALL and not self.read:
            why = f"{self.denied} objects of s3://{self.bucket.name} may be listed but not read"
            raise SourceRefused(f"{why}: grant s3:GetObject (and kms:Decrypt)", what=error.key)
        return Hashed(problem=error.why, withheld=True)

    def _events(self, body: Body) -> Hashed:
        place = f"s3://{self.bucket.name}/{body.stored.key}"
        data, problem = gunzip(body.raw)
        if problem:
            self.draft.gap(place, problem)
        if not data:
            self.torn.append(problem or "it unpacks to nothing")
            return Hashed(problem=problem or "it unpacks to nothing")
        try:
            for number, record in enumerate(events.records(data)):
                self._event(record, place, number)
        except ValueError as error:
            self.torn.append(str(error))
            self.draft.gap(place, str(error))
        return Hashed(hashlib.sha256(data).hexdigest(), problem)

    def _event(self, record: object, place: str, number: int) -> None:
        source, at = self.report.source, self.report.now
        try:
            item = events.item(record, source=source, systems=self.systems, locator=place, at=at)
        except InvalidItem as error:
            self.torn.append(f"record {number}: {error}")
            self.draft.gap(f"{place} record {number}", str(error))
        else:
            self.draft.add(item)

    def _note(self, suffix: str, stored: Stored) -> None:
        delivered = self.report.scope.log(suffix) or stored.modified
        before = self.progress.seen.get(suffix)
        due = max(delivered, stored.modified)
        self.progress.seen[suffix] = Seen(stored.etag, due, bool(before and before.settled))
        self.progress.reach(suffix, delivered)
        self.progress.unread.discard(suffix)

    def _stray(self, stored: Stored) -> None:
        self.draft.add(
            self.report.object(
                stored.key, stored.modified, Outcome.FAILED, "unlisted extra log",
                "CloudTrail does not name its files so; its content was not read",
                f"{stored.key} lies among the log files but is not one of CloudTrail's",
            )
        )  # fmt: skip

    def _torn(self, stored: Stored) -> None:
        """The gap makes this pull partial; the next has none, so a lasting word must stay."""
        self.draft.add(
            self.report.object(
                stored.key, stored.modified, Outcome.ERROR, "unreadable log",
                "; ".join(self.torn[:5]),
                f"{stored.key} could not be read whole: events of it are missing here",
            )
        )  # fmt: skip

    def _rewritten(self, stored: Stored) -> None:
        self.draft.add(
            self.report.object(
                stored.key, stored.modified, Outcome.FAILED, "edited log",
                f"it was read before with another content; now its entity tag is {stored.etag}",
                f"{stored.key} was overwritten after it had been read",
            )
        )  # fmt: skip
