"""Rules that cannot be meant are refused with file and line; those that can are explained."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import MappingError
from mappings.nodes import MAX_BYTES, parse
from mappings.patterns import expression, glob
from mappings.rules import RuleSet, load_rules

GOOD = """rules:
  - name: finished
    kind: mlflow.run
    when:
      payload.status: FINISHED
      outcome: {like: "rec*"}
    evidence: mlflow_run
    controls: expected
    rationale: It ran.
    examples:
      match:
        - payload: {status: FINISHED}
      ignore:
        - payload: {status: FAILED}
"""


def load(folder: Path, text: str, name: str = "own.yaml") -> RuleSet:
    (folder / name).write_text(text)
    load_rules.cache_clear()
    return load_rules((folder,))


def test_a_good_rule_claims_every_control_that_expects_it(tmp_path: Path) -> None:
    (rule,) = load(tmp_path, GOOD).rules
    assert rule.kinds == ("mlflow.run",)
    assert [t.control for t in rule.targets] == [
        "iso42001:A.4.4", "iso42001:A.6.1.3", "iso42001:A.6.2.3", "iso42001:A.7.6",
    ]  # fmt: skip
    assert {(t.strength, t.rationale) for t in rule.targets} == {("full", "It ran.")}


CASES = [
    ("kind: mlflow.run", "kind: mlflow.runs", 3, "unknown source kind 'mlflow.runs'"),
    ("kind: mlflow.run", "kind: []", 3, "no source kind"),
    ("    kind: mlflow.run\n", "", 2, "lacks 'kind'"),
    ("name: finished", "name: Finished Runs", 2, "words-with-dashes"),
    ("evidence: mlflow_run", "evidence: mlflow_runs", 7, "unknown evidence kind"),
    ("evidence: mlflow_run", "evidence: policy", 8, "no control expects policy from mlflow.run"),
    ("controls: expected", "controls: [iso42001:A.99]", 8, "unknown control 'iso42001:A.99'"),
    ("controls: expected", "controls: [iso42001:A.2.2]", 8, "does not ask for mlflow_run"),
    ("controls: expected", "controls: [iso42001:A.4.4, iso42001:A.4.4]", 8, "twice"),
    ("controls: expected", "controls: []", 8, "names none"),
    ("controls: expected", "controls: all", 8, "must be a list|unknown control"),
    ("controls: expected", "controls: {named: outcome}", 8, "in its payload"),
    ("    controls: expected\n", "", 2, "go together"),
    ("    controls: expected\n", "    events: [deployment]\n", 2, "either evidence"),
    ("rationale: It ran.", "rationale: ''", 9, "not empty"),
    ("rationale: It ran.", "rationale: It ran.\n    strength: strong", 10, "unknown strength"),
    ("rationale: It ran.", "rationale: It ran.\n    prio: 1", 10, "unknown key 'prio'"),
    ("payload.status: FINISHED", "payload.status: RUNNING", 12, "does not match its match"),
    ("- payload: {status: FAILED}", "- payload: {status: FINISHED}", 14, "matches its ignore"),
    ("        - payload: {status: FAILED}", "        []", 13, "no ignore example"),
    ("        - payload: {status: FAILED}", "        - {kind: mlflow.trace}", 13, "its own kind"),
    ("        - payload: {status: FAILED}", "        - {change: gone}", 13, "its own kind"),
    ("      ignore:\n        - payload: {status: FAILED}\n", "", 10, "lacks 'ignore'"),
    ("- payload: {status: FAILED}", "- {payload: {}, colour: red}", 14, "unknown key 'colour'"),
    ("payload.status: FINISHED", "status: FINISHED", 5, "is no field"),
    ("payload.status: FINISHED", "payload.['a\"b']: x", 5, "is no field"),
    ("payload.status: FINISHED", "payload.status: [{a: b}]", 5, "must be compared with"),
    ("payload.status: FINISHED", "payload.status: null", 5, "for null use exists"),
    ("payload.status: FINISHED", "payload.status: []", 5, "never holds"),
    ("payload.status: FINISHED", "payload.status: {}", 5, "asked nothing"),
    ("payload.status: FINISHED", "payload.status: {is: x}", 5, "unknown key 'is'"),
    ("payload.status: FINISHED", "payload.status: {exists: maybe}", 5, "true or false"),
    ("payload.status: FINISHED", "payload.n: {gt: '3'}", 5, "number without quotes"),
    ("payload.status: FINISHED", "title: {gt: 3}", 5, "has no bounds"),
    ("payload.status: FINISHED", "title: 3", 5, "is text"),
    ("payload.status: FINISHED", "title: {has: x}", 5, "holds no list"),
    ("payload.status: FINISHED", "change: success", 5, "never 'success'; known"),
    ("payload.status: FINISHED", "payload.status: {like: '*'}", 5, "holds for everything"),
    ("payload.status: FINISHED", "payload.status: {matches: '(a+)+'}", 5, "run for ever"),
    ("payload.status: FINISHED", "payload.status: {matches: '(a'}", 5, "not a regular"),
    ("payload.status: FINISHED", "payload.status: {matches: '.*'}", 5, "holds for empty"),
    ("payload.status: FINISHED", "payload.status: {matches: '^a$'}", 5, "anchored already"),
    ("payload.status: FINISHED", "any: []", 5, "at least one"),
    ("payload.status: FINISHED", "not: {}", 5, "holds for everything"),
    ("payload.status: FINISHED", "payload.status: FINISHED\n      payload.status: X", 6, "twice"),
    ("payload.status: FINISHED", "payload.status: &a FINISHED\n      title: *a", 6, "aliases"),
    ("payload.status: FINISHED", "payload.status: !!python/name:os.system x", 5, "tag"),
    ("payload.status: FINISHED", "payload.status: [FINISHED", 6, "is not YAML"),
    ("payload.status: FINISHED", 'payload.status: "a\\u0000b"', 5, "control character"),
    ("rules:", "rulez:", 1, "unknown key 'rulez'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "says"), CASES)
def test_what_cannot_be_meant_is_refused_where_it_stands(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    assert old in GOOD
    with pytest.raises(MappingError, match=says) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert caught.value.file.endswith("own.yaml")
    assert caught.value.line == line


OWN_KIND = "kinds:\n  acme.decision: git.document\n" + GOOD.replace(
    "kind: mlflow.run", "kind: acme.decision"
).replace("evidence: mlflow_run", "evidence: management_review")


def test_a_strangers_kind_stands_for_a_source_type(tmp_path: Path) -> None:
    rules = load(tmp_path, OWN_KIND)
    assert "iso42001:9.3.1" in {target.control for target in rules.rules[0].targets}
    other = load(tmp_path, OWN_KIND.replace("acme.decision", "acme.minutes"))
    assert other.digest != rules.digest


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("acme.decision: git.documents", "unknown source type 'git.documents'"),
        ("mlflow.run: git.document", "the kind 'mlflow.run' is known already"),
        ("headwater.draft: git.document", "the kind 'headwater.draft' is Headwater's own"),
    ],
)
def test_a_strangers_kind_is_checked(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(MappingError, match=f"own.yaml:2: .*{says}"):
        load(tmp_path, OWN_KIND.replace("acme.decision: git.document", line))


def test_two_rules_of_one_name_are_refused_with_both_places(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    with pytest.raises(MappingError, match=r"b\.yaml:2: finished is also at .*a\.yaml:2"):
        load(tmp_path, GOOD, "b.yaml")


def test_a_folder_without_rules_is_no_rule_set(tmp_path: Path) -> None:
    load_rules.cache_clear()
    with pytest.raises(MappingError, match="no rules found"):
        load_rules((tmp_path,))


def test_an_event_rule_knows_only_the_catalogues_events(tmp_path: Path) -> None:
    claim = "evidence: mlflow_run\n    controls: expected"
    assert load(tmp_path, GOOD.replace(claim, "events: [deployment]")).rules[0].targets[0].control
    with pytest.raises(MappingError, match="unknown event 'deploy'"):
        load(tmp_path, GOOD.replace(claim, "events: [deploy]"))
    with pytest.raises(MappingError, match="an event has no strength"):
        load(tmp_path, GOOD.replace(claim, "events: [deployment]\n    strength: full"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"x" * (MAX_BYTES + 1), "larger than"),
        (b"a: \xff", "not UTF-8"),
        (b"", "is empty"),
        (b"[" * 100_000, "nests deeper|is not YAML"),
        (b"a: &x [1]\nb: [*x, *x]", "aliases"),
        (b"a: 1\n---\nb: 2", "is not YAML"),
        (b"? [a]\n: 1", "a key must be plain text"),
        (b"<<: {a: 1}\n<<: {b: 1}", "merge keys"),
    ],
)
def test_tricks_of_yaml_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(MappingError, match=says) as caught:
        parse(data, "f.yaml")
    assert caught.value.file == "f.yaml"


def test_plain_words_stay_words() -> None:
    text = b"{a: 'on', b: 2026-01-01, c: 1:30, d: '010', e: v1, f: TRUE, g: 3, h: 0.5, i: ~}"
    assert parse(text, "f").plain() == {
        "a": "on", "b": "2026-01-01", "c": "1:30", "d": "010", "e": "v1", "f": True, "g": 3,
        "h": 0.5, "i": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "pattern",
    ["(a*)*b", "(a|a)*b", "(a|b|ab){2,}c", "(?=a)b", r"(a)\1", "a**", "a+?", "a{1,2}{3}",
     r"\bword", "x*y*z*w*", "(a)(a)(a)(a)(a)", "a" * 201, "[z-a]", "(?i)a", "a{3,1}",
     "[[:alpha:]]"],
)  # fmt: skip
def test_expressions_outside_the_common_language_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        expression(pattern)


def test_the_worst_allowed_patterns_end_soon_on_hostile_text() -> None:
    before = time.process_time()
    assert expression(".*a.*b.*").fullmatch("a" * 500) is None
    assert glob("*a*a*a*a*b").fullmatch("a" * 100_000) is None
    assert time.process_time() - before < 30


def row(**changes: Any) -> dict[str, Any]:
    base = {
        "item_id": "i", "source": "s", "kind": "mlflow.run", "nature": "event", "system": "credit",
        "subject": "r1", "title": "t", "change": "new", "outcome": "recorded", "actor": "",
        "locator": "", "payload": json.dumps({"status": "FINISHED", "lifecycle_stage": "active"}),
    }  # fmt: skip
    return base | changes


def test_an_explanation_names_the_rules_their_reasons_and_the_near_misses() -> None:
    told = load_rules().explain(row())
    (match,) = told.matched
    assert match.rule == "mlflow-run"
    assert "iso42001:A.6.2.3" in match.controls
    assert 'payload.status is "FINISHED"' in match.why
    (miss,) = told.near_misses
    assert miss.rule == "mlflow-evaluation"
    assert any("payload.metrics is there (it is absent)" in text for text in miss.failed)


def test_a_failed_run_is_told_apart_from_a_finished_one() -> None:
    told = load_rules().explain(row(payload='{"status": "FAILED", "lifecycle_stage": "active"}'))
    assert told.matched == ()
    assert told.near_misses[0].failed == (
        'fails: payload.status is "FINISHED" (it is "FAILED")',
    )  # fmt: skip


def test_what_is_gone_is_no_evidence_but_may_be_an_event() -> None:
    alias = row(kind="mlflow.model_alias", nature="state", subject="m@champion", change="gone",
                payload='{"last_content_sha256": "00"}')  # fmt: skip
    claims = [c for m in load_rules().explain(alias).matched for c in m.claims]
    assert [(c.control, c.evidence) for c in claims] == [("event:decommission", "")]


def test_a_statement_speaks_to_the_control_it_names_and_to_no_other() -> None:
    payload = {"control": "A.5.5", "by": "lena", "statement": "weighed", "until": "2027-01-31"}
    told = load_rules().explain(row(kind="human.attestation", payload=json.dumps(payload)))
    assert [m.controls for m in told.matched] == [("iso42001:A.5.5",)]
    stranger = row(kind="human.attestation", payload=json.dumps(payload | {"control": "B.1"}))
    (miss,) = load_rules().explain(stranger).near_misses
    assert miss.failed == ("fails: payload.control names a control that asks for this",)


def test_a_payload_that_is_no_json_is_an_error_and_not_a_miss() -> None:
    with pytest.raises(MappingError, match="not JSON"):
        load_rules().explain(row(payload="{"))


def test_the_digest_moves_with_a_word_but_not_with_an_example(tmp_path: Path) -> None:
    first = load(tmp_path, GOOD).digest
    assert load(tmp_path, "# a remark\n" + GOOD).digest == first
    assert load(tmp_path, GOOD.replace("{status: FAILED}", "{status: KILLED}")).digest == first
    assert load(tmp_path, GOOD.replace("It ran.", "It ran to its end.")).digest != first


def test_the_query_is_written_once_for_each_set_of_rules(tmp_path: Path) -> None:
    rules = load(tmp_path, GOOD)
    assert rules.sql() is rules.sql()
    assert rules.sql("spark") != rules.sql()
    other = load(tmp_path, GOOD.replace("It ran.", "It ran to its end."))
    assert "It ran to its end." in other.sql()
    assert "It ran to its end." not in rules.sql()
