"""Data-quality results and suites of a Great Expectations project, read from its stores as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from collectors._aws import clients
from collectors._checks.gx_checkpoints import due, run
from collectors._checks.gx_memory import Memory
from collectors._checks.gx_reading import groups, lost, results, suites
from collectors._checks.gx_results import RESULT, SUITE
from collectors._checks.gx_store import BUCKET, TABLE, Keys, Store, open_store, project
from collectors._checks.json_files import Origin
from collectors._checks.shelves import Shelves, shelve
from collectors.base import Clock, utc_now
from evidence.canonical import digest
from evidence.errors import ConfigError, SourceRefused
from evidence.model import Batch, Cursor
from evidence.runs import PullFacts
from evidence.secret import Secret
from evidence.times import stamp


@dataclass(frozen=True)
class QualityChecks:
    """Stored validation results (events, from their run time) and suites (states).

    `folder` is a project's `gx/` folder, the folder around it, or a bare folder of results.
    `results` and `suites` say where these lie elsewhere: `s3://bucket/prefix`, read in
    `region_name` with `role`, `profile` or keys as in CloudTrail, or `table:name` of the database
    at `database`, an SQLAlchemy URL. `checkpoints` of the project are run first, `run_every` so
    often and all within `run_for`, without their actions; one that cannot run is an error.
    `systems` maps globs over suite and asset names to AI systems; `answered` the id of a suite's
    weakening to who answers for it and why. Cells of the checked tables that a result carries are
    left behind; counts and criteria are kept.
    """

    source: str
    folder: Path | None = None
    systems: Mapping[str, str] = field(default_factory=dict)
    answered: Mapping[str, str] = field(default_factory=dict)
    results: str = ""
    suites: str = ""
    database: Secret | None = None
    endpoint_url: str = ""
    region_name: str = "us-east-1"
    role: str = ""
    external_id: str = ""
    profile: str = ""
    access_key: Secret | None = None
    secret_key: Secret | None = None
    checkpoints: tuple[str, ...] = ()
    run_every: timedelta = timedelta(days=1)
    run_for: timedelta = timedelta(minutes=15)
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    kinds: ClassVar[tuple[str, ...]] = (RESULT, SUITE)
    states: ClassVar[tuple[str, ...]] = (SUITE,)

    def __post_init__(self) -> None:
        if mistakes := tuple(self._mistakes()):
            raise ConfigError(*(f"{self.source}: {mistake}" for mistake in mistakes))

    def _mistakes(self) -> Iterator[str]:
        for name, why in self.answered.items():
            if not why.strip():
                yield f"answered.{name} must say who answers and why"
        for name, where in (("results", self.results), ("suites", self.suites)):
            if where and (where in {BUCKET, TABLE} or not where.startswith((BUCKET, TABLE))):
                yield f"{name} = {where!r} is neither s3://bucket/prefix nor table:name"
        if self.folder is None and not self.results:
            yield "give folder, or say in results where they lie"
        if self.checkpoints and (isinstance(self.checkpoints, str) or self.folder is None):
            yield "checkpoints must be a list of names, and folder the project they belong to"
        if self.run_for < timedelta(seconds=1) or self.run_every < timedelta(0):
            yield "run_for must be a second at least, run_every not negative"
        yield from self._access().mistakes()

    def probe(self) -> str:
        """Where results and suites are read, and how many results there are."""
        with closing(self._store()) as store:
            found = store.results.listing()
            if found.gaps and not found.prints:
                raise SourceRefused(f"{found.gaps[0].what}: {found.gaps[0].why}")
            count = len(found.prints)
            return f"{count} stored results in {store.results}, read as {store.identity()}"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Results in files that are new or changed since the cursor, then suites that changed.

        Within a batch by run time; across batches in no order, as the store keeps none: the
        cursor remembers fingerprints instead of a time. A file that cannot be read becomes a Gap
        in every pull until it can; one that was overwritten lands as changed, and has failed.
        Raises SourceBusy, SourceRefused, SourceBroken.
        """
        with closing(self._store()) as store:
            yield from self._collect(store, cursor)

    def _access(self) -> clients.Access:
        return clients.Access(
            self.profile, self.access_key, self.secret_key, self.role, self.external_id,
            self.endpoint_url,
        )  # fmt: skip

    def _store(self) -> Store:
        keys = Keys(self._access(), self.region_name, self.database)
        return open_store(self.folder, self.results, self.suites, keys)

    def _collect(self, store: Store, cursor: Cursor | None) -> Iterator[Batch]:
        memory, settings = Memory.of(cursor), digest(dict(self.systems))
        since = self.clock()
        asked = due(self.checkpoints, memory.ran, self.run_every, since)
        runs = run(self._project(), asked, self.run_for) if asked else []
        origin = Origin(self.source, self.systems, self.clock())
        found = store.results.listing()
        shelves = shelve(found.prints, settings)
        changed = memory.shelves.changed(shelves)
        # Where a folder could not be listed, a missing file is not a deleted one.
        seen = {k: v for k, v in memory.shelves.seen.items() if found.gaps or k in shelves}
        news = () if found.gaps else lost(memory.shelves.lost(shelves), origin)
        memory = replace(memory, shelves=Shelves(seen))
        ran: set[tuple[str, str]] = set()
        for group in groups(changed):
            read = results(store.results, group, origin, memory.latest, settings[:8])
            shelves_now = Shelves({**memory.shelves.seen, **read.seen})
            memory = replace(memory, shelves=shelves_now, latest=read.latest)
            ran |= read.runs
            yield Batch(news + read.items, memory.cursor(), read.facts)
            news = ()
        failed = [one for one in (each.judged(ran) for each in runs) if one.why]
        news += tuple(one.failed(origin, since) for one in failed)
        states, snapshot, strict, facts = suites(
            store.suites, memory.seen, origin, memory.strict, self.answered
        )
        whole = PullFacts(query=str(store), gaps=found.gaps, identity=store.identity())
        good = dict.fromkeys(set(asked) - {one.checkpoint for one in failed}, stamp(since))
        memory = replace(memory, seen=snapshot, strict=strict, ran={**memory.ran, **good})
        yield Batch(news + states, memory.cursor(), facts + whole)

    def _project(self) -> Path:
        root = project(self.folder) if self.folder is not None else None
        if root is None:
            raise SourceRefused(f"{self.folder}: no project, so it has no checkpoints to run")
        return root
