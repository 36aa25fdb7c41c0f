"""Documents approved by review at the code host: collected from it, landed, and counted by person
for the very text that was reviewed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from flows.setup import initialise
from tests.collectors import github_server, gitlab_server
from tests.collectors.github_server import START, GitHubServer
from tests.collectors.gitlab_server import GitLabServer
from tests.flows.conftest import said
from tests.flows.test_documents import SOURCE, YESTERDAY, commit, git, register

HOUR = timedelta(hours=1)
ROLES = [
    {"id": "aims", "name": "Owner", "person": "Lena Holm", "login": "lena"},
    {"id": "top", "name": "Top management", "person": "Ada Brandt", "login": "ada"},
    {"id": "top-2", "name": "Top management", "person": "Ada Brandt", "login": "ada-private"},
    {"id": "risk", "name": "Owner of AI risks", "person": "Ben Ode", "login": "ben-old"},
    {"id": "bot", "name": "Robot", "person": "Ben Ode", "login": "ben-bot"},
    {"id": "mara", "name": "Quality", "person": "Mara Ito", "login": "mara"},
    {"id": "omar", "name": "Legal", "person": "Omar Diaz", "account": 4711},
]
CODE = """
[[source]]
name = "code"
uses = "{uses}"
url = "{url}"
token = "env:CODE_KEY"
repositories = ["acme/governance", "acme/silent"]
documents = ["acme/governance"]
machines = ["ben-bot"]
"""


def text(title: str, quorum: int = 1, more: str = "") -> str:
    return f"""---
