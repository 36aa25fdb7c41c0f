"""What dbt left of an invocation: its tests by table, and how old its sources were."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from collectors._checks.dbt_manifest import (
    LIMITS,
    Manifest,
    fresh_criteria,
    invocation_of,
    short,
    tables,
)  # fmt: skip
from collectors._checks.fields import count, loose, moment, part, text
from collectors._checks.json_files import Unreadable
from collectors._checks.results import Ran, Results, Said
from collectors._text import clean

_SAID = {"pass": Said.HELD, "fail": Said.FAILED, "warn": Said.FAILED, "skipped": Said.SKIPPED}
_FRESH = {"pass": Said.HELD, "warn": Said.FAILED, "error": Said.FAILED}
_ERROR = re.compile(r"^\s*([A-Z][a-z]+ Error) in (?:test|unit_test|model|source)\b")


def test_results(document: Any, manifest: Manifest) -> Iterator[Results]:
    """One result for each table of which a test left one. Raises Unreadable."""
    meta, rows = part(document, "metadata"), _rows(document)
    invocation, ended = invocation_of(meta), moment(meta, "generated_at")
    tests = manifest.tests()
    ran = {uid: row for uid, row in rows.items() if uid.startswith("test.")}
    if strange := sorted(set(ran) - set(tests)):
        raise Unreadable(
            f"{len(strange)} tests that ran (as {clean(strange[0], 80)}) are not in the manifest "
            "beside it: keep the manifest of the run with its results"
        )
    for table, suite in manifest.suites().items():
        own = [uid for uid in ran if table in tables(tests[uid])]
        if own:
            yield Results(
                run_id=invocation, started=_started(meta, ended), ended=ended, suite=suite,
                ran=tuple(_ran(uid, ran[uid], tests[uid]) for uid in own),
                version=text(meta.get("dbt_version")),
                doubt=_doubt(manifest, table, invocation, ended),
            )  # fmt: skip


def freshness_results(document: Any, manifest: Manifest) -> Iterator[Results]:
    """One result for each source that must be fresh: dbt leaves out those it could not ask."""
    meta, rows = part(document, "metadata"), _rows(document)
    ended = moment(meta, "generated_at")
    for uid, suite in manifest.freshness().items():
        row = rows.get(uid, {})
        criteria = suite.criteria[0].criteria
        same = all(fresh_criteria(row.get("criteria"))[k] == criteria[k] for k in LIMITS)
        yield Results(
            run_id=invocation_of(meta), started=_started(meta, ended), ended=ended, suite=suite,
            ran=(_fresh(row, criteria),) if row else (), version=text(meta.get("dbt_version")),
            doubt="" if same or not row else "the manifest beside it asks for another age",
            facts={"newest_row": text(row.get("max_loaded_at")), "age_s": _age(row)},
        )  # fmt: skip


def _doubt(manifest: Manifest, table: str, invocation: str, ended: datetime) -> str:
    """A manifest of a later invocation will do where nothing that matters was parsed since."""
    if manifest.invocation == invocation:
        return ""
    if manifest.at < ended:
        return "the manifest beside it is older than the run"
    if manifest.changed_after(table, ended):
        return "the tests were parsed anew after the run"
    return ""


def _ran(uid: str, row: Mapping[str, Any], node: Mapping[str, Any]) -> Ran:
    status, failures = text(row.get("status")), count(row.get("failures"))
    said, why = _SAID.get(status, Said.ERROR), ""
    if said is Said.SKIPPED:
        why = "dbt skipped it"
    elif said is Said.ERROR:
        match = _ERROR.match(text(row.get("message")))
        why = match[1] if match else f"status {clean(repr(row.get('status')), 40)}"
    elif said is Said.HELD and failures is None:
        said, why = Said.ERROR, "says pass without a count of failures"
    elif said is Said.HELD and failures and _by_default(loose(node.get("config"))):
        said, why = Said.FAILED, "says pass with failures"
    return Ran(short(uid), said, failures, why)


def _by_default(config: Mapping[str, Any]) -> bool:
    return config.get("warn_if") == config.get("error_if") == "!= 0"


def _fresh(row: Mapping[str, Any], criteria: Mapping[str, Any]) -> Ran:
    said, age = _FRESH.get(text(row.get("status")), Said.ERROR), _age(row)
    if said is Said.ERROR:
        return Ran("freshness", said, why=f"status {clean(repr(row.get('status')), 40)}")
    if said is Said.HELD and age is None:
        return Ran("freshness", Said.ERROR, why="says pass without an age")
    limits = [criteria[k] for k in ("warn_after", "error_after") if criteria[k] is not None]
    if said is Said.HELD and age is not None and any(age > limit for limit in limits):
        return Ran("freshness", Said.FAILED, why="says pass beyond its limit")
    return Ran("freshness", said)


def _age(row: Mapping[str, Any]) -> int | None:
    age = row.get("max_loaded_at_time_ago_in_s")
    try:
        return None if isinstance(age, bool) or age is None else int(age)
    except (TypeError, ValueError, OverflowError):
        return None


def _started(meta: Mapping[str, Any], ended: datetime) -> datetime:
    """1.10 and later say when they began; a start after the end is not believed."""
    try:
        return min(moment(meta, "invocation_started_at"), ended)
    except Unreadable:
        return ended


def _rows(document: Any) -> dict[str, Mapping[str, Any]]:
    rows = loose(document).get("results")
    if not isinstance(rows, list):
        raise Unreadable("has no list of `results`")
    found = {text(loose(row).get("unique_id")): loose(row) for row in rows}
    if "" in found or len(found) != len(rows):
        raise Unreadable("has results without a `unique_id`, or two of one")
    return found
