"""The flow that verifies, on its own schedule: a lake that nobody looks at proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from evidence.errors import VerificationFailed
from flows.config import FILE, load, now
from flows.due import done_since, late_since
from flows.report import block
from flows.terminal import printable
from flows.verify import KEPT, run
from storage.beats import beat, last_beat


@flow(name="verification", timeout_seconds=12 * 3600, validate_parameters=True)
def verification(config: str = FILE) -> State[Any]:
    """Recompute everything against what was signed; how it ended lands. A difference fails it."""
    settings, began, told = load(Path(config)), now(), list[str]()
    if overtaken := done_since(late_since(began), last_beat(settings.lake, "verification")):
        return overtaken
    try:
        run(settings.file, told.append, processes=settings.verify.processes)
    except VerificationFailed as failed:
        told += failed.findings[:KEPT]
        message = f"{len(failed.findings)} differences; the first: {failed.findings[0]}"
        ended: State[Any] = Failed(message=printable(message))
    else:
        ended = Completed(message="every payload, id and leaf is as it was sealed")
    beat(settings.lake, "verification", began)
    create_markdown_artifact(block(told), key="headwater-verified")
    return ended
