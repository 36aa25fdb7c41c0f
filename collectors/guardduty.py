"""Amazon GuardDuty: whether it watches, and which threats it found are still open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from collectors._aws.guardduty_findings import DETECTOR, FINDING, Allowed, detectors, findings
from collectors._aws.source import AwsStates, Place, Reader
from evidence.model import EvidenceItem


@dataclass(frozen=True)
class GuardDuty(AwsStates):
    """The detector of each region and every finding that nobody archived.

    A region without a detector that is on is a failed `aws.guardduty.detector`. A finding is an
    `aws.guardduty.finding`: recorded while it is younger than `high_days`, `medium_days` or
    `low_days` allow for its severity (critical counts as high), failed after that. The defaults are
    those of AWS Config's own rule for findings. One that is archived is gone.
    """

    high_days: int = 1
    medium_days: int = 7
    low_days: int = 30

    kinds: ClassVar[tuple[str, ...]] = (DETECTOR, FINDING)
    states: ClassVar[tuple[str, ...]] = kinds

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        if not 0 <= self.high_days <= self.medium_days <= self.low_days:
            yield "high_days, medium_days and low_days must not be negative, nor fall in that order"

    def _readers(self) -> Mapping[str, Reader]:
        return {DETECTOR: detectors, FINDING: self._findings}

    def _findings(self, place: Place) -> Iterator[EvidenceItem]:
        return findings(place, Allowed(self.high_days, self.medium_days, self.low_days))
