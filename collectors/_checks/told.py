"""The files of a folder: which format each has, told by what it says, and what they tell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from collectors._checks import dbt, evidently, soda
from collectors._checks.dbt_manifest import MANIFEST, SOURCES, TESTS, Manifest, form
from collectors._checks.json_files import Listing, Unreadable, load
from collectors._checks.results import Results, Stock
from collectors._disk import reading, shown
from evidence.freshness import CLOCK_SKEW
from evidence.runs import Gap

# What lies beside: dbt's summary of its graph and semantic models, a project of Evidently's.
_BESIDE = (
    {"_invocation_id", "linked"},
    {"semantic_models", "metrics", "project_configuration"},
    {"id", "name", "description", "org_id", "version"},
)


@dataclass(frozen=True, slots=True)
class Told:
    """Results by file, the suites of each project found, and what could not be used."""

    results: Mapping[str, tuple[Results, ...]] = field(default_factory=dict)
    stocks: tuple[Stock, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def __add__(self, other: Told) -> Told:
        return joined([self, other])


def joined(parts: list[Told]) -> Told:
    """All of them in one."""
    return Told(
        {path: results for part in parts for path, results in part.results.items()},
        tuple(stock for part in parts for stock in part.stocks),
        tuple(gap for part in parts for gap in part.gaps),
    )


def read_all(
    folder: Path, found: Listing, now: datetime, zone: tzinfo | None
) -> tuple[Told, dict[str, str]]:
    """What all files tell, folder by folder, and the SHA-256 of each that was read whole.

    `zone` is that of times which a tool writes without one. Nothing that a file holds raises: what
    is wrong is a Gap.
    """
    parts, hashes = [], {}
    for paths in _by_folder(found.prints).values():
        left: dict[str, Any] = {}
        for path in paths:
            try:
                document, hashes[path] = load(folder, path)
                alone = _alone(path, document, zone)
            except Unreadable as error:
                alone = _gap(path, error)
            if alone is None:
                left[path] = document
            else:
                parts.append(alone)
        parts.append(_by_dbt(left))
    return _believed(joined(parts), folder, now), hashes


def _believed(told: Told, folder: Path, now: datetime) -> Told:
    """Without what cannot be of its time: ahead of us, or later than its file was written."""
    kept, gaps = {}, []
    stocks = tuple(stock for stock in told.stocks if stock.at <= now + CLOCK_SKEW)
    ahead = {stock.key for stock in told.stocks} - {stock.key for stock in stocks}
    for path, results in told.results.items():
        ended = max((one.ended for one in results), default=None)
        if ended is not None and ended > now + CLOCK_SKEW:
            gaps.append(Gap(shown(path), "tells of a run in the future: not believed"))
        elif ended is not None and _written(folder / path) < (ended - CLOCK_SKEW).timestamp():
            gaps.append(Gap(shown(path), "was written before the run it tells of: not believed"))
        else:
            kept[path] = results
    gaps += [Gap(key, "its suites are from the future: not believed") for key in sorted(ahead)]
    return Told(kept, stocks, told.gaps + tuple(gaps))


def _written(path: Path) -> float:
    with reading(path):
        return path.lstat().st_mtime


def _by_folder(paths: Mapping[str, str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    for path in sorted(paths):
        folders.setdefault(os.path.dirname(path), []).append(path)
    return folders


def _alone(path: str, document: Any, zone: tzinfo | None) -> Told | None:
    """What a file tells that needs no other beside it; None if it is no such. Raises Unreadable."""
    if soda.is_scan(document):
        results, stocks = soda.scan(document)
        return Told({path: results}, stocks)
    if evidently.is_report(document):
        results, stocks = evidently.report(document, shown(os.path.dirname(path)), zone)
        return Told({path: results}, stocks)
    return None


def _by_dbt(documents: Mapping[str, Any]) -> Told:
    """What files of dbt tell: its results need the manifest that lies beside them."""
    told, forms = Told(), {}
    for path, document in documents.items():
        try:
            forms[path] = form(document)
            if not forms[path] and not _beside(document):
                raise Unreadable("holds no check results that are known here")
        except Unreadable as error:
            told = told + _gap(path, error)
    manifests = [path for path, kind in forms.items() if kind == MANIFEST]
    manifest = None
    for path in manifests:
        try:
            manifest = Manifest.read(documents[path])
            told = told + Told(stocks=(manifest.stock(),))
        except Unreadable as error:
            told = told + _gap(path, error)
    only = manifest if len(manifests) == 1 else None
    for path, kind in forms.items():
        if kind in {TESTS, SOURCES}:
            told = told + _judged(path, kind, documents[path], only)
    return told


def _judged(path: str, kind: str, document: Any, manifest: Manifest | None) -> Told:
    if manifest is None:
        why = "no manifest, or more than one, lies beside it: its criteria are not known"
        return _gap(path, Unreadable(why))
    read = dbt.test_results if kind == TESTS else dbt.freshness_results
    try:
        return Told({path: tuple(read(document, manifest))})
    except Unreadable as error:
        return _gap(path, error)


def _beside(document: Any) -> bool:
    return isinstance(document, Mapping) and any(set(document) >= keys for keys in _BESIDE)


def _gap(path: str, error: Unreadable) -> Told:
    return Told(gaps=(Gap(shown(path), str(error)),))
