"""A statement is somebody's, of a time that is not over, and not made up afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from evidence.attestation import Statement, flaws, recorded
from evidence.errors import InvalidItem

AT = datetime(2026, 11, 2, tzinfo=UTC)
DAY = timedelta(days=1)
WHOLE = {
    "control": "5.2", "by": "Ada Brandt", "statement": "It fits.", "at": "2026-11-02",
    "until": "2027-11-02",
}  # fmt: skip


def test_what_a_statement_holds() -> None:
    told = Statement.read({**WHOLE, "by": " Ada \u200b Brandt ", "system": "triage"})
    assert (told.by, told.at, told.until - told.at) == ("Ada Brandt", AT, 365 * DAY)
    assert (told.system, told.withdrawn) == ("triage", "")


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("by", "", "by is missing"),
        ("by", " \u200b\u2060 ", "by is missing"),
        ("control", None, "control is missing"),
        ("statement", "\n", "statement is missing"),
        ("until", "", "until is missing"),
        ("until", "2099-01-01", "nobody signs for more than 366 days"),
        ("until", "2026-11-02", "does not lie after at 2026-11-02"),
        ("until", "never", "until 'never' is neither YYYY-MM-DD nor a time with a zone"),
        ("at", "2026-11-02T10:00:00", "neither YYYY-MM-DD nor a time with a zone"),
        ("at", "2025-11-01", "366 days"),
    ],
)
def test_what_is_no_statement(field: str, value: object, why: str) -> None:
    fields = {**WHOLE, field: value}
    assert why in "; ".join(flaws(fields))
    with pytest.raises(InvalidItem):
        Statement.read(fields)


def test_a_year_with_a_29th_of_february_is_a_year() -> None:
    assert flaws({**WHOLE, "at": "2027-11-02", "until": "2028-11-02"}) == ()


@pytest.mark.parametrize(
    ("told", "until", "why"),
    [
        (AT, AT + 365 * DAY, ""),
        (AT + 31 * DAY, AT + 365 * DAY, ""),
        (AT + 32 * DAY, AT + 365 * DAY, "dated back"),
        (AT + 400 * DAY, AT + 365 * DAY, ""),  # over: it proves nothing any more
        (AT - timedelta(hours=14), AT + 365 * DAY, ""),
        (AT - DAY, AT + 365 * DAY, "sign when it holds"),
    ],
)
def test_when_a_statement_may_be_recorded(told: datetime, until: datetime, why: str) -> None:
    found = recorded(AT, until, told)
    assert (why in found) if why else found == ""
