"""Whether a suite asks less than it once did: what was dropped or altered, who answers for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collectors._checks.results import Criterion, Suite
from evidence.canonical import digest, plain

# By suite, by check: its severity and a digest of what it demanded, at its strictest.
Strict = Mapping[str, Mapping[str, str]]
_PRINT = 16
_RANKS = {"error": 2, "warn": 1, "warning": 1}


def finding(
    before: Mapping[str, str], suite: Suite, answers: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """What is weaker than `before` (empty if nothing is), and what to hold the suite to next time.

    `before` maps a check's name to its severity and a digest of what it demanded, at its strictest.
    What was weakened stays in it, so the finding stays until the suite is as it was; an answer
    holds for exactly the weakenings that its id names. Whether other criteria ask less cannot be
    told from their text, so an altered check counts as a weakened one.
    """
    now = {one.name: _print(one) for one in suite.criteria}
    weaker = [
        {"check": name, "what": what, "now": now.get(name, "")}
        for name, old in sorted(before.items())
        if (what := _weaker(old, now.get(name)))
    ]
    names = {one["check"] for one in weaker}
    after = dict(before) | {name: one for name, one in now.items() if name not in names}
    if not weaker:
        return {}, after
    told = digest(plain({"suite": suite.subject, "weaker": weaker}))[:12]
    return {"id": told, "checks": weaker, "answer": answers.get(told, "").strip()}, after


def _print(one: Criterion) -> str:
    return f"{one.severity}:{digest(plain(one.demand()))[:_PRINT]}"


def _weaker(old: str, new: str | None) -> str:
    if new is None:
        return "is no longer there"
    (severity, demand), (severity_now, demand_now) = old.split(":", 1), new.split(":", 1)
    if demand != demand_now:
        return "asks for something else"
    if _RANKS.get(severity_now, 0) < _RANKS.get(severity, 0):
        return f"only says {severity_now} now"
    return ""
