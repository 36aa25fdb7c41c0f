"""What a tool that checks data said, in one form for all tools; no value of the data is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from collectors._checks.json_files import Origin
from collectors._text import clean
from collectors.base import system_of
from evidence.canonical import digest, plain
from evidence.model import Change, EvidenceItem, Nature, Outcome
from evidence.times import stamp

RESULT, SUITE, DRIFT = "checks.result", "checks.suite", "drift.report"


class Said(StrEnum):
    """What became of one check. Only `held` is good; `skipped` was never tried."""

    HELD = "held"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One check of a suite: its native name, what it demands, `error` or `warn` as its severity."""

    name: str
    type: str
    column: str
    severity: str
    criteria: Mapping[str, Any]

    def demand(self) -> dict[str, Any]:
        """What it demands, whatever its severity."""
        return {"type": self.type, "column": self.column, "criteria": dict(self.criteria)}

    def told(self) -> dict[str, Any]:
        """The whole as it lands."""
        return {"name": self.name, "severity": self.severity, **self.demand()}


@dataclass(frozen=True, slots=True)
class Suite:
    """All checks of one table (`asset`); `subject` names it within the source."""

    tool: str
    subject: str
    asset: str
    criteria: tuple[Criterion, ...]

    def sha256(self) -> str:
        """SHA-256 over names, demands and severities, whatever their order."""
        return digest(sorted(digest(plain(one.told())) for one in self.criteria))


@dataclass(frozen=True, slots=True)
class Ran:
    """What one check came to; `failures` counts rows, `why` says what stopped it."""

    name: str
    said: Said
    failures: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """One run over one suite. `doubt` says why the criteria it was judged by are not known.

    With `siblings`, what stopped it stopped every other suite of which the subject begins so.
    """

    run_id: str
    started: datetime
    ended: datetime
    suite: Suite
    ran: tuple[Ran, ...]
    version: str = ""
    doubt: str = ""
    facts: Mapping[str, Any] | None = None
    siblings: str = ""
    kind: str = RESULT


@dataclass(frozen=True, slots=True)
class Stock:
    """Every suite of one project as of `at`, and the tables there are, checked or not.

    `assets` maps the subject that a suite would have to the name of its table. A tool that only
    names tables that it checks has a `prefix` instead: every suite known of before, of which the
    subject begins so, should still be there.
    """

    tool: str
    project: str
    at: datetime
    suites: tuple[Suite, ...]
    assets: Mapping[str, str]
    prefix: str = ""

    @property
    def key(self) -> str:
        """The project among those of all tools."""
        return f"{self.tool} {clean(self.project)}"


def result_item(results: Results, file: str, file_sha256: str, origin: Origin) -> EvidenceItem:
    """The item of one run over one suite."""
    suite = results.suite
    checks = _checks(results)
    outcome, title = _judged(checks, results.doubt)
    payload = {
        "tool": suite.tool, "tool_version": results.version, "suite": suite.subject,
        "asset": suite.asset, "run_id": results.run_id, "checks": checks,
        "counts": {said.value: sum(c["said"] == said for c in checks) for said in Said},
        "check_count": len(checks), "suite_sha256": "" if results.doubt else suite.sha256(),
        "doubt": results.doubt, "facts": dict(results.facts or {}), "file_sha256": file_sha256,
        "ended": stamp(results.ended),
    }  # fmt: skip
    return EvidenceItem(
        source=origin.source, kind=results.kind, subject=suite.subject,
        observed_from=results.started, observed_to=results.ended,
        collected_at=origin.collected_at, payload=payload,
        system=system_of(origin.systems, suite.asset, suite.subject), outcome=outcome,
        title=f"{clean(suite.subject)}: {title}", locator=file,
    )  # fmt: skip


def altered(item: EvidenceItem) -> EvidenceItem:
    """The same run, told otherwise than before: a failure that is seen now, whatever it says."""
    return EvidenceItem(
        source=item.source, kind=item.kind, subject=item.subject, system=item.system,
        observed_from=item.observed_from, observed_to=max(item.collected_at, item.observed_to),
        collected_at=item.collected_at, payload=json.loads(item.content) | {"altered": True},
        title=f"{item.title}, in a file that was altered after it was read",
        change=Change.CHANGED, outcome=Outcome.FAILED, locator=item.locator,
    )  # fmt: skip


def suite_item(suite: Suite, weaker: Mapping[str, Any], origin: Origin) -> EvidenceItem:
    """The state of one suite; `weaker` as `_weakened.finding` tells it, empty if there is nothing.

    A weakening that nobody answers for is a failure.
    """
    count = len(suite.criteria)
    title = f"Checks of {clean(suite.subject)}: {count}{words(weaker)}"
    payload = {
        "tool": suite.tool, "suite": suite.subject, "asset": suite.asset, "check_count": count,
        "checks": sorted((one.told() for one in suite.criteria), key=lambda told: told["name"]),
        "suite_sha256": suite.sha256(), "weaker": dict(weaker),
    }  # fmt: skip
    failed = weaker and not weaker["answer"]
    return EvidenceItem(
        source=origin.source, kind=SUITE, subject=suite.subject, payload=payload, title=title,
        observed_from=origin.collected_at, observed_to=origin.collected_at,
        collected_at=origin.collected_at, nature=Nature.STATE,
        system=system_of(origin.systems, suite.asset, suite.subject),
        outcome=Outcome.FAILED if failed else Outcome.RECORDED,
    )  # fmt: skip


def words(weaker: Mapping[str, Any]) -> str:
    """How a title goes on about a weakening; nothing where there is none."""
    if not weaker:
        return ""
    told = "answered for" if weaker["answer"] else f"answer for it as {weaker['id']}"
    return f"; {len(weaker['checks'])} were dropped, weakened or altered ({told})"


def _checks(results: Results) -> list[dict[str, Any]]:
    """Every check of the suite: one that left no result was not run."""
    ran = {one.name: one for one in results.ran}
    told = []
    for one in sorted(results.suite.criteria, key=lambda c: c.name):
        what = ran.get(one.name) or Ran(one.name, Said.SKIPPED, why="left no result in this run")
        told.append({
            "name": one.name, "type": one.type, "column": one.column, "severity": one.severity,
            "said": what.said.value, "failures": what.failures, "why": what.why,
        })  # fmt: skip
    return told


def _judged(checks: list[dict[str, Any]], doubt: str) -> tuple[Outcome, str]:
    """An error outweighs a failure: what could not be examined says nothing about the rest."""
    count = len(checks)
    said = [check["said"] for check in checks]
    unknown = said.count(Said.ERROR) + said.count(Said.SKIPPED)
    if not count:
        return Outcome.ERROR, "no check was evaluated" + (f": {doubt}" if doubt else "")
    if unknown:
        return Outcome.ERROR, f"{unknown} of {count} checks could not run or were not run"
    if failed := said.count(Said.FAILED):
        return Outcome.FAILED, f"{failed} of {count} checks failed"
    if doubt:
        return Outcome.ERROR, f"{count} checks held, by criteria that are not known: {doubt}"
    return Outcome.PASSED, f"{count} checks held"
