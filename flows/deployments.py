"""The deployments of a configuration: one for each source and for each flow of Headwater's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import (
    ConcurrencyLimitConfig,
    ConcurrencyLimitStrategy,
    State,
    StateType,
)
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.states import Crashed
from prefect.types.entrypoint import EntrypointType

from flows.alert import alert
from flows.anchor import anchor
from flows.collect import collect
from flows.config import Config
from flows.freshness import freshness
from flows.maintain import maintain
from flows.verification import verification
from flows.watch import watch

ALONE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
TAG = "headwater"


@dataclass(frozen=True, slots=True)
class Planned:
    """One deployment: which flow runs when, with what; never beside a run of its own."""

    flow: Flow[..., Any]
    name: str
    cron: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timezone: str = "UTC"

    @property
    def entrypoint(self) -> str:
        """The flow as a module path: it is found in a checkout and in an installed wheel."""
        return f"{self.flow.fn.__module__}.{self.flow.fn.__name__}"

    def deployment(self, **given: Any) -> Any:
        """As Prefect takes it; `given` says more of where it runs (`work_pool_name`, …).

        The flow is named by module: it is found from any folder, wherever Headwater is installed.
        """
        return self.flow.to_deployment(
            name=self.name, schedule=Cron(self.cron, timezone=self.timezone),
            concurrency_limit=ALONE, parameters=dict(self.parameters), tags=[TAG],
            description=self.description, entrypoint_type=EntrypointType.MODULE_PATH, **given,
        )  # fmt: skip


def planned(config: Config) -> Iterator[Planned]:
    """The deployments with the schedules of the configuration."""
    given = {"config": str(config.file)}
    for source in config.sources:
        yield Planned(
            collect, source.name, source.schedule, f"Pull {source.name}, tag and seal what landed.",
            given | {"sources": [source.name]}, source.timezone,
        )  # fmt: skip
    own = [
        (freshness, config.freshness_schedule, "Judge every expectation as of now."),
        (maintain, config.maintain_schedule, "Make few files of many, pack the old log."),
        (verification, config.verify.schedule, "Recompute everything against what was signed."),
        (watch, config.watch.schedule, "Look whether Headwater itself is in order."),
    ]
    if config.anchor is not None:
        own.append((anchor, config.anchor.schedule, "Have the newest seal stamped."))
    if config.alerts and config.channels:
        own.append((alert, config.alerts.schedule, "Tell people what needs them."))
    for flow, schedule, description in own:
        yield Planned(flow, flow.name, schedule, description, given)


def crash_leftovers() -> int:
    """Mark as crashed what a scheduler that was killed left as running; how many runs.

    Only for a server of our own, where nobody else runs anything: each would hold its turn for
    ever, and every later run of its deployment were cancelled.
    """
    under_way = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    left = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=under_way)),
        deployment_id=FlowRunFilterDeploymentId(is_null_=False),
    )
    crashed: State[Any] = Crashed(message="The scheduler was killed while it ran.")
    done = set[UUID]()
    with get_client(sync_client=True) as client:
        while new := {run.id for run in client.read_flow_runs(flow_run_filter=left)} - done:
            for run_id in new:
                client.set_flow_run_state(run_id, crashed, force=True)
            done |= new
    return len(done)


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


def leave_pools(served: list[Planned]) -> Iterator[str]:
    """Delete those that `headwater deploy` gave to a work pool, and name them.

    Prefect keeps the pool of a deployment that is made anew without one: its workers would run
    what is served as well, and each would cancel runs of the other.
    """
    with get_client(sync_client=True) as client:
        for one in served:
            name = f"{one.flow.name}/{one.name}"
            if pool := _delete_if_pooled(client, name):
                yield f"{name} leaves the work pool {pool}: it is served from here"


def _delete_if_pooled(client: SyncPrefectClient, name: str) -> str | None:
    try:
        found = client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None
    if found.work_pool_name:
        client.delete_deployment(found.id)
    return found.work_pool_name


def serve_deployments(config: Config) -> None:
    """Serve them until stopped, by SIGINT or SIGTERM."""
    runner, served = _Runner(), list(planned(config))
    for line in leave_pools(served):
        print(line, flush=True)
    for one in served:
        runner.add_deployment(one.deployment())
    print(f"Serving {len(served)} schedules of {config.file} (Ctrl-C stops it)", flush=True)
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(runner.start())
