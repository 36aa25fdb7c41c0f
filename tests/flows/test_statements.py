"""What people signed for counts as long as they said, for what they said, and for no more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.attestation import KIND, subject
from evidence.freshness import Attestation
from evidence.model import ControlId, EvidenceItem
from evidence.runs import Pull, PullFacts, PullOutcome
from flows.config import load
from flows.statements import in_force, refused
from mappings.catalogue import load_catalogue
from storage.lake import Lake
from storage.views import connect
from tests.flows.conftest import Home

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)
CATALOGUE = load_catalogue()
Ask = Callable[..., dict[ControlId, Attestation]]


def signed(
    by: str, at: int, until: int, control: str = "5.2", system: str = "", **more: Any
) -> EvidenceItem:
    """A statement of `at` days ago that ends in `until` days, as its collector lands it."""
    told = NOW - at * DAY
    fields = {"control": control, "by": by, "statement": "Seen.", "at": told.isoformat(),
              "until": (NOW + until * DAY).isoformat()}  # fmt: skip
    return EvidenceItem(
        source="git", kind=KIND, subject=subject(control, by), system=system, observed_from=told,
        observed_to=told, collected_at=NOW, title="signed",
        payload=fields | {"id": "A1", "register": "attestations", "level": "record"} | more,
    )  # fmt: skip


@pytest.fixture
def lake(home: Home) -> Lake:
    return Lake.open(load(home()).lake, clock=lambda: NOW)


def collected(lake: Lake, *items: EvidenceItem) -> None:
    pull = Pull("p1", "git", "tests:None", NOW, NOW, PullOutcome.COMPLETE, PullFacts(), len(items))
    bookmark = lake.bookmark("git")
    lake.land("git", items, bookmark=bookmark, cursor=None, pull_id="p1", pull=pull)


def counting(lake: Lake, *systems: str) -> dict[str, tuple[str, int]]:
    """Control → who carries it and for how many days from now."""
    with connect(lake) as connection:
        found = in_force(connection, CATALOGUE, systems, NOW)
    return {str(c).partition(":")[2]: (a.by, (a.until - NOW).days) for c, a in found.items()}


def complaints(lake: Lake) -> list[str]:
    with connect(lake) as connection:
        return [one.sentence for one in refused(connection, CATALOGUE)]


def test_of_people_the_longest_and_of_one_person_the_newest(lake: Lake) -> None:
    collected(
        lake, signed("Ann", 20, 300), signed("Ben", 10, 200),
        signed("ann", 5, 100, control="iso42001:5.2"),
    )  # fmt: skip
    assert counting(lake) == {"5.2": ("Ben", 200)}, "Ann's second statement is shorter, and holds"


def test_what_was_withdrawn_does_not_bring_back_what_it_had_replaced(lake: Lake) -> None:
    withdrawn = signed("Ann", 5, 100, control="iso42001:5.2", withdrawn="2026-11-20")
    collected(lake, signed("Ann", 20, 300), withdrawn)
    assert counting(lake) == {}
    assert complaints(lake) == []


def test_what_is_signed_for_one_system_is_not_signed_for_all(lake: Lake) -> None:
    collected(lake, signed("Ann", 5, 100, system="triage"), signed("Ben", 5, 50, system="score"))
    assert counting(lake) == counting(lake, "triage", "score", "churn") == {}
    assert counting(lake, "triage", "score") == {"5.2": ("Ben", 50)}


def test_no_longer_than_the_control_allows(lake: Lake) -> None:
    collected(lake, signed("Ann", 0, 366))
    assert counting(lake) == {"5.2": ("Ann", 365)}


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (signed("Ann", 5, 9000), "nobody signs for more than 366 days"),
        (signed("Ann", 5, -6), "does not lie after"),
        (signed("\u2060", 5, 100), "of nobody counts for nothing: by is missing"),
        (signed("Ann", 5, 100, control="A.99"), "control 'A.99' is none of the catalogue"),
        (signed("Ann", 5, 100, problems=["by is unclear"]), "by is unclear"),
    ],
    ids=["for ever", "over before it began", "nobody", "no control", "its collector says so"],
)
def test_what_counts_for_nothing_is_told(lake: Lake, item: EvidenceItem, why: str) -> None:
    collected(lake, item)
    assert counting(lake) == {}
    (told,) = complaints(lake)
    assert why in told


def test_a_statement_of_tomorrow_does_not_count_today(lake: Lake, tmp_path: Path) -> None:
    collected(lake, signed("Ann", -1, 100))
    assert counting(lake) == {}
