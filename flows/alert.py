"""The flow that tells people what needs them, on its own schedule beside each judgement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows._alerts.show import failing
from flows.alerting import tell_now
from flows.config import FILE, load


@flow(name="alert", timeout_seconds=1800, validate_parameters=True)
def alert(config: str = FILE) -> State[Any]:
    """Send what is due. A channel that took nothing is a failed run."""
    done = tell_now(load(Path(config)))
    if done is None:
        return Completed(message="no [[alert]] is configured: nobody is told anything")
    taken = sum(one.answer.taken for one in done.sent)
    told = f"{taken} of {len(done.sent)} messages taken"
    if silent := failing(done.memory):
        return Failed(message=f"{told}; nothing is taken by {', '.join(silent)}")
    return Completed(message=told)
