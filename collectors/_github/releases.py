"""Reading the releases of GitHub: who published which version, and of which commit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from collectors._github.json import Api
from collectors._json import moment, number, obj, text
from collectors._review.host import absent
from collectors._review.pull import Repository
from collectors._review.release import Release
from evidence.errors import SourceError


def releases(api: Api, of: Repository, floor: datetime | None) -> Iterator[Release]:
    """What was published at or after `floor` (None: ever); the list is in no order of that, so that
    all of it is read. A draft is not published. Raises SourceError."""
    what = f"releases of {of.name}"
    for _, rows in api.pages(f"/repos/{of.name}/releases", what):
        for raw in rows:
            row = obj(raw, what)
            if row.get("draft") is True or not row.get("published_at"):
                continue
            at = moment(row["published_at"], what)
            if floor is None or at >= floor:
                yield _release(api, row, at, what)


def _release(api: Api, row: dict[str, Any], at: datetime, what: str) -> Release:
    return Release(
        id=str(number(row, "id", what)), tag=text(row, "tag_name", what),
        name=str(row.get("name") or ""), at=at, by=api.account(row.get("author"), what),
        early=row.get("prerelease") is True, commit="", url=str(row.get("html_url") or ""),
    )  # fmt: skip


def tagged(api: Api, of: Repository, release: Release) -> str:
    """The commit that the tag names now, empty where it names none; of an early version nobody
    asks. Raises SourceError."""
    if release.early:
        return ""
    # Beside a branch of the same name the tag is meant.
    path = f"/repos/{of.name}/commits/{quote(f'tags/{release.tag}', '')}"
    try:
        return text(api.get(path, f"{of.name} tag"), "sha", f"{of.name} tag")
    except SourceError as error:
        if not absent(error):
            raise
        return ""
