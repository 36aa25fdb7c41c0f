"""What the digests prove of one account and region, and what they do not: each as an item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from collectors._aws.s3 import Stored, Unreadable
from collectors._trail import digests as proof
from collectors._trail.keys import KeyRing, KeysUnavailable
from collectors._trail.logs import LogReader
from collectors._trail.names import DigestName
from collectors._trail.state import Link
from evidence.model import Outcome
from evidence.times import stamp

GRACE = timedelta(hours=1)
SILENT = timedelta(hours=3)


@dataclass(slots=True)
class Judge:
    """`keys` opens the key ring when it is first needed; `trail` must have digests ("": any).

    Of a part of the `past` digests are judged, and nothing is said of what is not there.
    """

    logs: LogReader
    keys: Callable[[], KeyRing]
    trail: str
    past: bool = False
    ring: KeyRing | None = None
    blind: str = ""
    blind_at: list[datetime] = field(default_factory=list)

    def again(self) -> None:
        """Judge once more the digests for which something could not be read last time, and those
        that were not there and have come since."""
        for suffix in sorted(self.logs.progress.recheck):
            name = self.logs.report.scope.digest(suffix)
            if name:
                self._recheck(name, "rechecked")
        for suffix, before in sorted(self.logs.progress.lost.items(), reverse=True):
            self._found(suffix, before)

    def _found(self, suffix: str, before: str) -> None:
        """Judge a digest that was missing and has come, and those before it, back to `before`."""
        scope, after = self.logs.report.scope, None
        while suffix != before and (name := scope.digest(suffix)):
            if after is not None and name.at >= after:
                return  # forged: no digest follows a later one
            after, key = name.at, scope.digests + suffix
            if not self._exists(self.logs.bucket.name, key):
                self.logs.progress.lost[suffix] = before
                return
            digest = self._recheck(name, "late")
            if digest is None:
                return
            self.logs.progress.lost.pop(suffix, None)
            if digest.previous is None:
                return
            suffix = digest.previous[1].removeprefix(scope.digests)

    def digest(self, stored: Stored) -> None:
        """One listed digest, unless it was judged before. Raises SourceBusy and the like."""
        scope, progress = self.logs.report.scope, self.logs.progress
        name = scope.digest(stored.key.removeprefix(scope.digests))
        if name is None:
            self._stray(stored)
            return
        before = progress.chains.get(name.chain)
        if before and name.at <= self._at(before):
            return
        try:
            link = self._judge(name, before)
        except KeysUnavailable as error:
            self.blind = str(error)
            self.blind_at.append(name.at)
        else:
            progress.chains[name.chain] = link

    def unnamed(self) -> None:
        """Log files older than the newest digest by an hour that no digest names."""
        end = None if self.past else self.logs.progress.end()
        for suffix, entry in self.logs.progress.seen.items():
            if end and not entry.settled and entry.due <= end - GRACE:
                entry.settled = True
                key = self.logs.report.scope.logs + suffix
                self._object(
                    key, entry.due, Outcome.FAILED, "unlisted extra log",
                    f"digests reach to {stamp(end)} and none names it: CloudTrail may not have "
                    "written it, or its digest was taken away",
                    f"{key} is named by no digest",
                )  # fmt: skip

    def close(self) -> None:
        """Say whether the region's logs can be validated, when that is not so or has changed."""
        progress = self.logs.progress
        times = [t for t in (progress.latest, progress.end(), *self.blind_at) if t]
        if not times or self.past:
            return
        outcome, name, why = self._doubt()
        if why and why != progress.doubt:
            self.logs.draft.add(self.logs.report.region(max(times), outcome, name, why))
        elif progress.doubt and not why:
            told = f"log files are validated again, to {stamp(max(times))}"
            self.logs.draft.add(self.logs.report.region(max(times), Outcome.PASSED, "", told))
        progress.doubt = why

    def _doubt(self) -> tuple[Outcome, str, str]:
        progress, end = self.logs.progress, self.logs.progress.end()
        place = self.logs.report.scope.digests
        if self.blind:
            why = f"log files could not be validated: {self.blind}"
            return Outcome.ERROR, "not validated", why
        if not progress.chains:
            why = f"no digest lies under {place}: log file validation is off, or writes elsewhere"
            return Outcome.ERROR, "not validated", why
        if self.trail and not any(name.startswith(f"{self.trail}@") for name in progress.chains):
            return Outcome.ERROR, "not validated", f"no digest of trail {self.trail} under {place}"
        if end and progress.latest and progress.latest - end > SILENT:
            last = stamp(progress.latest)
            why = f"digests stop at {stamp(end)}, but log files go on until {last}"
            return Outcome.FAILED, "missing digest", why
        return Outcome.PASSED, "", ""

    def _keys(self, digest: proof.Digest) -> list[proof.Problem]:
        self.ring = self.ring or self.keys()
        keys = self.ring.find(digest.fingerprint, digest.end)
        return proof.own_problems(digest, self.logs.bucket.name, keys)

    def _judge(self, name: DigestName, before: Link | None) -> Link:
        """Raises KeysUnavailable before anything is said of the digest."""
        self.ring = self.ring or self.keys()
        key = self.logs.report.scope.digests + name.suffix
        try:
            digest = self._read(key)
        except Unreadable as error:
            if not error.absent:
                self.logs.progress.recheck.add(name.suffix)
            return self._lost(name, key, before, Outcome.ERROR, "unreadable digest", error.why)
        except ValueError as error:
            return self._lost(name, key, before, Outcome.FAILED, "damaged digest", str(error))
        own = self._keys(digest)
        chain, linked = proof.chain_problems(
            digest, before, exists=self._exists, backfill=name.backfill
        )
        logs = proof.log_problems(digest, self.logs.look)
        self._tell(name, proof.Finding(digest, chain, (*own, *linked, *logs)))
        self._miss(linked, before)
        if before is None and not name.backfill and not self.past:
            self._uncovered(digest)
        return digest.link(before)

    def _read(self, key: str) -> proof.Digest:
        body = self.logs.bucket.get(key)
        self.logs.draft.answered(body.raw)
        return proof.unpack(body)

    def _tell(self, name: DigestName, found: proof.Finding) -> None:
        self.logs.draft.add(self.logs.report.digest(name, found))
        self.logs.settle((key for _, key, _ in found.digest.logs), found.digest.end)
        for problem in found.problems:
            if problem.name == "missing log":
                self.logs.expect(problem.what, name.suffix)
        if found.outcome is Outcome.ERROR:
            self.logs.progress.recheck.add(name.suffix)
        else:
            self.logs.progress.recheck.discard(name.suffix)

    def _miss(self, linked: Sequence[proof.Problem], before: Link | None) -> None:
        place = self.logs.report.scope.digests
        for problem in linked:
            if before and problem.name == "missing digest" and problem.what.startswith(place):
                missing = problem.what.removeprefix(place)
                self.logs.progress.lost[missing] = before.key.removeprefix(place)

    def _lost(
        self, name: DigestName, key: str, before: Link | None, outcome: Outcome, what: str, why: str
    ) -> Link:
        self.logs.draft.gap(f"s3://{self.logs.bucket.name}/{key}", why)
        title = f"{self.logs.report.scope.name} log digest to {stamp(name.at)[:16]}Z: {what}"
        self._object(key, name.at, outcome, what, why, title)
        return Link(key, before.since if before else name.at, name.at)

    def _recheck(self, name: DigestName, chain: str) -> proof.Digest | None:
        """The digest, if it could be judged."""
        key = self.logs.report.scope.digests + name.suffix
        try:
            digest = self._read(key)
            problems = (*self._keys(digest), *proof.log_problems(digest, self.logs.look))
        except (Unreadable, ValueError) as error:
            self.logs.draft.gap(f"s3://{self.logs.bucket.name}/{key}", str(error))
            return None
        except KeysUnavailable as error:
            self.blind, self.blind_at = str(error), [name.at]
            return None
        found = proof.Finding(digest, chain, problems)
        if found.outcome is not Outcome.ERROR or chain == "late":
            self._tell(name, found)
        return digest

    def _uncovered(self, digest: proof.Digest) -> None:
        """Log files from before the first digest: nobody can prove those."""
        progress, report = self.logs.progress, self.logs.report
        for entry in progress.seen.values():
            entry.settled = entry.settled or entry.due < digest.start
        if progress.oldest and progress.oldest < digest.start - GRACE:
            began = stamp(digest.start)
            self._object(
                f"{report.scope.logs} before {began}", digest.start, Outcome.ERROR,
                "chain start", f"log files go back to {stamp(progress.oldest)}, digests do not",
                f"{report.scope.name}: log files delivered before {began} have no digest",
            )  # fmt: skip

    def _stray(self, stored: Stored) -> None:
        self._object(
            stored.key, stored.modified, Outcome.FAILED, "stray object",
            "CloudTrail does not name its digests so", f"{stored.key} is no digest of CloudTrail's",
        )  # fmt: skip

    def _object(
        self, key: str, at: datetime, outcome: Outcome, name: str, why: str, title: str
    ) -> None:
        self.logs.draft.add(self.logs.report.object(key, at, outcome, name, why, title))

    def _exists(self, bucket: str, key: str) -> bool:
        return bucket != self.logs.bucket.name or self.logs.bucket.first(key) == key

    def _at(self, link: Link) -> datetime:
        scope = self.logs.report.scope
        name = scope.digest(link.key.removeprefix(scope.digests))
        return name.at if name else link.end
