"""Reading the releases of GitLab: who published which version, and of which commit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from collectors._gitlab.json import Api
from collectors._json import moment, obj, text
from collectors._review.pull import Repository
from collectors._review.release import Release


def releases(api: Api, of: Repository, floor: datetime | None) -> Iterator[Release]:
    """What was made at or after `floor` (None: ever). When it is said to be released may be any
    time that its author likes; when it was made is GitLab's own word. Raises SourceError."""
    what = f"releases of {of.name}"
    asked = {"order_by": "created_at", "sort": "desc"}
    for rows in api.pages(f"/projects/{of.id}/releases", what, **asked):
        found = [_release(api, obj(row, what), what) for row in rows]
        yield from (one for one in found if floor is None or one.at >= floor)
        if floor and found and found[-1].at < floor:
            return


def _release(api: Api, row: dict[str, Any], what: str) -> Release:
    tag = text(row, "tag_name", what)
    links = obj(row.get("_links") or {}, what)
    return Release(
        id=quote(tag, ""), tag=tag, name=str(row.get("name") or ""),
        at=moment(row.get("created_at"), what), by=api.account(row.get("author"), what),
        early=False, commit=str(obj(row.get("commit") or {}, what).get("id") or ""),
        url=str(links.get("self") or ""),
    )  # fmt: skip
