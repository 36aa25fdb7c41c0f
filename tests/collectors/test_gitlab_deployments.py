"""Deployments at GitLab: the same questions as at GitHub, asked of what GitLab tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Window
from evidence.model import EvidenceItem, Outcome
from tests.collectors.github_server import Fault, sha
from tests.collectors.gitlab_server import START, user, written
from tests.collectors.pulling import kept, pull
from tests.collectors.rest_server import Answer
from tests.collectors.worlds.gitlab import HOUR, World


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


def gate(by: str, status: str = "approved") -> dict[str, Any]:
    return {"user": user(by), "status": status, "created_at": written(at(0, 3)), "comment": "ok"}


def test_a_deployment_tells_the_same_as_at_any_code_host(world: World) -> None:
    world.credit.deployments[world.live]["approvals"] = [gate("lea"), gate("mira")]
    good = read(world, world.live)
    told = kept(good)
    assert good.outcome is Outcome.PASSED
    assert good.system == "credit-scoring"
    assert "in service: #1 merged by mira, approved by jonas" in good.title
    assert (good.observed_from, good.observed_to) == (at(0.2), at(0.2) + HOUR / 6)
    assert (told["changes"], told["deployed_by_author"]) == ([1], True)
    assert (told["gate_approvals"], told["gate_self_approved"]) == (1, True)
    assert told["gates"][0]["at"].startswith("2026-11-02T12:00")


def test_what_was_not_approved_before_it_was_deployed_fails(world: World) -> None:
    stale = world.deployed(world.credit, world.stale, 2)
    by_hand = world.deployed(world.credit, 1, 2, commit=sha("pushed by hand"))
    late = world.deployed(world.credit, 1, 0.05)
    alone = world.deployed(world.credit, world.alone, 3)
    over = world.deployed(world.credit, 1, 4, approvals=[gate("lea", "rejected")])
    for number, why in (
        (stale, "no independent approval"), (by_hand, "came by no merged change"),
        (late, "before #1 was merged"), (alone, "no independent approval"),
        (over, "over the rejection of lea"),
    ):  # fmt: skip
        item = read(world, number)
        assert (item.outcome, why in item.title) == (Outcome.FAILED, True), item.title


def test_a_commit_that_is_gone_leaves_it_open(world: World) -> None:
    item = read(world, world.deployed(world.credit, 1, 2, commit=sha("gone")))
    assert (item.outcome, "HTTP 404" in item.title) == (Outcome.ERROR, True)


def test_a_merge_request_into_a_fork_vouches_for_nothing(world: World) -> None:
    world.credit.requests[1]["target_project_id"] = 666
    assert read(world, world.live).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("status", "stage", "began"),
    [
        ("created", "waiting", False),
        ("blocked", "waiting", False),
        ("running", "running", True),
        ("failed", "failed", True),
        ("canceled", "failed", True),
    ],
)
def test_what_is_not_in_service_passes_nothing(
    world: World, status: str, stage: str, began: bool
) -> None:
    item = read(world, world.deployed(world.credit, 1, 2, status=status))
    assert (item.outcome, kept(item)["stage"]) == (Outcome.RECORDED, stage)
    assert (kept(item)["began"] is not None) is began
    by_hand = read(world, world.deployed(world.credit, 1, 2, status=status, commit=sha("hand")))
    assert by_hand.outcome is (Outcome.FAILED if began else Outcome.RECORDED)


def test_a_deployment_without_a_job_began_when_it_was_told(world: World) -> None:
    number = world.deployed(world.credit, 1, 2, deployable=None)
    item = read(world, number)
    assert (item.outcome, item.observed_to) == (Outcome.PASSED, at(2))
    assert kept(item)["gates_unread"] == "approvals of deployments are not shown"


def test_one_that_ends_later_moves_to_the_front_and_is_read_again(world: World) -> None:
    number = world.deployed(world.credit, 1, 5, status="running")
    _, cursor, _ = pull(world.collector())
    world.credit.deployments[number] |= {"status": "success", "updated_at": written(at(20))}
    items, _, _ = pull(world.collector(), cursor)
    assert deployments(items)[f"1000/deployment/{number}"].outcome is Outcome.PASSED


def test_the_tier_of_an_environment_counts_whatever_its_name(world: World) -> None:
    blue = {"id": 3, "name": "blue"}
    world.deployed(world.credit, 1, 5, environment=blue)
    number = world.deployed(world.credit, 1, 6)
    world.credit.deployments[number]["environment"] = blue | {"tier": "production"}
    world.credit.deployments[number - 1]["environment"] = blue
    items, _, _ = pull(world.collector())
    assert set(deployments(items)) == {f"1000/deployment/{nr}" for nr in (world.live, number)}


def test_deployments_that_are_not_told_any_more_make_the_pull_partial(world: World) -> None:
    _, cursor, _ = pull(world.collector())
    world.gitlab.faults.append(Fault("/deployments", Answer({}, 403), times=99))
    items, _, facts = pull(world.collector(), cursor)
    assert (deployments(items), len(facts.gaps)) == ({}, 2)
    _, _, facts = pull(world.collector())
    assert (facts.gaps, "deployments are not told: HTTP 403" in facts.query) == ((), True)


def test_a_window_of_the_past_brings_what_ended_in_it(world: World) -> None:
    number = world.deployed(world.credit, 1, 5)
    items, _, _ = pull(world.collector(window=Window(at(4), at(6))))
    assert set(deployments(items)) == {f"1000/deployment/{number}"}


def test_a_release_counts_from_when_it_was_made_whatever_it_says(world: World) -> None:
    row = {
        "tag_name": "v1",
        "name": "One",
        "author": user("mira"),
        "commit": {"id": sha("1000-m1")},
    }
    for n, (day, told) in enumerate(((0, 9), (3, -9))):
        times = {"created_at": written(at(day)), "released_at": written(at(told))}
        world.credit.releases.append(row | times | {"tag_name": f"v{n}/x"})
    items, cursor, _ = pull(world.collector())
    found = {kept(i)["tag"]: i for i in items if i.kind == "review.release"}
    assert {tag: i.outcome for tag, i in found.items()} == {
        "v0/x": Outcome.FAILED, "v1/x": Outcome.PASSED,
    }  # fmt: skip
    assert found["v1/x"].subject == "1000/release/v1%2Fx"
    assert [i for i in pull(world.collector(), cursor)[0] if i.kind == "review.release"] == []
    del row["commit"]
    world.credit.releases = [row | {"created_at": written(at(4))}]
    (item,) = (i for i in pull(world.collector())[0] if i.kind == "review.release")
    assert item.outcome is Outcome.ERROR
