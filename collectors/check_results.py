"""Results of checks of data that dbt, Soda or Evidently left, with what they were judged by."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from collectors._checks.json_files import Listing, Origin, listing
from collectors._checks.memory import Memory
from collectors._checks.results import (
    DRIFT,
    RESULT,
    SUITE,
    Results,
    Stock,
    Suite,
    altered,
    result_item,
)
from collectors._checks.suites import as_they_stand, not_older
from collectors._checks.told import Told, read_all
from collectors._disk import reading, shown
from collectors._states import compared
from collectors.base import Clock, utc_now
from evidence.errors import ConfigError, SourceBroken, SourceRefused
from evidence.model import Batch, Change, Cursor, EvidenceItem
from evidence.runs import Gap, PullFacts

PROJECT = "dbt_project.yml"


@dataclass(frozen=True)
class CheckResults:
    """Results of checks (events, from the end of their run) and the suites behind them (states).

    `folder` is a dbt project, its target folder, a folder of copies of such, one folder for each
    invocation, or a folder with scans of Soda or reports of Evidently. `systems` maps globs over
    table names to AI systems. `answered` maps the id of a weakening to who answers for it and why.
    `zone` (`Europe/Berlin`) is that of the machine on which Evidently ran: it writes none. Of the
    data only counts, ages and scores of drift are kept.
    """

    source: str
    folder: Path
    systems: Mapping[str, str] = field(default_factory=dict)
    answered: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    kinds: ClassVar[tuple[str, ...]] = (RESULT, SUITE, DRIFT)
    states: ClassVar[tuple[str, ...]] = (SUITE,)

    def __post_init__(self) -> None:
        if empty := [name for name, why in self.answered.items() if not why.strip()]:
            raise ConfigError(f"{self.source}: answered.{empty[0]} must say who answers and why")
        self._zone()

    def probe(self) -> str:
        """Where results are read, and how many files there are."""
        folder, found = self._listed()
        return f"{len(found.prints)} JSON files in {folder}, read as uid {os.getuid()}"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Results in files that are new or differ, then suites that changed; one batch, by time.

        Everything is read in each pull, as files are overwritten and suites have no history. A file
        that cannot be read, or whose criteria cannot be found, is a Gap in every pull until it can.
        Raises SourceBusy, SourceRefused, SourceBroken.
        """
        memory = Memory.of(cursor)
        origin = Origin(self.source, self.systems, self.clock())
        folder, found = self._listed()
        told, hashes = read_all(folder, found, origin.collected_at, self._zone())
        stocks, old, newest = not_older(told.stocks, memory.newest)
        results, read = self._results(told, hashes, memory, origin, found.gaps)
        items, strict = as_they_stand(stocks, memory.strict, self.answered, origin)
        gaps = found.gaps + told.gaps + old
        unseen = _unseen(told, stocks)

        def withheld(_: str, subject: str) -> bool:
            return bool(gaps) or subject.startswith(unseen)

        states, seen = compared(
            memory.seen, items, withheld, at=origin.collected_at, source=self.source
        )
        facts = PullFacts(
            pages=1, received=len(hashes), promised=len(found.prints), gaps=gaps,
            query=f"{folder}/**/*.json", identity=f"uid {os.getuid()}",
            raw_sha256=(hashlib.sha256("".join(hashes.values()).encode()).hexdigest(),),
            states=() if gaps or unseen else (SUITE,),
        )  # fmt: skip
        yield Batch(results + states, Memory(read, seen, strict, newest).cursor(), facts)

    def _zone(self) -> tzinfo | None:
        try:
            return ZoneInfo(self.zone) if self.zone else None
        except (ValueError, OSError, ZoneInfoNotFoundError) as error:
            raise ConfigError(
                f"{self.source}: zone {self.zone!r} is no time zone such as Europe/Berlin or UTC"
            ) from error

    def _listed(self) -> tuple[Path, Listing]:
        folder = _target(Path(self.folder))
        with reading(folder):
            os.listdir(folder)
        found = listing(folder)
        if found.gaps and not found.prints:
            raise SourceRefused(f"{found.gaps[0].what}: {found.gaps[0].why}")
        if not found.prints:
            raise SourceRefused(f"{folder}: no *.json below it; give a dbt project or scans")
        return folder, found

    def _results(
        self, told: Told, hashes: Mapping[str, str], memory: Memory, origin: Origin,
        unlisted: tuple[Gap, ...],
    ) -> tuple[tuple[EvidenceItem, ...], dict[str, tuple[str, str]]]:  # fmt: skip
        items: list[EvidenceItem] = []
        # Where a folder could not be listed, a missing file is not a deleted one.
        read = {p: v for p, v in memory.read.items() if unlisted or p in hashes}
        lost = len(memory.read) - len(read)
        known = {suite.subject for stock in told.stocks for suite in stock.suites}
        known |= set(memory.strict)
        for path, results in told.results.items():
            print_ = _print(hashes[path], self.systems, self.zone)
            run = results[0].run_id if results else ""
            before = memory.read.get(path)
            if before and before[1] == print_:
                continue
            whole = results + _stopped(results, known)
            own = [result_item(one, shown(path), hashes[path], origin) for one in whole]
            edited = before and before[0] == run and not _resettled(before[1], print_)
            items += [altered(item) for item in own] if edited else own
            read[path] = (run, print_)
        once = {item.item_id: item for item in sorted(items, key=_when)}
        return _lost(lost, origin) + tuple(once.values()), read


