"""The view `drafts`: which acts count, which decision stands, and who is shown none of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.draft import Act
from evidence.excerpt import Excerpt
from evidence.runs import PullOutcome
from storage.actions import land_own
from storage.drafts import draft_item, drafts_in, told_draft
from storage.pages import all_rows
from storage.views import connect
from tests.storage.makers import World, item

FACTS: dict[str, Any] = {
    "task": "summary", "about": "Evidence summary: A.2.4", "model": "m-1", "model_digest": "0" * 64,
    "prompt_digest": "1" * 64, "text": "words", "text_sha256": "2" * 64, "unwritten": 0,
    "cited": [item(1).item_id], "relied": [item(1).item_id], "given": [], "controls": [],
    "sentences": [{"text": "words", "cites": []}],
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "lake")
    made.land(item(1), item(2), cursor="1", outcome=PullOutcome.COMPLETE)
    return made


def landed(world: World, act: Act, **facts: Any) -> str:
    world.clock.now += timedelta(minutes=1)
    made = draft_item(world.lake, act, FACTS | facts, title=act)
    land_own(world.lake, lambda _: ((made,), None))
    return made.item_id


def only(world: World) -> dict[str, Any]:
    with connect(world.lake) as connection:
        (row,) = drafts_in(connection)
    assert told_draft(row)
    return row


def test_of_two_decisions_the_rejection_stands_until_it_is_taken_back(world: World) -> None:
    draft = landed(world, Act.DRAFT)
    assert only(world)["state"] == "open"
    landed(world, Act.ACCEPT, answers=draft, by="Ada", reason="read")
    rejected = landed(world, Act.REJECT, answers=draft, by="Ben", reason="wrong")
    row = only(world)
    assert (row["state"], row["decided_by"], row["sentences"]) == ("rejected", "Ben", 1)
    landed(world, Act.WITHDRAW, answers=rejected, reason="nobody says so")
    assert only(world)["state"] == "rejected", "an act without a person decides nothing"
    landed(world, Act.WITHDRAW, answers=rejected, by="Cid", reason="read again")
    assert (only(world)["state"], only(world)["decided_by"]) == ("accepted", "Ada")


def test_what_is_malformed_or_of_another_form_decides_nothing(world: World) -> None:
    draft = landed(world, Act.DRAFT, cited="no list", relied={"a": 1}, sentences="x", unwritten="x")
    landed(world, Act.ACCEPT, answers=draft, by="", reason="nobody")
    landed(world, Act.ACCEPT, answers=None, by="Ada", reason="of nothing")
    landed(world, Act.REJECT, answers=draft, by="Ada", form="headwater.draft/9")
    row = only(world)
    assert (row["state"], row["cited"], row["sentences"], row["unwritten"]) == ("open", [], 0, 0)
    assert not row["outdated"]


def test_an_item_that_is_not_there_outdates_it(world: World) -> None:
    landed(world, Act.DRAFT, relied=["f" * 64])
    assert only(world)["outdated"]


def test_it_speaks_to_nothing_and_an_excerpt_shows_none(world: World) -> None:
    landed(world, Act.DRAFT)
    with connect(world.lake, excerpt=Excerpt(systems=(item(1).system,))) as connection:
        assert drafts_in(connection) == []
        assert "words" not in str(all_rows(connection, "SELECT * FROM evidence"))
