"""The log groups of one region as CloudWatch Logs describes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._aws.source import Place
from collectors._json import moment, number, text
from evidence.model import EvidenceItem, Outcome
from evidence.times import stamp

KIND = "aws.cloudwatch_logs.group"


@dataclass(frozen=True, slots=True)
class Group:
    """A log group; `keeps` is its retention in days (None: for ever)."""

    name: str
    made: datetime
    keeps: int | None
    told: Mapping[str, Any]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Group:
        """Raises SourceBroken."""
        name = text(told, "logGroupName", "a log group")
        keeps = number(told, "retentionInDays", name) if "retentionInDays" in told else None
        return cls(name, moment(told.get("creationTime"), name), keeps, told)

    def item(self, place: Place, at_least: int) -> EvidenceItem:
        """Its settings as a state; its size grows all the time and is none."""
        told = {
            "name": self.name,
            "retention_days": self.keeps,
            "retention_at_least": at_least,
            "kms_key": self.told.get("kmsKeyId", ""),
            "class": self.told.get("logGroupClass", ""),
            "data_protection": self.told.get("dataProtectionStatus", ""),
            "metric_filters": self.told.get("metricFilterCount", 0),
            "created": stamp(self.made),
        }
        kept = "for ever" if self.keeps is None else f"for {self.keeps} days"
        return place.state(
            KIND, self.name, told, f"log group {self.name} keeps its events {kept}",
            self._judged(at_least), names=(self.name,), locator=str(self.told.get("arn", "")),
        )  # fmt: skip

    def _judged(self, at_least: int) -> Outcome:
        if not at_least:
            return Outcome.RECORDED
        long = self.keeps is None or self.keeps >= at_least
        return Outcome.PASSED if long else Outcome.FAILED


def groups(place: Place, wanted: Callable[[str], bool]) -> Iterator[Group]:
    """Those whose names are wanted."""
    for told in place.every("logs", "describe_log_groups", "logGroups"):
        group = Group.of(told)
        if wanted(group.name):
            yield group
