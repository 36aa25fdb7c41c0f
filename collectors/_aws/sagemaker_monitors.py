"""Monitoring schedules of one region, and what the runs of Model Monitor came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from collectors._aws.source import Place
from collectors._text import clean
from collectors.base import Window, system_of
from evidence.errors import SourceBroken
from evidence.model import EvidenceItem, Outcome
from evidence.times import from_ms, stamp, utc

SCHEDULE = "aws.sagemaker.monitor"
RUN = "aws.sagemaker.monitor_run"
# Lists of AWS may lag behind what they list.
_OVERLAP = timedelta(hours=1)
_ENDED = {
    "Completed": (Outcome.PASSED, "found no violation"),
    "CompletedWithViolations": (Outcome.FAILED, "found violations"),
    "Failed": (Outcome.ERROR, "could not finish"),
    "Stopped": (Outcome.ERROR, "was stopped"),
}
_UNDER_WAY = ("Pending", "InProgress", "Stopping")
_SCHEDULES = {
    "Scheduled": Outcome.PASSED,
    "Stopped": Outcome.FAILED,
    "Failed": Outcome.FAILED,
}


def schedules(place: Place) -> Iterator[EvidenceItem]:
    """What is to be watched, and whether it is."""
    rows = place.every("sagemaker", "list_monitoring_schedules", "MonitoringScheduleSummaries")
    for told in rows:
        name = str(told["MonitoringScheduleName"])
        status = str(told.get("MonitoringScheduleStatus", ""))
        endpoint = str(told.get("EndpointName", ""))
        content = {
            "name": name, "status": status, "endpoint": endpoint,
            "type": told.get("MonitoringType", ""),
            "job_definition": told.get("MonitoringJobDefinitionName", ""),
        }  # fmt: skip
        yield place.state(
            SCHEDULE, name, content, f"monitoring schedule {name}: {status}",
            _SCHEDULES.get(status, Outcome.RECORDED), names=(endpoint, name),
            locator=str(told.get("MonitoringScheduleArn", "")),
        )  # fmt: skip


def runs(
    place: Place, reached: int | None, window: Window | None = None
) -> tuple[list[EvidenceItem], int]:
    """Ended runs that changed since `reached` (epoch ms) or within the window, oldest first, and
    what is reached now."""
    asked: dict[str, Any] = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
    if window is not None:
        asked["LastModifiedTimeAfter"] = window.since - _OVERLAP
        asked["LastModifiedTimeBefore"] = window.until
    if reached is not None:
        asked["LastModifiedTimeAfter"] = from_ms(reached) - _OVERLAP
    rows = place.every(
        "sagemaker", "list_monitoring_executions", "MonitoringExecutionSummaries", **asked
    )
    latest = max((_ms(row["LastModifiedTime"]) for row in rows), default=0)
    found = [item for item in _items(place, rows) if window is None or window.holds(item)]
    return found, max(latest, reached or 0)


def _items(place: Place, rows: list[dict[str, Any]]) -> Iterator[EvidenceItem]:
    for row in rows:
        status = str(row.get("MonitoringExecutionStatus", ""))
        if status in _UNDER_WAY:
            continue
        if status not in _ENDED:
            what = f"a monitoring run of {row.get('MonitoringScheduleName')}"
            raise SourceBroken(f"{what}: status {clean(repr(status), 60)} is not known", what=what)
        yield _item(place, row, status)


def _item(place: Place, row: Mapping[str, Any], status: str) -> EvidenceItem:
    schedule, endpoint = str(row["MonitoringScheduleName"]), str(row.get("EndpointName", ""))
    due, ended = utc(row["ScheduledTime"]), utc(row["LastModifiedTime"])
    outcome, said = _ENDED[status]
    what = str(row.get("MonitoringType") or "monitoring")
    content = {
        "account": place.asking.account, "region": place.region, "schedule": schedule,
        "endpoint": endpoint, "type": row.get("MonitoringType", ""), "status": status,
        "scheduled": stamp(due), "job": row.get("ProcessingJobArn", ""),
        "reason": clean(str(row.get("FailureReason", "")), 500),
    }  # fmt: skip
    return EvidenceItem(
        source=place.source.source, kind=RUN, subject=f"{place.subject(schedule)}/{stamp(due)}",
        observed_from=min(utc(row["CreationTime"]), ended), observed_to=ended,
        collected_at=place.asking.at, payload=content,
        system=system_of(place.source.systems, endpoint, schedule),
        title=clean(f"{what} of {endpoint or schedule} {said}"),
        outcome=outcome, locator=str(row.get("ProcessingJobArn", "")),
    )  # fmt: skip


def _ms(moment: datetime) -> int:
    return (utc(moment) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
