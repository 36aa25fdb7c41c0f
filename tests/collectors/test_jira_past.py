"""Reading Jira beside its pulls: what vanished is named, and a window of the past is read alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Sweeper, Window
from collectors.jira import Jira
from demo.jira_state import delete, edit, fault, find, move, raise_issue
from demo.jira_story import JONAS, MIRA, PRIYA
from evidence.errors import SourceBroken, SourceBusy
from evidence.model import Change, Cursor, EvidenceItem
from tests.collectors.pulling import kept, pull
from tests.collectors.test_jira_datacenter import DataCenter
from tests.collectors.test_jira_datacenter import collector as of_center
from tests.collectors.worlds.jira import World

NOW, DAY = timedelta(0), timedelta(days=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture(params=["cloud", "data_center"])
def jira(world: World, request: pytest.FixtureRequest) -> Iterator[Jira]:
    if request.param == "cloud":
        yield world.collector(sweep_every=NOW)
        return
    center = DataCenter(world)
    yield of_center(center, sweep_every=NOW)
    center.server.close()


def swept(collector: Jira, before: Cursor | None = None) -> tuple[list[EvidenceItem], Cursor]:
    """The items of a sweep after a pull, and its cursor."""
    _, collected, _ = pull(collector)
    batches = list(collector.sweep(before, collected))
    return [item for batch in batches for item in batch.items], batches[-1].cursor


def gone(items: list[EvidenceItem]) -> dict[str, EvidenceItem]:
    return {kept(i)["key"]: i for i in items if i.change is Change.GONE}


def test_an_issue_that_was_deleted_is_named_once(world: World, jira: Jira) -> None:
    items, cursor = swept(jira)
    assert items == []
    key = sorted(i["key"] for i in world.state()["issues"].values())[0]
    number = find(world.state(), key)["id"]
    with world.store.change() as state:
        delete(state, key)
    items, cursor = swept(jira, cursor)
    (lost,) = items
    assert (lost.kind, lost.subject, lost.change) == ("jira.issue", number, Change.GONE)
    assert lost.title == f"{key} is gone: deleted, archived or hidden"
    assert lost.observed_from < lost.observed_to
    assert lost.locator.endswith(f"/browse/{key}")
    assert swept(jira, cursor)[0] == []


def test_an_issue_in_a_project_that_is_not_read_any_more_is_told_as_moved(
    world: World, jira: Jira
) -> None:
    few = Jira(**{**vars(jira), "projects": ("CHG", "INC")})
    _, cursor = swept(few)
    with world.store.change() as state:
        issue = next(i for i in state["issues"].values() if i["project"] == "INC")
        issue |= {"key": "RSK-99", "project": "RSK"}
        edit(state, "RSK-99", by=PRIYA, at=datetime.now(UTC), priority="Low")
    items, _ = swept(few, cursor)
    assert [kept(i)["why"] for i in gone(items).values()] == ["moved to RSK"]


def test_a_project_that_is_hidden_loses_no_issue(world: World, jira: Jira) -> None:
    _, cursor = swept(jira)
    with world.store.change() as state:
        state["hidden"].append("INC")
    items, cursor = swept(jira, cursor)
    assert items == []
    with world.store.change() as state:
        state["hidden"].remove("INC")
        lost = next(i["key"] for i in state["issues"].values() if i["project"] == "INC")
        delete(state, lost)
    assert set(gone(swept(jira, cursor)[0])) == {lost}


def test_what_the_list_leaves_out_but_the_site_shows_is_not_gone(world: World, jira: Jira) -> None:
    _, cursor = swept(jira)
    with world.store.change() as state:
        number = next(iter(state["issues"]))
        row = state["index"].pop(number)
    items, cursor = swept(jira, cursor)
    assert gone(items) == {}
    with world.store.change() as state:
        state["index"][number] = row
        delete(state, state["issues"][number]["key"])
    assert len(gone(swept(jira, cursor)[0])) == 1


def test_what_the_index_hid_from_every_pull_lands_with_the_sweep(world: World) -> None:
    collector = world.collector(sweep_every=NOW)
    _, cursor = swept(collector)
    now = datetime.now(UTC)
    with world.store.change() as state:
        raise_issue(state, "CHG", "Change", "On time", by=MIRA, at=now)
    with world.store.change() as state:
        state["index_lags"] = True
        key = raise_issue(state, "CHG", "Change", "Late", by=MIRA, at=now - timedelta(hours=1))
    items, collected, _ = pull(collector)
    with world.store.change() as state:
        state["index_lags"] = False
    items += pull(collector, collected)[0]
    assert not [i for i in items if " Late " in i.title]
    found = [i for batch in collector.sweep(cursor, collected) for i in batch.items]
    assert [i.locator for i in found if " Late " in i.title] == [f"{world.url}/browse/{key}"]


def test_a_sweep_is_due_by_time_and_whole_or_done_again(world: World) -> None:
    collector = world.collector()
    assert isinstance(collector, Sweeper)
    _, cursor = swept(collector)
    _, collected, _ = pull(collector)
    assert list(collector.sweep(cursor, collected)) == []
    late: dict[str, Any] = {"clock": lambda: datetime.now(UTC) + timedelta(days=2)}
    with world.store.change() as state:
        for issue in list(state["issues"].values())[:3]:
            edit(state, issue["key"], by=PRIYA, at=datetime.now(UTC), priority="Low")
        fault(state, "/rest/api/3/search/jql", status=503, skip=1)
    read = []
    with pytest.raises(SourceBusy):
        read += list(world.collector(**late).sweep(cursor, collected))
    assert all(batch.cursor == cursor for batch in read)
    assert list(world.collector(**late).sweep(cursor, collected))[-1].cursor != cursor


def test_a_cursor_of_something_else_is_broken(world: World) -> None:
    _, collected, _ = pull(world.collector())
    with pytest.raises(SourceBroken, match="jira census"):
        list(world.collector().sweep(collected, collected))


def test_a_window_of_the_past_brings_what_came_to_be_in_it(world: World, jira: Jira) -> None:
    whole, _, _ = pull(jira)
    times = sorted(i.observed_to for i in whole)
    window = Window(times[2], times[-3])
    inside = {i.item_id for i in whole if window.holds(i)}
    assert 0 < len(inside) < len(whole)
    past = Jira(**{**vars(jira), "window": window})
    items, cursor, facts = pull(past)
    assert {i.item_id for i in items} == inside
    assert facts.window_from == window.since
    assert {i.item_id for i in pull(past, cursor)[0]} <= inside


def test_an_approval_of_the_window_in_an_issue_that_changed_since_is_found(world: World) -> None:
    start = datetime.now(UTC)
    with world.store.change() as state:
        key = raise_issue(state, "CHG", "Change", "Old", by=MIRA, at=start - 40 * DAY)
        move(state, key, "Approved", by=JONAS, at=start - 30 * DAY)
        edit(state, key, by=MIRA, at=start, priority="Low")
    items, _, _ = pull(world.collector(window=Window(start - 31 * DAY, start - 29 * DAY)))
    assert key in {kept(i)["issue"] for i in items if i.kind == "ticket.approval"}
    assert [i for i in items if i.kind == "jira.issue" and key in i.title] == []
