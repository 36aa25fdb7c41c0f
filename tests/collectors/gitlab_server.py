"""A GitLab on loopback that answers as the real one does, as far as a pull of reviews asks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.collectors.github_server import Fault, sha
from tests.collectors.rest_server import Answer, Asked, Refused, RestServer, demand, only

KEY = "glpat-key-of-the-evidence-reader"
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MAINTAINERS = {"access_level": 40, "access_level_description": "Maintainers"}
NO_ONE = {"access_level": 0, "access_level_description": "No one"}
Row = dict[str, Any]


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def user(login: str) -> Row:
    return {"id": sum(map(ord, login)), "username": login, "name": login.title(), "state": "active"}


@dataclass
class Project:
    """One project. Merge requests by iid. `rules` and `settings` are None on the free tier."""

    id: int
    name: str
    requests: dict[int, Row] = field(default_factory=dict)
    approvals: dict[int, list[Row]] = field(default_factory=dict)
    reviewers: dict[int, list[Row]] = field(default_factory=dict)
    notes: dict[int, list[Row]] = field(default_factory=dict)
    versions: dict[int, list[Row]] = field(default_factory=dict)
    commits: dict[int, list[Row]] = field(default_factory=dict)
    diffs: dict[int, list[Row]] = field(default_factory=dict)
    blobs: dict[tuple[str, str], str] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    guarded: list[Row] = field(default_factory=list)
    deployments: dict[int, Row] = field(default_factory=dict)
    releases: list[Row] = field(default_factory=list)
    rules: list[Row] | None = None
    settings: Row | None = None
    maintainer: bool = True
    hidden: bool = False
    old_names: list[str] = field(default_factory=list)


class GitLabServer:
    """Strict where GitLab is: an unknown parameter or another key is refused."""

    def __init__(self) -> None:
        self.projects: list[Project] = []
        self.faults: list[Fault] = []
        self.now = START + timedelta(days=20)
        self.server = RestServer(self.say, lambda: self.now)
        self.url = self.server.url

    # What people do.

    def project(self, name: str) -> Project:
        made = Project(1000 + len(self.projects), name)
        self.projects.append(made)
        return made

    def open(self, project: Project, by: str | None, at: datetime, **more: Any) -> int:
        nr = len(project.requests) + 1
        project.requests[nr] = {
            "id": 50_000 + nr, "iid": nr, "state": "opened", "title": f"Change {nr}",
            "author": by and user(by), "created_at": written(at), "updated_at": written(at),
            "merged_at": None, "closed_at": None, "merge_user": None, "merged_by": None,
            "target_branch": "main", "source_branch": f"topic-{nr}", "labels": [], "sha": "",
            "source_project_id": project.id, "target_project_id": project.id,
            "merge_commit_sha": None, "squash_commit_sha": None, "head_pipeline": None,
            "web_url": f"https://gitlab.example/{project.name}/-/merge_requests/{nr}",
        } | more  # fmt: skip
        self.push(project, nr, by, at)
        return nr

    def push(self, project: Project, nr: int, by: str | None, at: datetime) -> None:
        made = sha(f"{project.id}-{nr}-{len(project.versions.get(nr, []))}")
        name, mail = ((by or "Somebody").title(), f"{by}@example.org")
        commit = {"id": made, "author_name": name, "author_email": mail}
        commit |= {"committer_name": name, "committer_email": mail}
        project.commits.setdefault(nr, []).insert(0, commit)
        version = {"id": 1, "head_commit_sha": made, "created_at": written(at)}
        project.versions.setdefault(nr, []).insert(0, version)
        project.requests[nr]["sha"] = made
        self._touch(project, nr, at)

    def approve(self, project: Project, nr: int, by: Row | None, at: datetime | None) -> None:
        """Nothing else of the merge request moves. Older versions tell no time."""
        row = {"user": by} | ({"approved_at": written(at)} if at else {})
        project.approvals.setdefault(nr, []).append(row)

    def pipeline(self, project: Project, nr: int, at: datetime, status: str = "success") -> None:
        head = project.requests[nr]["sha"]
        done = {"status": status, "finished_at": written(at), "ref": f"topic-{nr}"}
        project.requests[nr]["head_pipeline"] = {"id": 9, "sha": head} | done

    def merge(self, project: Project, nr: int, by: str | None, at: datetime) -> None:
        done = {"state": "merged", "merged_at": written(at), "merge_user": by and user(by)}
        made = sha(f"{project.id}-m{nr}")
        project.requests[nr] |= done | {"merge_commit_sha": made}
        self.moved(project, by, at, made, project.requests[nr]["target_branch"])
        self._touch(project, nr, at)

    def moved(
        self, project: Project, by: str | None, at: datetime, after: str,
        branch: str | None = "main", **more: Any,
    ) -> None:  # fmt: skip
        """A branch came to another commit. A merge is a push, too."""
        data = {"action": "pushed", "ref_type": "branch", "ref": branch, "commit_from": sha("b")}
        event = {
            "id": 100 + len(project.events),
            "created_at": written(at),
            "author": by and user(by),
        }
        project.events.insert(0, event | {"push_data": data | {"commit_to": after} | more})

    def deploy(
        self, project: Project, commit: str, at: datetime, by: str | None = "mira",
        environment: str = "production", status: str = "success", **more: Any,
    ) -> int:  # fmt: skip
        """A deployment by a job of ten minutes; GitLab Premium tells the approvals."""
        nr, done = len(project.deployments) + 301, at + timedelta(minutes=10)
        job = {
            "id": 1, "status": status, "started_at": written(at), "finished_at": written(done),
            "web_url": f"https://gitlab.example/{project.name}/-/jobs/1",
        }  # fmt: skip
        row = {
            "id": nr, "iid": nr - 300, "ref": "main", "sha": commit, "status": status,
            "user": by and user(by), "environment": {"id": 9, "name": environment},
            "created_at": written(at), "updated_at": written(done), "deployable": job,
        }  # fmt: skip
        project.deployments[nr] = row | more
        return nr

    def _touch(self, project: Project, nr: int, at: datetime) -> None:
        request = project.requests[nr]
        request["updated_at"] = max(request["updated_at"], written(at))

    # What the reader asks.

    def say(self, asked: Asked) -> Any:
        for fault in self.faults:
            if fault.times and re.search(fault.address, asked.url):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if isinstance(fault.answer, Answer):
                    return fault.answer
                return fault.answer(self._say(asked))
        return self._say(asked)

    def _say(self, asked: Asked) -> Any:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        if headers.get("private-token") != KEY:
            raise Refused(401, {"message": "401 Unauthorized"})
        if asked.path == "/api/graphql":
            return self._count(asked)
        demand(asked.method == "GET", "only GET")
        if asked.path == "/api/v4/user":
            return user("evidence-reader")
        project, rest = self._place(asked)
        for shape, answer in self._routes().items():
            if match := re.fullmatch(shape, rest):
                return answer(asked, project, *match.groups())
        raise Refused(404, {"error": "404 Not Found"})

    def _place(self, asked: Asked) -> tuple[Project, str]:
        path = urlsplit(asked.url).path.removeprefix("/api/v4/projects/")
        key, slash, rest = path.partition("/")
        for project in self.projects:
            if not project.hidden and unquote(key) in {str(project.id), project.name}:
                return project, slash + rest
            if not project.hidden and unquote(key) in project.old_names:
                to = f"{self.url}/api/v4/projects/{project.id}{slash}{rest}"
                refused = Refused(301)
                refused.answer = Answer({"message": "Moved"}, 301, {"Location": to})
                raise refused
        raise Refused(404, {"message": "404 Project Not Found"})

    def _routes(self) -> Mapping[str, Callable[..., Any]]:
        request = r"/merge_requests/(\d+)"
        return {
            "": self._project, "/merge_requests": self._list, request: self._request,
            f"{request}/approvals": self._approvals, f"{request}/versions": self._of("versions"),
            f"{request}/commits": self._of("commits"), f"{request}/notes": self._of("notes"),
            f"{request}/reviewers": self._of("reviewers"), f"{request}/diffs": self._of("diffs"),
            "/repository/files/([^/]+)": self._file,
            "/repository/branches/(.+)": self._branch, "/protected_branches": self._guarded,
            "/approval_rules": self._rules, "/approvals": self._settings,
            "/events": self._events, "/deployments": self._deployments,
            r"/deployments/(\d+)": self._deployment, "/releases": self._releases,
            "/repository/commits/([0-9a-f]{40})/merge_requests": self._bringing,
        }  # fmt: skip

    def _project(self, asked: Asked, project: Project) -> Any:
        return {
            "id": project.id, "path_with_namespace": project.name, "default_branch": "main",
            "only_allow_merge_if_pipeline_succeeds": True,
        }  # fmt: skip

    def _list(self, asked: Asked, project: Project) -> Any:
        only(asked, "state", "scope", "order_by", "sort", "per_page", "page")
        demand(asked.query.get("scope") == "all", "scope")
        demand(asked.query.get("order_by") == "updated_at", "order_by")
        rows = [r for r in project.requests.values() if r["state"] == asked.query.get("state")]
        rows.sort(
            key=lambda r: (r["updated_at"], r["iid"]), reverse=asked.query.get("sort") == "desc"
        )
        return self._paged(asked, [{**r, "head_pipeline": "not in lists"} for r in rows])

    def _request(self, asked: Asked, project: Project, nr: str) -> Any:
        if int(nr) not in project.requests:
            raise Refused(404, {"message": "404 Not found"})
        return project.requests[int(nr)]

    def _approvals(self, asked: Asked, project: Project, nr: str) -> Any:
        return {"approved": True, "approved_by": project.approvals.get(int(nr), [])}

    def _of(self, what: str) -> Callable[..., Any]:
        def rows(asked: Asked, project: Project, nr: str) -> Any:
            return self._paged(asked, getattr(project, what).get(int(nr), []))

        return rows

    def _file(self, asked: Asked, project: Project, path: str) -> Any:
        only(asked, "ref")
        if (asked.query["ref"], unquote(path)) not in project.blobs:
            raise Refused(404, {"message": "404 File Not Found"})
        return {
            "file_path": unquote(path),
            "blob_id": project.blobs[asked.query["ref"], unquote(path)],
        }

    def _branch(self, asked: Asked, project: Project, branch: str) -> Any:
        if unquote(branch) not in {"main", "release/1"}:
            raise Refused(404, {"message": "404 Branch Not Found"})
        return {"name": unquote(branch), "protected": bool(project.guarded)}

    def _guarded(self, asked: Asked, project: Project) -> Any:
        if not project.maintainer:
            raise Refused(403, {"message": "403 Forbidden"})
        return self._paged(asked, project.guarded)

    def _rules(self, asked: Asked, project: Project) -> Any:
        if project.rules is None:
            raise Refused(404, {"error": "404 Not Found"})
        return self._paged(asked, project.rules)

    def _settings(self, asked: Asked, project: Project) -> Any:
        if project.settings is None:
            raise Refused(404, {"error": "404 Not Found"})
        return project.settings

    def _events(self, asked: Asked, project: Project) -> Any:
        only(asked, "action", "sort", "after", "per_page", "page")
        demand(asked.query.get("action") == "pushed", "action")
        day = asked.query.get("after", "")
        return self._paged(asked, [e for e in project.events if e["created_at"][:10] > day])

    def _releases(self, asked: Asked, project: Project) -> Any:
        only(asked, "order_by", "sort", "per_page", "page")
        demand(asked.query.get("order_by") == "created_at", "order_by")
        down = asked.query.get("sort") == "desc"
        rows = sorted(project.releases, key=lambda r: str(r["created_at"]), reverse=down)
        return self._paged(asked, rows)

    def _deployments(self, asked: Asked, project: Project) -> Any:
        only(asked, "order_by", "sort", "per_page", "page")
        demand(asked.query.get("order_by") == "updated_at", "order_by")
        rows = [{k: v for k, v in r.items() if k != "approvals"} for r in
                project.deployments.values()]  # fmt: skip
        rows.sort(key=lambda r: r["updated_at"], reverse=asked.query.get("sort") == "desc")
        return self._paged(asked, rows)

    def _deployment(self, asked: Asked, project: Project, nr: str) -> Any:
        if int(nr) not in project.deployments:
            raise Refused(404, {"message": "404 Not found"})
        return project.deployments[int(nr)]

    def _bringing(self, asked: Asked, project: Project, commit: str) -> Any:
        if commit == sha("gone"):
            raise Refused(404, {"message": "404 Commit Not Found"})
        made = ("sha", "merge_commit_sha", "squash_commit_sha")
        return [r for r in project.requests.values() if commit in {r[name] for name in made}]

    def _count(self, asked: Asked) -> Any:
        demand(asked.method == "POST", "only POST")
        given = asked.body["variables"]
        found = [p for p in self.projects if p.name == given["path"] and not p.hidden]
        if not found:
            return {"data": {"project": None}}
        low, high = (
            given[name] and datetime.fromisoformat(given[name]) for name in ("since", "until")
        )
        merges = [r["merged_at"] for r in found[0].requests.values() if r["merged_at"]]
        times = [datetime.fromisoformat(at) for at in merges]
        number = sum((not low or low <= at) and at <= high for at in times)
        return {"data": {"project": {"mergeRequests": {"count": number}}}}

    def _paged(self, asked: Asked, rows: list[Row]) -> Answer:
        size, page = int(asked.query.get("per_page", "20")), int(asked.query.get("page", "1"))
        shown = rows[(page - 1) * size : page * size]
        if page * size >= len(rows):
            return Answer(shown)
        base = asked.url.partition("?")[0]
        query = "&".join(f"{k}={v}" for k, v in asked.query.items() if k != "page")
        return Answer(shown, headers={"Link": f'<{base}?{query}&page={page + 1}>; rel="next"'})

    def close(self) -> None:
        """Stop."""
        self.server.close()
