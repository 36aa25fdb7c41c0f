"""Which models of others, and of one's own, can be called through Bedrock in one region."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collectors._aws.source import Place
from evidence.errors import SourceBroken
from evidence.model import EvidenceItem

MODELS = "aws.bedrock.models"
_OWN = (
    ("custom", "list_custom_models", "modelSummaries", "modelName"),
    ("imported", "list_imported_models", "modelSummaries", "modelName"),
    ("provisioned", "list_provisioned_model_throughputs", "provisionedModelSummaries",
     "provisionedModelName"),
)  # fmt: skip
# What can be called without buying throughput first.
_CALLABLE = {"ON_DEMAND", "INFERENCE_PROFILE"}


def models(place: Place) -> Iterator[EvidenceItem]:
    """One state a region: names of foundation models that are switched on, and of all others."""
    listed = place.one("bedrock", "list_foundation_models", "modelSummaries")["modelSummaries"]
    asked = [one for one in listed if _CALLABLE & set(one.get("inferenceTypesSupported") or [])]
    usable = [_model(one) for one in asked if _usable(place, str(one["modelId"]))]
    own = {
        name: sorted(str(one[called]) for one in place.every("bedrock", operation, holds))
        for name, operation, holds, called in _OWN
    }
    content = {"usable": sorted(usable, key=lambda one: one["id"]), "asked": len(asked), **own}
    providers = sorted({one["provider"] for one in usable})
    said = f"{len(usable)} foundation models of {', '.join(providers) or 'nobody'} can be called"
    yield place.state(MODELS, "", content, f"Bedrock in {place.region}: {said}")


def _model(told: Mapping[str, Any]) -> dict[str, str]:
    return {
        "id": str(told["modelId"]), "provider": str(told.get("providerName", "")),
        "name": str(told.get("modelName", "")),
        "lifecycle": str(told.get("modelLifecycle", {}).get("status", "")),
    }  # fmt: skip


def _usable(place: Place, model: str) -> bool:
    """Agreed to, entitled and authorized. One that cannot be asked about is a gap, and not one."""
    try:
        told = place.one(
            "bedrock", "get_foundation_model_availability", "authorizationStatus", modelId=model
        )
    except SourceBroken as error:
        place.asking.gap(place.subject(model), str(error))
        return False
    return (
        told["authorizationStatus"] == "AUTHORIZED"
        and told.get("entitlementAvailability") == "AVAILABLE"
        and told.get("agreementAvailability", {}).get("status") == "AVAILABLE"
    )
