"""The flow that keeps the lake lean, on its own schedule and beside all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.config import FILE, load, now
from flows.due import done_since, late_since
from flows.upkeep import headline, keep_lean, refusals, report_rows
from storage.beats import beat, last_beat


@flow(name="maintain", timeout_seconds=6 * 3600, validate_parameters=True)
def maintain(config: str = FILE) -> State[Any]:
    """Make few files of many, delete what is past its time, pack the old log; show the table.

    Fails with the reasons when something does not look as it was sealed: that is left as it is.
    """
    settings, began = load(Path(config)), now()
    if overtaken := done_since(late_since(began), last_beat(settings.lake, "maintain")):
        return overtaken
    done = keep_lean(settings)
    beat(settings.lake, "maintain", began)
    create_table_artifact(report_rows(done), key="headwater-maintained", description=headline(done))
    if refused := refusals(done):
        return Failed(message="; ".join(refused))
    return Completed(message=headline(done))
