"""The access analyzers of one region, and what they found open to outsiders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from collectors._aws.source import Place
from evidence.model import EvidenceItem, Outcome

ANALYZER = "aws.iam.analyzer"
NAMED = 100
_OPEN = {"status": {"eq": ["ACTIVE"]}}
_OUTSIDE = "ExternalAccess"


def analyzers(place: Place) -> Iterator[EvidenceItem]:
    """One state a region, also where there is no analyzer: that is what a lead must see."""
    found = [
        {"name": str(one["name"]), "type": str(one["type"]), "status": str(one["status"])}
        | {"arn": str(one["arn"])}
        for one in place.every("accessanalyzer", "list_analyzers", "analyzers")
    ]
    active = [one for one in found if one["status"] == "ACTIVE"]
    findings = [told for one in active for told in _findings(place, one["arn"])]
    outside = [told for told in findings if told["found"] == _OUTSIDE]
    content = {
        "analyzers": found, "open": dict(sorted(Counter(t["found"] for t in findings).items())),
        "outside": sorted(outside, key=lambda told: (told["type"], told["id"]))[:NAMED],
        "outside_count": len(outside),
    }  # fmt: skip
    outcome, said = _judged(active, len(outside))
    yield place.state(
        ANALYZER, "", content, f"access analyzer of {place.region}: {said}", outcome
    )  # fmt: skip


def _findings(place: Place, analyzer: str) -> Iterator[dict[str, str]]:
    for told in place.every(
        "accessanalyzer", "list_findings_v2", "findings", analyzerArn=analyzer, filter=_OPEN
    ):
        yield {
            "found": str(told.get("findingType", _OUTSIDE)),
            "type": str(told["resourceType"]), "id": str(told.get("resource") or told["id"]),
        }  # fmt: skip


def _judged(active: list[dict[str, str]], outside: int) -> tuple[Outcome, str]:
    if not active:
        return Outcome.FAILED, "none looks"
    outward = [one for one in active if one["type"] in {"ACCOUNT", "ORGANIZATION"}]
    if not outward:
        return Outcome.FAILED, "none looks for access from outside"
    if outside:
        return Outcome.FAILED, f"{outside} resources are open to outsiders, not archived"
    return Outcome.PASSED, "nothing is open to outsiders that was not archived"
