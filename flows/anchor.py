"""The flow that anchors: a time authority's word on the newest seal, on its own schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from evidence.errors import HeadwaterError
from flows.anchoring import anchor_now
from flows.config import FILE, load
from flows.report import described


@flow(name="anchor", timeout_seconds=1800, validate_parameters=True)
def anchor(config: str = FILE) -> State[Any]:
    """Have the newest seal stamped. An authority that did not answer is a failed run."""
    settings = load(Path(config))
    if settings.anchor is None:
        return Completed(message="no time authority is named in [anchor]: nothing is stamped")
    try:
        told = anchor_now(settings)
    except HeadwaterError as error:
        return Failed(message=str(error))
    create_markdown_artifact(f"{described(told)}\n", key="headwater-anchored")
    return Completed(message=told)
