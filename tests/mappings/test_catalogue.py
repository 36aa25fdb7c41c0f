"""The catalogue is pinned: a lost control, a renamed group or an unknown word is an error."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from evidence.duration import Duration
from evidence.errors import MappingError
from evidence.freshness import Expectation, Scope, Sighting, State, judge
from mappings.catalogue import HERE, Catalogue, load_catalogue
from mappings.deadlines import CronDeadline, workdays_of
from mappings.overrides import Override, read_override

CLAUSES = [
    "4.1",
    "4.2",
    "4.3",
    "4.4",
    "5.1",
    "5.2",
    "5.3",
    "6.1.1",
    "6.1.2",
    "6.1.3",
    "6.1.4",
    "6.2",
    "6.3",
    "7.1",
    "7.2",
    "7.3",
    "7.4",
    "7.5.1",
    "7.5.2",
    "7.5.3",
    "8.1",
    "8.2",
    "8.3",
    "8.4",
    "9.1",
    "9.2.1",
    "9.2.2",
    "9.3.1",
    "9.3.2",
    "9.3.3",
    "10.1",
    "10.2",
]
CONTROLS = [
    "A.2.2",
    "A.2.3",
    "A.2.4",
    "A.3.2",
    "A.3.3",
    "A.4.2",
    "A.4.3",
    "A.4.4",
    "A.4.5",
    "A.4.6",
    "A.5.2",
    "A.5.3",
    "A.5.4",
    "A.5.5",
    "A.6.1.2",
    "A.6.1.3",
    "A.6.2.2",
    "A.6.2.3",
    "A.6.2.4",
    "A.6.2.5",
    "A.6.2.6",
    "A.6.2.7",
    "A.6.2.8",
    "A.7.2",
    "A.7.3",
    "A.7.4",
    "A.7.5",
    "A.7.6",
    "A.8.2",
    "A.8.3",
    "A.8.4",
    "A.8.5",
    "A.9.2",
    "A.9.3",
    "A.9.4",
    "A.10.2",
    "A.10.3",
    "A.10.4",
]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_every_clause_and_control_is_there_in_order(catalogue: Catalogue) -> None:
    assert [c.number for c in catalogue.controls] == CLAUSES + CONTROLS
    assert [c.id for c in catalogue.controls] == [f"iso42001:{n}" for n in CLAUSES + CONTROLS]
    assert [c.kind for c in catalogue.controls] == ["clause"] * 32 + ["control"] * 38
    assert len({c.title for c in catalogue.controls if c.kind == "control"}) == 38


def test_groups_have_the_standard_sizes(catalogue: Catalogue) -> None:
    assert Counter(c.group for c in catalogue.controls) == {
        "4": 4, "5": 3, "6": 6, "7": 7, "8": 4, "9": 6, "10": 2,
        "A.2": 3, "A.3": 2, "A.4": 5, "A.5": 4, "A.6": 9, "A.7": 5, "A.8": 4, "A.9": 3, "A.10": 3,
    }  # fmt: skip
    assert all(c.number.startswith(f"{c.group}.") and c.group_title for c in catalogue.controls)


def test_needs_speak_only_known_words(catalogue: Catalogue) -> None:
    needs = [need for control in catalogue.controls for need in control.needs]
    assert len(needs) == 256
    assert len(catalogue.kinds) == 79
    assert {n.evidence for n in needs} == set(catalogue.kinds) - {"attestation"}
    assert {t for n in needs for t in n.source_types} <= set(catalogue.source_types)
    assert {e for n in needs for e in n.stale_on} <= set(catalogue.events)
    assert all(n.source_types and n.why and n.collect for n in needs)
    assert len(catalogue.source_types) == 40
    assert len(catalogue.events) == 28


def test_attestations_are_needed_where_the_source_says_so(catalogue: Catalogue) -> None:
    signed = [c for c in catalogue.controls if c.attestation_needed]
    assert sum(c.kind == "control" for c in signed) == 26
    assert len(signed) == 52
    assert all(c.attestation_max_age == timedelta(days=365) for c in signed)
    assert all(c.attestation_note for c in catalogue.controls)


def test_documented_information_is_demanded_where_the_source_says_so(catalogue: Catalogue) -> None:
    clauses = {c.number: c.documented_information for c in catalogue.controls}
    documents = [document for found in clauses.values() for document in found]
    assert Counter(document.kind for document in documents) == {"maintain": 11, "retain": 13}
    assert sum(bool(found) for found in clauses.values()) == 19
    assert [d.what for d in clauses["9.3.3"]] == ["outcome of management reviews"]
    demanded = [c for c in catalogue.controls if c.documentation_demanded]
    assert (len(demanded), {c.kind for c in demanded}) == (25, {"control"})


def test_sources_are_named_and_the_rights_are_told() -> None:
    told = yaml.safe_load((HERE / "iso42001/SOURCES.yaml").read_text())
    assert "copyrighted by ISO/IEC" in told["rights"]
    for name in ("clauses", "controls"):
        for entry in yaml.safe_load((HERE / f"iso42001/{name}.yaml").read_text())[name]:
            assert set(entry["title_sources"]) <= set(told["sources"])
    kinds = yaml.safe_load((HERE / "iso42001/evidence_kinds.yaml").read_text())["kinds"]
    assert {source for kind in kinds.values() for source in kind["basis"]} <= set(told["sources"])


def one(expected: tuple[Expectation, ...], control: str, evidence: str) -> Expectation:
    return next(e for e in expected if (e.control, e.evidence) == (f"iso42001:{control}", evidence))


def test_an_expectation_says_of_whom_and_how_old(catalogue: Catalogue) -> None:
    expected = catalogue.expectations()
    assert len(expected) == 256
    evaluation = one(expected, "A.6.2.4", "mlflow_evaluation")
    assert (evaluation.scope, evaluation.max_age) == (Scope.SYSTEM, timedelta(days=90))
    assert evaluation.stale_on == ("new_model_version", "dataset_version_change", "drift_alert")
    assert one(expected, "A.2.2", "policy").scope is Scope.ORGANISATION
    assert one(expected, "A.6.2.4", "approval_ticket").scope is Scope.SYSTEM
    assert one(expected, "5.1", "approval_ticket").scope is Scope.ORGANISATION
    assert "mlflow.model_alias" in one(expected, "A.6.2.5", "mlflow_promotion").source_types
    assert all(e.silence >= timedelta(days=1) for e in expected)


def test_an_approved_change_is_not_overtaken_by_its_own_deployment(catalogue: Catalogue) -> None:
    want = one(catalogue.expectations(), "A.6.2.5", "change_request")
    live = datetime(2026, 11, 20, tzinfo=UTC)
    now = live + timedelta(days=2)
    approved = {14: State.FRESH, 40: State.STALE, -1: State.FRESH}
    for days, expected in approved.items():
        at = live - timedelta(days=days)
        seen = Sighting(newest=at, source="jira", heartbeat=now, events={"deployment": live})
        assert judge(want, "churn", seen, now).state is expected
    assert one(catalogue.expectations(), "A.6.2.4", "mlflow_evaluation").lead == timedelta(0)


def test_a_need_may_be_looser_than_its_kind(catalogue: Catalogue) -> None:
    expected = catalogue.expectations()
    assert one(expected, "7.1", "cw_metrics").max_age == timedelta(days=30)
    assert one(expected, "A.6.2.6", "cw_metrics").max_age == timedelta(days=1)


def test_an_override_changes_and_is_carried_along(catalogue: Catalogue) -> None:
    change = Override("iso42001:A.6.2.4", "mlflow_evaluation", "monthly", max_age=timedelta(days=3))
    changed = one(catalogue.expectations([change]), "A.6.2.4", "mlflow_evaluation")
    assert changed.max_age == timedelta(days=3)
    assert changed.warn_before < changed.max_age
    assert changed.override == "monthly"
    assert one(catalogue.expectations(), "A.6.2.4", "mlflow_evaluation").override == ""


def test_a_dropped_expectation_is_listed_with_its_reason(catalogue: Catalogue) -> None:
    change = Override("iso42001:A.9.2", "bedrock_guardrails", "no Bedrock here", applies=False)
    expected = catalogue.expectations([change])
    assert len(expected) == 255
    assert catalogue.dropped([change]) == (change,)
    assert "bedrock_guardrails" in {e.evidence for e in expected}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Override("iso42001:A.99", "policy", "x", applies=False), "unknown control"),
        (Override("A.2.2", "policy", "x", applies=False), "unknown control"),
        (Override("iso42001:A.2.2", "polcy", "x", applies=False), "changes nothing"),
        (Override("iso42001:A.2.2", "soa", "x", applies=False), "changes nothing"),
        (Override("iso42001:A.2.2", "policy", "  ", applies=False), "has no reason"),
        (Override("iso42001:A.2.2", "policy", "x"), "has no effect"),
        (Override("iso42001:A.2.2", "policy", "x", max_age=timedelta(0)), "not longer"),
    ],
)
def test_an_override_of_nothing_is_refused(
    catalogue: Catalogue, change: Override, says: str
) -> None:
    with pytest.raises(MappingError, match=says):
        catalogue.expectations([change])
    with pytest.raises(MappingError, match=says):
        catalogue.dropped([change])


EVALUATION = ("iso42001:A.6.2.4", "mlflow_evaluation")
MONTHLY = CronDeadline("0 18 L * *", "Europe/Berlin")


def _asked(catalogue: Catalogue, *changes: Override) -> Expectation:
    found = catalogue.expectations(changes)
    return next(e for e in found if (e.control, e.evidence) == EVALUATION)


def test_a_deadline_takes_the_place_of_the_age_limit(catalogue: Catalogue) -> None:
    alone = _asked(catalogue, Override(*EVALUATION, "x", deadline=MONTHLY))
    assert (alone.max_age, alone.deadline) == (None, MONTHLY)
    assert timedelta(0) < alone.warn_before < timedelta(days=14)
    both = _asked(catalogue, Override(*EVALUATION, "x", max_age=Duration(1), deadline=MONTHLY))
    assert (both.max_age, both.deadline) == (Duration(1), MONTHLY)


def test_what_is_said_of_a_system_goes_before_its_class(catalogue: Catalogue) -> None:
    want = _asked(
        catalogue,
        Override(*EVALUATION, "all", max_age=timedelta(days=80)),
        Override(*EVALUATION, "harmless", applies=False, risk_class="minimal"),
        Override(*EVALUATION, "watched", max_age=timedelta(days=20), system="chat"),
    )
    assert want.of("other", "high") is want
    assert want.of("other", "") is want
    assert want.of("other", "minimal") is None
    chat = want.of("chat", "minimal")
    assert chat is not None
    assert (chat.max_age, chat.override) == (timedelta(days=20), "watched")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([Override(*EVALUATION, "x", applies=False, system="a", risk_class="b")], "two overrides"),
        ([Override("iso42001:A.2.2", "policy", "x", applies=False, system="a")], "once"),
        ([Override(*EVALUATION, "x", applies=False),
          Override(*EVALUATION, "y", max_age=timedelta(days=3), system="a")], "no effect"),
        ([Override(*EVALUATION, "x", warn_before=timedelta(days=99))], "shorter than max_age"),
        ([Override(*EVALUATION, "x", applies=False, system="a"),
          Override(*EVALUATION, "y", max_age=timedelta(days=3), system="a")], "twice"),
    ],
)  # fmt: skip
def test_an_override_that_says_nothing_clear_is_refused(
    catalogue: Catalogue, changes: list[Override], says: str
) -> None:
    with pytest.raises(MappingError, match=says):
        catalogue.expectations(changes)


def test_an_override_is_read_as_it_was_written() -> None:
    berlin = replace(MONTHLY, workdays=workdays_of("DE", "BE"), grace=timedelta(days=5),
                     since=datetime(2026, 1, 1, tzinfo=UTC))  # fmt: skip
    for change in (
        Override(*EVALUATION, "x", max_age=timedelta(days=3)),
        Override(*EVALUATION, "x", applies=False, system="a"),
        Override(*EVALUATION, "x", max_age=Duration(3), warn_before=timedelta(hours=36)),
        Override(*EVALUATION, "x", deadline=berlin, risk_class="high"),
    ):
        assert read_override(json.loads(json.dumps(change.written()))) == change
    plain = Override(*EVALUATION, "x", max_age=timedelta(days=3)).written()
    assert set(plain) == {"control", "evidence", "reason", "applies", "max_age_seconds"}


def test_an_override_given_twice_is_refused(catalogue: Catalogue) -> None:
    change = Override("iso42001:A.2.2", "policy", "x", applies=False)
    with pytest.raises(MappingError, match="twice"):
        catalogue.expectations([change, change])


def test_an_override_of_a_whole_kind_reaches_every_control_that_asks(catalogue: Catalogue) -> None:
    change = Override("*", "bedrock_guardrails", "no Bedrock here", applies=False)
    assert "bedrock_guardrails" not in {e.evidence for e in catalogue.expectations([change])}
    assert [o.control for o in catalogue.dropped([change])] == [
        "iso42001:A.9.2", "iso42001:A.9.4", "iso42001:A.10.3",
    ]  # fmt: skip
    with pytest.raises(MappingError):
        catalogue.expectations([Override("*", "bedrok", "no Bedrock here", applies=False)])


def test_our_own_kinds_stand_for_the_catalogues(catalogue: Catalogue) -> None:
    direct = catalogue.expecting("mlflow_promotion", "mlflow.model_version")
    assert catalogue.expecting("mlflow_promotion", "mlflow.model_alias") == direct
    assert "iso42001:A.6.2.5" in direct
    assert catalogue.expecting("policy", "mlflow.run") == ()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(HERE / "iso42001", tmp_path / "iso42001")
    for name in ("expectations.yaml", "aliases.yaml"):
        shutil.copy(HERE / name, tmp_path / name)
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_digest_moves_with_every_word(copy: Path) -> None:
    assert load_catalogue(copy).digest == load_catalogue().digest
    edit(copy / "expectations.yaml", "each model has", "every model has")
    load_catalogue.cache_clear()
    assert load_catalogue(copy).digest != load_catalogue().digest


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("iso42001/controls.yaml", "evidence: policy\n", "evidence: polcy\n", "'polcy' is unknown"),
        ("iso42001/clauses.yaml", "group: '4'", "group: '44'", "unknown group '44'"),
        ("iso42001/clauses.yaml", "max_age: P365D", "max_age: P1Y", "not an ISO 8601 duration"),
        ("iso42001/clauses.yaml", "number: '4.2'", "number: '4.1'", "two controls"),
        ("iso42001/clauses.yaml", "needed: true", "needed: yes", "true or false"),
        ("iso42001/clauses.yaml", "kind: maintain", "kind: keep", "maintain or retain"),
        ("iso42001/controls.yaml", "demanded: true", "demanded: yes", "true or false"),
        ("iso42001/clauses.yaml", "summary: Find", "sumary: Find", "unknown key 'sumary'"),
        ("iso42001/evidence_kinds.yaml", "- mlflow.run\n", "- mlflow.runs\n", "'mlflow.runs'"),
        ("iso42001/evidence_kinds.yaml", "- new_model_version\n", "- new_modl\n", "'new_modl'"),
        ("expectations.yaml", "  mlflow_run:", "  mlflow_runs:", "no entry in expectations"),
        ("expectations.yaml", "scope: system", "scope: planet", "system or organisation"),
        ("expectations.yaml", "scope: organisation, controls: [iso42001:6.3",
         "scope: organisation, controls: [iso42001:9.9", "does not ask"),
        ("aliases.yaml", "mlflow.model_alias: mlflow", "mlflow.model_alias: ml", "new kind"),
    ],
)  # fmt: skip
def test_a_wrong_word_in_the_data_is_refused_with_its_place(
    copy: Path, file: str, old: str, new: str, says: str
) -> None:
    edit(copy / file, old, new)
    with pytest.raises(MappingError, match=says) as caught:
        load_catalogue(copy)
    assert caught.value.file
