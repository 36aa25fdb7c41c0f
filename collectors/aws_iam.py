"""AWS IAM: whose credentials are loose, who may do what with AI, and what outsiders can reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from collectors._aws.iam_analyzers import ANALYZER, analyzers
from collectors._aws.iam_credentials import CREDENTIALS, Limits, credentials
from collectors._aws.iam_grants import GRANT, grants
from collectors._aws.source import Asked, AwsStates, Place, Reader, everywhere
from evidence.model import EvidenceItem

# IAM is one for all regions of a partition; its answers are told under botocore's name of that.
_PARTITIONS = {"cn-": "aws-cn-global", "us-gov-": "aws-us-gov-global"}


@dataclass(frozen=True)
class AwsIam(AwsStates):
    """Credentials and grants of one account, and the access analyzers of its regions.

    The credential report is one `aws.iam.credentials`: failed where root has a key or no second
    factor, somebody signs in without one, or a key or password is older (`rotate_days`) or longer
    unused (`unused_days`) than allowed; the defaults are those of the CIS benchmark. Each user and
    role that may train, promote or invoke models, change guardrails and logging, or read and change
    objects of the buckets in `data`, is an `aws.iam.grant`. Each region is an `aws.iam.analyzer`:
    failed where no analyzer looks, or what it found open to outsiders was not archived.

    Not seen: service control policies, permissions boundaries, policies of resources and sessions.
    They can only take away, save those of resources.
    """

    data: tuple[str, ...] = ()
    rotate_days: int = 90
    unused_days: int = 45

    kinds: ClassVar[tuple[str, ...]] = (CREDENTIALS, GRANT, ANALYZER)
    states: ClassVar[tuple[str, ...]] = kinds

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        if isinstance(self.data, str):
            yield "data must be a list of bucket names"
        if self.rotate_days < 1 or self.unused_days < 1:
            yield "rotate_days and unused_days must be at least 1"

    def _readers(self) -> Mapping[str, Reader]:
        return {CREDENTIALS: self._credentials, GRANT: self._grants, ANALYZER: analyzers}

    def _asked(self) -> Asked:
        readers = dict(self._readers())
        own = {ANALYZER: readers.pop(ANALYZER)}
        return [*everywhere((global_of(self.regions[0]),), readers), *everywhere(self.regions, own)]

    def _credentials(self, place: Place) -> Iterator[EvidenceItem]:
        limits = Limits(timedelta(days=self.rotate_days), timedelta(days=self.unused_days))
        return credentials(place, limits)

    def _grants(self, place: Place) -> Iterator[EvidenceItem]:
        return grants(place, self.data)


def global_of(region: str) -> str:
    """Where IAM answers for a region: `aws-global`, or that of China or of the US government."""
    return next((name for begin, name in _PARTITIONS.items() if region.startswith(begin)),
                "aws-global")  # fmt: skip
