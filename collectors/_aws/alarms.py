"""The alarms of CloudWatch in one region: what they watch, whom they tell, how they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from collectors._aws.source import Place
from evidence.model import EvidenceItem, Outcome

ALARM = "aws.cloudwatch_metrics.alarm"
_SETS = (("MetricAlarm", "MetricAlarms"), ("CompositeAlarm", "CompositeAlarms"))


def alarms(
    place: Place, wanted: Callable[[str], bool], *, must_tell: bool
) -> Iterator[EvidenceItem]:
    """A state for each wanted alarm; with `must_tell` one without an action has failed."""
    for kind, holds in _SETS:
        for told in place.every("cloudwatch", "describe_alarms", holds, AlarmTypes=[kind]):
            if wanted(str(told["AlarmName"])):
                yield _alarm(place, told, must_tell=must_tell)


def _alarm(place: Place, told: Mapping[str, Any], *, must_tell: bool) -> EvidenceItem:
    name, state = str(told["AlarmName"]), str(told["StateValue"])
    dimensions = dimensions_of(told)
    content = {
        "name": name, "state": state, "actions_enabled": bool(told.get("ActionsEnabled")),
        "actions": len(told.get("AlarmActions") or []),
        "namespace": told.get("Namespace", ""), "metric": told.get("MetricName", ""),
        "dimensions": dimensions, "rule": told.get("AlarmRule", ""),
        "statistic": told.get("Statistic", told.get("ExtendedStatistic", "")),
        "period_seconds": told.get("Period"), "periods": told.get("EvaluationPeriods"),
        "comparison": told.get("ComparisonOperator", ""),
        "threshold": None if told.get("Threshold") is None else float(told["Threshold"]),
        "missing_data": told.get("TreatMissingData", ""),
        "suppressed_by": told.get("ActionsSuppressor", ""),
    }  # fmt: skip
    outcome, said = _judged(content, must_tell=must_tell)
    return place.state(
        ALARM, name, content, f"alarm {name} in {place.region} {said}", outcome,
        names=(name, *dimensions.values()), locator=str(told.get("AlarmArn", "")),
    )  # fmt: skip


def dimensions_of(told: Mapping[str, Any]) -> dict[str, str]:
    """What a metric or alarm is about, by name."""
    return {str(one["Name"]): str(one["Value"]) for one in told.get("Dimensions") or []}


def _judged(alarm: Mapping[str, Any], *, must_tell: bool) -> tuple[Outcome, str]:
    """An alarm that sounds, or that nobody would hear, is no good news."""
    if alarm["state"] == "ALARM":
        return Outcome.FAILED, "sounds"
    if not alarm["actions_enabled"]:
        return Outcome.FAILED, "is silenced: its actions are off"
    if must_tell and not alarm["actions"]:
        return Outcome.FAILED, "would tell nobody: it has no action"
    if alarm["state"] != "OK":
        return Outcome.ERROR, f"cannot judge: {alarm['state']}"
    return Outcome.PASSED, "watches"
