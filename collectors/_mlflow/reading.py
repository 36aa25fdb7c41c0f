"""One reading of MLflow's runs: what is asked, what is remembered, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from collectors._mlflow import store
from collectors._mlflow.artifacts import Artifact, artifacts
from collectors._mlflow.history import metric_histories
from collectors._mlflow.memory import ACTIVE, DELETED, REMOVED, Memory, Seen
from collectors._mlflow.run import Maker, Run, info_of
from collectors._mlflow.store import Absent, Answer, Door, chosen_experiments
from collectors._mlflow.walk import Record, walk
from evidence.canonical import digest, plain
from evidence.errors import SourceBroken, SourceRefused
from evidence.model import Batch, Change, Cursor, EvidenceItem
from evidence.runs import Gap, PullFacts, Total

# The year 1: MLflow has no way to ask for "any end", and a client may write one before 1970.
EVER = -62_135_596_800_000
OPEN = ("RUNNING", "SCHEDULED")


@dataclass(frozen=True, slots=True)
class Asked:
    """What one reading needs of the collector's settings, and the moment it began."""

    source: str
    address: str
    experiments: tuple[str, ...]
    systems: Mapping[str, str]
    lookback: timedelta
    page_size: int
    metric_history: bool
    artifacts: tuple[str, ...]
    now: datetime


