"""The files of one folder side by side: which format each has, told by what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors._checks import dbt, soda
from collectors._checks.dbt_manifest import MANIFEST, SOURCES, TESTS, Manifest, form
from collectors._checks.json_files import Unreadable
from collectors._checks.results import Results, Stock
from collectors._disk import shown
from evidence.runs import Gap

# What dbt writes beside its artifacts without saying so: a summary of the graph, semantic models.
_BESIDE = ({"_invocation_id", "linked"}, {"semantic_models", "metrics", "project_configuration"})


@dataclass(frozen=True, slots=True)
class Told:
    """Results by file, the suites of each project found, and what could not be used."""

    results: Mapping[str, tuple[Results, ...]] = field(default_factory=dict)
    stocks: tuple[Stock, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def __add__(self, other: Told) -> Told:
        return Told(
            {**self.results, **other.results}, self.stocks + other.stocks, self.gaps + other.gaps
        )


def told_together(documents: Mapping[str, Any]) -> Told:
    """What the files of one folder, by path, tell. Never raises: what is wrong is a Gap."""
    told, left = Told(), {}
    for path, document in documents.items():
        alone = _alone(path, document)
        if alone is None:
            left[path] = document
        else:
            told = told + alone
    return told + _by_dbt(left)


def _alone(path: str, document: Any) -> Told | None:
    """What a file tells that needs no other beside it; None if it is none of these."""
    try:
        if soda.is_scan(document):
            results, stocks = soda.scan(document)
            return Told({path: results}, stocks)
    except Unreadable as error:
        return _gap(path, error)
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
