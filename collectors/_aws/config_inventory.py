"""Which AI resources AWS Config found in one region, and to which AI systems they belong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from collectors._aws.config_recorder import blind
from collectors._aws.source import Place
from collectors.base import system_of
from evidence.errors import SourceBroken
from evidence.model import EvidenceItem, Outcome

INVENTORY = "aws.config.inventory"
NAMED = 500
_AI = ("AWS::SageMaker::", "AWS::Bedrock::", "AWS::BedrockAgentCore::")


def inventory(place: Place) -> Iterator[EvidenceItem]:
    """One state a region: each resource by name with its AI system, and those that have none."""
    found = sorted(_resources(place), key=lambda one: (one["type"], one["name"], one["id"]))
    strangers = [one for one in found if not one["system"]]
    unseen, compared = blind(place), bool(place.source.systems)
    content = {
        "types": dict(sorted(Counter(one["type"] for one in found).items())),
        "resources": found[:NAMED], "strangers": strangers[:NAMED],
        "count": len(found), "strangers_count": len(strangers),
        "unseen": unseen, "compared": compared,
    }  # fmt: skip
    outcome, said = _judged(len(found), len(strangers), unseen, compared=compared)
    title = f"AI resources that AWS Config found in {place.region}: {said}"
    yield place.state(INVENTORY, "ai-resources", content, title, outcome)


def _resources(place: Place) -> Iterator[dict[str, str]]:
    for kind in _types(place):
        for told in place.every(
            "config", "list_discovered_resources", "resourceIdentifiers", resourceType=kind
        ):
            name, id_ = str(told.get("resourceName", "")), str(told.get("resourceId", ""))
            system = system_of(place.source.systems, name, id_)
            yield {"type": kind, "name": name or id_, "id": id_, "system": system}


def _types(place: Place) -> Iterator[str]:
    """Those of AI that there is something of; botocore has no pages for this call."""
    token = ""
    while True:
        more = {"nextToken": token} if token else {}
        page = place.one(
            "config", "get_discovered_resource_counts", "resourceCounts", limit=100, **more
        )
        for told in page["resourceCounts"]:
            if str(told["resourceType"]).startswith(_AI) and told.get("count"):
                yield str(told["resourceType"])
        last, token = token, str(page.get("nextToken") or "")
        if not token:
            return
        if token == last:
            what = f"config:GetDiscoveredResourceCounts in {place.region}"
            raise SourceBroken(f"{what}: the same page token came twice", what=what)


def _judged(found: int, strangers: int, unseen: str, *, compared: bool) -> tuple[Outcome, str]:
    """Nothing found proves nothing where nothing is recorded, or nothing is known to compare."""
    if unseen:
        return Outcome.ERROR, f"{unseen}, so there may be more"
    if not found:
        return Outcome.RECORDED, "none"
    if not compared:
        return Outcome.RECORDED, f"{found}, with no AI systems named to compare them with"
    if strangers:
        return Outcome.FAILED, f"{strangers} of {found} belong to no AI system that is known"
    return Outcome.PASSED, f"all {found} belong to an AI system that is known"
