"""docs/rest_api/redmine.toml against a real Redmine; its own API raises and changes the issues.

And alerts that open and close issues in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from collectors.rest_api import RestApi
from evidence.errors import SourceBroken, SourceRefused
from evidence.model import Change
from evidence.secret import Secret
from flows._alerts.channel import Desk
from flows._alerts.ticket import Call, Ticket
from flows._alerts.words import Cause, Message, Notice, What
from tests.collectors import redmine_server
from tests.collectors.redmine_server import Redmine
from tests.flows.ready import pull, ready

pytestmark = [pytest.mark.xdist_group("redmine"), redmine_server.asked]


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redmine]:
    made = Redmine(tmp_path_factory.mktemp("redmine"))
    for n in range(8):
        made.raised("credit" if n % 2 else "open", f"Drift {n}")
    yield made
    made.close()


def reads(tracker: Redmine, folder: Path, changes: Mapping[str, str] | None = None) -> RestApi:
    return ready("redmine", tracker.url, folder, changes, key=tracker.key)


def test_late_edits_their_journal_and_deletions_are_told(tracker: Redmine, tmp_path: Path) -> None:
    collector = reads(tracker, tmp_path)
    first, last = tracker.raised("credit", "Wrong score"), tracker.raised("open", "Duplicate")
    items, cursor, facts = pull(collector)
    issues = {item.subject: item for item in items if item.kind == "tracker.issue"}
    assert {str(first), str(last)} < set(issues)
    assert facts.identity.startswith("headwater (")
    assert (facts.gaps, facts.shortfall()) == ((), 0)
    assert issues[str(first)].system == "credit-scoring"
    assert b'"priority":"High"' in issues[str(first)].content

    tracker.call("PUT", f"/issues/{first}.json", issue={"status_id": 2, "notes": "secret words"})
    tracker.call("DELETE", f"/issues/{last}.json")
    again, cursor, facts = pull(collector, cursor)
    (journal,) = [item for item in again if item.kind == "redmine.journal"]
    assert journal.subject.startswith(f"{first}/")
    assert b'"name":"status_id"' in journal.content
    assert b"secret words" not in journal.content
    gone = {(item.kind, item.subject) for item in again if item.change is Change.GONE}
    assert gone == {("redmine.known", str(last))}
    known = {item.item_id for item in (*items, *again)}
    assert [item for item in pull(collector, cursor)[0] if item.item_id not in known] == []


def test_all_of_the_last_second_is_asked_for_again(tracker: Redmine, tmp_path: Path) -> None:
    none = {'order = "asc" }': 'order = "asc", lookback = "PT0S" }'}
    collector = reads(tracker, tmp_path, none)
    items, cursor, _ = pull(collector)
    issues = [item for item in items if item.kind == "tracker.issue"]
    newest = max(item.observed_to for item in issues)
    late = {item.subject for item in issues if item.observed_to == newest}
    again, _, _ = pull(collector, cursor)
    assert late <= {item.subject for item in again if item.kind == "tracker.issue"}


def test_pages_smaller_than_a_second_are_told(tracker: Redmine, tmp_path: Path) -> None:
    whole = [item for item in pull(reads(tracker, tmp_path))[0] if item.kind == "tracker.issue"]
    seconds = Counter(item.observed_to for item in whole)
    # asked since T, it gives what it stored after the second before, whose parts it does not show
    burst = max(count + seconds[at - timedelta(seconds=1)] for at, count in seconds.items())
    page = 'last = "updated_on", size = 100'
    paged = reads(tracker, tmp_path, {page: f'last = "updated_on", size = {burst + 1}'})
    items, _, facts = pull(paged)
    assert facts.gaps == ()
    assert {item.subject for item in items if item.kind == "tracker.issue"} == {
        item.subject for item in whole
    }
    short = reads(
        tracker, tmp_path, {page: f'last = "updated_on", size = {seconds.most_common(1)[0][1]}'}
    )
    with pytest.raises(SourceBroken, match="lead no further than their updated_on"):
        pull(short)


def test_a_wrong_key_is_refused_though_redmine_lets_it_read(
    tracker: Redmine, tmp_path: Path
) -> None:
    answer = requests.get(
        f"{tracker.url}/issues.json", headers={"X-Redmine-API-Key": "wrong"}, timeout=60
    )
    assert answer.status_code == 200
    assert answer.json()["total_count"] > 0
    with pytest.raises(SourceRefused, match="HTTP 401"):
        pull(ready("redmine", tracker.url, tmp_path, key="wrong-key"))


def test_what_the_reader_no_longer_sees_is_told_as_gone(tracker: Redmine, tmp_path: Path) -> None:
    collector = reads(tracker, tmp_path)
    _, cursor, _ = pull(collector)
    members = tracker.call("GET", "/projects/credit/memberships.json")["memberships"]
    tracker.call("DELETE", f"/memberships/{members[0]['id']}.json")
    items, _, facts = pull(collector, cursor)
    gone = [item for item in items if item.change is Change.GONE]
    assert len(gone) >= 4
    assert {item.kind for item in gone} == {"redmine.known"}
    assert facts.gaps == ()


def test_alerts_open_an_issue_and_close_it(tracker: Redmine) -> None:
    at = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
    issue = {"project_id": "open", "tracker_id": 1, "priority_id": 4}
    channel = Ticket(
        name="redmine", url=tracker.url, ref="issue.id",
        headers={"X-Redmine-API-Key": Secret(tracker.admin)},
        open=Call("/issues.json", {"issue": issue | {"subject": "{title}",
                                                     "description": "{text}"}}),
        close=Call("/issues/{ref}.json", {"issue": {"status_id": 5, "notes": "{text}"}}, "PUT"),
    )  # fmt: skip
    notice = Notice(What.NEW, Cause("a", "failed", "!picture.png! @admin {{macro}} #1"), at)
    opened = channel.send(Message("redmine", (notice,)), Desk("Example"), at)
    assert opened.taken, opened.told
    made = tracker.call("GET", f"/issues/{opened.ref}.json")["issue"]
    assert made["subject"].startswith("Example: Failed: !picture.png!")
    assert made["description"].startswith("```text")
    over = Message("redmine", (replace(notice, what=What.OVER, ended=at),), ref=opened.ref)
    assert channel.send(over, Desk("Example"), at).taken
    assert tracker.call("GET", f"/issues/{opened.ref}.json")["issue"]["status"]["name"] == "Closed"
