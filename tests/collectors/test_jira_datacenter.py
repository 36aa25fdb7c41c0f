"""Jira Data Center: the demo's Jira as version 2 of its API would tell it, with its own traps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.jira import Jira
from demo.jira_jql import parse
from demo.jira_shape import changelog, issue_json, project_json, user_json
from demo.jira_state import State, edit, raise_issue
from demo.jira_story import JONAS, MIRA, READER
from evidence.errors import ConfigError, SourceBroken, SourceRefused
from evidence.model import EvidenceItem, Outcome
from evidence.secret import Secret
from tests.collectors.pulling import pull
from tests.collectors.rest_server import Asked, Refused, RestServer, demand
from tests.collectors.worlds.jira import World

TOKEN = "personal-access-token-of-the-reader"


class DataCenter:
    """Answers from the demo's Jira. `most` is the largest page; `before` runs ahead of each search;
    `short` issues are counted and not listed; `cut` changelogs end early."""

    def __init__(self, world: World) -> None:
        self.world, self.most, self.short, self.cut = world, 1000, 0, False
        self.before: Callable[[Any], None] = lambda body: None
        self.server = RestServer(self.say)

    def say(self, asked: Asked) -> Any:
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, {"errorMessages": ["no"]})
        if asked.path == "/rest/api/2/search":
            self.before(asked.body)
        state = self.world.state()
        return keyed(self._say(asked, state))

    def _say(self, asked: Asked, state: State) -> Any:
        projects, url = set(state["projects"]) - set(state["hidden"]), self.server.url
        if asked.path == "/rest/api/2/myself":
            return user_json(state, READER, url)
        if asked.path == "/rest/api/2/project":
            return [project_json(state, key, url) for key in sorted(projects)]
        if asked.path == "/rest/api/2/search":
            return self._search(asked.body, state, projects)
        match = re.fullmatch(r"/rest/api/2/issue/(\d+)", asked.path)
        demand(match, "no such resource")
        assert match
        if match[1] not in state["issues"]:
            raise Refused(404, {"errorMessages": ["Issue Does Not Exist"]})
        if asked.query == {"fields": "project"}:
            key = state["issues"][match[1]]["project"]
            return {"id": match[1], "fields": {"project": project_json(state, key, url)}}
        demand(asked.query.get("expand") == "changelog", "no such resource")
        entries = [entry for _, entry in changelog(state, {match[1]}, projects, None)]
        shown = entries[:-1] if self.cut else entries
        log = {"startAt": 0, "maxResults": len(entries), "total": len(entries), "histories": shown}
        return {"id": match[1], "changelog": log}

    def _search(self, body: Any, state: State, projects: set[str]) -> Any:
        demand(set(body) == {"jql", "startAt", "maxResults", "fields"}, "unknown field")
        query = parse(body["jql"], projects=projects, zone="UTC")
        found = query.run([r for r in state["index"].values() if r["project"] in projects])
        start, size = body["startAt"], min(body["maxResults"], self.most)
        page = [state["issues"][str(row["id"])] for row in found[start : start + size]]
        shown = [issue_json(state, one, body["fields"], "UTC", self.server.url) for one in page]
        total = len(found) + self.short
        return {"startAt": start, "maxResults": size, "total": total, "issues": shown}


def keyed(value: Any) -> Any:
    """As a Data Center names people: by key and name, and fields without `fieldId`."""
    if isinstance(value, list):
        return [keyed(one) for one in value]
    if not isinstance(value, dict):
        return value
    told = {k: keyed(v) for k, v in value.items() if k not in {"accountType", "fieldId"}}
    if account := told.pop("accountId", None):
        told |= {"key": account, "name": account}
    return told


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def center(world: World) -> Iterator[DataCenter]:
    made = DataCenter(world)
    yield made
    made.server.close()


def collector(center: DataCenter, **settings: Any) -> Jira:
    usual: dict[str, Any] = {
        "url": center.server.url, "deployment": "data_center", "email": "", "token": Secret(TOKEN),
    }  # fmt: skip
    return center.world.collector(**(usual | settings))


def told(items: list[EvidenceItem]) -> set[tuple[str, str, str]]:
    return {(item.kind, item.subject, item.outcome.value) for item in items}


def raised(center: DataCenter, at: datetime, n: int = 1) -> None:
    with center.world.store.change() as state:
        for number in range(n):
            raise_issue(state, "CHG", "Change", f"Import {number}", by=MIRA, at=at)


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_it_tells_what_the_cloud_tells(center: DataCenter, most: int) -> None:
    center.most = most
    items, cursor, facts = pull(collector(center))
    cloud, _, _ = pull(center.world.collector())
    assert told(items) == told(cloud)
    assert facts.shortfall() == 0
    assert facts.gaps == ()
    assert "Data Center" in facts.api_version
    again, _, _ = pull(collector(center), cursor)
    assert again == []


def test_who_approved_their_own_is_told_by_key(center: DataCenter) -> None:
    items, _, _ = pull(collector(center))
    (own,) = (i for i in items if i.kind == "ticket.approval" and i.outcome is Outcome.FAILED)
    assert "self-approved by Mira Osei" in own.title
    assert json.loads(own.content)["approver"]["accountId"].endswith("mira")


def test_more_of_one_second_than_a_page_holds(center: DataCenter) -> None:
    center.most = 2
    raised(center, datetime.now(UTC) - timedelta(hours=1), 9)
    items, _, facts = pull(collector(center))
    assert len({i.subject for i in items if i.kind == "jira.issue" and "Import" in i.title}) == 9
    assert facts.gaps == ()


def test_an_edit_between_two_pages_pushes_nothing_past(center: DataCenter) -> None:
    center.most, edited = 2, list[str]()
    before = {i.subject for i in pull(collector(center))[0] if i.kind == "jira.issue"}

    def touch(body: Any) -> None:
        if body["maxResults"] and "updated" in body["jql"].split("ORDER")[0] and not edited:
            with center.world.store.change() as state:
                oldest = min(state["issues"].values(), key=lambda one: one["updated"])
                edited.append(oldest["key"])
                edit(state, oldest["key"], by=JONAS, at=datetime.now(UTC), summary="Edited")

    center.before = touch
    items, _, facts = pull(collector(center))
    assert edited
    assert {i.subject for i in items if i.kind == "jira.issue"} == before
    assert facts.gaps == ()


def test_one_issue_less_than_counted_is_a_gap_and_is_asked_for_again(center: DataCenter) -> None:
    center.short = 1
    _, cursor, facts = pull(collector(center))
    assert [gap.what for gap in facts.gaps] == ["issues"]
    center.short = 0
    items, _, facts = pull(collector(center), cursor)
    assert facts.gaps == ()
    assert len({i.subject for i in items if i.kind == "jira.issue"}) > 5


def test_a_changelog_that_is_cut_is_not_read_as_whole(center: DataCenter) -> None:
    center.cut = True
    with pytest.raises(SourceBroken, match="its changelog is cut"):
        pull(collector(center))


def test_hidden_projects_and_wrong_keys_are_told(center: DataCenter) -> None:
    with center.world.store.change() as state:
        state["hidden"].append("RSK")
    assert "not RSK" in collector(center).probe()
    assert [gap.what for gap in pull(collector(center))[2].gaps] == ["project RSK"]
    with pytest.raises(SourceRefused):
        collector(center, token=Secret("wrong")).probe()
    for wrong in ({"deployment": "server"}, {"deployment": "cloud", "email": ""}):
        with pytest.raises(ConfigError):
            collector(center, **wrong)
