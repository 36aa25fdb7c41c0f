"""What the checks of a commit had come to at a moment: check runs of apps, and commit statuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from collectors._github.json import Api
from collectors._json import moment, number, obj, text
from collectors._review.host import absent
from collectors._review.pull import Check, Checks
from evidence.errors import SourceError

_RUNS = {"success": "passed", "neutral": "skipped", "skipped": "skipped"}
_STATUSES = {"success": "passed", "pending": "pending"}
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class _Attempt:
    """One attempt at a check, ordered by when it began."""

    began: datetime
    id: int
    state: str


_Found = tuple[tuple[str, str, int], _Attempt]
"""Which check (name, app, suite), and one attempt at it."""


class _CutError(Exception):
    """Fewer came than were promised."""


def checks(api: Api, repository: str, sha: str, at: datetime) -> Checks:
    """The latest attempt at each check that began by `at`: one that is run again afterwards does
    not change what the merge relied on. Raises SourceBusy, SourceBroken."""
    latest: dict[tuple[str, str, int], _Attempt] = {}
    unread: list[str] = []
    for name, read in (("check runs", _runs), ("statuses", _statuses)):
        try:
            for key, attempt in read(api, f"/repos/{repository}/commits/{sha}", at):
                latest[key] = max(latest.get(key, attempt), attempt)
        except SourceError as error:
            if not absent(error):
                raise
            unread.append(f"{name}: HTTP {error.status}")
        except _CutError as cut:
            unread.append(f"{name}: {cut}")
    runs = tuple(Check(name, by, attempt.state) for (name, by, _), attempt in latest.items())
    return Checks(runs, "; ".join(unread))


def _runs(api: Api, commit: str, at: datetime) -> Iterator[_Found]:
    what = f"check runs of {commit[-40:]}"
    promised, came = 0, 0
    for reply, rows in api.pages(f"{commit}/check-runs", what, "check_runs", filter="all"):
        promised = number(reply.data, "total_count", what)
        came += len(rows)
        for row in rows:
            run = obj(row, what)
            app = obj(run.get("app") or {}, what).get("slug") or ""
            suite = obj(run.get("check_suite") or {}, what).get("id") or 0
            yield (text(run, "name", what), str(app), int(suite)), _run(run, at, what)
    if came < promised:
        raise _CutError(f"{came} of {promised} came")


def _run(run: dict[str, Any], at: datetime, what: str) -> _Attempt:
    began = run.get("started_at") and moment(run["started_at"], what)
    ended = run.get("completed_at") and moment(run["completed_at"], what)
    if not began or began > at:  # had come to nothing yet, unless an earlier attempt had
        return _Attempt(_NEVER, number(run, "id", what), "pending")
    done = ended and ended <= at and run.get("status") == "completed"
    state = _RUNS.get(str(run.get("conclusion")), "failed") if done else "pending"
    return _Attempt(began, number(run, "id", what), state)


def _statuses(api: Api, commit: str, at: datetime) -> Iterator[_Found]:
    what = f"statuses of {commit[-40:]}"
    for status in api.every(f"{commit}/statuses", what):
        told = moment(status.get("created_at"), what)
        if told <= at:
            state = _STATUSES.get(text(status, "state", what), "failed")
            attempt = _Attempt(told, number(status, "id", what), state)
            yield (text(status, "context", what), "status", 0), attempt
