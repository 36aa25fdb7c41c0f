"""The GitHub collector against a GitHub on loopback: four eyes, order, cursors, hostile answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Window
from collectors.github import GitHub
from evidence.errors import ConfigError, SourceBroken, SourceBusy, SourceError, SourceRefused
from evidence.model import Change, EvidenceItem, Outcome
from evidence.secret import Secret
from tests.collectors import prism
from tests.collectors.github_server import KEY, START, Fault, Repo, sha, user
from tests.collectors.pulling import kept, pull
from tests.collectors.rest_server import Answer
from tests.collectors.worlds.github import HOUR, World

PAYLOADS = Path(__file__).parent / "payloads" / "github"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def merges(items: list[EvidenceItem]) -> dict[str, EvidenceItem]:
    return {i.subject: i for i in items if i.kind == "review.pull"}


def read(world: World, repo: Repo, number: int, **settings: Any) -> EvidenceItem:
    """The item of one merge; its repository is read from the beginning."""
    items, _, facts = pull(world.collector(repositories=(repo.name,), **settings))
    assert facts.gaps == ()
    return merges(items)[f"{repo.id}/{number}"]


def whys(item: EvidenceItem) -> list[str]:
    return [review["why"] for review in kept(item)["reviews"]]


def at(day: int, hours: float = 0) -> Any:
    return START + timedelta(days=day, hours=hours)


def test_a_merge_tells_who_did_what_in_which_order(world: World) -> None:
    items, _, facts = pull(world.collector())
    good = merges(items)[f"{world.credit.id}/1"]
    told = kept(good)
    assert good.outcome is Outcome.PASSED
    assert good.system == "credit-scoring"
    assert good.title == "acme/credit#1 merged by mira, approved by jonas: Change 1"
    assert (told["author"]["login"], told["merged_by"]["login"]) == ("mira", "mira")
    assert told["self_merged"]
    assert not told["merged_by_approver"]
    assert told["created"] < told["approved_at"] < told["merged"]
    assert (good.observed_from, good.observed_to) == (START, START + 2 * HOUR)
    assert told["checks"] == {
        "state": "passed", "unread": "",
        "runs": [{"name": "tests", "by": "github-actions", "state": "passed"}],
    }  # fmt: skip
    assert good.locator == "https://github.example/acme/credit/pull/1"
    assert set(merges(items)) == {"1000/1", "1000/2", "1000/3", "1001/1"}
    assert "evidence-reader" in facts.identity
    assert "scopes repo" in facts.identity
    assert {t.what: (t.promised, t.received) for t in facts.totals} == {
        "acme/credit: merged": (3, 3), "acme/churn: merged": (1, 1),
    }  # fmt: skip


def test_an_approval_before_the_last_push_is_told_and_does_not_count(world: World) -> None:
    stale = read(world, world.credit, world.stale)
    assert stale.outcome is Outcome.FAILED
    assert "no independent approval of its head (jonas: stale)" in stale.title
    (review,) = kept(stale)["reviews"]
    assert (review["said"], review["at_head"], review["counts"]) == ("approved", False, False)
    assert kept(stale)["stale_approvals"] == 1
    alone = read(world, world.credit, world.alone)
    assert alone.outcome is Outcome.FAILED
    assert alone.title.startswith("acme/credit#3 merged by mira, no independent approval")
    assert kept(alone)["checks"]["state"] == "none"


def test_a_force_push_back_to_what_was_approved_is_no_new_head(world: World) -> None:
    number = world.opened(world.credit, 6)
    world.github.review(world.credit, number, user("jonas"), at(6, 1))
    approved = world.credit.pulls[number]["head"]["sha"]
    world.github.push(world.credit, number, "mira", at(6, 2))
    world.credit.pulls[number]["head"]["sha"] = approved
    world.github.merge(world.credit, number, "mira", at(6, 3))
    assert read(world, world.credit, number).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("reviews", "outcome", "told"),
    [
        ([("jonas", 1, "APPROVED"), ("jonas", 2, "CHANGES_REQUESTED")], "failed",
         ["withdrawn", "objection"]),
        ([("jonas", 1, "CHANGES_REQUESTED"), ("jonas", 2, "APPROVED")], "passed",
         ["withdrawn", ""]),
        ([("jonas", 1, "APPROVED"), ("jonas", 2, "COMMENTED")], "passed", [""]),
        ([("jonas", 1, "APPROVED"), ("priya", 2, "CHANGES_REQUESTED")], "failed",
         ["", "objection"]),
        ([("jonas", 5, "APPROVED")], "failed", ["late"]),
        ([("mira", 1, "APPROVED")], "failed", ["author"]),
        ([(None, 1, "APPROVED")], "error", ["unnamed"]),
        (
            [("ghost", 1, "APPROVED")], "error", ["unnamed"]),
        ([("renovate-approve", 1, "APPROVED")], "failed", ["machine"]),
        ([("jonas", 1, "APPROVED"), ("jonas", 2, "APPROVED")], "passed", ["superseded", ""]),
        ([("jonas", 1, "APPROVED"), ("priya", 2, "APPROVED")], "passed", ["", ""]),
        ([], "failed", []),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_what_counts_as_a_second_pair_of_eyes(
    world: World, reviews: list[tuple[str | None, int, str]], outcome: str, told: list[str]
) -> None:
    number = world.opened(world.credit, 6)
    for by, hour, state in reviews:
        world.github.review(world.credit, number, by and user(by), at(6, hour), state)  # type: ignore[arg-type]
    world.github.merge(world.credit, number, "jonas", at(6, 4))
    item = read(world, world.credit, number, machines=("renovate-*",))
    assert (item.outcome.value, whys(item)) == (outcome, told)


@pytest.mark.parametrize("association", ["NONE", "CONTRIBUTOR", None])
def test_an_outsiders_approval_leaves_it_open(world: World, association: str | None) -> None:
    number = world.opened(world.credit, 6)
    world.github.review(
        world.credit, number, user("stranger"), at(6, 1), author_association=association
    )
    world.github.merge(world.credit, number, "mira", at(6, 2))
    item = read(world, world.credit, number)
    assert (item.outcome, whys(item)) == (Outcome.ERROR, ["outsider"])


def test_an_apps_approval_is_nobodys(world: World) -> None:
    number = world.opened(world.credit, 6)
    world.github.review(world.credit, number, user("approve[bot]", "Bot"), at(6, 1))
    world.github.merge(world.credit, number, "mira", at(6, 2))
    assert whys(read(world, world.credit, number)) == ["machine"]


def test_who_wrote_a_commit_of_it_is_no_second_pair_of_eyes(world: World) -> None:
    number = world.opened(world.credit, 6)
    world.github.push(world.credit, number, "jonas", at(6, 1))
    world.github.review(world.credit, number, user("jonas"), at(6, 2))
    world.github.merge(world.credit, number, "priya", at(6, 3))
    item = read(world, world.credit, number)
    assert (item.outcome, whys(item)) == (Outcome.FAILED, ["contributor"])
    assert [one["login"] for one in kept(item)["contributors"]] == ["jonas"]
    assert kept(item)["self_approved"]


def test_bringing_a_branch_up_to_date_by_the_site_writes_nothing(world: World) -> None:
    number = world.opened(world.credit, 6)
    two = [{"sha": sha("a")}, {"sha": sha("b")}]
    web = user("web-flow")
    world.github.push(world.credit, number, "jonas", at(6, 1), committer=web, parents=two)
    world.github.push(world.credit, number, None, at(6, 1), committer=None)
    world.github.review(world.credit, number, user("jonas"), at(6, 2))
    world.github.merge(world.credit, number, "mira", at(6, 3))
    item = read(world, world.credit, number)
    assert (item.outcome, kept(item)["contributors"], kept(item)["strangers"]) == (
        Outcome.PASSED, [], 1,
    )  # fmt: skip


def test_a_deleted_author_leaves_open_who_approved_whom(world: World) -> None:
    number = world.good(world.credit, 6, by=None)
    item = read(world, world.credit, number)
    assert item.outcome is Outcome.ERROR
    assert "its author's account was deleted" in item.title


def test_more_commits_than_github_lists_leave_open_who_wrote_them(world: World) -> None:
    number = world.opened(world.credit, 6)
    for _ in range(250):
        world.github.push(world.credit, number, "mira", at(6))
    world.github.review(world.credit, number, user("jonas"), at(6, 1))
    world.github.merge(world.credit, number, "mira", at(6, 2))
    item = read(world, world.credit, number, page_size=100)
    assert item.outcome is Outcome.ERROR
    assert "not all its commits are listed" in item.title


@pytest.mark.parametrize(("hours", "told"), [(1.5, "withdrawn"), (3, "")], ids=["before", "after"])
def test_a_dismissal_counts_from_when_it_was_made(world: World, hours: float, told: str) -> None:
    number = world.opened(world.credit, 6)
    review = world.github.review(world.credit, number, user("jonas"), at(6, 1))
    if hours < 2:
        world.github.dismiss(world.credit, number, review, at(6, hours))
    world.github.merge(world.credit, number, "mira", at(6, 2))
    before = read(world, world.credit, number)
    if hours > 2:
        world.github.dismiss(world.credit, number, review, at(6, hours))
    item = read(world, world.credit, number)
    assert whys(item) == [told]
    assert item.item_id == before.item_id


def test_checks_are_those_that_the_merge_relied_on(world: World) -> None:
    number = world.opened(world.credit, 6)
    made = world.github
    made.check(world.credit, number, at(6), "failure")
    made.check(world.credit, number, at(6, 1))
    made.check(world.credit, number, at(6, 1), "skipped", name="docs")
    made.review(world.credit, number, user("jonas"), at(6, 1))
    made.merge(world.credit, number, "mira", at(6, 2))
    before = read(world, world.credit, number)
    assert kept(before)["checks"]["state"] == "passed"
    made.check(world.credit, number, at(6, 5), "failure")
    assert read(world, world.credit, number).item_id == before.item_id
    states = [
        {"id": 1, "state": "failure", "context": "lint"} | {"created_at": "2026-11-08T09:30:00Z"}
    ]
    world.credit.statuses[world.credit.pulls[number]["head"]["sha"]] = states
    assert kept(read(world, world.credit, number))["checks"]["state"] == "failed"


def test_a_check_that_had_not_ended_is_pending(world: World) -> None:
    number = world.opened(world.credit, 6)
    world.github.check(world.credit, number, at(6, 1.99))
    world.github.check(world.credit, number, at(6), name="queued", started_at=None, status="queued")
    world.github.merge(world.credit, number, "mira", at(6, 2))
    checks = kept(read(world, world.credit, number))["checks"]
    assert checks["state"] == "pending"
    assert {run["state"] for run in checks["runs"]} == {"pending"}


def test_checks_that_the_key_may_not_read_are_unknown(world: World) -> None:
    refused = Answer({"message": "Resource not accessible"}, 403)
    world.github.faults.append(Fault("check-runs", refused, times=99))
    checks = kept(read(world, world.credit, 1))["checks"]
    assert (checks["state"], checks["unread"]) == ("unknown", "check runs: HTTP 403")


def test_whose_signatures_were_verified_is_told_of_every_commit_or_not_at_all(world: World) -> None:
    number = world.opened(world.credit, 6)
    unsigned = {"verification": {"verified": False, "reason": "unsigned"}}
    world.github.push(world.credit, number, "mira", at(6), commit=unsigned)
    world.github.merge(world.credit, number, "mira", at(6, 1))
    told = kept(read(world, world.credit, number))["signatures"]
    assert told == {"verified": 1, "unverified": {"unsigned": 1}, "unread": ""}
    world.credit.commits[number][0].pop("commit")
    told = kept(read(world, world.credit, number))["signatures"]
    assert told == {"verified": 0, "unverified": {}, "unread": "not told of every commit"}


def test_a_merge_into_a_branch_that_is_not_watched_is_recorded_only(world: World) -> None:
    base = {"ref": "topic-1", "sha": sha("base"), "repo": {"id": world.credit.id}}
    number = world.good(world.credit, 6, base=base)
    assert read(world, world.credit, number).outcome is Outcome.RECORDED
    assert read(world, world.credit, number, branches=("topic-1",)).outcome is Outcome.PASSED


def test_a_fork_that_was_deleted_is_still_one(world: World) -> None:
    head = {"ref": "topic", "sha": "", "repo": None}
    number = world.good(world.credit, 6, head=head)
    assert kept(read(world, world.credit, number))["fork"]


def test_model_versions_and_controls_come_from_labels(world: World) -> None:
    number = world.good(world.credit, 6, labels=[{"name": "model:churn:3"}, {"name": "A.2.2"}])
    told = kept(read(world, world.credit, number))
    assert told["labels"] == ["A.2.2", "model:churn:3"]
    assert told["models"] == [{"name": "churn", "version": "3"}]


def test_a_comment_on_an_old_merge_makes_it_no_fresher(world: World) -> None:
    items, cursor, _ = pull(world.collector())
    world.credit.pulls[1]["updated_at"] = "2026-11-20T09:00:00Z"
    again, _, facts = pull(world.collector(), cursor)
    assert merges(again)["1000/1"].item_id == merges(items)["1000/1"].item_id
    assert facts.received == 2 + 2  # it, what the overlap holds of the other, and the states


def test_what_changed_while_we_read_is_read_too(world: World) -> None:
    """A change that moves to the front, past the page we are on, is not lost for this pull."""
    for day in range(5, 12):
        world.good(world.credit, day)
    moved: list[int] = []

    def touched(said: Any) -> Any:
        world.credit.pulls[1]["updated_at"] = "2026-11-21T09:00:00Z"
        moved.append(1)
        return said

    world.github.faults.append(Fault(r"pulls\?.*page=2", touched))
    items, _, facts = pull(world.collector(repositories=("acme/credit",)))
    assert moved
    assert len(merges(items)) == 10
    assert facts.shortfall() == 0


def test_a_burst_in_one_second_survives_a_crash_after_any_batch(world: World) -> None:
    for _ in range(45):
        number = world.opened(world.credit, 6)
        world.github.merge(world.credit, number, "mira", at(6, 1))
    whole, cursor, _ = pull(world.collector(page_size=7))
    batches = list(world.collector(page_size=7).collect(None))
    assert len([b for b in batches if b.items]) >= 4
    for n, crashed in enumerate(batches):
        landed = [item for batch in batches[: n + 1] for item in batch.items]
        rest, _, _ = pull(world.collector(page_size=7), crashed.cursor)
        assert {i.item_id for i in merges(landed + rest).values()} == {
            i.item_id for i in merges(whole).values()
        }
    assert {i.item_id for i in pull(world.collector(), cursor)[0]} <= {i.item_id for i in whole}


def test_a_merge_that_the_list_hides_makes_the_pull_partial_until_it_shows(world: World) -> None:
    def short(said: Answer) -> Answer:
        rows = [row for row in said.data if row["number"] != 1]
        return Answer(rows, headers=said.headers)

    hiding = Fault(r"acme/credit/pulls\?|1000/pulls\?", short, times=99)
    world.github.faults.append(hiding)
    _, cursor, facts = pull(world.collector())
    assert facts.shortfall() == 1
    hiding.times = 0
    items, _, facts = pull(world.collector(), cursor)
    assert "1000/1" in merges(items)
    assert facts.shortfall() == 0


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"message": "Validation Failed"}, 422),
        Answer({"message": "API rate limit exceeded"}, 403, {"X-RateLimit-Remaining": "0"}),
        Answer({"total_count": 1, "incomplete_results": True, "items": []}),
    ],
    ids=["refused", "used-up", "cut"],
)
def test_a_search_that_does_not_count_is_told_and_stops_nothing(
    world: World, answer: Answer
) -> None:
    world.github.faults.append(Fault("search", answer, times=9))
    items, _, facts = pull(world.collector())
    assert len(merges(items)) == 4
    assert facts.totals == ()
    assert "the host counts nothing: " in facts.query


def test_the_first_day_and_the_overlap_bound_what_is_read(world: World) -> None:
    items, cursor, facts = pull(world.collector(start="2026-11-04"))
    assert set(merges(items)) == {"1000/3", "1001/1"}
    assert {t.what: t.promised for t in facts.totals}["acme/credit: merged"] == 1
    world.github.server.asked.clear()
    pull(world.collector(start="2026-11-04"), cursor)
    details = [a for a in world.github.server.asked if a.path.endswith("/reviews")]
    assert [a.path for a in details] == ["/repos/acme/churn/pulls/1/reviews"]


def test_a_window_of_the_past_brings_its_merges_only(world: World) -> None:
    window = Window(at(0), at(1.9))
    items, cursor, facts = pull(world.collector(window=window))
    assert list(merges(items)) == ["1000/1", "1000/2"]
    assert all(window.holds(item) for item in items)
    assert facts.states == ()
    again, _, _ = pull(world.collector(window=window), cursor)
    assert [i.item_id for i in again] == [i.item_id for i in items]


def test_other_settings_read_all_anew(world: World) -> None:
    _, cursor, _ = pull(world.collector())
    items, _, _ = pull(world.collector(machines=("jonas",)), cursor)
    assert {i.outcome for i in items if i.kind != "review.protection"} == {Outcome.FAILED}
    assert len(merges(items)) == 4


def test_a_renamed_repository_keeps_its_subjects(world: World) -> None:
    systems = {"acme/credit*": "credit-scoring"}
    before, cursor, _ = pull(world.collector(systems=systems))
    world.credit.old_names, world.credit.name = ["acme/credit"], "acme/credit-risk"
    new = world.good(world.credit, 8)
    items, _, facts = pull(world.collector(systems=systems), cursor)
    assert facts.gaps == ()
    assert f"1000/{new}" in merges(items)
    assert [i for i in items if i.kind == "review.protection"] == []
    fresh, _, _ = pull(world.collector(systems=systems))
    assert set(merges(before)) < set(merges(fresh))


def test_a_redirect_to_another_host_is_not_followed(world: World) -> None:
    away = Answer({}, 301, {"Location": "http://127.0.0.1:9/repositories/1000"})
    world.github.faults.append(Fault("/repos/acme/credit$", away))
    with pytest.raises(SourceRefused, match="not followed"):
        pull(world.collector())


def test_a_link_to_another_host_is_not_followed(world: World) -> None:
    def away(said: Answer) -> Answer:
        return Answer(said.data, headers={"Link": '<http://127.0.0.1:9/x?page=2>; rel="next"'})

    world.github.faults.append(Fault(r"pulls\?", away))
    with pytest.raises(SourceBroken, match="another origin"):
        pull(world.collector())


def test_a_page_that_leads_to_itself_is_broken(world: World) -> None:
    same = "state=closed&sort=updated&direction=desc&page=2"

    def stuck(said: Answer) -> Answer:
        to = f"{world.github.url}/repositories/1000/pulls?{same}"
        return Answer(said.data, headers={"Link": f'<{to}>; rel="next"'})

    world.github.faults.append(Fault("pulls", stuck, times=99))
    with pytest.raises(SourceBroken, match="repeats"):
        pull(world.collector())


def test_a_hidden_repository_is_a_gap_and_is_caught_up_when_it_returns(world: World) -> None:
    _, cursor, _ = pull(world.collector())
    world.churn.hidden = True
    items, cursor, facts = pull(world.collector(), cursor)
    assert [gap.what for gap in facts.gaps] == ["repository acme/churn"]
    assert facts.states == ()
    assert not [i for i in items if i.change is Change.GONE]
    assert world.collector().probe().endswith("reads acme/credit, not acme/churn")
    world.churn.hidden = False
    late = world.good(world.churn, 9)
    items, _, facts = pull(world.collector(), cursor)
    assert facts.gaps == ()
    assert f"1001/{late}" in merges(items)


def test_no_visible_repository_is_refused(world: World) -> None:
    with pytest.raises(SourceRefused, match=r"sees none of acme/none"):
        pull(world.collector(repositories=("acme/none",)))


@pytest.mark.parametrize("status", [502, 404], ids=["chokes", "gone"])
def test_one_change_that_cannot_be_read_is_a_gap_that_the_cursor_does_not_pass(
    world: World, status: int
) -> None:
    fault = Fault("/pulls/2/commits", Answer({"message": "no"}, status), times=9)
    world.github.faults.append(fault)
    items, cursor, facts = pull(world.collector())
    assert set(merges(items)) == {"1000/1", "1000/3", "1001/1"}
    assert [gap.what for gap in facts.gaps] == ["acme/credit#2"]
    fault.times = 0
    items, _, facts = pull(world.collector(), cursor)
    assert set(merges(items)) >= {"1000/2"}
    assert facts.gaps == ()


def test_two_failures_in_a_row_are_the_hosts_own_trouble(world: World) -> None:
    world.github.faults.append(Fault("/commits", Answer({"message": "no"}, 502), times=9))
    with pytest.raises(SourceBusy):
        pull(world.collector())


@pytest.mark.parametrize("place", ["/user", "/repos/acme/credit$", r"pulls\?", "/reviews", "main"])
@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (Answer({"message": "You have exceeded a secondary rate limit"}, 403), 60),
        (Answer({"message": "slow"}, 429, {"Retry-After": "900"}), 900),
        (Answer({"message": "API rate limit exceeded"}, 403,
                {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795338600"}), 600),
    ],
    ids=["secondary", "retry-after", "primary"],
)  # fmt: skip
def test_a_limit_is_never_taken_for_a_missing_permission(
    world: World, place: str, answer: Answer, wait: int
) -> None:
    world.github.faults.append(Fault(place, answer, times=9))
    with pytest.raises(SourceBusy) as busy:
        pull(world.collector())
    assert busy.value.retry_after == timedelta(seconds=wait)


def test_half_a_page_is_asked_for_again(world: World) -> None:
    half = Answer(raw=b'[{"number": 1, "updated_at": "2026-')
    for place in (r"pulls\?", "/reviews", "check-runs"):
        world.github.faults.append(Fault(place, half))
    items, _, facts = pull(world.collector(attempts=4))
    assert len(merges(items)) == 4
    assert facts.shortfall() == 0


def test_a_token_that_ends_on_the_way_leaves_what_landed(world: World) -> None:
    bad = Answer({"message": "Bad credentials"}, 401)
    world.github.faults.append(Fault("acme/churn/pulls", bad, times=9))
    walk = world.collector().collect(None)
    landed = [next(walk)]
    with pytest.raises(SourceRefused, match="401"):
        landed += walk
    world.github.faults.clear()
    rest, _, _ = pull(world.collector(), landed[-1].cursor)
    found = merges([i for batch in landed for i in batch.items] + rest)
    assert set(found) == {"1000/1", "1000/2", "1000/3", "1001/1"}


def test_an_installation_of_an_app_has_no_user(world: World) -> None:
    world.github.reader = None
    assert world.collector().probe().startswith("an app's installation reads acme/credit")


@pytest.mark.timeout(280)
@prism.asked
def test_requests_and_answers_are_as_the_vendor_describes(world: World, tmp_path: Path) -> None:
    number = world.opened(world.credit, 6)
    review = world.github.review(world.credit, number, user("jonas"), at(6, 1))
    world.github.dismiss(world.credit, number, review, at(6, 1.5))
    world.github.merge(world.credit, number, "mira", at(6, 2))
    world.github.gate(world.credit, world.live, "lea")
    world.github.release(world.credit, "v1", sha("m1"), at(1))
    with prism.proxy("github", world.github.url, tmp_path) as (proxied, log):
        settings = {"url": proxied, "page_size": 100}  # a link would lead past the proxy
        items, cursor, facts = pull(world.collector(**settings))
        assert (len(items), facts.gaps) == (9, ())
        pull(world.collector(**settings), cursor)
        assert "violation" not in log.read_text().lower(), log.read_text()
        # That the proxy does compare: an answer that is not as described is refused by it.
        world.credit.pulls[1]["title"] = 7
        with pytest.raises(SourceError, match=r"HTTP 500.*VIOLATIONS"):
            pull(world.collector(**settings))


def pushes(items: list[EvidenceItem]) -> list[EvidenceItem]:
    return [i for i in items if i.kind == "review.push"]


def test_what_came_past_review_fails_whoever_pushed_it(world: World) -> None:
    world.github.moved(world.credit, "branch_creation", "mira", at(-1))
    world.github.moved(world.credit, "push", "mira", at(3))
    world.github.moved(world.credit, "force_push", None, at(4))
    world.github.moved(world.credit, "push", "mira", at(4), branch="topic-9")
    items, cursor, facts = pull(world.collector())
    created, pushed, forced = pushes(items)
    assert [i.outcome for i in (created, pushed, forced)] == [
        Outcome.RECORDED, Outcome.FAILED, Outcome.FAILED,
    ]  # fmt: skip
    assert pushed.title == "acme/credit main pushed to past review by mira"
    assert forced.title == "acme/credit main rewritten past review by a deleted account"
    assert (pushed.observed_to, kept(pushed)["how"]) == (at(3), "pushed")
    assert "pushes past review are told" in facts.query
    assert pushes(pull(world.collector(), cursor)[0]) == []
    world.github.moved(world.credit, "push", "release[bot]", at(19.99))
    (late,) = pushes(pull(world.collector(), cursor)[0])
    assert late.outcome is Outcome.FAILED


def test_pushes_that_are_not_told_are_said_to_be_and_made_up_for_later(world: World) -> None:
    world.github.moved(world.credit, "push", "mira", at(3))
    refused = Fault("/activity", Answer({"message": "Not Found"}, 404), times=99)
    world.github.faults.append(refused)
    items, cursor, facts = pull(world.collector())
    assert pushes(items) == []
    assert "pushes past review are not told: HTTP 404" in facts.query
    refused.times = 0
    assert len(pushes(pull(world.collector(), cursor)[0])) == 1


def test_a_window_of_the_past_brings_its_pushes_only(world: World) -> None:
    for day in (0.5, 1.5, 2.5):
        world.github.moved(world.credit, "push", "mira", at(day))
    items, _, _ = pull(world.collector(window=Window(at(1), at(2))))
    assert [i.observed_to for i in pushes(items)] == [at(1.5)]


def protections(items: list[EvidenceItem]) -> dict[str, EvidenceItem]:
    return {i.subject: i for i in items if i.kind == "review.protection"}


def test_branch_protection_adds_up_from_both_kinds_of_rules(world: World) -> None:
    found = protections(pull(world.collector())[0])
    classic, ruleset = kept(found["1000/main"]), kept(found["1001/main"])
    assert {i.outcome for i in found.values()} == {Outcome.PASSED}
    assert classic["required_approvals"] == 1
    assert (classic["stale_dismissed"], classic["code_owners"]) == (True, False)
    assert (classic["required_checks"], classic["force_push"]) == (["tests"], False)
    assert (classic["administrators_bound"], classic["bypass"]) == (False, [])
    assert found["1000/main"].title.endswith(": 1; past the rules: administrators")
    assert (ruleset["required_approvals"], ruleset["code_owners"]) == (2, True)
    assert ruleset["rules"] == ["ruleset 7 of acme"]
    assert (ruleset["force_push"], ruleset["deletion"], ruleset["bypass"]) == (False, True, None)


def test_where_documents_lie_is_said_by_the_settings(world: World) -> None:
    found = protections(pull(world.collector(documents=("acme/ch*",)))[0])
    told = {i.title.partition(" ")[0]: i.payload.get("documents") for i in found.values()}
    assert told == {"acme/credit": None, "acme/churn": True}


def test_what_the_key_may_not_read_is_never_called_no_protection(world: World) -> None:
    world.credit.admin = world.churn.admin = False
    found = protections(pull(world.collector())[0])
    unread = found["1000/main"]
    assert unread.outcome is Outcome.ERROR
    assert "nobody knows whether an approval is required" in unread.title
    told = kept(unread)
    assert (told["readable"], told["unread"]) == (False, ["branch protection: HTTP 403"])
    assert (told["force_push"], told["signed"], told["bypass"]) == (None, None, None)
    # What the ruleset asks is known all the same: what cannot be read could only ask for more.
    assert found["1001/main"].outcome is Outcome.PASSED
    assert "approvals required: 2 or more" in found["1001/main"].title


def test_a_branch_without_any_rule_fails_and_a_lost_rule_shows(world: World) -> None:
    _, cursor, _ = pull(world.collector())
    world.credit.classic = None
    items, cursor, facts = pull(world.collector(), cursor)
    (bare,) = protections(items).values()
    assert (bare.outcome, bare.change) == (Outcome.FAILED, Change.CHANGED)
    assert bare.title == "acme/credit main: no approval is required"
    assert facts.states == ("review.protection",)
    old = [Fault("/rules/", Answer({"message": "Not Found"}, 404), times=9)]
    world.github.faults += old
    (unknown,) = [i for i in pull(world.collector(), cursor)[0] if i.subject == "1000/main"]
    assert unknown.outcome is Outcome.ERROR


def test_a_branch_that_is_not_there_is_no_pass(world: World) -> None:
    found = protections(pull(world.collector(branches=("release",)))[0])
    assert found["1000/release"].outcome is Outcome.ERROR
    assert "no such branch" in found["1000/release"].title


def test_genuine_branch_protection_is_read(world: World) -> None:
    recorded = json.loads((PAYLOADS / "branch_protection.json").read_text())
    none, bare, full = (one["response"] for one in recorded[:3])
    world.churn.hidden = True
    world.credit.classic = full
    told = kept(protections(pull(world.collector())[0])["1000/main"])
    assert (told["required_approvals"], told["stale_dismissed"], told["up_to_date"]) == (
        1, True, True,
    )  # fmt: skip
    assert told["required_checks"] == ["foo/bar"]
    world.credit.classic = bare
    assert protections(pull(world.collector())[0])["1000/main"].outcome is Outcome.FAILED
    world.github.faults.append(Fault("/protection", Answer(none, 404)))
    (found,) = protections(pull(world.collector())[0]).values()
    assert (found.outcome, kept(found)["unread"]) == (Outcome.FAILED, [])


def test_a_genuine_pull_request_is_read(world: World) -> None:
    recorded = json.loads((PAYLOADS / "pull_request.json").read_text())
    done = {"merged_at": "2019-05-15T15:21:18Z", "merged_by": user("mira"), "state": "closed"}
    world.credit.pulls = {2: recorded["pull_request"] | done}
    review = recorded["review"] | {"state": "APPROVED", "user": user("jonas")}
    assert review["author_association"] == "OWNER"
    world.credit.reviews = {2: [review]}
    item = read(world, world.credit, 2)
    assert item.outcome is Outcome.RECORDED  # into master, while the default branch is main
    item = read(world, world.credit, 2, branches=("master",))
    assert (item.outcome, whys(item)) == (Outcome.PASSED, [""])
    told = kept(item)
    assert (told["author"], told["labels"]) == ({"id": "21031067", "login": "Codertocat"}, ["bug"])
    assert item.locator == "https://github.com/Codertocat/Hello-World/pull/2"
    # A webhook's dismissed review, in its own spelling: nobody tells when, so it does not count.
    world.credit.reviews = {2: [recorded["review"] | {"user": user("jonas")}]}
    item = read(world, world.credit, 2, branches=("master",))
    assert (item.outcome, whys(item)) == (Outcome.FAILED, ["withdrawn"])


def test_hostile_texts_stay_texts(world: World) -> None:
    number = world.good(
        world.credit, 6, title="a\x1b[2J\n<script>\u202e\ud800 b", html_url="javascript:alert(1)"
    )
    item = read(world, world.credit, number)
    assert "\x1b" not in item.title
    assert "\n" not in item.title
    assert "\u202e" not in item.title
    assert item.locator == ""


def test_no_key_in_what_an_error_says(world: World) -> None:
    world.github.faults.append(Fault("/user", Answer({"message": f"bad token {KEY}"}, 401)))
    with pytest.raises(SourceRefused) as refused:
        world.collector().probe()
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (r"pulls\?", [{"number": "1"}]),
        (r"pulls\?", [{"number": 1, "updated_at": "yesterday"}]),
        (r"pulls\?", {"message": "x"}),
        ("/reviews", [{"id": 1, "state": "BLESSED", "submitted_at": "2026-11-02T09:00:00Z"}]),
        ("/reviews", [{"id": 1, "state": "APPROVED"}]),
        ("/check-runs", []),
        ("/pulls/1$", {"merged_at": None}),
        ("/repos/acme/credit$", {"id": 1}),
        ("/user", []),
        ("/protection", []),
    ],
)
def test_an_answer_of_another_shape_is_broken(world: World, place: str, value: Any) -> None:
    world.github.faults.append(Fault(place, Answer(value), times=9))
    with pytest.raises(SourceBroken):
        pull(world.collector())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"repositories": ()}, "repositories must be a list"),
        ({"repositories": "acme/credit"}, "repositories must be a list"),
        ({"repositories": ("credit",)}, "no full name such as"),
        ({"repositories": ("../credit/x",)}, "no full name such as"),
        ({"start": "last year"}, "is not a date"),
        ({"lookback": 0}, "lookback must lie between 1 and"),
        ({"page_size": 101}, "page_size must lie between 1 and 100"),
        ({"branches": "main"}, "branches must be a list"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any], told: str) -> None:
    usual: dict[str, Any] = {"source": "code", "token": Secret("t"), "repositories": ("a/b",)}
    with pytest.raises(ConfigError, match=told):
        GitHub(**(usual | wrong))


def test_every_error_of_a_pull_is_one_of_the_sources(world: World) -> None:
    world.github.faults.append(Fault("", Answer(raw=b"\xff\xfe\x00"), times=99))
    with pytest.raises(SourceError):
        pull(world.collector())
