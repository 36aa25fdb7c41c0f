"""A run that does not end is ended: it would keep its turns, and every later run of its deployment
would be cancelled beside it."""

from __future__ import annotations

import atexit
import contextvars
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Failed

TIMED_OUT = "TimedOut"
_TIDYING = 30.0


@contextmanager
def ending_within(limit: timedelta, what: Callable[[], str]) -> Iterator[None]:
    """Give the block that long; then its flow run has failed, says `what` had not ended, and the
    process ends at once, wherever it hangs. A lake loses nothing by that, and the system frees the
    locks."""
    over, context = threading.Event(), contextvars.copy_context()
    running = FlowRunContext.get()
    run_id = running.flow_run.id if running and running.flow_run else None

    def watch() -> None:
        if not over.wait(limit.total_seconds()):
            told = f"did not end within its run_limit of {limit}: {what()}"
            print(f"headwater: {told}", file=sys.stderr, flush=True)
            tidying = threading.Thread(
                target=context.run,
                args=(_fail, run_id, told),
                name="headwater-tidying",
                daemon=True,
            )
            tidying.start()
            tidying.join(_TIDYING)
            os._exit(1)

    threading.Thread(target=watch, name="headwater-overtime", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _fail(run_id: UUID | None, told: str) -> None:
    """Let the server know why, and stop what Prefect started: a hard end passes both over."""
    try:
        if run_id is not None:
            with get_client(sync_client=True) as client:
                state: State[Any] = Failed(name=TIMED_OUT, message=told)
                client.set_flow_run_state(run_id, state, force=True)
    finally:
        atexit._run_exitfuncs()
