"""Reading one merged pull request of GitHub: its people, its reviews, what came of its checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import requests

from collectors._github.checks import checks
from collectors._github.json import Api
from collectors._json import array, moment, number, obj, text
from collectors._review.approval import Account, Review, Said
from collectors._review.host import PAPERS
from collectors._review.pull import Merged, Repository, Signatures
from collectors._review.walk import Seen
from collectors.http import clean
from evidence.errors import SourceBroken, SourceBusy, SourceRefused

_SAID = {"APPROVED": Said.APPROVED, "CHANGES_REQUESTED": Said.OBJECTED}
_SILENT = {"COMMENTED", "PENDING"}
_BELONGING = {"OWNER", "MEMBER", "COLLABORATOR"}
"""Anybody may approve in a public repository. A key that may not see who is a member of the
organisation is told CONTRIBUTOR or NONE of members, too: then it is open who approved."""


def repository(api: Api, name: str, branches: tuple[str, ...]) -> Repository:
    """A repository as it is now, also where it was renamed or moved. Raises SourceError."""
    whole = api.get(f"/repos/{name}", f"repository {name}")
    name = text(whole, "full_name", name)
    default = text(whole, "default_branch", name)
    return Repository(
        str(number(whole, "id", name)), name, tuple(dict.fromkeys((default, *branches)))
    )


def seen(raw: Any) -> Seen:
    """A row of the list of pull requests. Raises SourceBroken."""
    row = obj(raw, "a pull request")
    nr = number(row, "number", "a pull request")
    what = f"pull request {nr}"
    merged = row.get("merged_at")
    return Seen(
        nr, moment(row.get("updated_at"), what), None if merged is None else moment(merged, what)
    )


def newest_first(api: Api, of: Repository) -> Iterator[list[Any]]:
    """The closed pull requests, the last changed first: changes since a time are not to be had."""
    asked = {"state": "closed", "sort": "updated", "direction": "desc"}
    for _, rows in api.pages(f"/repos/{of.name}/pulls", f"pull requests of {of.name}", **asked):
        yield rows


def count(api: Api, of: Repository, since: datetime | None, until: datetime) -> int | str:
    """How many the search finds merged in that time, or why it does not say. Its budget is small
    and apart from the rest, so that it may be used up."""
    span = f"{_written(since)}..{_written(until)}" if since else f"<={_written(until)}"
    query = {"q": f"repo:{of.name} is:pr is:merged merged:{span}", "per_page": 1}
    try:
        answer = obj(api.http.get("/search/issues", query).data, "search")
    except (SourceBusy, SourceRefused, SourceBroken) as error:
        if error.status == requests.codes.unauthorized:
            raise
        return f"nothing: search said HTTP {error.status}"
    if answer.get("incomplete_results"):
        return "nothing: the search was cut short"
    return number(answer, "total_count", "search")


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(api: Api, of: Repository, nr: int) -> Merged:
    """One merged pull request with all that an auditor asks of it. Raises SourceError."""
    what, path = f"{of.name}#{nr}", f"/repos/{of.name}/pulls/{nr}"
    pull = api.get(path, what)
    at = moment(pull.get("merged_at"), f"{what}: merged_at")
    head, base = (obj(pull.get(side), f"{what}: {side}") for side in ("head", "base"))
    sha, into = text(head, "sha", what), text(base, "ref", what)
    author = api.account(pull.get("user"), what)
    commits = api.every(f"{path}/commits", f"{what}: commit")
    hands, strangers = _hands(api, commits, author, f"{what}: commit")
    return Merged(
        number=number(pull, "number", what), title=str(pull.get("title") or ""),
        url=str(pull.get("html_url") or ""), author=author, contributors=hands,
        strangers=strangers, whole=len(commits) >= number(pull, "commits", what),
        created=moment(pull.get("created_at"), f"{what}: created_at"), merged=at,
        merged_by=api.account(pull.get("merged_by"), what), base=into,
        watched=into in of.watched, fork=_place(head, what) != _place(base, what),
        head=sha, commit=str(pull.get("merge_commit_sha") or ""), labels=_labels(pull, what),
        reviews=_reviews(api, of.name, nr, sha, at), checks=checks(api, of.name, sha, at),
        signatures=_signatures(commits, f"{what}: commit"),
    )  # fmt: skip


def files(api: Api, of: Repository, nr: int) -> dict[str, str]:
    """The registers and documents that a pull request touched → the id of the blob at its head.
    GitHub lists 3000 files at most. Raises SourceError."""
    what = f"{of.name}#{nr}: file"
    return {
        text(row, "filename", what): text(row, "sha", what)
        for row in api.every(f"/repos/{of.name}/pulls/{nr}/files", what)
        if row.get("status") != "removed" and str(row.get("filename")).lower().endswith(PAPERS)
    }


def _place(side: Mapping[str, Any], what: str) -> Any:
    """The repository of a side; None where it was deleted."""
    return obj(side.get("repo") or {}, what).get("id")


def _labels(pull: Mapping[str, Any], what: str) -> tuple[str, ...]:
    what = f"{what}: labels"
    return tuple(
        sorted(text(obj(row, what), "name", what) for row in array(pull.get("labels"), what))
    )


def _hands(
    api: Api, commits: list[dict[str, Any]], author: Account | None, what: str
) -> tuple[tuple[Account, ...], int]:
    """Who else wrote or committed what was merged, and how many commits GitHub can name nobody for.

    A merge that the site made to bring the branch up to date is nobody's writing.
    """
    found: dict[str, Account] = {}
    strangers = 0
    for commit in commits:
        wrote, committed = (api.account(commit.get(role), what) for role in ("author", "committer"))
        by_site = committed is not None and committed.login == "web-flow"
        if by_site and len(array(commit.get("parents"), what)) > 1:
            continue
        strangers += wrote is None
        hands = (wrote,) if by_site else (wrote, committed)
        found |= {one.id: one for one in hands if one}
    if author:
        found.pop(author.id, None)
    return tuple(found[key] for key in sorted(found)), strangers


def _signatures(commits: list[dict[str, Any]], what: str) -> Signatures:
    """What GitHub makes of the commits' signatures, now: a key that was revoked since counts."""
    found = [
        obj(obj(row.get("commit") or {}, what).get("verification") or {}, what) for row in commits
    ]
    if any(not isinstance(one.get("verified"), bool) for one in found):
        return Signatures(unread="not told of every commit")
    reasons = Counter(text(one, "reason", what) for one in found if not one["verified"])
    return Signatures(sum(one["verified"] for one in found), reasons)


