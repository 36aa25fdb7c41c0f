"""What does not fit is planted once each and found by name; a set that fits has no finding."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence import consistency, overdue
from evidence.consistency import findings
from evidence.fields import wrong_fields
from evidence.held import Held, Record, Speaking, Used, Whole
from evidence.registers import REGISTERS

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = datetime(2026, 11, 20, tzinfo=UTC)


def record(register: str, key: str, written_by: str = "Ben Lind", **fields: Any) -> Record:
    return Record(register, key, fields, f"{register}-{key}", written_by)


RECORDS = {
    one.called: one
    for one in (
        record("ai_systems", "triage", owner="Ben Lind", stage="production", model="triage-net",
               supplier="sortwell"),
        record("ai_systems", "idea", owner="Ann Oak", stage="planned"),
        record("roles", "aims-owner", person="Ann Oak"),
        record("roles", "system-owner", person="Ben Lind", left="2027-03-01"),
        record("roles", "old", person="Cy Tan", left="2026-10-01"),
        record("risks", "R-1", system="triage", owner="Ben Lind", accepted_by="Ann Oak"),
        record("treatment_plan", "T-0", risk="R-1", owner="Cy Tan", status="done"),
        record("soa", "A.2.2", applicable=True, owner="Ann Oak"),
        record("soa", "iso42001:A.10.4", applicable=False, reason="Nobody is supplied"),
        record("soa", "5.2", applicable=True),
        record("suppliers", "sortwell", name="Sortwell", contract_until="2027-01-01",
               models=[{"name": "sort.text-large", "last_seen": ["20240307-v1:0", 3]}]),
        record("objectives", "O-1", measure="ratio of approvals", target="at least 0.8"),
        record("obligations", "OB-1", due="2026-11-26", owner="Ann Oak"),
        record("obligations", "OB-2", due="2026-01-01", done="2025-12-30", systems="triage"),
        record("training", "TR-1", person="Ann Oak", course="policy", until="2026-01-31"),
        record("training", "TR-2", person="Ann Oak", course="policy", until="2027-01-31"),
        record("incidents", "INC-1", system="triage", closed="2026-11-01"),
        record("corrective_actions", "NC-1", incident="INC-1"),
        record("impact_assessments", "IA-1", system="triage", next_review="2027-01-01"),
    )
}  # fmt: skip
WHOLES = (
    Whole("risks", owner="Ben Lind", reviewed=DAY, item_id="w1"),
    Whole("waivers", item_id="w2"),
    Whole("documents/policy.md", True, "Ann Oak", DAY, DAY.replace(year=2027), "w3"),
)  # fmt: skip
USED = (
    Used("sort.text-large-20240307-v1:0", "", DAY, "u1", "triage", "Bedrock"),
    Used("sort.text-large", "3", DAY, "u2"),
    Used("sort.text-large", "1", DAY.replace(month=9), "u3"),
)
CLEAN = Held(
    NOW, tuple(RECORDS.values()), WHOLES, USED, frozenset({"triage"}),
    {"A.2.2": Speaking(3, "policy", "i1")}, ("A.2.2", "A.10.4"), ("5.2",),
)  # fmt: skip


def changed(called: str, **fields: Any) -> Held:
    """The clean set with fields of one record changed; None takes a field away."""
    one = RECORDS[called]
    told = {k: v for k, v in {**one.fields, **fields}.items() if v is not None}
    return replace(CLEAN, records=tuple((RECORDS | {called: replace(one, fields=told)}).values()))


def more(*records: Record) -> Held:
    return replace(CLEAN, records=(*CLEAN.records, *records))


def without(*called: str) -> Held:
    return replace(CLEAN, records=tuple(r for r in CLEAN.records if r.called not in called))


def used(*more: Used) -> Held:
    return replace(CLEAN, used=(*USED, *more))


def wholes(*more: Whole) -> Held:
    return replace(CLEAN, wholes=(*WHOLES, *more))


PLANTED: list[tuple[str, Held, str]] = [
    ("wrong-field", changed("obligations OB-1", due="soon"),
     "obligations OB-1: `due` is 'soon': write YYYY-MM-DD"),
    ("unread-field", changed("incidents INC-1", severty="critical"),
     "incidents INC-1: `severty` is read by nobody: is severity meant?"),
    ("unread-field", changed("risks R-1", **{"Accepted by": "Cy Tan", "accepted_by": None}),
     "risks R-1: `Accepted by` is read by nobody: is accepted_by meant?"),
    ("unknown-reference", changed("obligations OB-2", systems="triage, ghost"),
     "obligations OB-2 names ghost in `systems`, which no register ai_systems holds"),
    ("unknown-reference", without("suppliers sortwell"),
     "ai_systems triage names sortwell in `supplier`, which no register suppliers holds"),
    ("unknown-reference", changed("impact_assessments IA-1", system="ghost"),
     "impact_assessments IA-1 names ghost in `system`"),
    ("model-not-registered", used(Used("secret-net", "1", DAY, "u9", "", "SageMaker")),
     "SageMaker has the model secret-net, which no AI system of the inventory names"),
    ("system-without-evidence", replace(CLEAN, systems=frozenset()),
     "the inventory holds triage, and nothing that was collected speaks of it"),
    ("owner-left", changed("roles system-owner", left="2026-11-01"),
     "Ben Lind left on 2026-11-01 and still owns ai_systems triage, risks R-1, the register risks"),
    ("owner-unknown", changed("risks R-1", owner="Dee Ray"),
     "Dee Ray owns risks R-1 and stands in no record of roles"),
    ("soa-incomplete", without("soa A.2.2"),
     "the Statement of Applicability says nothing of A.2.2"),
    ("soa-unknown-control", more(record("soa", "A.99", applicable=True)),
     "has A.99, which the catalogue does not know"),
    ("clause-left-out", changed("soa 5.2", applicable=False, reason="too much"),
     "5.2 is left out, and no clause can be"),
    ("exclusion-without-reason", changed("soa iso42001:A.10.4", reason=None),
     "A.10.4 is left out without a reason, so it is not left out"),
    ("exclusion-contradicted",
     replace(CLEAN, speaking={"A.10.4": Speaking(2, "terms of a customer", "i2")}),
     "A.10.4 is left out (Nobody is supplied), and 2 items speak to it alone, the newest: terms"),
    ("risk-accepted-by-its-author", changed("risks R-1", accepted_by="ben  LIND"),
     "risk R-1 was accepted by ben LIND, who wrote it"),
    ("risk-accepted-by-its-author",
     replace(changed("risks R-1", accepted_by="ben-l"), records=[
         replace(one, fields={**one.fields, "login": "Ben-L"}) if one.text("person") == "Ben Lind"
         else one for one in changed("risks R-1", accepted_by="ben-l").records]),
     "risk R-1 was accepted by ben-l, who wrote it"),
    ("supplier-model-changed", used(Used("sort.text-large", "4", DAY, "u4")),
     "Sortwell supplies sort.text-large: evidence of 2026-11-20 shows 4, and the version looked at "
     "last is 20240307-v1:0, 3"),
    ("supplier-model-changed",
     used(Used("sort.text-large:5", "", DAY.replace(month=1), "u5", offered=True),
          Used("other.model", "", DAY, "u6", offered=True)),
     "Sortwell supplies sort.text-large: evidence of 2026-01-20 offers 5, and the version looked "
     "at last is 20240307-v1:0, 3"),
    ("supplier-model-changed",
     replace(changed("suppliers sortwell", models=[{"name": "sort.text-large"}]), used=USED[1:]),
     "nobody says which version was looked at"),
    ("objective-without-measure", changed("objectives O-1", measure=None),
     "objective O-1 has no measure: nobody can say if it is met"),
    ("incident-without-follow-up", changed("corrective_actions NC-1", incident=None),
     "incident INC-1 has no action, and no corrective action or change names it"),
    ("incident-without-follow-up", more(record("incidents", "INC-2", severity="minor")),
     "incident INC-2 has no action"),
    ("past-due", changed("obligations OB-1", due="2026-11-25"),
     "obligations OB-1 was due on 2026-11-25 and is not done"),
    ("past-due", changed("obligations OB-1", due="2026-11-25", done="2027-01-31"),
     "obligations OB-1 was due on 2026-11-25 and is not done"),
    ("run-out", without("training TR-2"), "training TR-1 had to be repeated by 2026-01-31"),
    ("run-out", changed("suppliers sortwell", contract_until="2026-11-01"),
     "suppliers sortwell runs by a contract that ended on 2026-11-01"),
    ("review-overdue", changed("impact_assessments IA-1", next_review="2026-11-25"),
     "impact_assessments IA-1 was to be reviewed by 2026-11-25"),
    ("review-overdue", wholes(Whole("documents/use.md", True, reviewed=DAY, next_review=DAY)),
     "the document documents/use.md was to be reviewed by 2026-11-20"),
    ("review-overdue", wholes(Whole("context", reviewed=DAY.replace(year=2025))),
     "the register context was last reviewed on 2025-11-20"),
    ("never-reviewed", wholes(Whole("context")),
     "the register context names no day of review: each commit makes it look new"),
]  # fmt: skip


def test_a_set_that_fits_has_no_finding() -> None:
    assert findings(CLEAN) == []
    assert findings(Held(NOW)) == [], "what is not there contradicts nothing"


@pytest.mark.parametrize(
    ("check", "held", "why"), PLANTED, ids=[f"{n}-{c}" for n, (c, _, _) in enumerate(PLANTED)]
)
def test_what_does_not_fit_is_found_by_name(check: str, held: Held, why: str) -> None:
    found = [one for one in findings(held) if one.check == check]
    assert len(found) == 1, findings(held)
    assert why in found[0].why
    also = {one.check for one in findings(held)} - {check}
    assert also <= {"unknown-reference"}, "one planted, one found, but for what it leaves dangling"


def names(modules: Iterable[Any]) -> set[str]:
    """The checks that the code can find, by what it writes down."""
    text = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in modules)
    return set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', text))


def test_each_kind_is_planted_and_told_to_readers() -> None:
    known = names((consistency, overdue))
    assert {check for check, _, _ in PLANTED} == known
    page = (Path(__file__).parents[2] / "docs/consistency.md").read_text(encoding="utf-8")
    assert {name for name in known if f"`{name}`" not in page} == set()


def test_one_thing_is_one_finding_however_long_it_lasts() -> None:
    for _, held, _ in PLANTED:
        found = [(one.check, one.about) for one in findings(held)]
        assert len(found) == len(set(found))


def test_a_record_that_is_an_error_already_is_not_told_again() -> None:
    told = changed("obligations OB-1", due="soon", problems=["line 3: `due` is 'soon'"])
    assert findings(told) == []


def test_what_the_life_cycle_asks_is_not_told_twice() -> None:
    assert findings(more(record("incidents", "INC-2", severity="Major"))) == []


def test_without_roles_or_inventory_their_absence_is_not_told_again() -> None:
    bare = replace(CLEAN, records=tuple(r for r in CLEAN.records if r.register not in
                                        {"roles", "ai_systems"}))  # fmt: skip
    found = {one.check for one in findings(bare)}
    assert found == {"unknown-reference"}


HOSTILE: tuple[Any, ...] = (
    "", " ", "\u200b", "\x1b[2J", "a\nb", "x" * 9000, "Ann Oak", "2026-13-45", "9999-12-31",
    "0001-01-01", 3, -1.5, True, None, [], {}, [None], [[1]], [{"name": "\u200b", "last_seen": {}}],
    {"name": 3, "last_seen": [None, {}]}, ["R-1", 3, None], "R-1, R-2,,", "\u202e evil",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_whatever_stands_in_a_field_there_is_an_answer(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(100):
        records = []
        for register in dice.choices(REGISTERS, k=8):
            told = {one.name: dice.choice(HOSTILE) for one in register.of_record}
            list(wrong_fields(register.of_record, told))
            records.append(Record(register.name, str(dice.choice(HOSTILE)), told, "i", "\u200b"))
        whole = Whole("risks", owner=str(dice.choice(HOSTILE)), item_id="w")
        for one in findings(replace(CLEAN, records=tuple(records), wholes=(whole,))):
            assert 0 < len(one.why) <= 500
