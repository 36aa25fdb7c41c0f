"""What one pull makes of the stores of Great Expectations: new results, and suites as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from collectors._checks.gx_results import RESULT, SUITE, result_item, suite_item
from collectors._checks.json_files import Origin, Unreadable
from collectors._checks.latest import Kept, Latest
from collectors._checks.places import Place
from collectors._checks.shelves import Shelf
from collectors._checks.weakened import Strict
from collectors._disk import shown
from collectors._states import compared
from evidence.model import Change, EvidenceItem
from evidence.runs import Gap, PullFacts
from evidence.snapshot import Snapshot
from evidence.times import stamp

_FILES_A_BATCH = 1000


def groups(shelves: list[Shelf]) -> Iterator[list[Shelf]]:
    """Shelves in portions of some thousand documents."""
    group: list[Shelf] = []
    for shelf in shelves:
        group.append(shelf)
        if sum(len(s.paths) for s in group) >= _FILES_A_BATCH:
            yield group
            group = []
    if group:
        yield group


@dataclass(frozen=True, slots=True)
class Read:
    """What a group of shelves held: its items, what was asked, what to remember, of which runs."""

    items: tuple[EvidenceItem, ...]
    facts: PullFacts
    seen: dict[str, tuple[int, str]]
    latest: Latest
    runs: frozenset[tuple[str, str]]


def results(
    place: Place, group: list[Shelf], origin: Origin, latest: Latest, settings: str
) -> Read:
    """The results on some shelves; a document that cannot be read is a Gap.

    `settings` stands for those that change what is made of a document.
    """
    items: list[EvidenceItem] = []
    gaps: list[Gap] = []
    hashes: list[str] = []
    seen: dict[str, tuple[int, str]] = {}
    kept: dict[str, Kept] = {}
    runs = set()
    for shelf in group:
        before = len(gaps)
        for name in shelf.paths:
            try:
                document, sha256 = place.load(name)
                item = result_item(document, place.locator(name), sha256, origin)
            except Unreadable as error:
                gaps.append(Gap(shown(name), str(error)))
                continue
            hashes.append(sha256)
            runs.add((item.subject, stamp(item.observed_to)))
            landing, now = latest.seen(name, sha256, item, settings)
            kept |= now
            items += [landing] if landing is not None else []
        seen[shelf.key] = (len(shelf.paths), shelf.digest if len(gaps) == before else "")
    once = {item.item_id: item for item in sorted(items, key=_when)}
    facts = _facts(sum(len(s.paths) for s in group), hashes, gaps)
    return Read(tuple(once.values()), facts, seen, latest.and_(kept), frozenset(runs))


def suites(
    place: Place | None, before: Snapshot, origin: Origin, strict: Strict,
    answers: Mapping[str, str],
) -> tuple[tuple[EvidenceItem, ...], Snapshot, Strict, PullFacts]:  # fmt: skip
    """Suites that differ; a loss is only believed where every document could be read."""
    if place is None:
        return (), before, strict, PullFacts()
    found = place.listing()
    items: list[EvidenceItem] = []
    gaps = list(found.gaps)
    hashes: list[str] = []
    for name in found.prints:
        try:
            document, sha256 = place.load(name)
            item, strict = suite_item(document, place.locator(name), origin, strict, answers)
            items.append(item)
            hashes.append(sha256)
        except Unreadable as error:
            gaps.append(Gap(f"suite {shown(name)}", str(error)))
    states, snapshot = compared(
        before, items, lambda *_: bool(gaps), at=origin.collected_at, source=origin.source
    )
    whole = PullFacts(states=() if gaps else (SUITE,))
    return states, snapshot, strict, _facts(len(found.prints), hashes, gaps) + whole


def lost(count: int, origin: Origin) -> tuple[EvidenceItem, ...]:
    """That at least so many results were deleted; nothing if none was."""
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


def _when(item: EvidenceItem) -> tuple[datetime, str]:
    return item.observed_to, item.item_id
