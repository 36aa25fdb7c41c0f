"""The configuration recorder of one region: whether AWS Config sees changes at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collectors._aws.source import Place
from evidence.errors import SourceRefused
from evidence.model import EvidenceItem, Outcome

KIND = "aws.config.recorder"


def recorders(place: Place) -> list[dict[str, Any]]:
    """Each recorder with its status; an account has one in a region, or none."""
    status = {
        told.get("name", ""): told
        for told in place.one(
            "config", "describe_configuration_recorder_status", "ConfigurationRecordersStatus"
        )["ConfigurationRecordersStatus"]
    }
    found = place.one("config", "describe_configuration_recorders", "ConfigurationRecorders")
    return [
        _told(one, status.get(one.get("name", ""), {})) for one in found["ConfigurationRecorders"]
    ]


def recorder(place: Place) -> Iterator[EvidenceItem]:
    """One state a region, also where there is no recorder: that is what a lead must see."""
    found = recorders(place)
    channels = place.one("config", "describe_delivery_channels", "DeliveryChannels")
    told = {
        "recorders": found,
        "delivered_to": sorted(c.get("s3BucketName", "") for c in channels["DeliveryChannels"]),
    }
    outcome, said = _judged(found)
    yield place.state(KIND, "", told, f"AWS Config in {place.region} {said}", outcome)


def recording(found: list[dict[str, Any]]) -> bool:
    """Whether changes of configuration are recorded and arrive."""
    return _judged(found)[0] is Outcome.PASSED


def blind(place: Place) -> str:
    """Why changes may go unseen; empty where they are recorded."""
    try:
        on = recording(recorders(place))
    except SourceRefused:
        return "whether changes are recorded could not be read"
    return "" if on else "changes are not recorded"


def _told(one: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    group = one.get("recordingGroup", {})
    return {
        "name": one.get("name", ""),
        "recording": bool(status.get("recording")),
        "last_status": str(status.get("lastStatus", "")),
        "last_error": str(status.get("lastErrorCode", "")),
        "all_supported": bool(group.get("allSupported")),
        "global_types": bool(group.get("includeGlobalResourceTypes")),
        "resource_types": sorted(group.get("resourceTypes", [])),
        "without": sorted(group.get("exclusionByResourceTypes", {}).get("resourceTypes", [])),
        "mode": one.get("recordingMode", {}).get("recordingFrequency", ""),
    }


def _judged(found: list[dict[str, Any]]) -> tuple[Outcome, str]:
    on = [one for one in found if one["recording"]]
    if not found:
        return Outcome.FAILED, "has no recorder: changes are not seen"
    if not on:
        return Outcome.FAILED, "has its recorder off: changes are not seen"
    last = {one["last_status"].lower() for one in on}
    if "success" not in last:
        return Outcome.ERROR, f"records, but its last delivery is {', '.join(sorted(last))}"
    return Outcome.PASSED, "records changes"
