"""Audit records: late, dangling, empty, self-audited, and a certificate that nobody looks at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evidence.audits import Books, lacks, majors, next_looks, read_entry, unaudited

AT = datetime(2026, 11, 26, tzinfo=UTC)
ITEM = "3fa94c21" * 8


def books(*rows: dict[str, Any], owners: dict[str, str] | None = None) -> Books:
    return Books([read_entry(row) for row in rows], {ITEM}.__contains__, AT, owners or {})


def row(register: str, **given: Any) -> dict[str, Any]:
    return {"register": register, "id": "X-1", **given}


def told(*rows: dict[str, Any], owners: dict[str, str] | None = None) -> list[str]:
    return [lack.sentence for lack in lacks(books(*rows, owners=owners))]


AUDIT = row("audits", id="IA-1", auditor="Ines", planned="2026-10-01", performed="2026-10-02",
            controls=["8"], evidence=[ITEM])  # fmt: skip
FINDING = row("findings", id="F-1", audit="IA-1", grade="minor")
ACTION = row("corrective_actions", id="CA-1", finding="F-1", owner="Lena", due="2026-12-01")


def test_books_in_order_need_nobody() -> None:
    assert told(AUDIT, FINDING, ACTION) == []


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row("audits", planned="2026-11-24")], "was due on 2026-11-24 by nobody"),
        ([ACTION | {"due": "2026-11-24", "finding": ""}], "was due on 2026-11-24 by Lena"),
        ([ACTION | {"due": "", "finding": ""}], "it can never be late"),
        ([ACTION | {"due": "soon", "finding": ""}], "`due` is 'soon': write YYYY-MM-DD"),
        ([ACTION | {"finding": "F-9"}], "is for the finding F-9, which no register holds"),
        ([FINDING, ACTION], "names the audit IA-1, which no register holds"),
        ([AUDIT, FINDING], "is a nonconformity without a corrective action"),
        ([AUDIT, FINDING | {"grade": "bad"}, ACTION], "`grade` is 'bad', none of major"),
        ([AUDIT, FINDING | {"closed": "2026-11-01"}, ACTION], "is closed while an action"),
        ([AUDIT, FINDING, ACTION | {"done": "2026-11-01"}], "nobody says whether it helped"),
        ([AUDIT | {"performed": "2026-12-24"}], "a day to come"),
        ([AUDIT | {"evidence": []}], "names no item of evidence"),
        ([AUDIT | {"evidence": ["feedfeed"]}], "feedfeed, which the lake does not hold"),
        ([row("certification", stage="stage 7", planned="2027-01-01")], "none of stage 1,"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_each_lack_is_said(rows: list[dict[str, Any]], says: str) -> None:
    found = [one for one in told(*rows) if says in one]
    assert len(found) == 1, told(*rows)


def test_today_is_not_late_yet_and_an_opportunity_needs_no_action() -> None:
    assert told(ACTION | {"due": "2026-11-26", "finding": ""}) == []
    assert told(AUDIT, FINDING | {"grade": "opportunity"}) == []


def test_nobody_audits_what_they_own() -> None:
    (own,) = told(AUDIT, owners={"8": "INES"})
    assert "is of 8, which its auditor Ines owns" in own
    assert told(AUDIT, owners={"8": "Lena"}) == []
    parts = AUDIT | {"controls": ["A.7", "8.4"]}
    (own,) = told(parts, owners={"A.7.2": "Ines", "A.7.10": "ines", "A.70": "Ines", "8": "Ines"})
    assert "is of A.7.2, A.7.10, 8, which its auditor Ines owns" in own


def certified(*more: dict[str, Any]) -> list[dict[str, Any]]:
    return [row("certification", id="C-2", stage="Stage 2", body="B", planned="2026-05-04",
                performed="2026-05-08"), *more]  # fmt: skip


def test_a_certificate_is_looked_at_within_twelve_months() -> None:
    (said,) = told(*certified())
    assert said == "No surveillance is planned by 2027-05-08."
    planned = row("certification", id="C-3", stage="surveillance", planned="2027-04-12")
    assert told(*certified(planned)) == []
    (late,) = told(*certified(planned | {"planned": "2027-06-12"}))
    assert "No surveillance is planned by 2027-05-08" in late
    looked = planned | {"planned": "2026-11-01", "performed": "2026-11-02"}
    ((surveillance, _), (renewal, _)) = next_looks(books(*certified(looked)))
    assert (surveillance.date().isoformat(), renewal.date().isoformat()) == (
        "2027-11-02", "2029-05-07",
    )  # fmt: skip
    assert next_looks(books(row("certification", stage="stage 1", performed="2026-05-08"))) == []


def test_a_part_is_audited_with_its_whole_and_not_for_ever() -> None:
    assert unaudited(books(AUDIT), ["8.1", "8", "9.2.1", "80"]) == ["9.2.1", "80"]
    old = AUDIT | {"performed": (AT - timedelta(days=1100)).date().isoformat()}
    assert unaudited(books(old), ["8.1"]) == ["8.1"]


STAGE = row("certification", id="C-2", stage="stage 2", body="Body", performed="2026-05-08")
MAJOR = row("findings", id="F-1", audit="C-2", grade="major", owner="Lena")


@pytest.mark.parametrize(
    ("stage", "closed", "says"),
    [
        ("2026-05-08", "", "was not closed by 2026-11-08"),
        ("2026-05-08", "2026-11-20", "was closed on 2026-11-20, not by 2026-11-08"),
        ("2026-05-08", "2026-11-08", ""),
        ("2026-05-08", "2026-12-24", "was closed on 2026-12-24, not by"),
        ("2026-05-26", "", "is to be closed by 2026-11-26"),
        ("2026-06-20", "", "is to be closed by 2026-12-20"),
        ("2026-08-31", "", ""),
        ("2026-12-01", "", ""),
    ],
)
def test_a_major_nonconformity_has_six_months(stage: str, closed: str, says: str) -> None:
    rows = STAGE | {"performed": stage}, MAJOR | {"closed": closed}, ACTION
    found = [one for one in told(*rows) if "stage 2 is repeated" in one]
    assert [says in one for one in found] == ([True] if says else [])
    minor = told(rows[0], rows[1] | {"grade": "minor"}, ACTION)
    assert not [one for one in minor if "repeated" in one]
    again = STAGE | {"id": "C-3", "performed": "2026-11-24"}
    repeated = [one for one in told(*rows, again) if "was not closed" in one or "was closed" in one]
    assert repeated == [], "stage 2 was repeated"


def test_months_end_where_months_end() -> None:
    held = books(STAGE | {"performed": "2026-08-31"}, MAJOR)
    ((until, one),) = majors(held)
    assert (until.date().isoformat(), one.id) == ("2027-02-28", "F-1")
