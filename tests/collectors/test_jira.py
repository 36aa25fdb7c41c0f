"""The Jira collector against the demo's Jira: approvals, cursors, late rows, hostile answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors._jira.issues import Issue
from collectors.jira import Jira
from demo.jira_server import READER_TOKEN, later
from demo.jira_state import delete, edit, fault, find, move, raise_issue, reindex
from demo.jira_story import JONAS, MIRA, PRIYA, READER
from evidence.errors import ConfigError, SourceBroken, SourceBusy, SourceRefused
from evidence.model import EvidenceItem, Outcome
from evidence.secret import Secret
from tests.collectors.pulling import pull
from tests.collectors.worlds.jira import World

PAYLOADS = Path(__file__).parent / "payloads" / "jira"
SEARCH, LOGS = "/rest/api/3/search/jql", "/rest/api/3/changelog/bulkfetch"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def approvals(items: list[EvidenceItem]) -> dict[str, EvidenceItem]:
    return {
        json.loads(item.content)["issue"]: item for item in items if item.kind == "ticket.approval"
    }


def versions(items: list[EvidenceItem]) -> set[str]:
    return {f"{item.kind} {item.subject} {item.content_sha256}" for item in items}


def now() -> datetime:
    return datetime.now(UTC)


def raised(world: World, summary: str = "Deploy x", at: datetime | None = None, **more: Any) -> str:
    with world.store.change() as state:
        return raise_issue(state, "CHG", "Change", summary, by=MIRA, at=at or now(), **more)


def test_approvals_say_who_gave_them_to_whom(world: World) -> None:
    items, _, _ = pull(world.collector())
    found = approvals(items)
    assert set(found) == {"CHG-11", "CHG-12", "CHG-13", "CHG-14", "RSK-21"}
    good = found["CHG-11"]
    kept = json.loads(good.content)
    assert good.outcome is Outcome.PASSED
    assert good.system == "credit-scoring"
    assert good.actor == "Jonas Frey (712020:61bc-jonas)"
    assert kept["requester"]["displayName"] == "Mira Osei"
    assert (kept["from"], kept["to"]) == ("In Review", "Approved")
    assert kept["models"] == [{"name": "credit-risk", "version": "2"}]
    issue = next(i for i in items if i.subject == kept["issue_id"] and i.kind == "jira.issue")
    assert good.subject.startswith(f"{issue.subject}/approval/")
    assert issue.locator == f"{world.url}/browse/CHG-11"


def test_approving_ones_own_change_fails(world: World) -> None:
    items, _, _ = pull(world.collector())
    own = approvals(items)["CHG-14"]
    assert own.outcome is Outcome.FAILED
    assert "self-approved by Mira Osei" in own.title
    assert "creator and reporter" in own.title


def test_nothing_is_approved_before_it_was(world: World, tmp_path: Path) -> None:
    items, cursor, _ = pull(world.collector())
    named = [m for a in approvals(items).values() for m in json.loads(a.content)["models"]]
    assert {"name": "churn", "version": "3"} not in named
    later(tmp_path, now())
    with world.store.change() as state:
        (key,) = (k for k, i in state["issues"].items() if i["summary"] == "Deploy churn v3")
        move(state, state["issues"][key]["key"], "Approved", by=JONAS, at=now())
    more, _, _ = pull(world.collector(), cursor)
    (approval,) = approvals(more).values()
    assert json.loads(approval.content)["models"] == [{"name": "churn", "version": "3"}]
    assert approval.system == "churn-predictor"


def test_covering_ones_tracks_afterwards_changes_no_approval(world: World) -> None:
    key, at = raised(world, labels=["model:churn:7"], assignee=MIRA), now()
    with world.store.change() as state:
        find(state, key)["creator"] = PRIYA
        move(state, key, "Approved", by=MIRA, at=at)
    before, cursor, _ = pull(world.collector())
    with world.store.change() as state:
        changed: dict[str, Any] = {
            "reporter": JONAS,
            "assignee": JONAS,
            "labels": ["model:churn:8"],
        }
        edit(state, key, by=MIRA, at=at + timedelta(seconds=1), **changed)
    after, _, _ = pull(world.collector(), cursor)
    assert approvals(after)[key].item_id == approvals(before)[key].item_id
    assert approvals(after)[key].outcome is Outcome.FAILED
    assert json.loads(approvals(after)[key].content)["own_roles"] == ["reporter", "assignee"]


def test_an_approval_by_nobody_or_by_an_app_is_none(world: World) -> None:
    keys = [raised(world), raised(world)]
    with world.store.change() as state:
        bot = {"accountId": "557058:bot", "displayName": "Automation", "accountType": "app"}
        state["users"]["bot"] = bot | {"timeZone": "UTC", "token": "-"}
        move(state, keys[0], "Approved", by="bot", at=now())
        move(state, keys[1], "Approved", by="erased@brookside.example", at=now())
    found = approvals(pull(world.collector())[0])
    assert found[keys[0]].outcome is Outcome.FAILED
    assert "the app Automation" in found[keys[0]].title
    assert found[keys[1]].outcome is Outcome.ERROR


def test_who_must_be_independent_is_a_setting(world: World) -> None:
    key = raised(world, assignee=JONAS)
    with world.store.change() as state:
        move(state, key, "Approved", by=JONAS, at=now())
    assert approvals(pull(world.collector())[0])[key].outcome is Outcome.FAILED
    lenient = world.collector(independent_of=("creator", "reporter"))
    assert approvals(pull(lenient)[0])[key].outcome is Outcome.PASSED


def test_status_and_type_names_match_in_any_case(world: World) -> None:
    collector = world.collector(approved_statuses=("approved",), change_types=("CHANGE",))
    assert len(approvals(pull(collector)[0])) == 4


@pytest.mark.parametrize("form", ["epoch", "offset", "rfc3339"])
def test_every_way_to_write_a_changelogs_time(world: World, form: str) -> None:
    with world.store.change() as state:
        state["changelog_times"] = form
        at = next(e["at"] for e in find(state, "CHG-14")["history"] if e["by"] == MIRA)
    own = approvals(pull(world.collector())[0])["CHG-14"]
    assert own.observed_from == own.observed_to
    assert own.observed_to.timestamp() * 1000 >= at
    assert own.observed_to < now()


def test_a_changelog_of_many_pages_is_read_whole(world: World) -> None:
    key, at = raised(world), now()
    with world.store.change() as state:
        for n in range(1050):
            edit(state, key, by=PRIYA, at=at, labels=[f"l{n}"])
        move(state, key, "Approved", by=JONAS, at=at)
    items, _, _ = pull(world.collector())
    assert json.loads(approvals(items)[key].content)["labels"] == ["l1049"]


def test_a_burst_in_one_moment_survives_a_crash_after_any_batch(world: World) -> None:
    at = now()
    with world.store.change() as state:
        for n in range(23):
            raise_issue(state, "CHG", "Change", f"Burst {n}", by=MIRA, at=at)
    whole, cursor, facts = pull(world.collector(page_size=9))
    batches = list(world.collector(page_size=9).collect(None))
    assert len(batches) == 5
    assert facts.promised == facts.received == 36
    for n, crashed in enumerate(batches):
        landed = [item for batch in batches[: n + 1] for item in batch.items]
        rest, _, _ = pull(world.collector(page_size=9), crashed.cursor)
        assert versions(landed + rest) == versions(whole)
    assert pull(world.collector(), cursor)[0] == []


def test_what_the_index_shows_late_is_found_within_the_overlap(world: World) -> None:
    with world.store.change() as state:
        state["index_lags"] = True
        late = raise_issue(
            state, "INC", "Incident", "Late", by=PRIYA, at=now() - timedelta(minutes=9)
        )
        on_time = raise_issue(state, "INC", "Incident", "On time", by=PRIYA, at=now())
        reindex(state)
        del state["index"][find(state, late)["id"]]
    items, cursor, _ = pull(world.collector())
    assert not [i for i in items if i.title.startswith(late)]
    assert [i for i in items if i.title.startswith(on_time)]
    with world.store.change() as state:
        state["index_lags"] = False
    more, _, _ = pull(world.collector(), cursor)
    assert [i.title for i in more] == [f"{late} Late (Open)"]


def test_an_edit_while_paging_does_not_carry_the_cursor_past_the_rest(world: World) -> None:
    whole, _, _ = pull(world.collector())
    walk = world.collector(page_size=3).collect(None)
    landed = list(next(walk).items)
    with world.store.change() as state:
        third = sorted(state["issues"].values(), key=lambda i: i["updated"])[4]
        edit(state, third["key"], by=MIRA, at=now(), priority="Highest")
    second = next(walk)
    landed += second.items
    assert any(i.title.startswith(f"{third['key']} ") for i in second.items)
    rest, _, _ = pull(world.collector(), second.cursor)
    assert {i.subject for i in landed + rest} == {i.subject for i in whole}


def test_times_from_the_future_do_not_blind_the_next_pull(world: World) -> None:
    raised(world, "From the future", at=now() + timedelta(days=900))
    _, cursor, _ = pull(world.collector())
    key = raised(world, "Of today")
    assert [i for i in pull(world.collector(), cursor)[0] if i.title.startswith(f"{key} ")]


def test_a_hidden_project_is_a_gap_and_is_caught_up_when_it_returns(world: World) -> None:
    whole, _, _ = pull(world.collector())
    with world.store.change() as state:
        state["hidden"] = ["INC"]
    partial, cursor, facts = pull(world.collector())
    assert [gap.what for gap in facts.gaps] == ["project INC"]
    assert "Browse Projects" in facts.gaps[0].why
    assert "not INC" in world.collector().probe()
    with world.store.change() as state:
        state["hidden"] = []
    rest, _, facts = pull(world.collector(), cursor)
    assert facts.gaps == ()
    assert versions(rest) | versions(partial) == versions(whole)
    assert {i.title.partition("-")[0] for i in rest} >= {"INC"}


@pytest.mark.parametrize(("size", "gaps"), [(5, ["project RSK", "issues"]), (100, ["project RSK"])])
def test_a_project_that_vanishes_during_the_pull_is_a_gap(
    world: World, size: int, gaps: list[str]
) -> None:
    walk = world.collector(page_size=size).collect(None)
    batches = [next(walk)]
    with world.store.change() as state:
        state["hidden"] = ["RSK"]
    batches += walk
    assert [gap.what for gap in batches[-1].facts.gaps] == gaps
    with world.store.change() as state:
        state["hidden"] = []
    again, _, _ = pull(world.collector(), batches[-1].cursor)
    landed = [item for batch in batches for item in batch.items]
    whole, _, _ = pull(world.collector())
    assert versions(landed + again) == versions(whole)


def test_no_visible_project_is_refused(world: World) -> None:
    with pytest.raises(SourceRefused, match=r"sees none of NOPE"):
        pull(world.collector(projects=("NOPE",)))


def test_rows_that_were_counted_but_did_not_come_are_asked_for_again(world: World) -> None:
    _, start, _ = pull(world.collector())
    with world.store.change() as state:
        state["count_error"] = 40
    _, cursor, facts = pull(world.collector(), start)
    assert [gap.what for gap in facts.gaps] == ["issues"]
    assert facts.shortfall() == 40
    key = raised(world)
    news, _, _ = pull(world.collector(), cursor)
    assert [i for i in news if i.title.startswith(f"{key} ")]


@pytest.mark.parametrize("error", [-5, 1, 2])
def test_an_approximate_count_may_be_a_little_off(world: World, error: int) -> None:
    with world.store.change() as state:
        state["count_error"] = error
    _, _, facts = pull(world.collector())
    assert facts.gaps == ()
    assert facts.shortfall() == 0
    assert f"approximate count: {13 + error}" in facts.query


def test_the_window_is_written_in_milliseconds_without_an_end(world: World) -> None:
    _, cursor, first = pull(world.collector())
    _, _, second = pull(world.collector(), cursor)
    assert "updated" not in first.query.partition(" ORDER")[0]
    start = second.window_from
    assert start is not None
    assert f"updated >= {round(start.timestamp() * 1000)} ORDER BY updated ASC, key ASC" in (
        second.query
    )
    assert "America/New_York" in second.identity


def test_other_settings_read_all_anew(world: World) -> None:
    _, cursor, _ = pull(world.collector())
    wider = world.collector(approved_statuses=("Approved", "Accepted", "Done"))
    more, _, _ = pull(wider, cursor)
    assert len([i for i in more if i.kind == "ticket.approval"]) > 5
    moved, _, _ = pull(world.collector(systems={"CHG": "changes"}), cursor)
    assert {i.system for i in moved if i.title.startswith("CHG")} == {"changes"}


def test_an_issue_that_moves_keeps_its_subject(world: World) -> None:
    items, cursor, _ = pull(world.collector())
    with world.store.change() as state:
        issue = find(state, "INC-31")
        issue |= {"key": "RSK-99", "project": "RSK"}
        edit(state, "RSK-99", by=PRIYA, at=now(), priority="Low")
    (moved,) = pull(world.collector(), cursor)[0]
    assert moved.title.startswith("RSK-99 ")
    assert moved.subject in {i.subject for i in items if i.title.startswith("INC-31 ")}


def test_a_deleted_issue_shortens_a_page_but_ends_nothing(world: World) -> None:
    walk = world.collector(page_size=3).collect(None)
    batches = [next(walk)]
    with world.store.change() as state:
        keys = [i["key"] for i in sorted(state["issues"].values(), key=lambda i: i["updated"])]
        for key in keys[3:6]:
            delete(state, key)
    batches += walk
    assert [len({i.locator for i in b.items}) for b in batches] == [3, 0, 3, 3, 1, 0]
    assert batches[-1].facts.gaps[0].what == "issues"


def test_throttling_says_for_how_long(world: World) -> None:
    for path in ("/rest/api/3/myself", SEARCH, LOGS):
        with world.store.change() as state:
            headers = {"Retry-After": "900", "X-RateLimit-Reset": "2026-11-23T12:03Z"}
            fault(state, path, status=429, headers=headers)
        with pytest.raises(SourceBusy) as busy:
            pull(world.collector(attempts=3))
        assert busy.value.retry_after == timedelta(minutes=15)


def test_a_page_that_fails_leaves_what_landed_before_it(world: World) -> None:
    whole, _, _ = pull(world.collector())
    with world.store.change() as state:
        fault(state, SEARCH, status=503, skip=2)
    walk = world.collector().collect(None)
    batches = [next(walk), next(walk)]
    with pytest.raises(SourceBusy):
        next(walk)
    landed = [item for batch in batches for item in batch.items]
    cursor = batches[-1].cursor
    rest, _, _ = pull(world.collector(), cursor)
    assert versions(landed + rest) == versions(whole)


def test_a_token_that_repeats_is_broken_but_the_end_mark_is_believed(world: World) -> None:
    stuck = json.dumps({"issues": [], "nextPageToken": "t", "isLast": False})
    with world.store.change() as state:
        fault(state, SEARCH, status=200, body=stuck, times=3)
    with pytest.raises(SourceBroken, match="repeats"):
        pull(world.collector())
    ended = json.dumps({"issues": [], "nextPageToken": "t", "isLast": True})
    with world.store.change() as state:
        state["faults"] = []
        state["count_error"] = -13
        fault(state, SEARCH, status=200, body=ended)
    items, _, _ = pull(world.collector())
    assert items == []


def one_issue() -> dict[str, Any]:
    fields = {
        "project": {"key": "CHG"}, "issuetype": {"name": "Change"}, "status": {"name": "Done"},
        "created": "2026-01-02T03:04:05.678-0500", "updated": 1770000000000, "summary": "s",
    }  # fmt: skip
    return {"id": "1", "key": "CHG-1", "fields": fields}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("fields", "updated"), None, "CHG-1: updated"),
        (("fields", "created"), "yesterday", "CHG-1: created"),
        (("fields", "status"), "Done", "CHG-1: status"),
        (("fields", "labels"), "x", "CHG-1: labels"),
        (("fields", "components"), [{}], "CHG-1: components"),
        (("fields", "reporter"), 7, "CHG-1: reporter"),
        (("id",), 1, "CHG-1: id"),
        (("fields",), None, "CHG-1: fields"),
    ],
)
def test_an_issue_of_another_shape_is_named(path: tuple[str, ...], value: Any, named: str) -> None:
    raw = one_issue()
    place = raw
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(SourceBroken, match=named):
        Issue.read(raw)


def test_a_page_of_another_shape_is_broken(world: World) -> None:
    bodies: list[Any] = [{"values": []}, {"issues": {}}, [], {"issues": [], "nextPageToken": 7}]
    for body in bodies:
        with world.store.change() as state:
            fault(state, SEARCH, status=200, body=json.dumps(body))
        with pytest.raises(SourceBroken):
            pull(world.collector())


def test_times_are_read_in_every_form() -> None:
    issue = Issue.read(one_issue())
    assert issue.created == datetime(2026, 1, 2, 8, 4, 5, 678000, tzinfo=UTC)
    assert issue.updated == datetime(2026, 2, 2, 2, 40, tzinfo=UTC)
    seconds = one_issue()
    seconds["fields"]["updated"] = 1770000000
    assert Issue.read(seconds).updated == issue.updated


def test_a_genuine_recorded_issue_is_read() -> None:
    recorded = json.loads((PAYLOADS / "issues_in_sprint.json").read_text())["issues"][0]
    issue = Issue.read(recorded)
    assert (issue.id, issue.key, issue.project, issue.status) == ("12338", "AR-86", "AR", "Ready")
    assert issue.updated == datetime(2016, 2, 1, 16, 17, 4, tzinfo=UTC)
    assignee = issue.people["assignee"]
    assert assignee is not None
    assert assignee.account_id == "mister.morris"
    assert issue.payload()["resolution"] == "Done"


def test_hostile_texts_stay_texts(world: World) -> None:
    deep: Any = "x"
    for _ in range(400):
        deep = {"content": [deep]}
    raised(
        world, "a\x1b[2J\n<script>\u202e\ud800 b", description=deep, labels=["=cmd|' /C calc'!A0"]
    )
    raised(world, "x" * 5000, description={"type": "doc", "text": "personal"})
    items, _, _ = pull(world.collector())
    first, second = sorted(items, key=lambda i: i.observed_to)[-2:]
    assert re.fullmatch("CHG-16 a \\[2J <script> \ufffd+ b \\(To Do\\)", first.title)
    assert len(second.title) == 200
    assert b"personal" not in second.content
    assert len(json.loads(second.content)["description_sha256"]) == 64


def test_no_key_in_what_an_error_says(world: World) -> None:
    with world.store.change() as state:
        fault(state, "/rest/api/3/myself", status=403, body=f"bad token {READER_TOKEN}")
    with pytest.raises(SourceRefused) as refused:
        world.collector().probe()
    assert READER_TOKEN not in str(refused.value)
    assert "HTTP 403" in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"projects": ()}, "projects must be a list"),
        ({"projects": "CHG"}, "projects must be a list"),
        ({"projects": ('X") OR project in ("Y',)}, "no project key"),
        ({"independent_of": ("boss",)}, "boss"),
        ({"lookback": 0}, "lookback must lie between 1 and"),
        ({"page_size": 100_000}, "page_size must lie between 1 and 1000"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any], told: str) -> None:
    usual: dict[str, Any] = {
        "source": "jira", "url": "https://x.example", "email": READER, "token": Secret("t"),
        "projects": ("CHG",),
    }  # fmt: skip
    with pytest.raises(ConfigError, match=told):
        Jira(**(usual | wrong))
