"""docs/rest_api/roundup.toml against a real Roundup; its own API raises and changes the issues."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.errors import SourceBroken, SourceBusy, SourceRefused
from evidence.model import Change
from tests.collectors.roundup_server import ADMIN, Roundup
from tests.flows.ready import KEY, pull, ready

pytestmark = [
    pytest.mark.xdist_group("roundup"),
    pytest.mark.skipif(
        importlib.util.find_spec("roundup") is None and os.environ.get("CI") != "true",
        reason="Roundup is not installed: run `make dev` again",
    ),
]


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roundup]:
    made = Roundup(tmp_path_factory.mktemp("roundup"))
    made.start()
    made.create("user", username="headwater", password=KEY, roles="User", address="h@x.example")
    made.create("user", username="stranger", password=KEY, roles="Anonymous", address="s@x.example")
    for n in range(12):
        made.create("issue", title=f"Drift {n}", priority="urgent" if n else "critical")
    yield made
    made.close()


def test_late_edits_and_retired_issues_are_told(tracker: Roundup, tmp_path: Path) -> None:
    collector = ready("roundup", tracker.site[:-1], tmp_path)
    items, cursor, facts = pull(collector)
    issues = {item.subject: item for item in items if item.kind == "tracker.issue"}
    assert len(issues) >= 12
    assert (facts.identity, facts.gaps, facts.shortfall()) == ("headwater", (), 0)
    assert b'"priority":"Critical"' in issues["1"].content
    assert issues["1"].actor == ADMIN[0]

    tracker.change("issue", "4", title="Drift, seen late", status="chatting")
    tracker.retire("issue", "5")
    again, cursor, facts = pull(collector, cursor)
    new = {item.subject: item for item in again if item.item_id not in {i.item_id for i in items}}
    assert new["4"].title == "issue4 Drift, seen late (chatting)"
    assert {(item.subject, item.kind) for item in again if item.change is Change.GONE} == {
        ("5", "roundup.known")
    }
    assert facts.gaps == ()
    known = {item.item_id for item in (*items, *again)}
    assert [item for item in pull(collector, cursor)[0] if item.item_id not in known] == []


def test_bursts_within_a_second_are_read_whole_or_told(tracker: Roundup, tmp_path: Path) -> None:
    for n in range(10):
        tracker.create("issue", title=f"Burst {n}", priority="bug")
    at_once = ready("roundup", tracker.site[:-1], tmp_path)
    whole = [item for item in pull(at_once)[0] if item.kind == "tracker.issue"]
    burst = max(Counter(item.observed_to for item in whole).values())
    paged = ready("roundup", tracker.site[:-1], tmp_path, {"size = 500": f"size = {burst + 1}"})
    items, _, facts = pull(paged)
    assert facts.gaps == ()
    assert {item.subject for item in items if item.kind == "tracker.issue"} == {
        item.subject for item in whole
    }
    short = ready("roundup", tracker.site[:-1], tmp_path, {"size = 500": f"size = {burst}"})
    with pytest.raises(SourceBroken, match="lead no further than their activity"):
        pull(short)


def test_who_may_not_read_is_refused(tracker: Roundup, tmp_path: Path) -> None:
    stranger = {'"headwater"': '"stranger"', "username=headwater": "username=stranger"}
    with pytest.raises(SourceRefused, match="HTTP 403") as refused:
        pull(ready("roundup", tracker.site[:-1], tmp_path, stranger))
    assert KEY not in str(refused.value)
    nobody = {'"headwater"': '"nobody"'}
    with pytest.raises(SourceRefused, match="HTTP 401"):
        pull(ready("roundup", tracker.site[:-1], tmp_path, nobody))
    lost = {'path = "/issue"': 'path = "/nothing"'}
    with pytest.raises(SourceRefused, match="HTTP 404"):
        pull(ready("roundup", tracker.site[:-1], tmp_path, lost))


def test_a_used_up_budget_asks_for_patience(tracker: Roundup, tmp_path: Path) -> None:
    tracker.close()
    tracker.configure(api_calls_per_interval=2, api_interval_in_sec=3600)
    tracker.start()
    try:
        with pytest.raises(SourceBusy, match="HTTP 429") as busy:
            pull(ready("roundup", tracker.site[:-1], tmp_path))
    finally:
        tracker.close()
        tracker.configure(api_calls_per_interval=0)
        tracker.start()
    assert busy.value.retry_after is not None
    assert 0 < busy.value.retry_after.total_seconds() <= 3600
