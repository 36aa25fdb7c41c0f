"""Data-quality results and suites of a Great Expectations project, read from its stores as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from collectors._aws import clients
from collectors._checks.gx_results import RESULT, SUITE, result_item, suite_item
from collectors._checks.gx_store import BUCKET, TABLE, Keys, Store, open_store
from collectors._checks.json_files import Origin, Unreadable
from collectors._checks.shelves import Shelf, Shelves, shelve
from collectors._checks.weakened import Strict
from collectors._disk import shown
from collectors.base import Clock, utc_now
from evidence.canonical import digest
from evidence.errors import ConfigError, SourceBroken, SourceRefused
from evidence.model import Batch, Change, Cursor, EvidenceItem
from evidence.runs import Gap, PullFacts
from evidence.secret import Secret
from evidence.snapshot import Snapshot

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
        in every pull until it can. Raises SourceBusy, SourceRefused, SourceBroken.
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
        known, suites, strict = Shelves.read(cursor), Snapshot.read(cursor), _strict(cursor)
        origin = Origin(self.source, self.systems, self.clock())
        found = store.results.listing()
        shelves = shelve(found.prints, digest(dict(self.systems)))
        # Where a folder could not be listed, a missing file is not a deleted one.
        seen = {k: v for k, v in known.seen.items() if found.gaps or k in shelves}
        news = () if found.gaps else _lost(known.lost(shelves), origin)
        for group in _groups(known.changed(shelves)):
            items, facts, read = _results(store, group, origin)
            seen = seen | read
            yield Batch(news + items, _cursor(seen, suites, strict), facts)
            news = ()
        states, snapshot, strict, facts = _suites(store, suites, origin, strict, self.answered)
        told = facts + _whole(store, found.gaps)
        yield Batch(news + states, _cursor(seen, snapshot, strict), told)


def _groups(shelves: list[Shelf]) -> Iterator[list[Shelf]]:
    group: list[Shelf] = []
    for shelf in shelves:
        group.append(shelf)
        if sum(len(s.paths) for s in group) >= _FILES_A_BATCH:
            yield group
            group = []
    if group:
        yield group


def _results(
    store: Store, group: list[Shelf], origin: Origin
) -> tuple[tuple[EvidenceItem, ...], PullFacts, dict[str, tuple[int, str]]]:
    items: list[EvidenceItem] = []
    gaps: list[Gap] = []
    hashes: list[str] = []
    read = {}
    for shelf in group:
        before = len(gaps)
        for path in shelf.paths:
            try:
                document, sha256 = store.results.load(path)
                where = store.results.locator(path)
                items.append(result_item(document, where, sha256, origin))
                hashes.append(sha256)
            except Unreadable as error:
                gaps.append(Gap(shown(path), str(error)))
        read[shelf.key] = (len(shelf.paths), shelf.digest if len(gaps) == before else "")
    once = {item.item_id: item for item in sorted(items, key=_when)}
    return tuple(once.values()), _facts(sum(len(s.paths) for s in group), hashes, gaps), read


def _suites(
    store: Store, before: Snapshot, origin: Origin, strict: Strict, answers: Mapping[str, str]
) -> tuple[tuple[EvidenceItem, ...], Snapshot, Strict, PullFacts]:
    """Suites that differ; a loss is only believed where every file could be read."""
    if store.suites is None:
        return (), before, strict, PullFacts()
    found = store.suites.listing()
    items: list[EvidenceItem] = []
    gaps = list(found.gaps)
    hashes: list[str] = []
    for path in found.prints:
        try:
            document, sha256 = store.suites.load(path)
            where = store.suites.locator(path)
            item, strict = suite_item(document, where, origin, strict, answers)
            items.append(item)
            hashes.append(sha256)
        except Unreadable as error:
            gaps.append(Gap(f"suite {shown(path)}", str(error)))
    facts = _facts(len(found.prints), hashes, gaps)
    if gaps:
        return *_seen_only(items, before, origin), strict, facts
    states, snapshot = before.compare(items, at=origin.collected_at, source=origin.source)
    return states, snapshot, strict, facts + PullFacts(states=(SUITE,))


def _seen_only(
    items: list[EvidenceItem], before: Snapshot, origin: Origin
) -> tuple[tuple[EvidenceItem, ...], Snapshot]:
    states, snapshot = before.compare(items, at=origin.collected_at, source=origin.source)
    gone = {i.subject for i in states if i.change is Change.GONE}
    kept = {k: v for k, v in before.seen.items() if k.split("\x1f", 2)[2] in gone}
    there = tuple(item for item in states if item.change is not Change.GONE)
    return there, Snapshot({**snapshot.seen, **kept})


def _lost(count: int, origin: Origin) -> tuple[EvidenceItem, ...]:
    if not count:
        return ()
    at = origin.collected_at
    gone = EvidenceItem(
        source=origin.source, kind=RESULT, subject="stored results", observed_from=at,
        observed_to=at, collected_at=at, payload={"at_least": count}, change=Change.GONE,
        title=f"At least {count} stored validation results were deleted",
    )  # fmt: skip
    return (gone,)


def _facts(promised: int, hashes: list[str], gaps: list[Gap]) -> PullFacts:
    whole = hashlib.sha256("".join(hashes).encode()).hexdigest()
    return PullFacts(
        pages=1, received=len(hashes), promised=promised, gaps=tuple(gaps),
        raw_sha256=(whole,) if hashes else (),
    )  # fmt: skip


def _whole(store: Store, gaps: tuple[Gap, ...]) -> PullFacts:
    return PullFacts(query=str(store), gaps=gaps, identity=store.identity())


def _strict(cursor: Cursor | None) -> Strict:
    """What suites once asked; bookmarks of before this was remembered hold none of it."""
    try:
        kept = json.loads(cursor.value).get("strict", {}) if cursor else {}
        return {str(suite): dict(checks) for suite, checks in kept.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise SourceBroken(f"the cursor was not written by this collector: {error}") from error


def _cursor(seen: Mapping[str, tuple[int, str]], suites: Snapshot, strict: Strict) -> Cursor:
    files = {key: list(value) for key, value in sorted(seen.items())}
    asked = {suite: dict(checks) for suite, checks in sorted(strict.items())}
    kept = {"files": files, "seen": dict(sorted(suites.seen.items())), "strict": asked}
    return Cursor(json.dumps(kept, ensure_ascii=False, separators=(",", ":")))


def _when(item: EvidenceItem) -> tuple[datetime, str]:
    return item.observed_to, item.item_id
