"""The demo's Jira keeps Jira's rules, so that a collector proved against it is proved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from collectors.jira import Jira
from demo.jira_server import READER, READER_TOKEN, Store, build, later, serve
from demo.jira_state import edit, find
from demo.jira_story import MIRA, USERS
from evidence.errors import SourceError
from evidence.runs import PullFacts
from evidence.secret import Secret
from tests.collectors import prism

API = "/rest/api/3"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Client:
    """A person at the keyboard of the demo's Jira."""

    def __init__(self, url: str, email: str = READER, token: str = READER_TOKEN) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.auth = (email, token)

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, self.url + API + path, json=body, timeout=20)

    def search(self, jql: str, **more: Any) -> requests.Response:
        return self("POST", "/search/jql", {"jql": jql, "fields": ["updated"], **more})

    def keys(self, jql: str) -> list[str]:
        answer = self.search(jql)
        assert answer.status_code == 200, answer.text
        return [issue["key"] for issue in answer.json()["issues"]]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    build(tmp_path, NOW)
    with serve(tmp_path, clock=lambda: NOW) as base:
        yield base


@pytest.fixture
def reader(url: str) -> Iterator[Client]:
    client = Client(url)
    yield client
    client.session.close()


@pytest.fixture
def mira(url: str) -> Iterator[Client]:
    client = Client(url, MIRA, USERS[MIRA]["token"])
    yield client
    client.session.close()


def test_a_wrong_key_is_401(url: str) -> None:
    for email, token in ((READER, "wrong"), ("eve@brookside.example", READER_TOKEN), ("", "")):
        client = Client(url, email, token)
        assert client("GET", "/myself").status_code == 401
        client.session.close()


def test_building_twice_changes_nothing(tmp_path: Path) -> None:
    once = build(tmp_path, NOW)
    assert build(tmp_path, datetime.now(UTC)) == once
    later(tmp_path, NOW)
    more = Store(tmp_path).read()
    later(tmp_path, NOW)
    assert Store(tmp_path).read() == more != once


def test_an_empty_folder_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="build"), serve(tmp_path):
        pass


def test_a_change_that_fails_leaves_the_state(tmp_path: Path) -> None:
    before = build(tmp_path, NOW)

    def fail_half_way() -> None:
        with Store(tmp_path).change() as state:
            edit(state, "CHG-11", by=MIRA, at=NOW, priority="Low")
            find(state, "CHG-999")

    with pytest.raises(KeyError):
        fail_half_way()
    assert Store(tmp_path).read() == before


def test_the_old_search_is_gone(reader: Client) -> None:
    assert reader("GET", "/search?jql=project=CHG").status_code == 410


@pytest.mark.parametrize(
    ("jql", "told"),
    [
        ("", "Unbounded"),
        ("ORDER BY updated", "Unbounded"),
        ("project = NOPE", "'NOPE' does not exist"),
        ("project = CHG OR project = INC", "not understood"),
        ("project != CHG", "only '=' and 'in'"),
        ("NOT project = CHG", "does not exist"),
        ("project = CHG AND flavour = x", "'flavour' does not exist"),
        ("project in (CHG", "expecting ')'"),
        ('updated >= "2026-11-23T12:00Z"', "is invalid"),
        ('updated >= "2026-11-23 12:00:30"', "is invalid"),
        ('updated >= "2026-13-23 12:00"', "is invalid"),
        ("updated >= -5d", "is invalid"),
        ("project = currentProject()", "'currentProject' does not exist"),
        ("labels = currentLabel()", "not understood"),
        ("project = CHG ORDER BY rank", "Not able to sort"),
        ("project = CHG ORDER BY updated ASC,", "expecting a word"),
        ("project = CHG AND", "expecting a word"),
        ('project = "CHG', "unexpected character"),
    ],
)
def test_jql_that_is_not_understood_is_never_everything(
    reader: Client, jql: str, told: str
) -> None:
    answer = reader.search(jql)
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["errorMessages"][0]


def test_jql_selects_and_orders(reader: Client) -> None:
    assert reader.keys("project = CHG ORDER BY key DESC") == [
        f"CHG-{n}" for n in (15, 14, 13, 12, 11)
    ]
    assert reader.keys('status = "In Review"') == ["CHG-15"]
    assert reader.keys("labels in (ai-concern, capa) order by created asc") == ["RSK-23", "RSK-25"]
    assert reader.keys("issuetype = incident AND status = 'In Progress'") == ["INC-32"]


def test_written_dates_are_minutes_in_the_readers_zone(reader: Client, tmp_path: Path) -> None:
    with Store(tmp_path).change() as state:
        at = datetime(2026, 11, 23, 11, 30, 40, tzinfo=UTC)
        edit(state, "CHG-11", by=MIRA, at=at, priority="Low")
    assert reader.keys('updated >= "2026-11-23 06:30"') == ["CHG-11"]
    assert reader.keys('updated >= "2026-11-23 06:31"') == []
    assert reader.keys('updated >= "2026-11-23 11:30"') == []
    milliseconds = round(at.timestamp() * 1000)
    assert reader.keys(f"updated >= {milliseconds}") == ["CHG-11"]
    assert reader.keys(f"updated > {milliseconds}") == []
    answer = reader.search("key = CHG-11").json()["issues"][0]["fields"]
    assert answer["updated"] == "2026-11-23T06:30:40.000-0500"


