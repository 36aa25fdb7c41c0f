"""What is told as events: what changed, once, in words that stand in docs/operations.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence.freshness import State, Verdict
from evidence.model import ControlId
from flows import tidings
from flows.report import block, described
from flows.tidings import EVENTS, tell_verdicts

AT = datetime(2026, 3, 2, tzinfo=UTC)
Told = list[tuple[str, str]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Event and resource of what would be sent."""
    sent: Told = []

    def emit(event: str, resource: Mapping[str, str], payload: Mapping[str, str]) -> None:
        assert all(len(text) <= 500 for text in payload.values())
        sent.append((event, resource["prefect.resource.id"]))

    monkeypatch.setattr(tidings, "emit_event", emit)
    return sent


def verdict(state: State, *, failed: bool = False, why: str = "why") -> Verdict:
    return Verdict(ControlId("iso42001:9.1"), "dq", "churn", state, failed, why, AT)


def test_only_a_change_is_told_and_at_first_only_what_is_bad(told: Told) -> None:
    fresh, stale = verdict(State.FRESH), verdict(State.STALE, why="x" * 9000)
    old = ("fresh", False, "", "why")
    tell_verdicts([(fresh, None), (verdict(State.UNKNOWN), None), (fresh, old)])
    assert told == []
    failed = verdict(State.FRESH, failed=True)
    tell_verdicts([(stale, None), (stale, old), (failed, old), (fresh, ("stale", False, "", ""))])
    where = "headwater.evidence.iso42001:9.1/dq/churn"
    words = ["stale", "stale", "failed", "fresh"]
    assert told == [(f"headwater.evidence.{word}", where) for word in words]


def test_hostile_names_stay_names(told: Told) -> None:
    hostile = replace(verdict(State.STALE), system="x\x1b[2J\n\u202e" + "y" * 9000)
    tell_verdicts([(hostile, None)])
    ((_, where),) = told
    assert len(where) == 500
    assert "\x1b" not in where
    assert "\u202e" not in where


def test_prefect_is_shown_no_picture_and_no_link_of_a_source() -> None:
    hostile = "a ![x](http://evil.example/x.png) <img src=x>\n\n# b\x1b"
    assert described(hostile) == (
        r"a \!\[x\](http://evil.example/x.png) \<img src=x\>" + "\n\n" + r"\# b "
    )
    assert block(["one\n![x](y)\r\u2028# z", ""]).splitlines() == [
        "    one", "    ![x](y)\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}# z", "    ",
    ]  # fmt: skip


def test_every_event_stands_in_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/operations.md").read_text()
    for event in EVENTS:
        group, _, word = event.rpartition(".")
        assert f"headwater.{group}." in page
        assert f".{word}`" in page
