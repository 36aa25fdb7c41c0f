"""Reading the deployments of GitHub: who asked for them, what came of them, how the commit came."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from collectors._github.json import Api
from collectors._json import array, moment, number, obj, text
from collectors._review.deployment import Deployment, Gate, Origin, Stage, serves
from collectors._review.host import absent
from collectors._review.pull import Merged, Repository
from collectors._review.walk import Seen
from evidence.errors import SourceError

_RUN = re.compile(r"/actions/runs/(\d+)(?:/|$)")
_FAILED = {"error", "failure"}
_Told = tuple[datetime, str]
"""When a status was set, and which."""


def newest_first(api: Api, of: Repository) -> Iterator[list[Any]]:
    """All deployments, the last asked for first: those since a time are not to be had."""
    for _, rows in api.pages(f"/repos/{of.name}/deployments", f"deployments of {of.name}"):
        yield rows


def seen(raw: Any, environments: Sequence[str]) -> Seen:
    """A row of that list; `merged` is None where nobody is served. Raises SourceBroken."""
    row = obj(raw, "a deployment")
    nr = number(row, "id", "a deployment")
    what = f"deployment {nr}"
    created = moment(row.get("created_at"), what)
    told = row.get("production_environment") is True
    serving = serves(text(row, "environment", what), environments, told)
    return Seen(nr, created, created if serving else None)


def deployment(api: Api, of: Repository, nr: int, merged: Callable[[int], Merged]) -> Deployment:
    """One deployment, whole; `merged` reads a merged pull request. Raises SourceError."""
    what, path = f"{of.name} deployment {nr}", f"/repos/{of.name}/deployments/{nr}"
    row = api.get(path, what)
    rows = api.every(f"{path}/statuses", f"{what}: status")
    created = moment(row.get("created_at"), what)
    stage, began, at = _came(_told(rows, what), created)
    commit = text(row, "sha", what)
    where = text(row, "environment", what)
    gates, unread = _gates(api, of, rows, where, what)
    return Deployment(
        id=str(number(row, "id", what)), environment=where, ref=str(row.get("ref") or ""),
        commit=commit, stage=stage, created=created, began=began, at=at,
        by=api.account(row.get("creator"), what),
        origin=origin(api, of, commit, merged) if began else Origin(),
        gates=gates, gates_unread=unread, url=_shown(rows),
    )  # fmt: skip


def _told(rows: Sequence[Mapping[str, Any]], what: str) -> list[_Told]:
    return sorted((moment(row.get("created_at"), what), text(row, "state", what)) for row in rows)


def _came(told: Sequence[_Told], created: datetime) -> tuple[Stage, datetime | None, datetime]:
    """The stage, when it began and when it came to that stage. That it was taken out of service
    later, when another took its place, changes nothing of it."""
    began = next((at for at, state in told if state in {"in_progress", "success"}), None)
    served = next((at for at, state in told if state == "success"), None)
    failed = next((at for at, state in told if state in _FAILED), None)
    if served:
        return Stage.IN_SERVICE, began, served
    if failed:
        return Stage.FAILED, began, failed
    if began:
        return Stage.RUNNING, began, began
    return (Stage.WAITING, None, created) if told else (Stage.UNTOLD, created, created)


def origin(api: Api, of: Repository, commit: str, merged: Callable[[int], Merged]) -> Origin:
    """How a commit came to be; `merged` reads a merged change. Raises SourceError."""
    path, what = f"/repos/{of.name}/commits/{commit}/pulls", f"{of.name} {commit[:7]}"
    try:
        rows = api.every(path, what)
    except SourceError as error:
        if not absent(error):
            raise
        return Origin(unread=f"pull requests of {commit[:7]}: HTTP {error.status}")
    done = [row for row in rows if row.get("merged_at") and _into(row, of, what)]
    whole = [row for row in done if commit in _ends(row, what)]
    parts = sorted(number(row, "number", what) for row in done if row not in whole)
    numbers = sorted(number(row, "number", what) for row in whole)
    return Origin(tuple(merged(nr) for nr in numbers), tuple(parts))


def _into(row: Mapping[str, Any], of: Repository, what: str) -> bool:
    """A pull request of a fork has a number of its own, which is no number here."""
    base = obj(obj(row.get("base"), what).get("repo") or {}, what)
    return str(base.get("id")) == of.id


def _ends(row: Mapping[str, Any], what: str) -> set[Any]:
    return {row.get("merge_commit_sha"), obj(row.get("head"), what).get("sha")}


def _gates(
    api: Api, of: Repository, rows: Sequence[Mapping[str, Any]], environment: str, what: str
) -> tuple[tuple[Gate, ...], str]:
    """What was said where the environment asks for approval, if a run of Actions deployed it."""
    runs = sorted({run for row in rows for run in _runs(row)})
    found: list[Gate] = []
    for run in runs:
        try:
            said = api.http.get(f"/repos/{of.name}/actions/runs/{run}/approvals").data
        except SourceError as error:
            if not absent(error):
                raise
            return (), f"approvals of run {run}: HTTP {error.status}"
        for raw in array(said, what):
            gate = obj(raw, what)
            names = {obj(e, what).get("name") for e in array(gate.get("environments"), what)}
            if environment in names and gate.get("state") in {"approved", "rejected"}:
                by = api.account(gate.get("user"), what)
                found.append(Gate(by, gate["state"] == "approved", None))
    return tuple(found), "" if runs else "no run of Actions is told"


def _runs(row: Mapping[str, Any]) -> set[str]:
    addresses = (str(row.get(name) or "") for name in ("log_url", "target_url"))
    return {match[1] for match in map(_RUN.search, addresses) if match}


def _shown(rows: Sequence[Mapping[str, Any]]) -> str:
    return next((str(row["log_url"]) for row in rows if row.get("log_url")), "")
