"""The GitLab collector against a GitLab on loopback: what its API tells less plainly than others.

What all code hosts share is tried in test_github.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Window
from collectors.gitlab import GitLab
from evidence.errors import ConfigError, SourceBroken, SourceBusy, SourceRefused
from evidence.model import EvidenceItem, Outcome
from evidence.secret import Secret
from tests.collectors.github_server import Fault, sha
from tests.collectors.gitlab_server import KEY, MAINTAINERS, NO_ONE, START, Project, user, written
from tests.collectors.pulling import kept, pull
from tests.collectors.rest_server import Answer
from tests.collectors.worlds.gitlab import GUARDED, RULES, SETTINGS, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def merges(items: list[EvidenceItem]) -> dict[str, EvidenceItem]:
    return {i.subject: i for i in items if i.kind == "review.pull"}


def read(world: World, project: Project, number: int, **settings: Any) -> EvidenceItem:
    items, _, facts = pull(world.collector(repositories=(project.name,), **settings))
    assert facts.gaps == ()
    return merges(items)[f"{project.id}/{number}"]


def whys(item: EvidenceItem) -> list[str]:
    return [review["why"] for review in kept(item)["reviews"]]


def at(day: int, hours: float = 0) -> Any:
    return START + timedelta(days=day, hours=hours)


def test_a_merge_tells_the_same_as_at_any_code_host(world: World) -> None:
    items, _, facts = pull(world.collector())
    good = merges(items)["1000/1"]
    told = kept(good)
    assert good.outcome is Outcome.PASSED
    assert good.system == "credit-scoring"
    assert good.title == "acme/ml/credit#1 merged by mira, approved by jonas: Change 1"
    assert (told["host"], told["self_merged"]) == ("gitlab", True)
    assert told["created"] < told["approved_at"] < told["merged"]
    assert told["checks"]["state"] == "passed"
    assert told["reviews"][0]["commit"] == told["head"]
    assert set(merges(items)) == {"1000/1", "1000/2", "1000/3", "1001/1"}
    assert {t.what: (t.promised, t.received) for t in facts.totals} == {
        "acme/ml/credit: merged": (3, 3), "acme/churn: merged": (1, 1),
    }  # fmt: skip
    assert facts.identity.startswith("evidence-reader (id ")


def test_an_approval_before_the_last_push_does_not_count(world: World) -> None:
    stale = read(world, world.credit, world.stale)
    assert (stale.outcome, whys(stale)) == (Outcome.FAILED, ["stale"])
    alone = read(world, world.credit, world.alone)
    assert (alone.outcome, whys(alone)) == (Outcome.FAILED, [])


def test_a_push_after_the_merge_makes_no_approval_stale(world: World) -> None:
    before = read(world, world.credit, 1)
    version = {"id": 2, "head_commit_sha": "f" * 40, "created_at": written(at(1))}
    world.credit.versions[1].insert(0, version)
    assert read(world, world.credit, 1).item_id == before.item_id


@pytest.mark.parametrize(
    ("login", "hours", "told", "outcome"),
    [
        ("jonas", 5, "late", "failed"),
        ("mira", 1, "author", "failed"),
        ("project_7_bot_a1b2", 1, "machine", "failed"),
        ("merge-helper", 1, "machine", "failed"),
        ("ghost", 1, "unnamed", "error"),
    ],
)
def test_what_is_no_second_pair_of_eyes(
    world: World, login: str, hours: int, told: str, outcome: str
) -> None:
    number = world.opened(world.credit, 6)
    world.gitlab.approve(world.credit, number, user(login), at(6, hours))
    world.gitlab.merge(world.credit, number, "priya", at(6, 2))
    item = read(world, world.credit, number, machines=("merge-*",))
    assert (whys(item), item.outcome.value) == ([told], outcome)


@pytest.mark.parametrize(
    "commit",
    [
        {"author_name": "Jonas"},
        {"author_name": "x", "author_email": "7-jonas@users.noreply.gitlab.example"},
        {"committer_name": "jonas"},
    ],
    ids=["name", "address", "committer"],
)
def test_who_wrote_a_commit_is_told_by_name_or_address(
    world: World, commit: dict[str, str]
) -> None:
    number = world.opened(world.credit, 6)
    world.credit.commits[number][0] |= commit
    world.gitlab.approve(world.credit, number, user("jonas"), at(6, 1))
    world.gitlab.merge(world.credit, number, "priya", at(6, 2))
    item = read(world, world.credit, number)
    assert (whys(item), item.outcome) == (["contributor"], Outcome.FAILED)


def test_a_commit_of_nobody_involved_is_counted(world: World) -> None:
    number = world.good(world.credit, 6)
    world.credit.commits[number].append({"author_name": "", "author_email": ""})
    item = read(world, world.credit, number)
    assert (item.outcome, kept(item)["strangers"]) == (Outcome.PASSED, 1)


def test_an_approval_without_a_time_is_dated_by_its_note_or_leaves_it_open(world: World) -> None:
    number = world.opened(world.credit, 6)
    world.gitlab.approve(world.credit, number, user("jonas"), None)
    world.gitlab.merge(world.credit, number, "mira", at(6, 2))
    item = read(world, world.credit, number)
    assert (whys(item), item.outcome) == (["undated"], Outcome.ERROR)
    assert kept(item)["reviews"][0]["at"] is None
    said = {"author": user("jonas"), "created_at": written(at(6, 1))}
    note = said | {"system": True, "body": "approved this merge request"}
    world.credit.notes[number] = [said | {"system": False, "body": note["body"]}, note]
    item = read(world, world.credit, number)
    assert (whys(item), item.outcome) == ([""], Outcome.PASSED)


def test_a_person_who_writes_the_words_of_the_system_approves_nothing(world: World) -> None:
    number = world.opened(world.credit, 6)
    world.gitlab.approve(world.credit, number, user("jonas"), None)
    body = "approved this merge request"
    forged = {"author": user("jonas"), "created_at": written(at(6, 1)), "body": body}
    world.credit.notes[number] = [forged | {"system": False}]
    world.gitlab.merge(world.credit, number, "mira", at(6, 2))
    assert read(world, world.credit, number).outcome is Outcome.ERROR


def test_a_request_for_changes_that_stands_fails_the_merge(world: World) -> None:
    number = world.good(world.credit, 6)
    world.credit.reviewers[number] = [
        {"user": user("jonas"), "state": "approved"},
        {"user": user("priya"), "state": "requested_changes"},
    ]
    item = read(world, world.credit, number)
    assert (item.outcome, whys(item)) == (Outcome.FAILED, ["", "objection"])
    assert "over the objection of priya" in item.title


def test_an_approval_that_was_taken_back_is_gone_and_the_merge_fails(world: World) -> None:
    assert read(world, world.credit, 1).outcome is Outcome.PASSED
    world.credit.approvals[1].clear()
    assert read(world, world.credit, 1).outcome is Outcome.FAILED


def test_approvals_that_the_key_may_not_read_are_unknown_not_missing(world: World) -> None:
    refused = Answer({"error": "404 Not Found"}, 404)
    world.gitlab.faults.append(Fault("/1/approvals", refused, times=9))
    item = read(world, world.credit, 1)
    assert item.outcome is Outcome.ERROR
    assert "its reviews are not known (approvals: HTTP 404)" in item.title


@pytest.mark.parametrize(
    ("pipeline", "state"),
    [
        ({}, "passed"),
        ({"status": "failed"}, "failed"),
        ({"status": "skipped", "finished_at": None}, "none"),
        ({"status": "running", "finished_at": None}, "pending"),
        ({"finished_at": "2026-11-09T09:00:00.000Z"}, "pending"),
        ({"sha": "e" * 40}, "unknown"),
        ({"sha": "e" * 40, "ref": "refs/merge-requests/5/merge"}, "passed"),
    ],
)
def test_the_pipeline_is_that_of_the_head_as_of_the_merge(
    world: World, pipeline: dict[str, Any], state: str
) -> None:
    number = world.good(world.credit, 6)
    world.credit.requests[number]["head_pipeline"] |= pipeline
    assert kept(read(world, world.credit, number))["checks"]["state"] == state


def test_a_pipeline_that_is_not_shown_is_unknown(world: World) -> None:
    del world.credit.requests[1]["head_pipeline"]
    assert kept(read(world, world.credit, 1))["checks"]["state"] == "unknown"


def test_an_old_merge_without_a_time_is_never_taken_for_fresh(world: World) -> None:
    world.credit.requests[1] |= {"merged_at": None, "closed_at": None}
    item = read(world, world.credit, 1)
    assert item.observed_to == START
    assert item.outcome is Outcome.FAILED


def test_fast_forward_squash_and_forks(world: World) -> None:
    fork = world.good(world.credit, 6, source_project_id=7)
    world.credit.requests[fork] |= {"merge_commit_sha": None, "squash_commit_sha": "5" * 40}
    told = kept(read(world, world.credit, fork))
    assert (told["fork"], told["commit"]) == (True, "5" * 40)
    world.credit.requests[fork]["squash_commit_sha"] = None
    told = kept(read(world, world.credit, fork))
    assert told["commit"] == told["head"]


def test_a_merge_that_the_list_hides_makes_the_pull_partial(world: World) -> None:
    def short(said: Answer) -> Answer:
        return Answer([r for r in said.data if r["iid"] != 1], headers=said.headers)

    world.gitlab.faults.append(Fault(r"1000/merge_requests\?", short, times=99))
    _, cursor, facts = pull(world.collector())
    assert facts.shortfall() == 1
    world.gitlab.faults.clear()
    assert "1000/1" in merges(pull(world.collector(), cursor)[0])


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"errors": [{"message": "no"}], "data": {"project": None}}),
        Answer({"data": {"project": None}}),
        Answer({"error": "insufficient_scope"}, 403),
        Answer({"errors": []}, 503),
    ],
    ids=["errors", "hidden", "scope", "down"],
)
def test_a_count_that_does_not_come_is_told_and_stops_nothing(world: World, answer: Answer) -> None:
    world.gitlab.faults.append(Fault("graphql", answer, times=9))
    items, _, facts = pull(world.collector())
    assert len(merges(items)) == 4
    assert facts.totals == ()
    assert "the host counts nothing: " in facts.query


def test_a_moved_project_keeps_its_subjects(world: World) -> None:
    systems = {"acme/*": "credit-scoring"}
    _, cursor, _ = pull(world.collector(systems=systems))
    world.credit.old_names, world.credit.name = ["acme/ml/credit"], "bank/credit"
    settings = {"systems": {**systems}}
    number = world.good(world.credit, 7)
    items, _, facts = pull(world.collector(**settings), cursor)
    assert facts.gaps == ()
    assert merges(items)[f"1000/{number}"].title.startswith("bank/credit#")


def test_a_window_of_the_past_brings_its_merges_only(world: World) -> None:
    window = Window(at(0), at(1.9))
    items, _, facts = pull(world.collector(window=window))
    assert list(merges(items)) == ["1000/1", "1000/2"]
    assert facts.states == ()


def test_too_many_requests_as_plain_text_is_busy(world: World) -> None:
    late = {"Content-Type": "text/plain", "Retry-After": "42"}
    for place in ("/user", r"merge_requests\?", "/approvals", "/reviewers", "/protected"):
        world.gitlab.faults.append(
            Fault(place, Answer(raw=b"Retry later\n", status=429, headers=late))
        )
        with pytest.raises(SourceBusy) as busy:
            pull(world.collector())
        assert busy.value.retry_after == timedelta(seconds=42)
        world.gitlab.faults.clear()


def test_a_hidden_project_is_a_gap_and_none_at_all_is_refused(world: World) -> None:
    world.churn.hidden = True
    _, _, facts = pull(world.collector())
    assert [gap.what for gap in facts.gaps] == ["repository acme/churn"]
    assert world.collector().probe().endswith("reads acme/ml/credit, not acme/churn")
    with pytest.raises(SourceRefused, match="sees none of acme/churn"):
        pull(world.collector(repositories=("acme/churn",)))


def pushes(items: list[EvidenceItem]) -> list[EvidenceItem]:
    return [i for i in items if i.kind == "review.push"]


def test_a_merge_is_no_push_past_review_and_all_else_is(world: World) -> None:
    squashed = world.good(world.credit, 6)
    world.credit.requests[squashed]["squash_commit_sha"] = sha("squash")
    world.credit.events[0]["push_data"]["commit_to"] = sha("squash")
    assert pushes(pull(world.collector())[0]) == []
    open_head = world.credit.requests[4]["sha"]
    world.gitlab.moved(world.credit, "mira", at(7), open_head)
    world.gitlab.moved(world.credit, "mira", at(7.1), sha("gone"))
    world.gitlab.moved(world.credit, "mira", at(7.2), sha("x"), "topic-1")
    world.gitlab.moved(world.credit, "mira", at(7.3), sha("x"), ref_type="tag")
    world.gitlab.moved(world.credit, "mira", at(7.4), "", None, ref_count=4)
    items, cursor, facts = pull(world.collector())
    found = pushes(items)
    assert [i.outcome.value for i in found] == ["failed", "failed", "error"]
    assert found[0].title == "acme/ml/credit main pushed to past review by mira"
    assert "which branches is not told" in found[2].title
    assert "pushes past review are told" in facts.query
    assert pushes(pull(world.collector(), cursor)[0]) == []


def test_events_that_are_not_told_are_said_to_be(world: World) -> None:
    world.gitlab.faults.append(Fault("/events", Answer({"message": "403 Forbidden"}, 403), times=9))
    items, _, facts = pull(world.collector())
    assert len(merges(items)) == 4
    assert "pushes past review are not told: HTTP 403" in facts.query


def protections(world: World, **settings: Any) -> dict[str, EvidenceItem]:
    items, _, _ = pull(world.collector(**settings))
    return {i.subject: i for i in items if i.kind == "review.protection"}


def test_branch_protection_and_approval_rules_are_one_state(world: World) -> None:
    credit = protections(world)["1000/main"]
    told = kept(credit)
    assert credit.outcome is Outcome.PASSED
    assert (told["required_approvals"], told["author_excluded"]) == (1, True)
    assert (told["stale_dismissed"], told["committers_excluded"]) == (True, True)
    assert (told["code_owners"], told["force_push"], told["bypass"]) == (True, False, [])
    assert told["required_checks"] == ["pipeline"]
    assert told["rules"] == ["approval rule All Members", "protected branch main"]


def test_on_the_free_tier_nobody_knows_of_approval_rules(world: World) -> None:
    churn = protections(world)["1001/main"]
    assert churn.outcome is Outcome.ERROR
    assert kept(churn)["unread"] == [
        "approval rules: HTTP 404", "approval settings: HTTP 404",
    ]  # fmt: skip


def test_ones_own_approval_is_no_second_person(world: World) -> None:
    world.credit.settings = SETTINGS | {"merge_requests_author_approval": True}
    own = protections(world)["1000/main"]
    assert own.outcome is Outcome.FAILED
    assert "which may be the author's own" in own.title
    world.credit.rules = [RULES[0] | {"approvals_required": 2}]
    assert protections(world)["1000/main"].outcome is Outcome.PASSED
    world.credit.rules, world.credit.settings = RULES, {}
    assert protections(world)["1000/main"].outcome is Outcome.ERROR


def test_who_may_push_past_the_rules_is_told(world: World) -> None:
    world.credit.guarded = [GUARDED[0] | {"push_access_levels": [NO_ONE, MAINTAINERS]}]
    past = protections(world)["1000/main"]
    assert kept(past)["bypass"] == ["Maintainers"]
    assert past.title.endswith("approvals required: 1; past the rules: Maintainers")


def test_a_branch_that_is_not_protected_fails_whatever_the_rules_ask(world: World) -> None:
    world.credit.guarded = []
    assert protections(world)["1000/main"].outcome is Outcome.FAILED


def test_protection_that_the_key_may_not_read_is_never_called_none(world: World) -> None:
    world.credit.maintainer = False
    world.credit.rules = [RULES[0] | {"approvals_required": 0}]
    unread = protections(world)["1000/main"]
    assert unread.outcome is Outcome.ERROR
    assert (kept(unread)["bypass"], kept(unread)["force_push"]) == (None, None)


def test_wildcards_and_rules_of_other_branches(world: World) -> None:
    world.credit.guarded = [*GUARDED, GUARDED[0] | {"name": "release/*"}]
    world.credit.rules = [RULES[0] | {"protected_branches": [{"name": "main"}]}]
    found = protections(world, branches=("release/1", "gone"))
    assert found["1000/main"].outcome is Outcome.PASSED
    assert found["1000/release/1"].outcome is Outcome.FAILED
    assert found["1000/gone"].outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (r"merge_requests\?", [{"iid": "1"}]),
        (r"merge_requests\?", {"message": "x"}),
        ("/1/approvals", {"approved_by": {}}),
        ("/1/versions", [{"created_at": None}]),
        ("/1$", {"state": "opened"}),
        ("credit$", {"id": 1000}),
        ("/user", []),
        ("graphql", {"data": {"project": {"mergeRequests": {"count": "3"}}}}),
    ],
)
def test_an_answer_of_another_shape_is_broken(world: World, place: str, value: Any) -> None:
    world.gitlab.faults.append(Fault(place, Answer(value), times=9))
    with pytest.raises(SourceBroken):
        pull(world.collector())


def test_no_key_in_what_an_error_says(world: World) -> None:
    world.gitlab.faults.append(Fault("/user", Answer({"message": f"bad {KEY}"}, 401)))
    with pytest.raises(SourceRefused) as refused:
        world.collector().probe()
    assert KEY not in str(refused.value)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="no full name such as"):
        GitLab(source="code", token=Secret("t"), repositories=("a/../b",))