def _reviews(api: Api, name: str, nr: int, sha: str, merged_at: datetime) -> tuple[Review, ...]:
    what = f"{name}#{nr}: review"
    rows = api.every(f"/repos/{name}/pulls/{nr}/reviews", what)
    dismissed: Mapping[int, tuple[datetime, str]] = {}
    if any(str(row.get("state")).upper() == "DISMISSED" for row in rows):
        dismissed = _dismissals(api, name, nr)
    found = []
    for row in rows:
        said = _said(row, dismissed, merged_at, what)
        if said is not None:
            commit = str(row.get("commit_id") or "")
            by, at = api.account(row.get("user"), what), moment(row.get("submitted_at"), what)
            outsider = row.get("author_association") not in _BELONGING
            back = dismissed.get(number(row, "id", what), (None, ""))[0]
            later = back if back and back > merged_at else None
            found.append(Review(by, at, said, commit == sha, commit, outsider=outsider,
                                taken_back=later))  # fmt: skip
    return tuple(found)


def _said(
    row: Mapping[str, Any], dismissed: Mapping[int, tuple[datetime, str]], merged_at: datetime,
    what: str,
) -> Said | None:  # fmt: skip
    """What a review said when the change was merged: a later dismissal changes its state in place,
    and the time it bears not at all."""
    state = text(row, "state", what).upper()
    if state in _SILENT:
        return None
    if state != "DISMISSED":
        if state not in _SAID:
            raise SourceBroken(f"{what}: unknown state {clean(repr(state), 60)}", what=what)
        return _SAID[state]
    when, before = dismissed.get(number(row, "id", what), (None, ""))
    return Said.WITHDRAWN if when is None or when <= merged_at else _SAID.get(before.upper())


def _dismissals(api: Api, name: str, nr: int) -> dict[int, tuple[datetime, str]]:
    """Review → when it was dismissed, and what it had said."""
    what = f"{name}#{nr}: timeline"
    found = {}
    for event in api.every(f"/repos/{name}/issues/{nr}/timeline", what):
        if event.get("event") == "review_dismissed":
            of = obj(event.get("dismissed_review"), what)
            at = moment(event.get("created_at"), what)
            found[number(of, "review_id", what)] = (at, text(of, "state", what))
    return found
