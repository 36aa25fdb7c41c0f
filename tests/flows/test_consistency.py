"""What does not fit lands, needs a person, and ends; it says nothing of the systems it names."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from evidence.model import Change, EvidenceItem, Nature
from evidence.registers import REGISTERS
from flows._alerts.causes import seen
from flows.board import assemble, needs
from flows.consistency import found, inconsistent, land_findings
from flows.trace_rows import lives
from storage.pages import all_rows
from storage.population import systems_seen
from storage.views import connect
from tests.flows.conftest import Home
from tests.flows.house import House, make_house
from tests.flows.test_broken import land
from tests.storage.makers import START

NOW = START - timedelta(hours=1)


@pytest.fixture
def house(home: Home) -> House:
    return make_house(home())


def entry(
    register: str, key: str, *, author: str = "Ben Lind <b@acme.example>", system: str = "",
    change: Change = Change.NEW, moved: int = 0, **fields: Any,
) -> EvidenceItem:  # fmt: skip
    committed = NOW + timedelta(minutes=moved)
    payload = {"register": register, "level": "record", "id": key, "author": author,
               "committed_at": committed.isoformat(), **fields}  # fmt: skip
    return EvidenceItem(
        source="bench", kind="git.register", subject=f"register/{register}/{key}", system=system,
        observed_from=committed, observed_to=committed, collected_at=committed, payload=payload,
        title=f"{register} {key}", change=change,
    )  # fmt: skip


def state(kind: str, subject: str, payload: dict[str, Any], **more: Any) -> EvidenceItem:
    given = {"nature": Nature.STATE, "title": subject} | more
    return EvidenceItem(source="bench", kind=kind, subject=subject, observed_from=NOW,
                        observed_to=NOW, collected_at=NOW, payload=payload, **given)  # fmt: skip


def told(house: House) -> dict[str, str]:
    judged = house.judge(None)
    with judged.moment.connect(house.lake) as connection:
        return {one.check: one.why for one in found(connection, judged.moment.mapping, judged.at)}


def findings_kept(house: House) -> list[dict[str, Any]]:
    with connect(house.lake) as connection:
        return all_rows(
            connection,
            "SELECT subject, outcome, system, title, observed_from, observed_to FROM evidence "
            "WHERE kind = 'headwater.consistency' ORDER BY landed_at, subject",
        )


def test_an_empty_lake_and_one_that_fits_have_no_finding(house: House) -> None:
    assert told(house) == {}
    land(house, [
        entry("ai_inventory", "churn", system="churn", owner="Ann Oak", model="churn-net"),
        entry("roles_register", "RL-1", person="Ann Oak"),
        entry("risk_register", "R-1", system="churn", accepted_by="Ann Oak"),
        state("aws.sagemaker.model_package", "r/churn-net/1", {"group": "churn-net", "version": 1},
              system="churn"),
    ])  # fmt: skip
    assert told(house) == {}
    assert land_findings(house.lake, house.judge(None).moment) == 0


def test_a_finding_lands_needs_a_person_and_ends(house: House) -> None:
    land(house, [
        entry("ai_systems", "churn", system="churn", owner="Cy Tan"),
        entry("roles", "RL-1", person="Ann Oak"),
        entry("roles", "RL-2", person="Cy Tan", left="2025-01-01"),
    ])  # fmt: skip
    judged = house.judge(None)
    with judged.moment.connect(house.lake) as connection:
        assert "churn" not in systems_seen(connection)
        needed = needs(connection, house.lake, house.config, judged)
    key = "consistency owner-left Cy Tan"
    (note,) = [one for one in needed.attention if one.cause == key]
    assert note.sentence == "Cy Tan left on 2025-01-01 and still owns ai_systems churn."
    assert key in {cause.key for cause in seen(judged, needed.attention, needed.sources).causes}
    assert land_findings(house.lake, judged.moment) == 2
    house.follow(60)
    assert land_findings(house.lake, house.judge(None).moment) == 0, "what lasts lands once"
    begun = findings_kept(house)
    assert {(row["subject"], row["outcome"]) for row in begun} == {
        ("owner-left/Cy Tan", "failed"), ("system-without-evidence/ai_systems churn", "failed"),
    }  # fmt: skip
    with connect(house.lake) as connection:
        assert "churn" not in systems_seen(connection), "a finding is no evidence of a system"
    mended = entry("ai_systems", "churn", system="churn", owner="Ann Oak", change=Change.CHANGED,
                   moved=1)  # fmt: skip
    land(house, [mended])
    house.follow(60)
    assert land_findings(house.lake, house.judge(None).moment) == 1
    house.follow(1)
    ended = [row for row in findings_kept(house) if row["subject"] == "owner-left/Cy Tan"]
    assert [row["outcome"] for row in ended] == ["failed", "passed"]
    assert ended[1]["title"].startswith("found no more: Cy Tan left")
    assert ended[1]["observed_from"] == ended[0]["observed_from"] < ended[1]["observed_to"]
    with connect(house.lake) as connection:
        judged = house.judge(None)
        causes = {one.cause for one in inconsistent(connection, judged.moment.mapping, judged.at)}
    assert key not in causes


def test_evidence_contradicts_registers(house: House) -> None:
    land(house, [
        entry("ai_systems", "churn", system="churn", model="churn-net"),
        entry("soa", "iso42001:A.10.4", applicable=False, reason="Nobody is supplied"),
        entry("soa", "A.8.3", applicable=False, reason="Nobody outside is concerned"),
        state("git.document", "documents/docs.md", {"doc_type": "user_docs"}, system="churn"),
        state("git.register", "register/customers",
              {"register": "customers", "level": "register", "reviewed": "2026-11-01"},
              nature=Nature.EVENT),
        entry("suppliers", "sort", name="Sort", models=[{"name": "sort.big", "last_seen": "1-v1"}]),
        entry("risks", "R-1", author="Ann Oak <a@acme.example>", accepted_by=""),
        entry("risks", "R-1", accepted_by="ann oak", change=Change.CHANGED, moved=1),
        state("git.register", "register/context", {"register": "context", "level": "register"},
              nature=Nature.EVENT),
        state("git.document", "documents/x.md", {"doc_type": "policy", "next_review": "2025-01-01",
              "reviewed": "2024-01-01"}, nature=Nature.EVENT),
        state("aws.sagemaker.model_package", "r/other/1", {"group": "other", "version": 1}),
        state("aws.bedrock.invocations", "r/d/m", {"model": "arn:aws:x:y::z/us.sort.big-2-v1"},
              nature=Nature.EVENT),
        state("mlflow.model_alias", "old@x", {"model": "sort.big", "version": "9"}),
    ])  # fmt: skip
    why = told(house)
    assert "SageMaker has the model other" in why["model-not-registered"]
    assert why["exclusion-contradicted"] == (
        "A.10.4 is left out (Nobody is supplied), and 1 items speak to it alone, the newest: "
        "register/customers"
    ), "what serves controls that apply, as docs for users do, contradicts nothing"
    assert "risk R-1 was accepted by ann oak, who wrote it" in why["risk-accepted-by-its-author"]
    assert "shows 2-v1, and the version looked at last is 1-v1" in why["supplier-model-changed"]
    assert "the register context names no day of review" in why["never-reviewed"]
    assert "the document documents/x.md was to be reviewed" in why["review-overdue"]


HOSTILE: tuple[Any, ...] = (
    "", "\u200b", "\x1b[2J", "x" * 3000, "9999-12-31", "0001-01-01", "2026-13-45", 3, -1.5, True,
    None, [], {}, [None], [[1]], [{"name": "\u200b", "last_seen": {}}], {"name": 3, "to": []},
    ["R-1", 3, None], "R-1, R-2,,", "\u202e evil",
)  # fmt: skip


def test_no_record_takes_the_board_down(house: House) -> None:
    dice = random.Random(1)
    items = [
        entry(register.name, f"{register.name}-{number}", system=str(dice.choice(HOSTILE) or ""),
              **{one.name: dice.choice(HOSTILE) for one in register.of_record
                 if one.name not in {"system", "id"}})
        for register in REGISTERS for number in range(12)
    ]  # fmt: skip
    land(house, items)
    board = assemble(house.lake, house.config, house.judge(None), past=False)
    assert board.attention
    assert lives(house.lake, house.judge(None).moment)
    assert land_findings(house.lake, house.judge(None).moment) > 0
