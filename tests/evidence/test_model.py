"""An item is its content: the id follows from it, and what cannot be trusted cannot be built."""

from __future__ import annotations

import hashlib
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import InvalidItem, SourceBroken
from evidence.model import Change, Cursor, EvidenceItem, Nature, Outcome
from evidence.snapshot import Snapshot

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def item(**changes: Any) -> EvidenceItem:
    given = {
        "source": "s", "kind": "k", "subject": "x", "observed_from": AT, "observed_to": AT,
        "collected_at": AT, "payload": {"a": 1.5},
    } | changes  # fmt: skip
    return EvidenceItem(**given)


def state(subject: str, value: object, at: datetime = AT) -> EvidenceItem:
    return item(
        subject=subject, payload={"v": value}, nature=Nature.STATE,
        observed_from=at, observed_to=at, collected_at=at, title=subject,
    )  # fmt: skip


def test_id_is_recomputed_from_the_documented_form() -> None:
    made = item(system="m", outcome=Outcome.PASSED)
    content = hashlib.sha256(rfc8785.dumps({"a": 1.5})).hexdigest()
    at = "2026-11-23T12:00:00.000000Z"
    form = {
        "form": "headwater.item/1", "source": "s", "kind": "k", "nature": "event", "system": "m",
        "subject": "x", "observed_from": at, "observed_to": at, "change": "new",
        "outcome": "passed", "content_sha256": content,
    }  # fmt: skip
    assert item(system="m").content_sha256 == content
    assert made.item_id == hashlib.sha256(rfc8785.dumps(form)).hexdigest()


def test_an_item_keeps_no_more_than_it_says() -> None:
    payload = {"text": "x" * 800}
    tracemalloc.start()
    try:
        items = [item(subject=str(number), payload=payload) for number in range(100)]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3 * sum(len(one.content) for one in items), "orjson's own bytes are four times"


def test_collection_time_and_zone_do_not_change_the_id() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5)))
    later = item(collected_at=AT + timedelta(days=1), observed_to=elsewhere)
    assert later.item_id == item().item_id


@pytest.mark.parametrize(
    "field", ["source", "kind", "subject", "system", "observed_from", "change", "payload"]
)
def test_every_part_of_the_identity_counts(field: str) -> None:
    other = {
        "observed_from": AT - timedelta(microseconds=1), "change": Change.GONE, "payload": {"a": 2}
    }  # fmt: skip
    assert item(**{field: other.get(field, "other")}).item_id != item().item_id


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"observed_to": datetime(2026, 11, 23)}, "has no zone"),  # noqa: DTZ001
        ({"observed_to": AT - timedelta(1)}, "before"),
        ({"subject": "  "}, "subject is empty"),
        ({"payload": {"x": object()}}, "no JSON form"),
    ],
)
def test_untrustworthy_items_cannot_be_built(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidItem, match=says):
        item(**change)


SUBJECTS = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 3), max_size=5)


@given(st.lists(SUBJECTS, min_size=1, max_size=8))
def test_a_chain_of_snapshots_replays_to_the_source(history: list[dict[str, int]]) -> None:
    kept, replay = Snapshot({}), {}
    for step, world in enumerate(history):
        at = AT + timedelta(hours=step)
        states = [state(name, value, at) for name, value in world.items()]
        changes, kept = Snapshot.read(kept.cursor()).compare(states, at=at, source="s")
        for changed in changes:
            if changed.change is Change.GONE:
                assert changed.observed_to == at
                del replay[changed.subject]
            else:
                replay[changed.subject] = changed.payload["v"]
        assert replay == world


def test_a_state_that_comes_back_is_restored_even_if_equal() -> None:
    _, kept = Snapshot({}).compare([state("a", 1)], at=AT, source="s")
    _, kept = kept.compare([], at=AT, source="s")
    (back,), _ = kept.compare([state("a", 1)], at=AT, source="s")
    assert back.change is Change.RESTORED


def test_a_foreign_cursor_is_no_snapshot() -> None:
    with pytest.raises(SourceBroken):
        Snapshot.read(Cursor('{"seen": [1]}'))
