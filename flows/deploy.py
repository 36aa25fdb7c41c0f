"""Deploy to a Prefect server with workers: what `headwater deploy` does, or writes for a review."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from evidence.errors import ConfigError, HeadwaterError
from flows.check import schedules
from flows.collect import turn_tag
from flows.config import Config, load
from flows.deployments import ALONE, TAG, planned


def run(file: Path, pool: str, image: str, say: Callable[[str], None], *, as_yaml: bool) -> int:
    """Register every deployment and limit, or print them as a prefect.yaml. Raises ConfigError."""
    config = load(file)
    schedules(config)
    if as_yaml:
        say(yaml.safe_dump(as_file(config, pool, image), sort_keys=False).rstrip())
        return 0
    with get_client(sync_client=True) as client:
        _check_pool(client, pool)
        for tag, most in limits(config).items():
            client.upsert_global_concurrency_limit_by_name(f"tag:{tag}", most)
            say(f"limit   {tag}: {most} at once, on all machines")
    for name in register(config, pool, image):
        say(f"deploy  {name}")
    say(f"next    prefect worker start --pool {pool}")
    return 0


def register(config: Config, pool: str, image: str = "") -> list[str]:
    """Make or renew the deployments on the Prefect server, for workers of `pool`; their names."""
    made = []
    for one in planned(config):
        variables = {"image": image} if image else {}
        one.deployment(work_pool_name=pool, job_variables=variables).apply()
        made.append(f"{one.flow.name}/{one.name}")
    return made


def as_file(config: Config, pool: str, image: str = "") -> dict[str, Any]:
    """The same as the values of a prefect.yaml, for `prefect deploy --all`."""
    where: dict[str, Any] = {"name": pool}
    if image:
        where["job_variables"] = {"image": image}
    alone = {"limit": ALONE.limit, "collision_strategy": ALONE.collision_strategy.value}
    return {
        "name": "headwater",
        "pull": None,
        "deployments": [
            {
                "name": one.name, "entrypoint": one.entrypoint, "description": one.description,
                "tags": [TAG], "parameters": dict(one.parameters),
                "schedules": [{"cron": one.cron, "timezone": one.timezone}],
                "concurrency_limit": dict(alone), "work_pool": dict(where),
            }
            for one in planned(config)
        ],
    }  # fmt: skip


def limits(config: Config) -> dict[str, int]:
    """Tag of a host → how many pulls may ask it at once, on all machines together."""
    hosts = {host.lower() for source in config.sources for host in source.hosts}
    return {turn_tag(host): config.hosts.get(host, 1) for host in sorted(hosts)}


def _check_pool(client: SyncPrefectClient, pool: str) -> None:
    try:
        client.read_work_pool(pool)
    except ObjectNotFound as error:
        raise ConfigError(
            f"Prefect has no work pool {pool!r}: prefect work-pool create {pool} --type process "
            "--base-job-template deploy/pools/process.json (or docker, or kubernetes)"
        ) from error
    except Exception as error:
        raise HeadwaterError(f"the Prefect server does not answer: {error}") from error
