"""Data-quality results and suites of a Great Expectations project, read from its stores as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from collectors._aws import clients
from collectors._checks.gx_memory import Memory
from collectors._checks.gx_reading import groups, lost, results, suites
from collectors._checks.gx_results import RESULT, SUITE
from collectors._checks.gx_store import BUCKET, TABLE, Keys, Store, open_store
from collectors._checks.json_files import Origin
from collectors._checks.shelves import Shelves, shelve
from collectors.base import Clock, utc_now
from evidence.canonical import digest
from evidence.errors import ConfigError, SourceRefused
from evidence.model import Batch, Cursor
from evidence.runs import PullFacts
from evidence.secret import Secret

_FILES_A_BATCH = 1000


@dataclass(frozen=True)
class QualityChecks:
    """Stored validation results (events, from their run time) and suites (states).

    `folder` is a project's `gx/` folder, the folder around it, or a bare folder of results.
    `results` and `suites` say where these lie elsewhere: `s3://bucket/prefix`, read in
    `region_name` with `role`, `profile` or keys as in CloudTrail, or `table:name` of the database
    at `database`, an SQLAlchemy URL. `systems` maps globs over suite and asset names to AI systems;
    `answered` the id of a suite's weakening to who answers for it and why. Cells of the checked
    tables that a result carries are left behind; counts and criteria are kept.
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
        origin = Origin(self.source, self.systems, self.clock())
        found = store.results.listing()
        shelves = shelve(found.prints, settings)
        changed = memory.shelves.changed(shelves)
        # Where a folder could not be listed, a missing file is not a deleted one.
        seen = {k: v for k, v in memory.shelves.seen.items() if found.gaps or k in shelves}
        news = () if found.gaps else lost(memory.shelves.lost(shelves), origin)
        memory = replace(memory, shelves=Shelves(seen))
        for group in groups(changed):
            read = results(store.results, group, origin, memory.latest, settings[:8])
            shelves_now = Shelves({**memory.shelves.seen, **read.seen})
            memory = replace(memory, shelves=shelves_now, latest=read.latest)
            yield Batch(news + read.items, memory.cursor(), read.facts)
            news = ()
        states, snapshot, strict, facts = suites(
            store.suites, memory.seen, origin, memory.strict, self.answered
        )
        whole = PullFacts(query=str(store), gaps=found.gaps, identity=store.identity())
        memory = replace(memory, seen=snapshot, strict=strict)
        yield Batch(news + states, memory.cursor(), facts + whole)