def test_pages_hang_together_by_an_opaque_token(reader: Client) -> None:
    jql, found = "project in (CHG, INC) ORDER BY key ASC", []
    token: dict[str, Any] = {}
    for _ in range(3):
        page = reader.search(jql, maxResults=3, **token).json()
        found += [issue["key"] for issue in page["issues"]]
        token = {"nextPageToken": page.get("nextPageToken")}
    assert page["isLast"] is True
    assert "nextPageToken" not in page
    assert found == [f"CHG-{n}" for n in range(11, 16)] + [f"INC-{n}" for n in range(31, 34)]
    first = reader.search(jql, maxResults=3).json()["nextPageToken"]
    assert reader.search("project = CHG", nextPageToken=first).status_code == 400
    assert reader.search(jql, nextPageToken="made-up").status_code == 400
    assert reader.search(jql, nextPageToken=None).status_code == 400


def test_only_asked_fields_come(reader: Client) -> None:
    bare = reader("POST", "/search/jql", {"jql": "key = CHG-11"}).json()["issues"][0]
    assert bare.keys() == {"id"}
    assert reader.search("key = CHG-11").json()["issues"][0]["fields"].keys() == {"updated"}
    assert reader.search("key = CHG-11", colour="red").status_code == 400
    assert reader.search("key = CHG-11", maxResults=5001).status_code == 400


def test_a_person_raises_moves_and_deletes_an_issue(mira: Client, reader: Client) -> None:
    fields = {
        "project": {"key": "CHG"}, "issuetype": {"name": "Change"}, "summary": "Deploy x",
        "labels": ["model:x:1"], "components": [{"name": "churn-predictor"}],
    }  # fmt: skip
    made = mira("POST", "/issue", {"fields": fields})
    assert (made.status_code, made.json()["key"]) == (201, "CHG-16")
    review = {"transition": {"id": "10001"}}
    assert mira("POST", "/issue/CHG-16/transitions", review).status_code == 204
    assert mira("PUT", "/issue/CHG-16", {"fields": {"labels": []}}).status_code == 204
    asked = {"issueIdsOrKeys": ["CHG-16"], "fieldIds": ["status", "labels"]}
    (log,) = reader("POST", "/changelog/bulkfetch", asked).json()["issueChangeLogs"]
    items = [entry["items"][0] for entry in log["changeHistories"]]
    assert [(i["fieldId"], i["fromString"], i["toString"]) for i in items] == [
        ("status", "To Do", "In Review"),
        ("labels", "model:x:1", ""),
    ]
    assert {e["author"]["displayName"] for e in log["changeHistories"]} == {"Mira Osei"}
    assert mira("DELETE", "/issue/CHG-16").status_code == 204
    assert reader("GET", "/issue/CHG-16").status_code == 404
    assert reader.keys("project = CHG AND key = CHG-16") == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/issue", {"fields": {"project": {"key": "CHG"}}}),
        ("POST", "/issue", {"fields": {"project": {"key": "NO"}, "issuetype": {"name": "Change"}}}),
        ("PUT", "/issue/CHG-11", {"fields": {"mood": "good"}}),
        ("PUT", "/issue/CHG-11", {"fields": {"priority": {"name": "Whatever"}}}),
        ("POST", "/issue/CHG-11/transitions", {"transition": {"id": "77"}}),
        ("POST", "/changelog/bulkfetch", {}),
        ("POST", "/changelog/bulkfetch", {"issueIdsOrKeys": ["1"] * 1001}),
        ("POST", "/changelog/bulkfetch", {"issueIdsOrKeys": ["1"], "fieldIds": ["a"] * 11}),
        ("POST", "/search/jql", [1]),
    ],
)
def test_wrong_requests_are_400(mira: Client, method: str, path: str, body: Any) -> None:
    answer = mira(method, path, body)
    assert answer.status_code == 400
    assert answer.json()["errorMessages"]


@pytest.mark.timeout(280)
@prism.asked
def test_requests_and_answers_are_as_the_vendor_describes(url: str, tmp_path: Path) -> None:
    with Store(tmp_path).change() as state:
        state["changelog_times"] = "rfc3339"  # as described; the real one sends epochs at times
    with prism.proxy("jira", url, tmp_path) as (proxied, log):
        _pull_through(proxied)
        client = Client(proxied)
        for path in ("/serverInfo", "/issue/CHG-11", "/issue/CHG-11/transitions"):
            answer = client("GET", path)
            assert answer.status_code == 200, answer.text
        client.session.close()
        assert "violation" not in log.read_text().lower(), log.read_text()
        with Store(tmp_path).change() as state:
            state["changelog_times"] = "epoch"
        # That the proxy does compare: an answer that is not as described is refused by it.
        with pytest.raises(SourceError, match=r"HTTP 500.*VIOLATIONS"):
            _pull_through(proxied)


def _pull_through(proxied: str) -> None:
    collector = Jira(
        source="jira", url=proxied, email=READER, token=Secret(READER_TOKEN),
        projects=("CHG", "INC", "RSK"), page_size=4, attempts=1,
    )  # fmt: skip
    batches = list(collector.collect(None))
    facts = sum((batch.facts for batch in batches), PullFacts())
    assert facts.received == 13
    assert facts.gaps == ()
    assert list(collector.collect(batches[-1].cursor))
