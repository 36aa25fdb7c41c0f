"""The served deployments: one for each source, for freshness, for maintenance, to anchor."""

from __future__ import annotations

from typing import Any

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

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
    if config.anchor is None:
        return [*pulls, judge, tidy]
    stamped = anchor.to_deployment(
        name="anchor", cron=config.anchor.schedule, concurrency_limit=ALONE,
        parameters={"config": file}, tags=["headwater"],
    )  # fmt: skip
    return [*pulls, judge, tidy, stamped]


def serve_deployments(config: Config) -> None:
    """Serve them until stopped."""
    serve(*deployments(config))
