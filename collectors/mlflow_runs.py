"""MLflow runs that ended, their evaluations and the datasets they read, edits and deletions too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar

from collectors import _mlflow
from collectors._mlflow import Absent, Answer, Door, Keys
from collectors._mlflow_memory import ACTIVE, DELETED, REMOVED, Memory, Seen
from collectors._mlflow_run import Maker, Run
from collectors.base import Clock, utc_now
from evidence.errors import ConfigError, SourceBroken, SourceRefused
from evidence.model import Batch, Change, Cursor, EvidenceItem
from evidence.runs import Gap, PullFacts
from evidence.secret import Secret

# The year 1: MLflow has no way to ask for "any end", and a client may write one before 1970.
EVER = -62_135_596_800_000
OPEN = ("RUNNING", "SCHEDULED")


@dataclass(frozen=True, slots=True)
class MlflowRuns:
    """Ended runs (finished, failed, killed) and their dataset inputs, as events.

    `tracking_uri` is http(s) or `sqlite:////file`; `experiments` are exact names (empty: all that
    are visible); `systems` maps a glob over the run's tag `headwater.system` or its experiment's
    name to an AI system. MLflow moves no time when a tag or metric of an ended run is edited, so
    each pull reads the last `lookback` again and compares: a difference is landed as changed, a
    deletion as gone, with the run's own times (an edit does not make old evidence young) and with
    the digest that it supersedes. Edits of runs older than `lookback` are not seen. Runs that did
    not end are counted in the query, not landed; one that ends without an end time is found by
    its start, or because the pull before saw it open. The tag `mlflow.log-model.history` is left
    out; credentials inside addresses are removed. Raises ConfigError.
    """

    source: str
    tracking_uri: str
    experiments: tuple[str, ...] = ()
    systems: Mapping[str, str] = field(default_factory=dict)
    lookback: timedelta = timedelta(days=7)
    page_size: int = 500
    user: str = ""
    password: Secret | None = None
    token: Secret | None = None
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    kinds: ClassVar[tuple[str, ...]] = ("mlflow.run", "mlflow.dataset")
    states: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        _mlflow.check_uri(self.tracking_uri, self._keys)
        if not 1 <= self.page_size <= 50_000:
            raise ConfigError(f"page_size: {self.page_size} is not between 1 and 50000")
        if self.lookback < timedelta(0):
            raise ConfigError("lookback: must not be negative")

    @property
    def _keys(self) -> Keys:
        return Keys(self.user, self.password, self.token)

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Runs by end time, oldest first; a batch a page. Raises SourceBusy, -Refused, -Broken."""
        memory = Memory.read(cursor)
        with _mlflow.open_door(self.tracking_uri, self._keys) as door:
            yield from _Reading(self, door, memory).batches()

    def probe(self) -> str:
        """Reads the list of experiments; says how many are visible, and as whom."""
        with _mlflow.open_door(self.tracking_uri, self._keys) as door:
            chosen = chosen_experiments(door, self.experiments, [])
            return f"{door.api_version} as {door.identity}: {len(chosen)} experiments"


def chosen_experiments(door: Door, names: tuple[str, ...], heard: list[Answer]) -> dict[str, str]:
    """Id to name of the experiments to read, deleted ones too. Raises SourceRefused."""
    body = {"max_results": 1000, "view_type": "ALL"}
    found = _mlflow.every(door, "experiments/search", "experiments", body, heard)
    named = {
        _mlflow.need(e, "experiment_id", "an experiment"): str(e.get("name", "")) for e in found
    }
    if absent := sorted(set(names) - set(named.values())):
        raise SourceRefused(
            f"experiments: {', '.join(absent)} not found as {door.identity}; "
            "correct the name or give the permission"
        )
    return {key: name for key, name in named.items() if not names or name in names}


