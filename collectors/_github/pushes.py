"""Who changed a branch at GitHub without a pull request, as the repository's activity tells."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from collectors._github.json import Api
from collectors._json import moment, number, obj, text
from collectors._review.pull import Repository
from collectors._review.push import Push

_HOW = {
    "push": "pushed", "force_push": "forced", "branch_creation": "created",
    "branch_deletion": "deleted",
}  # fmt: skip
_BY_REVIEW = {"pr_merge", "merge_queue_merge"}


def pushes(api: Api, of: Repository, floor: datetime | None) -> Iterator[Push | None]:
    """The activity of the watched branches, each newest first, down to `floor`; None for the merge
    of a pull request. Raises SourceError."""
    for branch in of.watched:
        what = f"activity of {of.name} {branch}"
        asked = {"ref": f"refs/heads/{branch}", "direction": "desc"}
        for _, rows in api.pages(f"/repos/{of.name}/activity", what, **asked):
            found = [_push(api, obj(row, what), branch, what) for row in rows]
            yield from (p for p in found if p is None or floor is None or p.at >= floor)
            if floor and rows and moment(obj(rows[-1], what).get("timestamp"), what) < floor:
                break


def _push(api: Api, row: dict[str, Any], branch: str, what: str) -> Push | None:
    how = text(row, "activity_type", what)
    if how in _BY_REVIEW:
        return None
    return Push(
        id=str(number(row, "id", what)), branch=branch, how=_HOW.get(how, "pushed"),
        at=moment(row.get("timestamp"), what), by=api.account(row.get("actor"), what),
        before=str(row.get("before") or ""), after=str(row.get("after") or ""),
    )  # fmt: skip
