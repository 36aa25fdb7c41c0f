"""The ServiceNow collector: four eyes before the start, and rows that the instance hides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors._servicenow.table import Row
from collectors.base import Window
from collectors.servicenow import ServiceNow
from evidence.errors import ConfigError, SourceBroken, SourceBusy, SourceRefused
from evidence.model import Change, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts
from evidence.secret import Secret
from tests.collectors.rest_server import Answer, Asked
from tests.collectors.servicenow_server import (
    CLIENT,
    HOUR,
    KEY,
    PASSWORD,
    READER,
    SECRET,
    START,
    sys_id,
)
from tests.collectors.worlds.servicenow import DAY, World

EXCERPT = Path(__file__).parent / "payloads/servicenow/change_task_display_value_all.excerpt.json"
BEGUN = "ticket.implementation"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def pull(
    collector: ServiceNow, cursor: Cursor | None = None
) -> tuple[list[EvidenceItem], Cursor, PullFacts]:
    items, facts = list[EvidenceItem](), PullFacts()
    for batch in collector.collect(cursor):
        items += batch.items
        facts = facts + batch.facts
        cursor = batch.cursor
    assert cursor is not None
    return items, cursor, facts


def of(items: list[EvidenceItem], kind: str) -> dict[str, EvidenceItem]:
    return {item.subject: item for item in items if item.kind == kind}


def begun(world: World, change: str, **settings: Any) -> EvidenceItem:
    return of(pull(world.collector(**settings))[0], BEGUN)[change]


def identities(items: list[EvidenceItem]) -> set[str]:
    return {f"{item.kind} {item.subject} {item.content_sha256}" for item in items}


def test_a_change_is_judged_by_who_approved_it_and_whether_that_came_first(world: World) -> None:
    items, _, _ = pull(world.collector())
    found = of(items, BEGUN)
    assert set(found) == {world.good, world.late, world.own}
    assert found[world.good].outcome is Outcome.PASSED
    assert found[world.good].observed_to == START + 2 * HOUR
    assert found[world.late].outcome is Outcome.FAILED
    assert "begun before it was approved by Jonas Frey" in found[world.late].title
    assert found[world.own].outcome is Outcome.FAILED
    assert "self-approved by Mira Osei (requested_by and opened_by)" in found[world.own].title
    assert {item.system for item in found.values()} == {"credit-scoring"}


def test_records_are_kept_as_they_are_in_utc_and_without_their_text(world: World) -> None:
    items, _, _ = pull(world.collector())
    change = of(items, "servicenow.change_request")[world.good]
    kept = json.loads(change.content)
    assert (kept["type"], kept["state"], kept["priority"]) == (
        "Change Request", "Implement", "Moderate"
    )  # fmt: skip
    assert kept["work_start"] == "2026-11-02T11:00:00.000000Z"
    assert b"a remark of its own" not in change.content
    assert len(of(items, "servicenow.incident")) == 2


def test_thousands_of_one_second_and_pages_that_end_in_it_lose_nothing(world: World) -> None:
    for _ in range(17):
        world.now.insert("incident", "ada", START + DAY, number="INC9", state="1",
                         short_description="Import", priority="3", opened_by="")  # fmt: skip
    items, cursor, facts = pull(world.collector())
    assert len(of(items, "servicenow.incident")) == 19
    assert facts.shortfall() == 0
    more, _, _ = pull(world.collector(), cursor)
    assert identities(more) <= identities(items)


def test_rows_that_are_hidden_make_the_pull_partial_until_they_are_shown(world: World) -> None:
    rows = [row["sys_id"] for row in world.now.tables["change_request"]]
    world.now.hidden = set(rows[1:])  # whole pages are empty, and are not the end
    last = world.now.insert("change_request", "ada", START + 4 * DAY, number="CHG7", state="-5",
                            requested_by="", opened_by="", assigned_to="", type="normal",
                            short_description="", priority="3", approval="")  # fmt: skip
    items, cursor, facts = pull(world.collector(page_size=1))
    assert set(of(items, "servicenow.change_request")) == {rows[0], last}
    assert facts.shortfall() == 3
    world.now.hidden = set()
    again, _, facts = pull(world.collector(), cursor)
    assert set(of(again, "servicenow.change_request")) == {*rows, last}
    assert facts.shortfall() == 0


def test_an_instance_that_counts_nothing_leaves_a_gap(world: World) -> None:
    world.now.uncounted = {"incident"}
    items, _, facts = pull(world.collector())
    assert len(of(items, "servicenow.incident")) == 2
    assert [gap.what for gap in facts.gaps] == ["table incident"]


def test_an_approval_by_another_hand_leaves_open_who_approved(world: World) -> None:
    change = world.now.change(START + 6 * DAY)
    world.now.approve(change, "jonas", START + 6 * DAY + HOUR, hand="ben")
    world.now.begin(change, START + 6 * DAY + 2 * HOUR)
    for refused in ((), ("sys_audit",)):
        world.now.refused = set(refused)
        found = begun(world, change)
        assert found.outcome is Outcome.ERROR
        assert "approved by Jonas Frey, entered by ben" in found.title


def test_a_start_typed_in_later_does_not_cover_that_work_had_begun(world: World) -> None:
    world.now.update("change_request", world.late, "ada", START + 2 * DAY,
                     work_start="2026-11-03 12:00:00")  # fmt: skip
    assert begun(world, world.late).outcome is Outcome.FAILED
    world.now.refused = {"sys_audit"}
    blind = begun(world, world.late)
    assert blind.outcome is Outcome.PASSED
    assert json.loads(blind.content)["history"] is False


def test_handing_the_change_over_afterwards_covers_no_self_approval(world: World) -> None:
    at = START + 6 * DAY
    change = world.changed(at, approver="ben", requested_by=sys_id("ben"))
    world.now.update("change_request", change, "ben", at + DAY, requested_by=sys_id("ada"))
    assert begun(world, change).outcome is Outcome.FAILED


def test_who_implements_a_task_of_it_may_not_approve(world: World) -> None:
    world.now.insert("change_task", "ada", START + 8 * DAY, number="CTASK1",
                     change_request=world.good, assigned_to=sys_id("jonas"))  # fmt: skip
    found = begun(world, world.good)
    assert found.outcome is Outcome.FAILED
    assert "implementer" in found.title
    lenient = begun(world, world.good, independent_of=("requested_by",))
    assert lenient.outcome is Outcome.PASSED


def test_a_task_or_an_approval_that_comes_later_has_its_change_judged_again(world: World) -> None:
    _, cursor, _ = pull(world.collector())
    world.now.insert("change_task", "ada", START + 8 * DAY, number="CTASK1",
                     change_request=world.good, assigned_to=sys_id("jonas"))  # fmt: skip
    items, cursor, _ = pull(world.collector(), cursor)
    assert of(items, BEGUN)[world.good].outcome is Outcome.FAILED
    world.now.approve(world.late, "ben", START + 9 * DAY, whole=False)
    items, _, _ = pull(world.collector(), cursor)
    assert len(json.loads(of(items, BEGUN)[world.late].content)["approvals"]) == 2


def test_a_rejection_stands_until_somebody_approves(world: World) -> None:
    at = START + 6 * DAY
    change = world.now.change(at)
    world.now.approve(change, "jonas", at + HOUR)
    key = world.now.ask(change, "ben", at)
    world.now.update("sysapproval_approver", key, "ben", at + 2 * HOUR, state="rejected")
    world.now.begin(change, at + 4 * HOUR)
    assert begun(world, change).outcome is Outcome.FAILED
    world.now.approve(change, "ben", at + 3 * HOUR)
    assert begun(world, change).outcome is Outcome.PASSED


def test_an_empty_audit_is_no_history(world: World) -> None:
    assert json.loads(begun(world, world.good).content)["history"] is True
    world.now.tables["sys_audit"].clear()
    silent = begun(world, world.good)
    assert silent.outcome is Outcome.PASSED
    assert json.loads(silent.content)["history"] is False


def test_half_of_the_approvals_is_none(world: World) -> None:
    change = world.now.change(START + 6 * DAY)
    world.now.approve(change, "jonas", START + 6 * DAY + HOUR, whole=False)
    world.now.begin(change, START + 6 * DAY + 2 * HOUR)
    assert begun(world, change).outcome is Outcome.FAILED


def test_what_is_approved_as_a_kind_is_recorded(world: World) -> None:
    change = world.now.change(START + 6 * DAY, type="standard")
    world.now.begin(change, START + 6 * DAY + HOUR)
    assert begun(world, change).outcome is Outcome.RECORDED
    assert begun(world, change, preapproved_types=()).outcome is Outcome.FAILED


def test_a_change_that_nobody_is_known_to_have_made_or_begun_is_open(world: World) -> None:
    at = START + 6 * DAY
    nobody = world.changed(at, assigned_to="")
    assert begun(world, nobody).outcome is Outcome.ERROR
    world.now.tables["sys_audit"].clear()
    world.now.row("change_request", world.good)["work_start"] = ""
    assert begun(world, world.good).outcome is Outcome.ERROR


def test_hidden_approvals_leave_their_change_open_and_hold_the_mark(world: World) -> None:
    (row,) = (r for r in world.now.tables["sysapproval_approver"] if r["sysapproval"] == world.good)
    world.now.hidden = {row["sys_id"]}
    items, cursor, facts = pull(world.collector())
    found = of(items, BEGUN)
    assert found[world.good].outcome is Outcome.ERROR
    assert found[world.late].outcome is Outcome.FAILED
    assert [gap.what for gap in facts.gaps] == ["change CHG0030001"]
    world.now.hidden = set()
    items, _, facts = pull(world.collector(), cursor)
    assert of(items, BEGUN)[world.good].outcome is Outcome.PASSED
    assert facts.gaps == ()


def test_a_table_that_may_not_be_read_is_a_gap_and_passes_nothing(world: World) -> None:
    world.now.refused = {"sysapproval_approver"}
    items, cursor, facts = pull(world.collector())
    assert [gap.what for gap in facts.gaps] == ["table sysapproval_approver"]
    assert of(items, BEGUN)[world.good].outcome is Outcome.ERROR
    assert "not sysapproval_approver" in world.collector().probe()
    world.now.refused = set()
    items, _, _ = pull(world.collector(), cursor)
    assert of(items, BEGUN)[world.good].outcome is Outcome.PASSED
    world.now.refused = {"change_request", "incident"}
    with pytest.raises(SourceRefused, match="grant it read access"):
        world.collector().probe()


def test_deletions_are_told_with_who_did_it(world: World) -> None:
    _, cursor, facts = pull(world.collector())
    assert "not told" not in facts.query
    (row,) = (r for r in world.now.tables["sysapproval_approver"] if r["sysapproval"] == world.late)
    world.now.delete("sysapproval_approver", row["sys_id"], "ben", START + 10 * DAY)
    world.now.delete("change_request", world.late, "ben", START + 10 * DAY)
    items, _, _ = pull(world.collector(), cursor)
    gone = [item for item in items if item.change is Change.GONE]
    assert {(item.kind, item.subject) for item in gone} == {
        ("ticket.approval", row["sys_id"]), ("servicenow.change_request", world.late),
    }  # fmt: skip
    assert {item.actor for item in gone} == {"ben"}
    world.now.refused = {"sys_audit_delete"}
    assert "not told: deletions" in pull(world.collector())[2].query


def test_rows_that_move_while_we_read_are_not_lost(world: World) -> None:
    moved: list[str] = []

    def touch(asked: Asked) -> None:
        """Somebody edits the oldest change while the second page is asked for."""
        second = "sys_updated_on>" in asked.query["sysparm_query"]
        if second and "/incident" in asked.path and not moved:
            moved.append(world.now.tables["incident"][0]["sys_id"])
            world.now.update("incident", moved[0], "ada", START + 19 * DAY, state="3")

    world.now.before_page.append(touch)
    items, cursor, facts = pull(world.collector(page_size=1))
    assert moved
    assert facts.shortfall() == 0
    later, _, _ = pull(world.collector(), cursor)
    versions = [i for i in (*items, *later) if i.subject == moved[0]]
    assert START + 19 * DAY in {item.observed_to for item in versions}


def test_a_pull_cut_after_any_batch_goes_on_without_loss(world: World) -> None:
    whole, _, _ = pull(world.collector(page_size=2))
    batches = len(list(world.collector(page_size=2).collect(None)))
    for cut in range(1, batches):
        items, cursor = list[EvidenceItem](), None
        for batch in list(world.collector(page_size=2).collect(None))[:cut]:
            items += batch.items
            cursor = batch.cursor
        rest, _, _ = pull(world.collector(page_size=2), cursor)
        assert identities([*items, *rest]) == identities(whole)


def test_an_instance_in_another_zone_is_refused(world: World) -> None:
    _, cursor, _ = pull(world.collector())
    fits = world.now._fits

    def local(row: dict[str, Any], field: str, op: str, value: str) -> bool:
        """It takes what is asked for as a time of two days ago."""
        value = START.strftime("%Y-%m-%d 00:00:00") if field == "sys_updated_on" else value
        return fits(row, field, op, value)

    world.now._fits = local  # type: ignore[method-assign]
    with pytest.raises(SourceBroken, match="set the account's time zone to GMT"):
        pull(world.collector(), cursor)


def test_answers_that_are_none_are_not_taken_for_an_end(world: World) -> None:
    said: list[Any] = []
    world.now.server.say = lambda asked: said[0]
    pages = [
        Answer(raw=b"<html>Please log in</html>", headers={"Content-Type": "text/html"}),
        Answer({"result": {}}), Answer({}), Answer([]),
    ]  # fmt: skip
    for page in pages:
        said[:] = [page]
        with pytest.raises((SourceBroken, SourceBusy, SourceRefused)):
            pull(world.collector())
    said[:] = [Answer({"error": "hibernating"}, status=503)]
    with pytest.raises(SourceBusy):
        pull(world.collector())


def test_unsorted_rows_and_rows_without_an_id_are_broken(world: World) -> None:
    rows = world.now.tables["incident"]
    rows[0]["sys_id"] = "a^ORactive=true"
    with pytest.raises(SourceBroken, match="no sys_id"):
        pull(world.collector())
    rows[0]["sys_id"] = ""
    with pytest.raises(SourceBroken, match="sys_id is empty"):
        pull(world.collector())


def test_a_table_is_narrowed_by_its_query(world: World) -> None:
    queries = {"incident": "priority=1", "change_request": f"sys_id={world.good}"}
    items, _, facts = pull(world.collector(queries=queries))
    assert len(of(items, "servicenow.incident")) == 1
    assert set(of(items, BEGUN)) == {world.good}
    assert "incident^priority=1" in facts.query


def test_a_past_window_brings_what_lies_in_it(world: World) -> None:
    window = Window(START + DAY, START + 2 * DAY)
    items, _, facts = pull(world.collector(window=window))
    assert set(of(items, BEGUN)) == {world.late}
    assert facts.shortfall() == 0
    assert all(window.holds(item) for item in items)


def test_an_api_key_signs_in_as_well(world: World) -> None:
    keyed = world.collector(user="", password=None, token=Secret(KEY))
    assert "evidence.reader" in keyed.probe()


@pytest.mark.parametrize(
    ("given", "grant"),
    [
        ({"user": "", "password": None}, "client_credentials"),
        ({"user": READER, "password": Secret(PASSWORD)}, "password"),
    ],
    ids=["client_credentials", "password"],
)
def test_a_client_of_oauth_signs_in_and_again_when_its_token_ends(
    world: World, given: dict[str, Any], grant: str
) -> None:
    signed = world.collector(client=CLIENT, client_secret=Secret(SECRET), **given)
    world.now.before_page.append(lambda _: world.now.tokens.clear())  # all of them end at once
    items = [item for batch in signed.collect(None) for item in batch.items]
    assert items
    assert len(world.now.grants) > 1
    assert set(world.now.grants) == {grant}
    wrong = world.collector(client=CLIENT, client_secret=Secret("not-it"), **given)
    with pytest.raises(SourceRefused) as refused:
        wrong.probe()
    assert "not-it" not in str(refused.value)


def test_a_genuine_answer_is_read() -> None:
    """Two change tasks as an instance in US/Pacific gave them (demisto/content, MIT)."""
    rows = [Row("change_task", raw) for raw in json.loads(EXCERPT.read_text())["result"][1:]]
    assert [row.value("state") for row in rows] == ["1", "1"]
    at = rows[0].moment("sys_updated_on")
    assert at.isoformat() == "2020-02-06T22:19:51+00:00"
    assert rows[0].at("closed_at") is None
    assert rows[0].key("sys_id") == "a9f030cfc611227600f37bb8d031ab1b"
    assert rows[0].value("made_sla") == "false"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"tables": ()}, "at least one table"),
        ({"tables": ("x;drop",)}, "no table"),
        ({"tables": "incident"}, "list of texts"),
        ({"queries": {"problem": "a=b"}}, "not in tables"),
        ({"queries": {"incident": "a=b^NQc=d"}}, "conditions only"),
        ({"queries": {"incident": "a=javascript:x()"}}, "conditions only"),
        ({"independent_of": ("boss",)}, "it knows"),
        ({"password": None}, "user and password, or token"),
        ({"client": "c"}, "client and client_secret go together"),
        ({"user": ""}, "user and password, or token"),
        ({"page_size": 5000}, "between 1 and"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], why: str) -> None:
    usual: dict[str, Any] = {
        "source": "s", "url": "https://example.org", "user": "u", "password": Secret(PASSWORD),
    }  # fmt: skip
    with pytest.raises(ConfigError, match=why):
        ServiceNow(**(usual | settings))


def test_the_lookback_reads_what_was_shown_late(world: World) -> None:
    _, cursor, _ = pull(world.collector())
    late = world.now.insert(
        "incident", "ada", START + DAY - timedelta(minutes=10), number="INC5", state="1",
        short_description="", priority="3", opened_by="",
    )  # fmt: skip
    items, _, _ = pull(world.collector(), cursor)
    assert late in of(items, "servicenow.incident")
