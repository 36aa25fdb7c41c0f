"""A GitHub on loopback that answers as the real one does, as far as a pull of reviews asks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.collectors.rest_server import Answer, Asked, Refused, RestServer, demand, only

KEY = "ghp_key-of-the-evidence-reader"
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NEVER_PROTECTED = {"message": "Branch not protected", "status": "404"}
Row = dict[str, Any]


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def user(login: str, kind: str = "User") -> Row:
    return {"login": login, "id": sum(map(ord, login)), "type": kind}


def sha(text: str) -> str:
    return text.encode().hex().ljust(40, "0")[:40]


@dataclass
class Fault:
    """What is answered in place of the truth where the address matches, `times` times, after it was
    asked for `skip` times."""

    address: str
    answer: Answer | Callable[[Any], Any]
    times: int = 1
    skip: int = 0


@dataclass
class Repo:
    """One repository. Pull requests by number; the rest by number or commit."""

    id: int
    name: str
    pulls: dict[int, Row] = field(default_factory=dict)
    commits: dict[int, list[Row]] = field(default_factory=dict)
    reviews: dict[int, list[Row]] = field(default_factory=dict)
    files: dict[int, list[Row]] = field(default_factory=dict)
    timeline: dict[int, list[Row]] = field(default_factory=dict)
    runs: dict[str, list[Row]] = field(default_factory=dict)
    statuses: dict[str, list[Row]] = field(default_factory=dict)
    classic: Row | None = None
    rules: list[Row] = field(default_factory=list)
    activity: list[Row] = field(default_factory=list)
    deployments: dict[int, Row] = field(default_factory=dict)
    stages: dict[int, list[Row]] = field(default_factory=dict)
    gates: dict[str, list[Row]] = field(default_factory=dict)
    releases: list[Row] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    old_names: list[str] = field(default_factory=list)
    hidden: bool = False
    admin: bool = True


class GitHubServer:
    """Strict where GitHub is: an unknown parameter, a missing version or another key is refused."""

    def __init__(self) -> None:
        self.repos: list[Repo] = []
        self.faults: list[Fault] = []
        self.now = START + timedelta(days=20)
        self.reader: Row | None = user("evidence-reader")
        self.serial = 100
        self.server = RestServer(self.say, lambda: self.now)
        self.url = self.server.url

    # What people do.

    def repo(self, name: str) -> Repo:
        made = Repo(1000 + len(self.repos), name)
        self.repos.append(made)
        return made

    def open(self, repo: Repo, by: str | None, at: datetime, **more: Any) -> int:
        """A pull request with one commit of its author."""
        nr = len(repo.pulls) + 1
        head, base = {"id": more.pop("fork", repo.id)}, {"id": repo.id}
        repo.pulls[nr] = {
            "id": 50_000 + nr, "number": nr, "state": "open", "title": f"Change {nr}",
            "user": by and user(by), "created_at": written(at), "updated_at": written(at),
            "closed_at": None, "merged_at": None, "merge_commit_sha": None, "merged_by": None,
            "html_url": f"https://github.example/{repo.name}/pull/{nr}", "labels": [],
            "draft": False, "base": {"ref": "main", "sha": sha("base"), "repo": base},
            "head": {"ref": f"topic-{nr}", "sha": "", "repo": head},
        } | more  # fmt: skip
        self.push(repo, nr, by, at)
        return nr

    def push(self, repo: Repo, nr: int, by: str | None, at: datetime, **more: Any) -> str:
        made = sha(f"{repo.id}-{nr}-{len(repo.commits.get(nr, []))}")
        who = by and user(by)
        commit: Row = {"sha": made, "author": who, "committer": who, "parents": [{"sha": sha("p")}]}
        commit["commit"] = {"verification": {"verified": True, "reason": "valid"}}
        repo.commits.setdefault(nr, []).append(commit | more)
        repo.pulls[nr]["head"]["sha"] = made
        self._touch(repo, nr, at)
        return made

    def review(
        self,
        repo: Repo,
        nr: int,
        by: Row | None,
        at: datetime,
        state: str = "APPROVED",
        **more: Any,
    ) -> int:
        self.serial += 1
        head = repo.pulls[nr]["head"]["sha"]
        row = {"id": self.serial, "user": by, "state": state, "commit_id": head}
        row["author_association"] = "MEMBER"
        repo.reviews.setdefault(nr, []).append(row | {"submitted_at": written(at)} | more)
        self._touch(repo, nr, at)
        return self.serial

    def dismiss(self, repo: Repo, nr: int, review: int, at: datetime) -> None:
        """The review's state changes in place; only the timeline tells when."""
        row = next(r for r in repo.reviews[nr] if r["id"] == review)
        was, row["state"] = row["state"].lower(), "DISMISSED"
        event = {"event": "review_dismissed", "created_at": written(at), "id": 1}
        event["dismissed_review"] = {"review_id": review, "state": was}
        repo.timeline.setdefault(nr, []).append(event)
        self._touch(repo, nr, at)

    def check(
        self, repo: Repo, nr: int, at: datetime, conclusion: str | None = "success", **more: Any
    ) -> None:
        self.serial += 1
        head = repo.pulls[nr]["head"]["sha"]
        done = {"status": "completed", "completed_at": written(at + timedelta(minutes=1))}
        run = {
            "id": self.serial, "name": "tests", "started_at": written(at), "conclusion": conclusion,
            "app": {"slug": "github-actions"}, "check_suite": {"id": 1}, **done,
        }  # fmt: skip
        repo.runs.setdefault(head, []).append(run | more)

    def merge(self, repo: Repo, nr: int, by: str | None, at: datetime) -> None:
        done = {"state": "closed", "closed_at": written(at), "merged_at": written(at)}
        repo.pulls[nr] |= done | {"merged_by": by and user(by), "merge_commit_sha": sha(f"m{nr}")}
        self.moved(repo, "pr_merge", by, at, repo.pulls[nr]["base"]["ref"])
        self._touch(repo, nr, at)

    def moved(
        self, repo: Repo, how: str, by: str | None, at: datetime, branch: str = "main"
    ) -> None:
        """A branch came to another commit: `push`, `force_push`, `pr_merge` …"""
        self.serial += 1
        row = {
            "id": self.serial, "before": sha("before"), "after": sha(f"after{self.serial}"),
            "ref": f"refs/heads/{branch}", "timestamp": written(at), "activity_type": how,
            "actor": by and user(by),
        }  # fmt: skip
        repo.activity.append(row)

    def deploy(
        self, repo: Repo, commit: str, at: datetime, by: str | None = "mira",
        environment: str = "production", **more: Any,
    ) -> int:  # fmt: skip
        """A deployment is asked for; nothing is told of it yet."""
        self.serial += 1
        row = {
            "id": self.serial, "sha": commit, "ref": "main", "environment": environment,
            "creator": by and user(by), "created_at": written(at), "updated_at": written(at),
            "production_environment": environment == "production",
        }  # fmt: skip
        repo.deployments[self.serial] = row | more
        return self.serial

    def came(self, repo: Repo, nr: int, state: str, at: datetime, run: int | None = None) -> None:
        """A status of a deployment, perhaps set by a run of Actions."""
        log = f"https://github.example/{repo.name}/actions/runs/{run}/job/1" if run else ""
        row = {"id": nr, "state": state, "created_at": written(at), "log_url": log}
        repo.stages.setdefault(nr, []).insert(0, row | {"target_url": log})

    def release(
        self, repo: Repo, tag: str, commit: str, at: datetime, by: str | None = "mira", **more: Any
    ) -> int:
        """A version is published; the list is in the order of the commits."""
        self.serial += 1
        row = {
            "id": self.serial, "tag_name": tag, "name": f"Version {tag}", "draft": False,
            "prerelease": False, "author": by and user(by), "published_at": written(at),
            "html_url": f"https://github.example/{repo.name}/releases/tag/{tag}",
        }  # fmt: skip
        repo.releases.insert(0, row | more)
        repo.tags[tag] = commit
        return self.serial

    def gate(
        self,
        repo: Repo,
        run: int,
        by: str,
        state: str = "approved",
        environment: str = "production",
    ) -> None:
        """Somebody says yes or no where a run waits before an environment."""
        said = {"environments": [{"id": 1, "name": environment}], "user": user(by)}
        repo.gates.setdefault(str(run), []).append(
            said | {"state": state, "comment": "on my watch"}
        )

    def close_unmerged(self, repo: Repo, nr: int, at: datetime) -> None:
        repo.pulls[nr] |= {"state": "closed", "closed_at": written(at)}
        self._touch(repo, nr, at)

    def _touch(self, repo: Repo, nr: int, at: datetime) -> None:
        pull = repo.pulls[nr]
        pull["updated_at"] = max(pull["updated_at"], written(at))

    # What the reader asks.

    def say(self, asked: Asked) -> Any:
        demand(asked.method == "GET", "only GET")
        headers = {name.lower(): value for name, value in asked.headers.items()}
        demand(headers.get("x-github-api-version") == "2022-11-28", "no API version")
        demand(headers.get("user-agent"), "no user agent")
        fault = self._fault(asked)
        if isinstance(fault, Answer):
            return fault
        if headers.get("authorization") != f"Bearer {KEY}":
            raise Refused(401, {"message": "Bad credentials", "status": "401"})
        said = self._say(asked)
        return fault(said) if fault else said

    def _fault(self, asked: Asked) -> Answer | Callable[[Any], Any] | None:
        for fault in self.faults:
            if fault.times and re.search(fault.address, asked.url):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault.answer
        return None

    def _say(self, asked: Asked) -> Any:
        if asked.path == "/user":
            if self.reader is None:
                raise Refused(403, {"message": "Resource not accessible by integration"})
            return Answer(self.reader, headers={"X-OAuth-Scopes": "repo"})
        if asked.path == "/search/issues":
            return self._search(asked)
        repo, rest = self._place(asked)
        for shape, answer in self._routes().items():
            if match := re.fullmatch(shape, rest):
                return answer(asked, repo, *match.groups())
        raise Refused(404, {"message": "Not Found"})

    def _place(self, asked: Asked) -> tuple[Repo, str]:
        for repo in self.repos:
            for base in (f"/repos/{repo.name}", f"/repositories/{repo.id}"):
                if (asked.path + "/").startswith(base + "/") and not repo.hidden:
                    return repo, asked.path.removeprefix(base)
            for old in repo.old_names:
                if (asked.path + "/").startswith(f"/repos/{old}/") and not repo.hidden:
                    rest = asked.path.removeprefix(f"/repos/{old}")
                    query = asked.url.partition("?")[2]
                    to = f"{self.url}/repositories/{repo.id}{rest}" + (f"?{query}" if query else "")
                    refused = Refused(301)
                    moved = {"message": "Moved Permanently", "url": to}
                    refused.answer = Answer(moved, 301, {"Location": to})
                    raise refused
        raise Refused(404, {"message": "Not Found", "status": "404"})

    def _routes(self) -> Mapping[str, Callable[..., Any]]:
        number, commit, branch = r"(\d+)", "([0-9a-f]{40})", "([^/]+)"
        return {
            "": self._repo, "/pulls": self._pulls, f"/pulls/{number}": self._pull,
            f"/pulls/{number}/commits": self._commits, f"/pulls/{number}/reviews": self._reviews,
            f"/pulls/{number}/files": self._files, f"/issues/{number}/timeline": self._timeline,
            f"/commits/{commit}/check-runs": self._runs,
            f"/commits/{commit}/statuses": self._statuses, f"/branches/{branch}": self._branch,
            f"/branches/{branch}/protection": self._protection,
            f"/rules/branches/{branch}": self._rules, "/activity": self._activity,
            "/deployments": self._deployments, f"/deployments/{number}": self._deployment,
            f"/deployments/{number}/statuses": self._stages,
            f"/actions/runs/{number}/approvals": self._gates,
            f"/commits/{commit}/pulls": self._bringing,
            "/releases": self._releases, "/commits/tags/(.+)": self._tag,
        }  # fmt: skip

    def _repo(self, asked: Asked, repo: Repo) -> Any:
        return {"id": repo.id, "full_name": repo.name, "default_branch": "main"}

    def _pulls(self, asked: Asked, repo: Repo) -> Any:
        only(asked, "state", "sort", "direction", "per_page", "page")
        rows = [p for p in repo.pulls.values() if asked.query.get("state") in {"all", p["state"]}]
        demand(asked.query.get("sort") == "updated", "sort")
        down = asked.query.get("direction") == "desc"
        rows.sort(key=lambda p: (p["updated_at"], p["number"]), reverse=down)
        hidden = {"merged_by", "commits"}  # the list does not show who merged
        return self._paged(asked, [{k: v for k, v in p.items() if k not in hidden} for p in rows])

    def _pull(self, asked: Asked, repo: Repo, nr: str) -> Any:
        if int(nr) not in repo.pulls:
            raise Refused(404, {"message": "Not Found"})
        return {**repo.pulls[int(nr)], "commits": len(repo.commits[int(nr)])}

    def _commits(self, asked: Asked, repo: Repo, nr: str) -> Any:
        return self._paged(asked, repo.commits[int(nr)][:250])  # GitHub's own limit

    def _reviews(self, asked: Asked, repo: Repo, nr: str) -> Any:
        return self._paged(asked, repo.reviews.get(int(nr), []))

    def _files(self, asked: Asked, repo: Repo, nr: str) -> Any:
        return self._paged(asked, repo.files.get(int(nr), [])[:3000])  # GitHub's own limit

    def _timeline(self, asked: Asked, repo: Repo, nr: str) -> Any:
        return self._paged(asked, repo.timeline.get(int(nr), []))

    def _runs(self, asked: Asked, repo: Repo, commit: str) -> Any:
        only(asked, "filter", "per_page", "page")
        runs = repo.runs.get(commit, [])
        page = self._paged(asked, runs)
        return Answer({"total_count": len(runs), "check_runs": page.data}, headers=page.headers)

    def _statuses(self, asked: Asked, repo: Repo, commit: str) -> Any:
        return self._paged(asked, repo.statuses.get(commit, [])[::-1])

    def _branch(self, asked: Asked, repo: Repo, branch: str) -> Any:
        if branch != "main":
            raise Refused(404, {"message": "Branch not found"})
        protected = bool(repo.classic or repo.rules)
        return {"name": branch, "commit": {"sha": sha("main")}, "protected": protected}

    def _protection(self, asked: Asked, repo: Repo, branch: str) -> Any:
        if not repo.admin:
            raise Refused(403, {"message": "Resource not accessible by personal access token"})
        if repo.classic is None:
            raise Refused(404, NEVER_PROTECTED)
        return repo.classic

    def _rules(self, asked: Asked, repo: Repo, branch: str) -> Any:
        return self._paged(asked, repo.rules)

    def _activity(self, asked: Asked, repo: Repo) -> Any:
        only(asked, "ref", "direction", "per_page", "page")
        demand(asked.query.get("direction") == "desc", "direction")
        rows = [row for row in repo.activity if row["ref"] == asked.query.get("ref")]
        return self._paged(asked, sorted(rows, key=lambda r: r["timestamp"], reverse=True))

    def _deployments(self, asked: Asked, repo: Repo) -> Any:
        only(asked, "per_page", "page")
        return self._paged(asked, [repo.deployments[nr] for nr in sorted(repo.deployments)][::-1])

    def _deployment(self, asked: Asked, repo: Repo, nr: str) -> Any:
        if int(nr) not in repo.deployments:
            raise Refused(404, {"message": "Not Found"})
        return repo.deployments[int(nr)]

    def _stages(self, asked: Asked, repo: Repo, nr: str) -> Any:
        return self._paged(asked, repo.stages.get(int(nr), []))

    def _gates(self, asked: Asked, repo: Repo, run: str) -> Any:
        only(asked)
        return repo.gates.get(run, [])

    def _releases(self, asked: Asked, repo: Repo) -> Any:
        only(asked, "per_page", "page")
        return self._paged(asked, repo.releases)

    def _tag(self, asked: Asked, repo: Repo, tag: str) -> Any:
        if tag not in repo.tags:
            raise Refused(422, {"message": f"No commit found for SHA: tags/{tag}"})
        return {"sha": repo.tags[tag]}

    def _bringing(self, asked: Asked, repo: Repo, commit: str) -> Any:
        if commit == sha("gone"):
            raise Refused(422, {"message": "No commit found for SHA"})
        rows = [
            pull for nr, pull in repo.pulls.items()
            if commit in {pull["merge_commit_sha"], *(row["sha"] for row in repo.commits[nr])}
        ]  # fmt: skip
        return self._paged(asked, rows)

    def _search(self, asked: Asked) -> Any:
        terms = asked.query["q"].split()
        name = terms[0].removeprefix("repo:")
        low, _, high = terms[3].removeprefix("merged:").partition("..")
        found = [r for r in self.repos if r.name == name and not r.hidden]
        if not found:
            raise Refused(422, {"message": "Validation Failed"})
        if low.startswith("<="):
            low, high = "", low.removeprefix("<=")
        merges = [p["merged_at"] for p in found[0].pulls.values() if p["merged_at"]]
        total = sum(low <= at <= high for at in merges)
        return {"total_count": total, "incomplete_results": False, "items": []}

    def _paged(self, asked: Asked, rows: list[Row]) -> Answer:
        size, page = int(asked.query.get("per_page", "30")), int(asked.query.get("page", "1"))
        demand(size <= 100, "per_page")
        shown = rows[(page - 1) * size : page * size]
        if page * size >= len(rows):
            return Answer(shown)
        repo, rest = self._place(asked)
        query = "&".join(f"{k}={v}" for k, v in asked.query.items() if k != "page")
        to = f"{self.url}/repositories/{repo.id}{rest}?{query}&page={page + 1}"
        return Answer(shown, headers={"Link": f'<{to}>; rel="next", <{to}>; rel="last"'})

    def close(self) -> None:
        """Stop."""
        self.server.close()
