"""Items that say what CloudTrail's proof shows: digests, strays, rewritten files, silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._trail.digests import Finding, Problem
from collectors._trail.names import DigestName, Scope
from evidence.model import EvidenceItem, Outcome
from evidence.times import stamp

KIND = "aws.cloudtrail.digest"


@dataclass(frozen=True, slots=True)
class Reporter:
    """Builds the findings of one scope of one pull, collected at `now`."""

    source: str
    bucket: str
    scope: Scope
    now: datetime

    def digest(self, name: DigestName, found: Finding) -> EvidenceItem:
        """What came of one digest that could be read."""
        digest = found.digest
        return self._item(
            subject=digest.key, since=digest.start, at=digest.end, outcome=found.outcome,
            title=self._digest_title(found), problems=found.problems,
            facts={
                "trail": name.trail, "home_region": name.home, "backfill": name.backfill,
                "digest": digest.key, "start": stamp(digest.start), "end": stamp(digest.end),
                "sha256": digest.sha256, "key_fingerprint": digest.fingerprint,
                "log_files": len(digest.logs), "chain": found.chain,
            },
        )  # fmt: skip

    def _digest_title(self, found: Finding) -> str:
        files = len(found.digest.logs)
        told = f"{self.scope.name} log digest to {stamp(found.digest.end)[:16]}Z"
        if not found.problems:
            return f"{told}: signature valid, {files} log file{'s' * (files != 1)} as delivered"
        return f"{told}: {', '.join(dict.fromkeys(p.name for p in found.problems))}"

    def object(
        self, key: str, at: datetime, outcome: Outcome, name: str, why: str, sentence: str
    ) -> EvidenceItem:
        """One thing wrong with one object: its key is the subject, so a later word replaces it."""
        return self._item(
            subject=key, since=at, at=at, outcome=outcome, title=sentence,
            problems=(Problem(name, key, why),), facts={},
        )  # fmt: skip

    def region(self, at: datetime, outcome: Outcome, name: str, why: str) -> EvidenceItem:
        """Whether the region's log files can be validated at all; `why` is the sentence."""
        problems = () if outcome is Outcome.PASSED else (Problem(name, self.scope.name, why),)
        return self._item(
            subject=self.scope.name, since=at, at=at, outcome=outcome,
            title=f"{self.scope.name}: {why}", problems=problems, facts={"says": why},
        )  # fmt: skip

    def _item(
        self, *, subject: str, since: datetime, at: datetime, outcome: Outcome, title: str,
        problems: Sequence[Problem], facts: dict[str, Any],
    ) -> EvidenceItem:  # fmt: skip
        told = [{"name": p.name, "what": p.what, "why": p.why} for p in problems]
        place = {"account": self.scope.account, "region": self.scope.region}
        lies = subject if subject != self.scope.name else self.scope.digests
        return EvidenceItem(
            source=self.source, kind=KIND, subject=subject, observed_from=since, observed_to=at,
            collected_at=self.now, title=title, outcome=outcome,
            payload={**place, **facts, "problems": told}, locator=f"s3://{self.bucket}/{lies}",
        )  # fmt: skip