class _Reading:
    """One pull: what it asks, what it remembers, and the batches that come of it."""

    def __init__(self, settings: MlflowRuns, door: Door, before: Memory) -> None:
        self.settings, self.door, self.before = settings, door, before
        self.now = settings.clock()
        self.heard: list[Answer] = []
        self.met: set[str] = set()
        self.seen = dict(before.seen)
        self.until = before.until
        self.lookback = settings.lookback // timedelta(milliseconds=1)
        self.since = before.since(self.lookback)
        self.maker = Maker(settings.source, settings.tracking_uri, settings.systems, self.now)
        self.names = chosen_experiments(door, settings.experiments, self.heard)
        self.open = self._open()

    def batches(self) -> Iterator[Batch]:
        """First what ended without an end time, then by end, then what is no longer there."""
        yield self._batch(self._revisit(set(self.before.open) - self.open))
        for page, _ in self._pages("start_time"):
            if endless := [run for run in page if run.ended and run.end is None]:
                yield self._batch(endless)
        for page, last in self._pages("end_time"):
            if last is not None:
                # A run that claims to end in the future must not carry the bookmark past now.
                past = min(last, _mlflow.utc_ms(self.now))
                self.until = past if self.until is None else max(self.until, past)
            yield self._batch([run for run in page if run.ended])
        yield self._batch(self._revisit(self._missing()))

    def _batch(self, runs: Sequence[Run | EvidenceItem]) -> Batch:
        items: list[EvidenceItem] = []
        gaps: list[Gap] = []
        for run in runs:
            if isinstance(run, EvidenceItem):
                items.append(run)
            else:
                items.extend(self._take(run, gaps))
        memory = Memory(self.until, self.seen, tuple(self.open))
        facts = self._facts(len(runs), tuple(gaps))
        return Batch(tuple(items), memory.cursor(self.lookback), facts)

    def _facts(self, received: int, gaps: tuple[Gap, ...]) -> PullFacts:
        heard, self.heard = self.heard, []
        names = ", ".join(sorted(self.names.values()))
        query = (
            f"runs/search by end_time, deleted runs too, in {len(self.names)} experiments "
            f"({_mlflow.line(names, 300)}); {len(self.open)} runs had not ended"
        )
        return _mlflow.facts_of(
            self.door, heard, received=received, query=query, gaps=gaps,
            window_from=_mlflow.moment(self.since), window_to=self.now,
        )  # fmt: skip

    def _open(self) -> set[str]:
        found: set[str] = set()
        for status in OPEN:
            body = self._body(f"attributes.status = '{status}'", "start_time")
            records = self.names and _mlflow.every(
                self.door, "runs/search", "runs", body, self.heard
            )
            found.update(Run.read(record, self.names).run_id for record in records or ())
        return found

    def _body(self, query: str, clock: str) -> dict[str, Any]:
        return {
            "experiment_ids": sorted(self.names),
            "filter": query,
            "run_view_type": "ALL",
            "max_results": self.settings.page_size,
            "order_by": [f"attributes.{clock} ASC", "attributes.run_id ASC"],
        }

    def _pages(self, clock: str) -> Iterator[tuple[list[Run], int | None]]:
        """Pages and the last time in each, by keyset: MLflow's tokens are offsets and shift.

        A token is followed only while a whole page lies in one millisecond.
        """
        at, after = EVER if self.since is None else self.since, ""
        edge: set[str] = set()
        while self.names:
            body = self._body(f"attributes.{clock} >= {at}", clock)
            answer = self.door.ask(
                "runs/search", {**body, **({"page_token": after} if after else {})}
            )
            self.heard.append(answer)
            page = [Run.read(record, self.names) for record in _mlflow.rows(answer, "runs")]
            times = [_time(run, clock) for run in page]
            yield [run for run in page if run.run_id not in edge], times[-1] if times else None
            more = _mlflow.token(answer)
            if not more:
                return
            if not times or times != sorted(times) or times[0] < at or more == after:
                raise SourceBroken(f"runs/search ordered by {clock} is out of order", what=clock)
            if times[-1] > at:
                at, after, edge = times[-1], "", set()
            else:
                after = more
            edge |= {run.run_id for run, time in zip(page, times, strict=True) if time == at}

    def _take(self, run: Run, gaps: list[Gap]) -> Iterator[EvidenceItem]:
        """The items of an ended run, none if it says what it said before."""
        self.met.add(run.run_id)
        old, content = self.seen.get(run.run_id), run.content()
        if old is not None and old.content == content:
            return
        change = _change(old, run.stage)
        item = self.maker.run(run, change, old.head if old else "")
        if item is None:
            gaps.append(Gap(f"run {run.run_id}", "has neither a readable start nor an end time"))
            return
        yield item
        yield from self.maker.datasets(run)
        self.seen[run.run_id] = Seen(
            at=run.at or 0, content=content, head=item.content_sha256[:16], stage=run.stage,
            experiment=run.experiment_id, system=item.system,
        )  # fmt: skip

    def _missing(self) -> set[str]:
        """Runs landed from this window that it no longer holds."""
        return {
            run_id
            for run_id, seen in self.before.seen.items()
            if (self.since is None or seen.at >= self.since)
            and run_id not in self.met | self.open
            and seen.stage != REMOVED
            and (not self.settings.experiments or seen.experiment in self.names)
        }

    def _revisit(self, run_ids: set[str]) -> list[Run | EvidenceItem]:
        found: list[Run | EvidenceItem] = []
        for run_id in sorted(run_ids):
            try:
                answer = self.door.ask("runs/get", {"run_id": run_id})
            except Absent:
                found.extend(self._removed(run_id))
                continue
            self.heard.append(answer)
            run = Run.read(answer.body.get("run", {}), self.names)
            if run.ended:
                found.append(run)
        return found

    def _removed(self, run_id: str) -> Iterator[EvidenceItem]:
        """A run that was landed and that MLflow no longer knows at all."""
        old = self.seen.get(run_id)
        at = _mlflow.moment(old.at) if old else None
        if old is None or at is None:
            return
        yield EvidenceItem(
            source=self.settings.source, kind="mlflow.run", subject=run_id, observed_from=at,
            observed_to=at, collected_at=self.now, system=old.system, change=Change.GONE,
            payload={"run_id": run_id, "removed": True, "supersedes": old.head},
            title=f"Run {run_id} was removed at the source",
        )  # fmt: skip
        self.seen[run_id] = replace(old, content="", stage=REMOVED)


def _change(old: Seen | None, stage: str) -> Change:
    if stage == DELETED:
        return Change.GONE
    if old is None:
        return Change.NEW
    return Change.CHANGED if old.stage == ACTIVE else Change.RESTORED


def _time(run: Run, clock: str) -> int:
    time = run.start if clock == "start_time" else run.end
    if time is None:
        raise SourceBroken(f"run {run.run_id} was found by {clock} and has none", what=run.run_id)
    return time
