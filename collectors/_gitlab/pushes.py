"""Who changed a branch at GitLab without a merge request, as the events of the project tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from collectors._gitlab.json import Api
from collectors._json import moment, number, obj, text
from collectors._review.host import absent
from collectors._review.pull import Repository
from collectors._review.push import Push
from evidence.errors import SourceError

_HOW = {"pushed": "pushed", "created": "created", "removed": "deleted"}
_CAME = ("merge_commit_sha", "squash_commit_sha", "sha")
_DAYS = timedelta(days=2)
"""`after` takes a date, leaves that day out, and does not say in which zone it reads it."""


def pushes(api: Api, of: Repository, floor: datetime | None) -> Iterator[Push | None]:
    """The pushes, newest first, down to `floor`; None for those to other branches and for merges.
    A merge is a push too: it is told by the commit that it came to. Raises SourceError."""
    what = f"events of {of.name}"
    asked = {"action": "pushed", "sort": "desc"}
    if floor is not None:
        asked["after"] = (floor - _DAYS).date().isoformat()
    for rows in api.pages(f"/projects/{of.id}/events", what, **asked):
        for row in rows:
            push = _push(api, obj(row, what), of, what)
            late = push is not None and (floor is None or push.at >= floor)
            yield push if push and late and not _merged(api, of, push) else None


def _push(api: Api, row: dict[str, Any], of: Repository, what: str) -> Push | None:
    data = obj(row.get("push_data") or {}, what)
    ref, several = data.get("ref"), bool(data.get("ref_count"))
    if data.get("ref_type") != "branch" or (ref not in of.watched and not several):
        return None
    how = "several" if several else _HOW.get(text(data, "action", what), "pushed")
    return Push(
        id=str(number(row, "id", what)), branch=str(ref or "?"), how=how,
        at=moment(row.get("created_at"), what), by=api.account(row.get("author"), what),
        before=str(data.get("commit_from") or ""), after=str(data.get("commit_to") or ""),
    )  # fmt: skip


def _merged(api: Api, of: Repository, push: Push) -> bool:
    """Did the branch come to what a merge request that was merged into it had made?"""
    if push.how != "pushed" or not push.after:
        return False
    path, what = f"/projects/{of.id}/repository/commits/{push.after}/merge_requests", of.name
    try:
        found = api.every(path, what)
    except SourceError as error:
        if not absent(error):
            raise
        return False  # a commit that is not there any more was no merge that still stands
    return any(
        one.get("state") == "merged" and one.get("target_branch") == push.branch
        and push.after in {one.get(name) for name in _CAME}
        for one in found
    )  # fmt: skip
