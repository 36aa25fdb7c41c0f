"""The served deployments: one for each source, to judge, to maintain, to anchor, to tell."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.runner import Runner

from flows.alert import alert
from flows.anchor import anchor
from flows.collect import collect
from flows.config import Config
from flows.freshness import freshness
from flows.maintain import maintain

ALONE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)


def deployments(config: Config) -> list[Any]:
    """Runner deployments with the schedules of the configuration."""
    file = str(config.file)
    pulls = [
        collect.to_deployment(
            name=source.name, cron=source.schedule, concurrency_limit=ALONE, tags=["headwater"],
            parameters={"config": file, "sources": [source.name]},
        )
        for source in config.sources
    ]  # fmt: skip
    judge = freshness.to_deployment(
        name="freshness", cron=config.freshness_schedule, concurrency_limit=ALONE,
        parameters={"config": file}, tags=["headwater"],
    )  # fmt: skip
    tidy = maintain.to_deployment(
        name="maintain", cron=config.maintain_schedule, concurrency_limit=ALONE,
        parameters={"config": file}, tags=["headwater"],
    )  # fmt: skip
    return [*pulls, judge, tidy, *_wanted(config, file)]


def _wanted(config: Config, file: str) -> list[Any]:
    """What runs only where the configuration asks for it."""
    crons = [
        (anchor, config.anchor.schedule if config.anchor else ""),
        (alert, config.alerts.schedule if config.alerts and config.channels else ""),
    ]
    return [
        flow.to_deployment(
            name=flow.name, cron=cron, concurrency_limit=ALONE, parameters={"config": file},
            tags=["headwater"],
        )
        for flow, cron in crons
        if cron
    ]  # fmt: skip


class _Runner(Runner):
    """Prefect's, but SIGTERM ends it in order: its own handler calls a coroutine within the running
    loop, which nobody awaits."""

    async def start(self, *given: Any, **named: Any) -> None:
        """Run until stopped."""
        self._stops = asyncio.current_task()
        await super().start(*given, **named)

    def handle_sigterm(self, *_: Any, **__: Any) -> None:
        """Cancel what runs, as Ctrl-C does; it may be that SIGINT is ignored where we run."""
        if self._stops is not None:
            self._stops.get_loop().call_soon_threadsafe(self._stops.cancel)


def serve_deployments(config: Config) -> None:
    """Serve them until stopped, by SIGINT or SIGTERM."""
    runner, served = _Runner(), deployments(config)
    for deployment in served:
        runner.add_deployment(deployment)
    print(f"Serving {len(served)} schedules of {config.file} (Ctrl-C stops it)", flush=True)
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(runner.start())
