"""MLflow runs that ended, their evaluations and the datasets they read, edits and deletions too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar

from collectors._mlflow import store
from collectors._mlflow.memory import Archive, Memory
from collectors._mlflow.reading import Asked, Reading
from collectors._mlflow.store import Keys, chosen_experiments
from collectors.base import Clock, utc_now
from evidence.errors import ConfigError
from evidence.model import Batch, Cursor
from evidence.secret import Secret


@dataclass(frozen=True, slots=True)
class MlflowRuns:
    """Ended runs (finished, failed, killed) and their dataset inputs, as events.

    `tracking_uri` is http(s) or `sqlite:////file`; `experiments` are exact names (empty: all that
    are visible); `systems` maps a glob over the run's tag `headwater.system` or its experiment's
    name to an AI system. MLflow moves no time when a tag or metric of an ended run is edited, so
    each pull reads the last `lookback` again and compares, and every `sweep_every` (or `lookback`,
    if that is shorter) all runs there are: a difference is landed as changed, a deletion as gone,
    with the run's own times (an edit does not make old evidence young) and with the digest that it
    supersedes. A run whose results (params, metrics, datasets, status, start, commit) are no longer
    those with which it ended has failed, until they are so again or a tag of the run says who
    answers for them. Runs that did not end are counted in the query, not landed; one that ends
    without an end time is found by its start, or because the pull before saw it open; one that
    arrives with an end long past is found by the sweep. `metric_history` adds a summary of every
    metric's history to a run that is landed, at the price of a call a metric; `artifacts` (globs
    over paths) the SHA-256 of these files, read again by every sweep: other bytes are altered
    results. The tag `mlflow.log-model.history` is left out; credentials inside addresses are
    removed. Raises ConfigError.
    """

    source: str
    tracking_uri: str
    experiments: tuple[str, ...] = ()
    systems: Mapping[str, str] = field(default_factory=dict)
    lookback: timedelta = timedelta(days=7)
    sweep_every: timedelta = timedelta(days=3)
    metric_history: bool = False
    artifacts: tuple[str, ...] = ()
    page_size: int = 500
    user: str = ""
    password: Secret | None = None
    token: Secret | None = None
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    kinds: ClassVar[tuple[str, ...]] = ("mlflow.run", "mlflow.dataset")
    states: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        store.check_uri(self.tracking_uri, self._keys)
        if not 1 <= self.page_size <= 50_000:
            raise ConfigError(f"page_size: {self.page_size} is not between 1 and 50000")
        for name in ("lookback", "sweep_every"):
            if getattr(self, name) < timedelta(0):
                raise ConfigError(f"{name}: must not be negative")

    @property
    def _keys(self) -> Keys:
        return Keys(self.user, self.password, self.token)

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Runs by end time, oldest first; a batch a page. Raises SourceBusy, -Refused, -Broken."""
        memory = Memory.read(cursor)
        with store.open_door(self.tracking_uri, self._keys) as door:
            yield from Reading(self._asked, door, memory).batches()

    def sweep(self, cursor: Cursor | None, collected: Cursor) -> Iterator[Batch]:
        """What differs in any run, however old, from what landed. Raises as `collect` does.

        Each batch but the last keeps the bookmark where it was: a sweep is whole or done again.
        """
        archive, young = Archive.read(cursor), Memory.read(collected)
        if not archive.due(self.clock(), min(self.sweep_every, self.lookback)):
            return
        # What a pull saw is newer than what the last sweep saw; it forgets what the sweep keeps.
        before = Memory(seen={**archive.seen, **young.seen})
        stays = archive.cursor() if cursor is None else cursor
        with store.open_door(self.tracking_uri, self._keys) as door:
            reading = Reading(self._asked, door, before, stays)
            held: Batch | None = None
            for batch in reading.batches():
                if held is not None:
                    yield held
                held = batch
            assert held is not None  # noqa: S101 - the losses come last, if there are none too
            after = Archive(store.utc_ms(reading.now), reading.seen)
            facts = replace(held.facts, totals=(reading.compared(),))
            yield Batch(held.items, after.cursor(), facts)

    def probe(self) -> str:
        """Reads the list of experiments; says how many are visible, and as whom."""
        with store.open_door(self.tracking_uri, self._keys) as door:
            chosen = chosen_experiments(door, self.experiments, [])
            return f"{door.api_version} as {door.identity}: {len(chosen)} experiments"

    @property
    def _asked(self) -> Asked:
        return Asked(
            self.source, self.tracking_uri, self.experiments, self.systems, self.lookback,
            self.page_size, self.metric_history, self.artifacts, self.clock(),
        )  # fmt: skip
