"""The flow that watches Headwater itself, on its own schedule: what is wrong lands and shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.config import FILE, load, now
from flows.due import done_since, late_since
from flows.report import described
from flows.terminal import printable
from flows.tidings import tell_watch
from flows.watching import watch_now
from storage.beats import last_beat


@flow(name="watch", timeout_seconds=1800, validate_parameters=True)
def watch(config: str = FILE) -> State[Any]:
    """Look at everything once. It completes whatever it finds: it has then done its work."""
    settings = load(Path(config))
    if overtaken := done_since(late_since(now()), last_beat(settings.lake, "watch")):
        return overtaken
    watched = watch_now(settings)
    tell_watch(watched)
    rows = [
        {"what": trouble.what, "trouble": printable(trouble.sentence), "to do": trouble.action}
        for trouble in watched.troubles
    ]
    told = printable(watched.sentence)
    create_table_artifact(rows, key="headwater-watch", description=described(told))
    return Completed(message=told)