def _target(folder: Path) -> Path:
    """The folder that a project writes to, or the one given. Raises SourceRefused, SourceBroken."""
    file = folder / PROJECT
    with reading(file):
        if not os.path.lexists(file):
            return folder
        raw = file.read_bytes()
    try:
        config = yaml.safe_load(raw)
    except (yaml.YAMLError, RecursionError) as error:
        raise SourceBroken(f"{file} is not YAML: {error}") from error
    path = config.get("target-path", "target") if isinstance(config, Mapping) else "target"
    if not isinstance(path, str) or "{{" in path:
        raise SourceRefused(f"{file}: target-path {path!r} is no plain path; give that folder")
    return folder / path


def _stopped(results: tuple[Results, ...], known: set[str]) -> tuple[Results, ...]:
    """What a run that broke did not come to: a result for each suite that it does not name."""
    there = {one.suite.subject for one in results}
    return tuple(
        replace(
            one,
            suite=Suite(one.suite.tool, subject, subject.removeprefix(one.siblings), ()),
            ran=(),
        )
        for one in results[:1]
        for subject in sorted(known - there)
        if one.siblings and subject.startswith(one.siblings)
    )


def _unseen(told: Told, stocks: list[Stock]) -> tuple[str, ...]:
    """How the subjects begin whose suites no run in sight told whole: they may be as they were."""
    broken = {one.siblings for results in told.results.values() for one in results}
    return tuple(broken - {stock.prefix for stock in stocks} - {""})


def _lost(count: int, origin: Origin) -> tuple[EvidenceItem, ...]:
    if not count:
        return ()
    at = origin.collected_at
    gone = EvidenceItem(
        source=origin.source, kind=RESULT, subject="stored results", observed_from=at,
        observed_to=at, collected_at=at, payload={"files": count}, change=Change.GONE,
        title=f"{count} files of check results were deleted",
    )  # fmt: skip
    return (gone,)


def _print(sha256: str, systems: Mapping[str, str], zone: str) -> str:
    """The file's own digest, then that of the settings: others make other items of it."""
    settings = repr(sorted(systems.items())) + zone
    given = hashlib.sha256(settings.encode("utf-8", "surrogateescape"))
    return f"{sha256[:24]}:{given.hexdigest()[:8]}"


def _resettled(before: str, now: str) -> bool:
    """Whether only the settings changed."""
    return before.split(":")[0] == now.split(":")[0]


def _when(item: EvidenceItem) -> tuple[datetime, str]:
    return item.observed_to, item.item_id