title: {title}
doc_type: ai_policy
owner: Lena Holm
approvers: [Ada Brandt, Ben Ode, Mara Ito, Omar Diaz]
quorum: {quorum}
reviewed: {YESTERDAY}
---
# {title}
{more}"""


class Hub(Protocol):
    """A code host: who changed what, who said what of it, and the commit that came of it."""

    uses: str
    key: str

    @property
    def url(self) -> str: ...
    def change(self, place: str, by: str, path: str, blob: str) -> int: ...
    def approve(self, nr: int, by: str, number: int = 0) -> None: ...
    def push(self, nr: int, path: str, blob: str) -> None: ...
    def object(self, nr: int, by: str) -> None: ...
    def merge(self, nr: int, made: str) -> None: ...
    def close(self) -> None: ...


class OnGitHub:
    uses, key = "collectors.github:GitHub", github_server.KEY

    def __init__(self) -> None:
        self.server = GitHubServer()
        self.url = self.server.url
        self.repos = {name: self.server.repo(name) for name in ("acme/governance", "acme/silent")}
        self.of: dict[int, Any] = {}

    def change(self, place: str, by: str, path: str, blob: str) -> int:
        nr = self.server.open(self.repos[place], by, START)
        self.repo = self.repos[place]
        self.repo.files[nr] = [{"filename": path, "sha": blob, "status": "added"}]
        return nr

    def approve(self, nr: int, by: str, number: int = 0) -> None:
        who = github_server.user(by) | ({"id": number} if number else {})
        self.server.review(self.repo, nr, who, START + HOUR)

    def push(self, nr: int, path: str, blob: str) -> None:
        self.server.push(self.repo, nr, "lena", START + 2 * HOUR)
        self.repo.files[nr] = [{"filename": path, "sha": blob, "status": "added"}]

    def object(self, nr: int, by: str) -> None:
        who = github_server.user(by)
        self.server.review(self.repo, nr, who, START + 9 * HOUR, "CHANGES_REQUESTED")

    def dismiss(self, nr: int) -> None:
        last = self.repo.reviews[nr][-1]["id"]
        self.server.dismiss(self.repo, nr, last, START + 9 * HOUR)

    def merge(self, nr: int, made: str) -> None:
        self.server.merge(self.repo, nr, "lena", START + 3 * HOUR)
        self.repo.pulls[nr]["merge_commit_sha"] = made

    def close(self) -> None:
        self.server.close()


class OnGitLab:
    uses, key = "collectors.gitlab:GitLab", gitlab_server.KEY

    def __init__(self) -> None:
        self.server = GitLabServer()
        self.url = self.server.url
        names = ("acme/governance", "acme/silent")
        self.projects = {name: self.server.project(name) for name in names}

    def change(self, place: str, by: str, path: str, blob: str) -> int:
        self.project = self.projects[place]
        nr = self.server.open(self.project, by, START)
        self.project.diffs[nr] = [{"new_path": path, "old_path": path, "deleted_file": False}]
        self._holds(nr, path, blob)
        return nr

    def _holds(self, nr: int, path: str, blob: str) -> None:
        self.project.blobs[self.project.requests[nr]["sha"], path] = blob

    def approve(self, nr: int, by: str, number: int = 0) -> None:
        who = gitlab_server.user(by) | ({"id": number} if number else {})
        self.server.approve(self.project, nr, who, START + HOUR)

    def push(self, nr: int, path: str, blob: str) -> None:
        self.server.push(self.project, nr, "lena", START + 2 * HOUR)
        self._holds(nr, path, blob)

    def object(self, nr: int, by: str) -> None:
        rows = self.project.reviewers.setdefault(nr, [])
        rows.append({"user": gitlab_server.user(by), "state": "requested_changes"})

    def merge(self, nr: int, made: str) -> None:
        self.server.merge(self.project, nr, "lena", START + 3 * HOUR)
        self.project.requests[nr]["merge_commit_sha"] = made

    def close(self) -> None:
        self.server.close()


class House:
    """A repository of documents, each of which came by one change at the code host."""

    def __init__(self, base: Path, hub: Hub) -> None:
        self.base, self.hub, self.governance = base, hub, base / "governance"
        self.governance.mkdir()
        git(self.governance, "init", "-q", "-b", "main")
        commit(self.governance, register("roles", ROLES))
        list(initialise(base / "home", "Acme"))
        self.config = base / "home/headwater.toml"
        code = CODE.format(uses=hub.uses, url=hub.url)
        self.config.write_text(self.config.read_text() + SOURCE + code)

    def change(
        self, name: str, by: str = "lena", place: str = "acme/governance", blob: str = "",
        whole: str = "",
    ) -> tuple[int, str]:  # fmt: skip
        """A document is committed, as a change that is open at the host: its number, the commit."""
        path = f"documents/{name}.md"
        commit(self.governance, {path: whole or text(name)})
        held = git(self.governance, "rev-parse", f"HEAD:{path}").strip()
        nr = self.hub.change(place, by, path, blob or held)
        return nr, git(self.governance, "rev-parse", "HEAD").strip()

    def found(self) -> dict[str, tuple[list[str], str]]:
        """Document → who approved it, and the sentence."""
        done = said("collect", "--direct", "-c", self.config)
        assert done.returncode == 0, done.stdout + done.stderr
        done = said("documents", "approvals", "--json", "-c", self.config)
        assert done.returncode == 3, done.stderr
        return {one["of"]: (one["by"], one["sentence"]) for one in json.loads(done.stdout)}


@pytest.fixture(params=[OnGitHub, OnGitLab], ids=["github", "gitlab"])
def house(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    hub = request.param()
    monkeypatch.setenv("CODE_KEY", hub.key)
    yield House(tmp_path, hub)
    hub.close()


def test_reviewers_are_counted_by_person_for_the_text_that_they_saw(house: House) -> None:
    hub = house.hub

    def reviewed(name: str, *people: str, **given: Any) -> int:
        nr, made = house.change(name, **given)
        for one in people:
            hub.approve(nr, one)
        hub.merge(nr, made)
        return nr

    reviewed("good", "ada", "stranger")
    reviewed("twice", "ada", "ada-private", whole=text("twice", 2))
    reviewed("own", "ada", by="ada")
    reviewed("own-other-account", "ada-private", by="ada")
    reviewed("machine", "ben-bot")
    reviewed("silent", "ada", place="acme/silent")
    reviewed("merged-with-more", "ada", blob="0" * 40)
    hub.object(reviewed("objected-later", "ada"), "ada-private")
    nr, made = house.change("stale", blob="0" * 40)
    hub.approve(nr, "ada")
    hub.push(nr, "documents/stale.md", git(house.governance, "rev-parse", "HEAD:documents/stale.md")
             .strip())  # fmt: skip
    hub.merge(nr, made)
    nr, made = house.change("edited-since")
    hub.approve(nr, "ada")
    hub.merge(nr, made)
    commit(house.governance, {"documents/edited-since.md": text("edited-since", more="More.\n")})
    for name, login, number in (
        ("renamed", "ben-new", 77), ("before-renaming", "ben-old", 77),
        ("taken-over", "mara", 88), ("whose-it-was", "mara", 99), ("by-number", "whoever", 4711),
    ):  # fmt: skip
        nr, made = house.change(name)
        hub.approve(nr, login, number)
        hub.merge(nr, made)
    found = {name.removeprefix("documents/")[:-3]: told for name, told in house.found().items()}
    assert {name for name, (by, _) in found.items() if by} == {
        "good", "twice", "renamed", "before-renaming", "by-number",
    }  # fmt: skip
    assert found["good"] == (["Ada Brandt"], "approved by 1 of 1 (Ada Brandt: reviewed)")
    assert found["twice"][0] == ["Ada Brandt"], "two accounts are one person"
    assert found["renamed"][0] == found["before-renaming"][0] == ["Ben Ode"]
    assert found["by-number"][0] == ["Omar Diaz"]
    assert "more than one account was called mara" in found["taken-over"][1]
    assert "is not the text that stands" in found["merged-with-more"][1]
    assert "name its repository in `documents` of the source code" in found["silent"][1]


def test_an_approval_that_is_taken_back_after_the_merge_counts_no_more(house: House) -> None:
    hub = house.hub
    nr, made = house.change("policy")
    hub.approve(nr, "ada")
    hub.merge(nr, made)
    house.change("other")  # so that something waits
    assert house.found()["documents/policy.md"][0] == ["Ada Brandt"]
    if isinstance(hub, OnGitHub):
        hub.dismiss(nr)
    elif isinstance(hub, OnGitLab):
        hub.project.approvals[nr].clear()
        hub.server._touch(hub.project, nr, START + 9 * HOUR)
    assert house.found()["documents/policy.md"][0] == [], (
        "what was landed before is not the last word"
    )
