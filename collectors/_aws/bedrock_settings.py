"""Bedrock's settings in one region: invocation logging, and guardrails version by version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from collectors._aws.asking import Absent
from collectors._aws.source import Place
from evidence.canonical import canonical, plain
from evidence.model import EvidenceItem, Outcome

LOGGING = "aws.bedrock.logging"
GUARDRAIL = "aws.bedrock.guardrail"
_KINDS = ("text", "image", "embedding", "video", "audio")
# What is no setting: it says when and how the answer came.
_APART = ("ResponseMetadata", "createdAt", "updatedAt", "status")


def logging(place: Place) -> Iterator[EvidenceItem]:
    """One state a region; an answer without a configuration says that it is off."""
    answer = place.one("bedrock", "get_model_invocation_logging_configuration")
    told = answer.get("loggingConfig") or {}
    group = str(told.get("cloudWatchConfig", {}).get("logGroupName", ""))
    bucket = told.get("s3Config", {})
    content = {
        "log_group": group,
        "bucket": bucket.get("bucketName", ""),
        "prefix": bucket.get("keyPrefix", ""),
        "delivered": [name for name in _KINDS if told.get(f"{name}DataDeliveryEnabled")],
    }
    on = bool(group or bucket.get("bucketName"))
    said = f"Bedrock logs invocations in {place.region}: {'on' if on else 'off'}"
    yield place.state(
        LOGGING, "", content, said, Outcome.PASSED if on else Outcome.FAILED
    )  # fmt: skip


def guardrails(place: Place) -> Iterator[EvidenceItem]:
    """DRAFT and every numbered version of each."""
    for listed in place.every("bedrock", "list_guardrails", "guardrails"):
        name = str(listed["id"])
        try:
            versions = place.every(
                "bedrock", "list_guardrails", "guardrails", guardrailIdentifier=name
            )
            for one in versions:
                told = place.one(
                    "bedrock", "get_guardrail", "guardrailId",
                    guardrailIdentifier=name, guardrailVersion=str(one["version"]),
                )  # fmt: skip
                yield _guardrail(place, told)
        except Absent:
            place.asking.gap(place.subject(name), "the guardrail was deleted while it was read")


def _guardrail(place: Place, told: Mapping[str, Any]) -> EvidenceItem:
    version, status = str(told["version"]), str(told["status"])
    settings = {name: value for name, value in told.items() if name not in _APART}
    words = told.get("wordPolicy", {})
    private = told.get("sensitiveInformationPolicy", {})
    content = {
        "id": told["guardrailId"], "name": told["name"], "version": version, "status": status,
        "topics": _named(told.get("topicPolicy", {}).get("topics"), "name", "type"),
        "content": _named(
            told.get("contentPolicy", {}).get("filters"), "type", "inputStrength", "outputStrength"
        ),
        "words": len(words.get("words", [])),
        "word_lists": _named(words.get("managedWordLists"), "type"),
        "private": _named(private.get("piiEntities"), "type", "action"),
        "patterns": _named(private.get("regexes"), "name", "action"),
        "grounding": _named(
            told.get("contextualGroundingPolicy", {}).get("filters"), "type", "threshold"
        ),
        "kms_key": told.get("kmsKeyArn", ""),
        "settings_sha256": _digest(settings),
    }  # fmt: skip
    name = f"{told['guardrailId']}/{version}"
    return place.state(
        GUARDRAIL, name, content, f"guardrail {told['name']} version {version}: {status}",
        Outcome.FAILED if status == "FAILED" else Outcome.RECORDED, names=(str(told["name"]),),
        locator=str(told.get("guardrailArn", "")),
    )  # fmt: skip


def _named(rows: Any, *names: str) -> list[dict[str, Any]]:
    """Those names of each row, in an order of their own."""
    kept = [{name: row[name] for name in names if name in row} for row in rows or []]
    return sorted(kept, key=lambda row: json.dumps(row, sort_keys=True))


def _digest(settings: Mapping[str, Any]) -> str:
    told = json.loads(json.dumps(settings, default=str))
    return hashlib.sha256(canonical(plain(told))).hexdigest()