class Reading:
    """Reads runs from where `before` stands, all if it stands nowhere, and says what differs.

    Each batch has the bookmark so far, or `stays` where that is given.
    """

    def __init__(
        self, settings: Asked, door: Door, before: Memory, stays: Cursor | None = None
    ) -> None:
        self.settings, self.door, self.before, self.stays = settings, door, before, stays
        self.sweeps = stays is not None
        self.now = settings.now
        self.heard: list[str] = []
        self.met: set[str] = set()
        self.seen = dict(before.seen)
        self.until = before.until
        self.lookback = settings.lookback // timedelta(milliseconds=1)
        self.since = before.since(self.lookback)
        self.maker = Maker(settings.source, settings.address, settings.systems, self.now)
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
                past = min(last, store.utc_ms(self.now))
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
        cursor = self.stays
        if cursor is None:
            memory = Memory(self.until, self.seen, tuple(self.open))
            cursor = memory.cursor(self.lookback)
        return Batch(tuple(items), cursor, self._facts(len(runs), tuple(gaps)))

    def compared(self) -> Total:
        """How many runs that had landed were to be found again, and how many were, or are gone."""
        known = {run for run, old in self.before.seen.items() if self._expected(old)}
        found = {r for r in known if r in self.met | self.open or self.seen[r].stage == REMOVED}
        return Total("runs compared again by the sweep", len(known), len(found))

    def _facts(self, received: int, gaps: tuple[Gap, ...]) -> PullFacts:
        heard, self.heard = self.heard, []
        names = ", ".join(sorted(self.names.values()))
        query = (
            f"runs/search by end_time, deleted runs too, in {len(self.names)} experiments "
            f"({store.line(names, 300)}); {len(self.open)} runs had not ended"
        )
        return store.facts_of(
            self.door, heard, received=received, query=query, gaps=gaps,
            window_from=store.moment(self.since), window_to=self.now,
        )  # fmt: skip

    def _open(self) -> set[str]:
        found: set[str] = set()
        for status in OPEN:
            body = self._body(f"attributes.status = '{status}'", "start_time")
            records = self.names and store.every(self.door, "runs/search", "runs", body, self.heard)
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
        """Pages of runs in the order of that clock, and the last time in each."""

        def ask(at: int, after: str) -> Answer:
            body = self._body(f"attributes.{clock} >= {at}", clock)
            asked = {**body, **({"page_token": after} if after else {})}
            answer = self.door.ask("runs/search", asked)
            self.heard.append(answer.sha256)
            return answer

        def time_of(record: Record) -> int:
            time = store.whole(info_of(record).get(clock), "a run")
            if time is None:
                raise SourceBroken(f"a run was found by {clock} and has none", what=id_of(record))
            return time

        at = EVER if self.since is None else self.since
        for page, last in walk(ask, "runs", time_of, id_of, at) if self.names else ():
            yield [Run.read(record, self.names) for record in page], last

    def _take(self, run: Run, gaps: list[Gap]) -> Iterator[EvidenceItem]:
        """The items of an ended run, none if it says what it said before.

        Its files are read when it is new or says something else, and by every sweep.
        """
        self.met.add(run.run_id)
        old, content = self.seen.get(run.run_id), run.content()
        same = old is not None and old.said == content
        if same and not (self.sweeps and self.settings.artifacts):
            return
        files = self._files(run, gaps)
        told = digest(plain([one.payload() for one in files]))[:16] if files is not None else ""
        if same and old is not None and told in {"", old.files_last}:
            return
        now = Seen(
            at=run.at or 0, content=f"{content}:{told}", head="", stage=run.stage,
            experiment=run.experiment_id, system="", results=run.results(), files=told,
        )  # fmt: skip
        # One that was resumed has another end, and results of its own.
        if old is not None and old.at == run.at:
            now = replace(now, results=old.results or now.results, files=old.files or told)
        altered = now.results != run.results() or bool(told and now.files != told)
        item = self._item(run, old, files, digest([run.results(), told])[:16] if altered else "")
        if item is None:
            gaps.append(Gap(f"run {run.run_id}", "has neither a readable start nor an end time"))
            return
        yield item
        yield from self.maker.datasets(run)
        self.seen[run.run_id] = replace(now, head=item.content_sha256[:16], system=item.system)

    def _item(
        self, run: Run, old: Seen | None, files: tuple[Artifact, ...] | None, altered: str
    ) -> EvidenceItem | None:
        more: dict[str, object] = {}
        if self.settings.metric_history:
            more = metric_histories(self.door, run, self.heard)
        if files is not None:
            more["artifacts"] = [one.payload() for one in files]
        change = _change(old, run.stage)
        if old is not None and old.said == run.content() and not old.files_last:
            change = Change.NEW  # it says what it said: only its files were not read before
        return self.maker.run(run, change, old.head if old else "", more, altered=altered)

    def _files(self, run: Run, gaps: list[Gap]) -> tuple[Artifact, ...] | None:
        """The files that are asked for, None where none are, or where they could not be read."""
        if not self.settings.artifacts or run.stage != ACTIVE:
            return None
        try:
            return artifacts(self.door, run, self.settings.artifacts, self.heard)
        except (SourceRefused, SourceBroken) as error:
            gaps.append(Gap(f"artifacts of run {run.run_id}", str(error)))
            return None

    def _missing(self) -> set[str]:
        """Runs landed from this window that it no longer holds."""
        return {
            run_id
            for run_id, seen in self.before.seen.items()
            if (self.since is None or seen.at >= self.since)
            and self._expected(seen)
            and run_id not in self.met
            and run_id not in self.open
        }

    def _expected(self, seen: Seen) -> bool:
        """Whether a run that landed must be found again: not if the settings no longer ask."""
        return seen.stage != REMOVED and (
            not self.settings.experiments or seen.experiment in self.names
        )

    def _revisit(self, run_ids: set[str]) -> list[Run | EvidenceItem]:
        found: list[Run | EvidenceItem] = []
        for run_id in sorted(run_ids):
            try:
                answer = self.door.ask("runs/get", {"run_id": run_id})
            except Absent:
                found.extend(self._removed(run_id))
                continue
            self.heard.append(answer.sha256)
            run = Run.read(answer.body.get("run", {}), self.names)
            if run.ended:
                found.append(run)
        return found

    def _removed(self, run_id: str) -> Iterator[EvidenceItem]:
        """A run that was landed and that MLflow no longer knows at all."""
        old = self.seen.get(run_id)
        at = store.moment(old.at) if old else None
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


def id_of(record: Record) -> str:
    """The run's id. Raises SourceBroken."""
    return store.need(info_of(record), "run_id", "a run")
