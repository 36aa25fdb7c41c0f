"""Reading one merged merge request of GitLab: its people, its reviews, what its pipeline said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from collectors._gitlab.json import Api
from collectors._json import array, moment, number, obj, text
from collectors._review.approval import Account, Review, Said
from collectors._review.host import PAPERS, absent
from collectors._review.pull import Check, Checks, Merged, Repository, Signatures
from collectors._review.walk import Seen
from evidence.errors import SourceBroken, SourceBusy, SourceError, SourceRefused
from evidence.times import stamp

_NOREPLY = re.compile(r"(?:\d+-)?(?P<login>[^@]+)@users\.noreply\..+")
_PIPELINES = {"success": "passed", "skipped": "skipped", "failed": "failed", "canceled": "failed"}
_APPROVED = "approved this merge request"
_COUNT = """query ($path: ID!, $since: Time, $until: Time) { project(fullPath: $path) {
mergeRequests(state: merged, mergedAfter: $since, mergedBefore: $until) { count } } }"""


def repository(api: Api, name: str, branches: tuple[str, ...]) -> Repository:
    """A project as it is now, also where it was renamed or moved. Raises SourceError."""
    whole = api.get(f"/projects/{quote(name, '')}", f"project {name}")
    path = text(whole, "path_with_namespace", name)
    default = whole.get("default_branch")  # null as long as nothing was pushed
    watched = (*((str(default),) if default else ()), *branches)
    return Repository(str(number(whole, "id", name)), path, tuple(dict.fromkeys(watched)))


def seen(raw: Any) -> Seen:
    """A row of the list of merged merge requests. Raises SourceBroken."""
    row = obj(raw, "a merge request")
    nr = number(row, "iid", "a merge request")
    what = f"merge request {nr}"
    return Seen(nr, moment(row.get("updated_at"), what), _merged_at(row, what))


def newest_first(api: Api, of: Repository) -> Iterator[list[Any]]:
    """The merged merge requests, the last changed first."""
    asked = {"state": "merged", "scope": "all", "order_by": "updated_at", "sort": "desc"}
    path = f"/projects/{of.id}/merge_requests"
    return api.pages(path, f"merge requests of {of.name}", **asked)


def count(api: Api, of: Repository, since: datetime | None, until: datetime) -> int | str:
    """How many GraphQL finds merged in that time, or why it does not say."""
    span = {"since": since and stamp(since), "until": stamp(until)}
    try:
        answer = api.ask(_COUNT, {"path": of.name, **span})
    except (SourceBusy, SourceRefused, SourceBroken) as error:
        if error.status == requests.codes.unauthorized:
            raise
        return f"nothing: GraphQL said HTTP {error.status}"
    data = obj(answer.get("data") or {}, "GraphQL")
    found = obj(obj(data.get("project") or {}, "GraphQL").get("mergeRequests") or {}, "GraphQL")
    if answer.get("errors") or not found:
        return "nothing: GraphQL shows no such project"
    return number(found, "count", "GraphQL")


def merged(api: Api, of: Repository, nr: int) -> Merged:
    """One merged merge request with all that an auditor asks of it. Raises SourceError."""
    what, path = f"{of.name}!{nr}", f"/projects/{of.id}/merge_requests/{nr}"
    request = api.get(path, what)
    at = _merged_at(request, what)
    if at is None:
        raise SourceBroken(f"{what}: merged, but nobody knows when", what=what)
    author = api.account(request.get("author"), what)
    by = request.get("merge_user") or request.get("merged_by")
    reviews, unread, people = _reviews(api, path, at, what)
    hands, strangers = _hands(api.every(f"{path}/commits", f"{what}: commit"), people, request)
    head, into = text(request, "sha", what), text(request, "target_branch", what)
    came = (request.get(name) for name in ("merge_commit_sha", "squash_commit_sha"))
    return Merged(
        number=nr, title=str(request.get("title") or ""), url=str(request.get("web_url") or ""),
        author=author, contributors=hands, strangers=strangers, whole=True,
        created=moment(request.get("created_at"), f"{what}: created_at"), merged=at,
        merged_by=api.account(by, what), base=into, watched=into in of.watched,
        fork=request.get("source_project_id") != request.get("target_project_id"),
        head=head, commit=next((str(sha) for sha in came if sha), head),
        labels=tuple(sorted(map(str, array(request.get("labels"), f"{what}: labels")))),
        reviews=reviews, checks=_checks(request, head, at, what), unread=unread,
        signatures=Signatures(unread="GitLab tells them one commit at a time: not asked"),
    )  # fmt: skip


def files(api: Api, of: Repository, merged: Merged) -> dict[str, str]:
    """The registers and documents that a merge request touched → the id of the blob at its head;
    without those that GitLab shows no more. Raises SourceError."""
    what, project = f"{of.name}!{merged.number}", f"/projects/{of.id}"
    rows = api.every(f"{project}/merge_requests/{merged.number}/diffs", f"{what}: diff")
    found = {}
    for row in rows:
        path = text(row, "new_path", f"{what}: diff")
        if row.get("deleted_file") or not path.lower().endswith(PAPERS):
            continue
        at = f"{project}/repository/files/{quote(path, '')}?ref={merged.head}"
        try:
            found[path] = text(api.get(at, f"{what}: {path}"), "blob_id", f"{what}: {path}")
        except SourceError as error:
            if not absent(error):
                raise
    return found


def _merged_at(row: Mapping[str, Any], what: str) -> datetime | None:
    """Where an old merge bears no time: the earliest that it may have been, so that it is never
    taken for fresher than it is."""
    if row.get("state") != "merged":
        return None
    told = row.get("merged_at") or row.get("closed_at") or row.get("created_at")
    return moment(told, f"{what}: merged_at")


def _reviews(
    api: Api, path: str, at: datetime, what: str
) -> tuple[tuple[Review, ...], str, list[dict[str, Any]]]:
    """The reviews, why they are not known, and the accounts as GitLab shows them."""
    try:
        approvals = api.get(f"{path}/approvals", f"{what}: approvals")
    except SourceError as error:
        if not absent(error):
            raise
        return (), f"approvals: HTTP {error.status}", []
    rows = [obj(row, what) for row in array(approvals.get("approved_by"), f"{what}: approved_by")]
    pushes = _pushes(api, path, at, what)
    if any(not row.get("approved_at") for row in rows):
        _date(rows, api.every(f"{path}/notes", f"{what}: note", sort="asc", order_by="created_at"))
    found = [_approval(api, row, pushes, at, what) for row in rows]
    people = [obj(row.get("user") or {}, what) for row in rows]
    return (*found, *_objections(api, path, at, what)), "", people


def _pushes(api: Api, path: str, at: datetime, what: str) -> list[tuple[datetime, str]]:
    """When each version was pushed, and its head; without what came after the merge."""
    rows = api.every(f"{path}/versions", f"{what}: version")
    found = [
        (moment(row.get("created_at"), what), str(row.get("head_commit_sha") or "")) for row in rows
    ]
    return sorted(push for push in found if push[0] <= at)


def _date(rows: Iterable[dict[str, Any]], notes: Iterable[Mapping[str, Any]]) -> None:
    """Older versions tell the time of an approval in a note of the system only."""
    told = {
        obj(note.get("author") or {}, "note").get("id"): note.get("created_at")
        for note in notes
        if note.get("system") is True and note.get("body") == _APPROVED
    }
    for row in rows:
        row["approved_at"] = row.get("approved_at") or told.get((row.get("user") or {}).get("id"))


def _approval(
    api: Api, row: Mapping[str, Any], pushes: list[tuple[datetime, str]], at: datetime, what: str
) -> Review:
    """GitLab tells when an approval was given, not for which commit: it is for the last push
    before it."""
    by = api.account(row.get("user"), f"{what}: approval")
    if not row.get("approved_at"):
        return Review(by, at, Said.APPROVED, at_head=None, dated=False)
    when = moment(row["approved_at"], f"{what}: approved_at")
    commit = next((sha for pushed, sha in reversed(pushes) if pushed <= when), "")
    at_head = when >= pushes[-1][0] if pushes else None
    return Review(by, when, Said.APPROVED, at_head, commit)


def _objections(api: Api, path: str, at: datetime, what: str) -> Iterator[Review]:
    """Reviewers whose request for changes still stands. GitLab does not tell since when: it is
    taken as made before the merge, which cannot reassure. Versions before 16 know none."""
    try:
        rows = api.every(f"{path}/reviewers", f"{what}: reviewer")
    except SourceError as error:
        if not absent(error):
            raise
        return
    for row in rows:
        if row.get("state") == "requested_changes":
            by = api.account(row.get("user"), what)
            yield Review(by, at, Said.OBJECTED, at_head=None, dated=False)


def _hands(
    commits: Iterable[Mapping[str, Any]], people: Iterable[Mapping[str, Any]],
    request: Mapping[str, Any],
) -> tuple[tuple[Account, ...], int]:  # fmt: skip
    """Which approvers wrote or committed what was merged, as far as names tell: GitLab names
    commits by name and address, not by account. And how many commits fit nobody involved."""
    named = [*people, obj(request.get("author") or {}, "author")]
    found: dict[str, Account] = {}
    strangers = 0
    for commit in commits:
        wrote = [p for p in named if p and _fits(p, commit, "author")]
        strangers += not wrote
        hands = [*wrote, *(p for p in named if p and _fits(p, commit, "committer"))]
        found |= {str(p["id"]): Account(str(p["id"]), str(p["username"])) for p in hands}
    found.pop(str((request.get("author") or {}).get("id")), None)
    return tuple(found[key] for key in sorted(found)), strangers


def _fits(person: Mapping[str, Any], commit: Mapping[str, Any], role: str) -> bool:
    name = str(commit.get(f"{role}_name") or "").casefold()
    local = _NOREPLY.fullmatch(str(commit.get(f"{role}_email") or ""))
    login = str(person.get("username") or "")
    same = name in {str(person.get("name") or "").casefold(), login.casefold()} - {""}
    return same or bool(local and local["login"] == login)


def _checks(request: Mapping[str, Any], head: str, at: datetime, what: str) -> Checks:
    """The pipeline of the head. One that ended after the merge had come to nothing yet."""
    if "head_pipeline" not in request:
        return Checks(unread="pipelines are not shown to this key")
    if request["head_pipeline"] is None:
        return Checks()
    pipeline = obj(request["head_pipeline"], f"{what}: pipeline")
    merge = str(pipeline.get("ref") or "").endswith(("/merge", "/train"))
    if pipeline.get("sha") != head and not merge:
        return Checks(unread="the pipeline shown is of another commit")
    state = _PIPELINES.get(text(pipeline, "status", f"{what}: pipeline"), "pending")
    ended = pipeline.get("finished_at")
    if state != "skipped" and (not ended or moment(ended, f"{what}: pipeline") > at):
        state = "pending"
    return Checks((Check("pipeline", "gitlab", state),))
