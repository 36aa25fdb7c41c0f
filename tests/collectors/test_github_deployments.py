"""Deployments at GitHub: what was deployed had been approved before, or it is not said to have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Window
from evidence.model import EvidenceItem, Outcome
from tests.collectors.github_server import START, Fault, sha, user
from tests.collectors.pulling import kept, pull
from tests.collectors.rest_server import Answer
from tests.collectors.worlds.github import HOUR, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def deployments(items: list[EvidenceItem]) -> dict[str, EvidenceItem]:
    return {i.subject: i for i in items if i.kind == "review.deployment"}


def read(world: World, number: int, **settings: Any) -> EvidenceItem:
    """The item of one deployment, read from the beginning."""
    items, _, facts = pull(world.collector(**settings))
    assert facts.gaps == ()
    return deployments(items)[f"{world.credit.id}/deployment/{number}"]


def at(day: float, hours: float = 0) -> Any:
    return START + timedelta(days=day, hours=hours)


def test_a_deployment_tells_who_brought_what_into_service_and_who_had_approved_it(
    world: World,
) -> None:
    world.github.gate(world.credit, world.live, "lea")
    good = read(world, world.live)
    told = kept(good)
    assert good.outcome is Outcome.PASSED
    assert good.system == "credit-scoring"
    assert good.title == (
        f"acme/credit {sha('m1')[:7]} to production by mira, in service:"
        " #1 merged by mira, approved by jonas"
    )
    assert (good.observed_from, good.observed_to) == (at(0.2), at(0.2) + HOUR / 6)
    assert good.actor == "mira (425)"
    assert (told["changes"], told["in_service"], told["commit"]) == ([1], True, sha("m1"))
    assert [(g["by"]["login"], g["said"]) for g in told["gates"]] == [("lea", "approved")]
    assert (told["gate_approvals"], told["gate_self_approved"]) == (1, False)
    assert (told["deployed_by_author"], told["deployed_by_approver"]) == (True, False)
    assert good.locator.endswith(f"/acme/credit/actions/runs/{world.live}/job/1")


def test_what_was_not_approved_before_it_was_deployed_fails(world: World) -> None:
    stale = world.deployed(world.credit, world.stale, 2)
    by_hand = world.deployed(world.credit, 1, 2, commit=sha("pushed by hand"))
    early = world.deployed(world.credit, 1, -1)
    late = world.deployed(world.credit, 1, 0.05)
    for number, why in (
        (stale, "no independent approval of its head (jonas: stale)"),
        (by_hand, "its commit came by no merged change"),
        (early, "before #1 was merged"),
        (late, "before #1 was merged"),
    ):
        item = read(world, number)
        assert (item.outcome, why in item.title) == (Outcome.FAILED, True), item.title


def test_what_cannot_be_told_is_never_a_pass(world: World) -> None:
    number = world.opened(world.credit, 3)
    part = world.credit.commits[number][0]["sha"]
    world.github.push(world.credit, number, "mira", at(3, 1))
    world.github.review(world.credit, number, user("jonas"), at(3, 2))
    world.github.merge(world.credit, number, "mira", at(3, 3))
    other = world.good(world.credit, 4, base={"ref": "old", "repo": {"id": world.credit.id}})
    silent = world.github.deploy(world.credit, sha("m1"), at(5))
    for deployed, why in (
        (world.deployed(world.credit, 1, 6, commit=part), f"a part of #{number}"),
        (world.deployed(world.credit, 1, 6, commit=sha("gone")), "HTTP 422"),
        (world.deployed(world.credit, other, 6), "a branch nobody watches"),
        (silent, "what came of it is not told"),
    ):
        item = read(world, deployed)
        assert (item.outcome, why in item.title) == (Outcome.ERROR, True), item.title
    assert read(world, world.deployed(world.credit, other, 6), branches=("old",)).outcome is (
        Outcome.PASSED
    )


def test_the_head_that_was_approved_may_be_deployed_once_it_is_merged(world: World) -> None:
    head = world.credit.pulls[1]["head"]["sha"]
    assert read(world, world.deployed(world.credit, 1, 1, commit=head)).outcome is Outcome.PASSED
    assert read(world, world.deployed(world.credit, 1, 0, commit=head)).outcome is Outcome.FAILED


def test_of_several_changes_with_one_commit_the_worst_counts(world: World) -> None:
    twin = world.opened(world.credit, 3)
    world.github.merge(world.credit, twin, "mira", at(3, 1))
    world.credit.pulls[twin]["merge_commit_sha"] = sha("m1")
    item = read(world, world.deployed(world.credit, 1, 4))
    assert (item.outcome, f"#{twin} " in item.title) == (Outcome.FAILED, True)
    # What was merged after it was deployed had no part in it.
    assert read(world, world.live).outcome is Outcome.PASSED


def test_a_pull_request_of_a_fork_with_the_same_commit_vouches_for_nothing(world: World) -> None:
    world.credit.pulls[1]["base"] = {"ref": "main", "repo": {"id": 666}}
    item = read(world, world.live)
    assert (item.outcome, "no merged change" in item.title) == (Outcome.FAILED, True)


def test_what_has_not_ended_is_read_again_until_it_has(world: World) -> None:
    commit = sha("m1")
    waits = world.github.deploy(world.credit, commit, at(6))
    world.github.came(world.credit, waits, "queued", at(6))
    items, cursor, _ = pull(world.collector())
    first = deployments(items)[f"1000/deployment/{waits}"]
    assert (first.outcome, kept(first)["stage"]) == (Outcome.RECORDED, "waiting")
    after = world.deployed(world.credit, 1, 7)
    items, cursor, _ = pull(world.collector(), cursor)
    assert set(deployments(items)) == {f"1000/deployment/{nr}" for nr in (waits, after)}
    world.github.came(world.credit, waits, "in_progress", at(8))
    items, cursor, _ = pull(world.collector(), cursor)
    runs = deployments(items)[first.subject]
    assert (runs.outcome, kept(runs)["stage"]) == (Outcome.RECORDED, "running")
    world.github.came(world.credit, waits, "success", at(8, 1))
    items, cursor, _ = pull(world.collector(), cursor)
    done = deployments(items)[first.subject]
    assert (done.outcome, done.observed_to) == (Outcome.PASSED, at(8, 1))
    world.github.came(world.credit, waits, "inactive", at(9))
    items, _, _ = pull(world.collector(), cursor)
    assert deployments(items) == {}
    assert read(world, waits).content_sha256 == done.content_sha256


def test_what_nobody_ever_ended_is_not_read_for_ever(world: World) -> None:
    waits = world.github.deploy(world.credit, sha("m1"), at(0.5))
    world.github.came(world.credit, waits, "queued", at(0.5))
    world.github.now = at(50)
    world.deployed(world.credit, 1, 49)
    _, cursor, _ = pull(world.collector())
    items, _, _ = pull(world.collector(), cursor)
    assert f"1000/deployment/{waits}" not in deployments(items)


def test_unapproved_work_fails_as_soon_as_it_begins_and_stays_so(world: World) -> None:
    number = world.github.deploy(world.credit, sha("by hand"), at(6))
    world.github.came(world.credit, number, "in_progress", at(6, 1))
    assert read(world, number).outcome is Outcome.FAILED
    world.github.came(world.credit, number, "failure", at(6, 2))
    assert read(world, number).outcome is Outcome.FAILED


def test_what_failed_or_never_began_brings_nothing_into_service(world: World) -> None:
    crashed = world.github.deploy(world.credit, sha("m1"), at(6))
    world.github.came(world.credit, crashed, "in_progress", at(6, 1))
    world.github.came(world.credit, crashed, "error", at(6, 2))
    stopped = world.github.deploy(world.credit, sha("by hand"), at(6))
    world.github.came(world.credit, stopped, "failure", at(6, 2))
    for number in (crashed, stopped):
        item = read(world, number)
        assert (item.outcome, kept(item)["in_service"]) == (Outcome.RECORDED, False)


def test_a_deployment_that_was_just_asked_for_is_left_to_the_next_pull(world: World) -> None:
    number = world.github.deploy(world.credit, sha("m1"), world.github.now - HOUR / 2)
    items, cursor, _ = pull(world.collector())
    assert f"1000/deployment/{number}" not in deployments(items)
    world.github.came(world.credit, number, "success", world.github.now - HOUR / 3)
    items, _, _ = pull(world.collector(), cursor)
    assert deployments(items)[f"1000/deployment/{number}"].outcome is Outcome.PASSED


def test_a_rejection_that_nobody_overruled_fails_what_was_deployed_all_the_same(
    world: World,
) -> None:
    world.github.gate(world.credit, world.live, "lea", "rejected")
    world.github.gate(world.credit, world.live, "otto", environment="staging")
    item = read(world, world.live)
    assert (item.outcome, "over the rejection of lea" in item.title) == (Outcome.FAILED, True)
    world.github.gate(world.credit, world.live, "mira")
    item = read(world, world.live)
    assert item.outcome is Outcome.PASSED
    assert (kept(item)["gate_approvals"], kept(item)["gate_self_approved"]) == (0, True)


def test_approvals_of_the_environment_that_are_not_shown_are_said_to_be(world: World) -> None:
    world.github.faults.append(Fault("/approvals", Answer({}, 403)))
    item = read(world, world.live)
    assert kept(item)["gates_unread"] == f"approvals of run {world.live}: HTTP 403"


@pytest.mark.parametrize(
    ("environment", "settings", "read_"),
    [
        ("staging", {}, False),
        ("delivery", {}, False),
        ("eu-prod-2", {}, True),
        ("Live", {}, True),
        ("staging", {"environments": ("stag*",)}, True),
        ("production", {"environments": ("stag*",)}, False),
    ],
)
def test_only_what_serves_people_is_judged(
    world: World, environment: str, settings: dict[str, Any], read_: bool
) -> None:
    number = world.deployed(world.churn, 1, 5, environment=environment)
    items, _, _ = pull(world.collector(**settings))
    assert (f"1001/deployment/{number}" in deployments(items)) is read_


def test_the_word_of_the_host_counts_whatever_the_name(world: World) -> None:
    number = world.deployed(world.churn, 1, 5, environment="blue", production_environment=True)
    items, _, _ = pull(world.collector())
    assert deployments(items)[f"1001/deployment/{number}"].outcome is Outcome.PASSED


def test_deployments_that_are_not_told_are_said_to_be_and_made_up_for_later(world: World) -> None:
    hidden = Fault("/deployments", Answer({"message": "Not accessible"}, 403), times=99)
    world.github.faults.append(hidden)
    items, cursor, facts = pull(world.collector())
    assert (deployments(items), facts.gaps) == ({}, ())
    assert "deployments are not told: HTTP 403" in facts.query
    hidden.times = 0
    items, cursor, facts = pull(world.collector(), cursor)
    assert set(deployments(items)) == {f"1000/deployment/{world.live}"}
    assert "deployments are told" in facts.query
    # A key that may read less than it could is no quiet time.
    hidden.times = 99
    _, cursor, facts = pull(world.collector(), cursor)
    assert {(gap.what, gap.why) for gap in facts.gaps} == {
        (f"acme/{name}: deployments", "not told: HTTP 403, and were told before")
        for name in ("credit", "churn")
    }
    hidden.times = 0
    late = world.deployed(world.credit, 1, 20)
    items, _, facts = pull(world.collector(), cursor)
    assert (f"1000/deployment/{late}" in deployments(items), facts.gaps) == (True, ())


def test_one_deployment_that_cannot_be_read_is_a_gap_that_the_cursor_does_not_pass(
    world: World,
) -> None:
    later = world.deployed(world.credit, 1, 9)
    world.github.faults.append(Fault(f"deployments/{world.live}$", Answer({}, 502)))
    items, cursor, facts = pull(world.collector())
    assert set(deployments(items)) == {f"1000/deployment/{later}"}
    assert [gap.what for gap in facts.gaps] == [f"acme/credit deployment {world.live}"]
    items, _, facts = pull(world.collector(), cursor)
    assert f"1000/deployment/{world.live}" in deployments(items)
    assert facts.gaps == ()


def test_a_window_of_the_past_brings_what_ended_in_it(world: World) -> None:
    slow = world.github.deploy(world.credit, sha("m1"), at(1))
    world.github.came(world.credit, slow, "success", at(5))
    world.deployed(world.credit, 1, 8)
    items, _, _ = pull(world.collector(window=Window(at(4), at(6))))
    assert set(deployments(items)) == {f"1000/deployment/{slow}"}
    items, _, _ = pull(world.collector(window=Window(at(0.5), at(2))))
    assert deployments(items) == {}


def test_the_first_day_bounds_deployments_too(world: World) -> None:
    later = world.deployed(world.credit, 1, 9)
    items, _, _ = pull(world.collector(start="2026-11-10"))
    assert set(deployments(items)) == {f"1000/deployment/{later}"}


def test_model_versions_come_from_the_labels_of_the_change(world: World) -> None:
    world.credit.pulls[1]["labels"] = [{"name": "model:churn:3"}, {"name": "A.6.2.5"}]
    told = kept(read(world, world.live))
    assert told["models"] == [{"name": "churn", "version": "3"}]
    assert told["labels"] == ["A.6.2.5", "model:churn:3"]


def test_a_deployer_who_is_gone_and_hostile_texts_stay_texts(world: World) -> None:
    evil = "\x1b[31m<script>production"
    number = world.deployed(world.credit, 1, 5, by=None, environment=evil, ref="\u202erm -rf")
    item = read(world, number, environments=("*production",))
    assert (item.actor, "by a deleted account" in item.title) == ("", True)
    assert "\x1b" not in item.title
    assert kept(item)["environment"] == evil


def released(items: list[EvidenceItem]) -> dict[str, EvidenceItem]:
    return {kept(i)["tag"]: i for i in items if i.kind == "review.release"}


def test_a_release_is_judged_by_how_its_commit_came(world: World) -> None:
    world.credit.pulls[1]["labels"] = [{"name": "model:churn:3"}]
    world.github.release(world.credit, "v1", sha("m1"), at(1))
    world.github.release(world.credit, "release/2", sha("by hand"), at(2))
    world.github.release(world.credit, "v0", sha("m1"), at(0))
    world.github.release(world.credit, "v3-rc", sha("by hand"), at(3), prerelease=True)
    world.github.release(world.credit, "draft", sha("m1"), at(3), draft=True, published_at=None)
    world.github.release(world.credit, "lost", sha("m1"), at(3))
    world.credit.tags.pop("lost")
    items, _, facts = pull(world.collector())
    found = released(items)
    assert {tag: item.outcome for tag, item in found.items()} == {
        "v1": Outcome.PASSED, "release/2": Outcome.FAILED, "v0": Outcome.FAILED,
        "v3-rc": Outcome.RECORDED, "lost": Outcome.ERROR,
    }  # fmt: skip
    assert found["v1"].title == (
        "acme/credit v1 released by mira: #1 merged by mira, approved by jonas"
    )
    assert kept(found["v1"])["models"] == [{"name": "churn", "version": "3"}]
    assert (found["v1"].observed_to, found["v1"].system) == (at(1), "credit-scoring")
    assert "releases are told" in facts.query


def test_a_release_that_cannot_be_read_is_a_gap_and_news_are_found(world: World) -> None:
    world.github.release(world.credit, "v1", sha("m1"), at(1))
    world.deployed(world.credit, world.stale, 2)
    world.github.faults.append(Fault(r"pulls/1$", Answer({}, 502), skip=2))
    items, cursor, facts = pull(world.collector())
    assert ([gap.what for gap in facts.gaps], released(items)) == (["acme/credit release v1"], {})
    items, cursor, facts = pull(world.collector(), cursor)
    assert (list(released(items)), facts.gaps) == (["v1"], ())
    assert released(pull(world.collector(), cursor)[0]) == {}
    world.github.release(world.credit, "old commit, new release", sha("m1"), at(20))
    items, _, _ = pull(world.collector(window=None), cursor)
    assert list(released(items)) == ["old commit, new release"]
    items, _, _ = pull(world.collector(window=Window(at(0.5), at(2))))
    assert list(released(items)) == ["v1"]
