"""Reading the deployments of GitLab: who asked for them, what came of them, how the commit came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from collectors._gitlab.json import Api
from collectors._json import array, moment, number, obj, text
from collectors._review.deployment import Deployment, Gate, Origin, Stage, serves
from collectors._review.host import absent
from collectors._review.pull import Merged, Repository
from collectors._review.walk import Seen
from evidence.errors import SourceError

_STAGES = {
    "success": Stage.IN_SERVICE, "running": Stage.RUNNING,
    "failed": Stage.FAILED, "canceled": Stage.FAILED, "skipped": Stage.FAILED,
}  # fmt: skip
_CAME = ("merge_commit_sha", "squash_commit_sha", "sha")


def newest_first(api: Api, of: Repository) -> Iterator[list[Any]]:
    """All deployments, the last changed first."""
    asked = {"order_by": "updated_at", "sort": "desc"}
    return api.pages(f"/projects/{of.id}/deployments", f"deployments of {of.name}", **asked)


def seen(raw: Any, environments: Sequence[str]) -> Seen:
    """A row of that list; `merged` is None where nobody is served. Raises SourceBroken."""
    row = obj(raw, "a deployment")
    nr = number(row, "id", "a deployment")
    what = f"deployment {nr}"
    where = obj(row.get("environment"), f"{what}: environment")
    told = where.get("tier") == "production"
    serving = serves(text(where, "name", what), environments, told)
    created = moment(row.get("created_at"), what)
    changed = moment(row.get("updated_at") or row.get("created_at"), what)
    return Seen(nr, changed, created if serving else None)


def deployment(api: Api, of: Repository, nr: int, merged: Callable[[int], Merged]) -> Deployment:
    """One deployment, whole; `merged` reads a merged merge request. Raises SourceError."""
    what = f"{of.name} deployment {nr}"
    row = api.get(f"/projects/{of.id}/deployments/{nr}", what)
    job = obj(row.get("deployable") or {}, f"{what}: job")
    created = moment(row.get("created_at"), what)
    stage = _STAGES.get(text(row, "status", what), Stage.WAITING)
    began = _began(stage, job, created, what)
    ended = job.get("finished_at") if stage.ended else None
    commit = text(row, "sha", what)
    gates, unread = _gates(api, row, what)
    return Deployment(
        id=str(nr), environment=text(obj(row.get("environment"), what), "name", what),
        ref=str(row.get("ref") or ""), commit=commit, stage=stage, created=created, began=began,
        at=moment(ended, what) if ended else began or created,
        by=api.account(row.get("user"), what),
        origin=origin(api, of, commit, merged) if began else Origin(),
        gates=gates, gates_unread=unread, url=str(job.get("web_url") or ""),
    )  # fmt: skip


def _began(stage: Stage, job: Mapping[str, Any], created: datetime, what: str) -> datetime | None:
    """When its job was let go. One that failed without has not begun; for the others that do not
    tell, it is when they were asked for."""
    if stage is Stage.WAITING:
        return None
    if job.get("started_at"):
        return moment(job["started_at"], f"{what}: started_at")
    return None if stage is Stage.FAILED else created


def origin(api: Api, of: Repository, commit: str, merged: Callable[[int], Merged]) -> Origin:
    """How a commit came to be; `merged` reads a merged change. Raises SourceError."""
    path = f"/projects/{of.id}/repository/commits/{commit}/merge_requests"
    what = f"{of.name} {commit[:7]}"
    try:
        rows = api.every(path, what)
    except SourceError as error:
        if not absent(error):
            raise
        return Origin(unread=f"merge requests of {commit[:7]}: HTTP {error.status}")
    done = [row for row in rows if row.get("state") == "merged" and _into(row, of)]
    whole = [row for row in done if commit in {row.get(name) for name in _CAME}]
    parts = sorted(number(row, "iid", what) for row in done if row not in whole)
    numbers = sorted(number(row, "iid", what) for row in whole)
    return Origin(tuple(merged(nr) for nr in numbers), tuple(parts))


def _into(row: Mapping[str, Any], of: Repository) -> bool:
    """A merge request of a fork has a number of its own, which is no number here."""
    return str(row.get("target_project_id")) == of.id


def _gates(api: Api, row: Mapping[str, Any], what: str) -> tuple[tuple[Gate, ...], str]:
    """What was said where the environment asks for approval: GitLab Premium tells it."""
    if "approvals" not in row:
        return (), "approvals of deployments are not shown"
    found = []
    for raw in array(row["approvals"], f"{what}: approvals"):
        gate = obj(raw, f"{what}: approval")
        if gate.get("status") in {"approved", "rejected"}:
            at = moment(gate["created_at"], what) if gate.get("created_at") else None
            approved = gate["status"] == "approved"
            found.append(Gate(api.account(gate.get("user"), what), approved, at))
    return tuple(found), ""
