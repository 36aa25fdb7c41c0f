"""What is declared to be context only proves itself like a rule, and silences no failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.errors import MappingError
from mappings.conditions import Field, Is, leaves
from mappings.examples import example_row
from mappings.nodes import Node
from mappings.rules import Rule, RuleSet, load_rules
from mappings.suggest.draft import declared_kinds
from tests.mappings.test_rules import GOOD, load, row
from tests.mappings.test_shipped import tagged

REGISTER = Field("payload", ("register",))
CHAT = """context:
  - name: chat
    kind: jira.issue
    when:
      payload.type: Chat
    rationale: Talk among colleagues.
    examples:
      match:
        - payload: {type: Chat}
      ignore:
        - payload: {type: Incident}
rules: []
"""


def answers(rules: RuleSet, rows: dict[str, dict[str, object]]) -> set[tuple[str, str]]:
    """What the query says, which the explanation must say, too."""
    found = tagged(rules, rows)
    told = {item: rules.explain(one) for item, one in rows.items()}
    explained = {(item, m.rule) for item, e in told.items() for m in (*e.matched, *e.context)}
    tagged_too = {item for item, e in told.items() if e.matched}
    declared = {rule.name for rule in rules.rules if rule.context}
    assert {(i, r) for i, r in found if not (i in tagged_too and r in declared)} == explained
    return found


def test_a_declaration_is_a_tag_that_speaks_to_no_control(tmp_path: Path) -> None:
    rules = load(tmp_path, CHAT)
    (rule,) = rules.rules
    assert rule.context
    assert [(t.control, t.evidence, t.strength) for t in rule.targets] == [("context:chat", "", "")]
    assert rules.told == "0 rules, 1 declarations of context"
    assert not rules.taken()
    assert declared_kinds([tmp_path]) == frozenset(), "a draft reads such a file, too"
    chat = row(kind="jira.issue", payload='{"type": "Chat"}')
    told = rules.explain(chat)
    assert told.matched == ()
    assert [(m.rule, m.why[-1]) for m in told.context] == [("chat", 'payload.type is "Chat"')]


@pytest.mark.parametrize("outcome", ["failed", "error", "passed", "recorded"])
def test_no_declaration_holds_for_a_failure(tmp_path: Path, outcome: str) -> None:
    item = row(kind="jira.issue", outcome=outcome, payload={"type": "Chat"})
    found = answers(load(tmp_path, CHAT), {"i": item})
    assert found == (set() if outcome in {"failed", "error"} else {("i", "chat")})
    gone = row(kind="jira.issue", change="gone", payload={"type": "Chat"})
    assert answers(load(tmp_path, CHAT), {"i": gone}) == set()


def test_a_rule_wins_over_a_declaration(tmp_path: Path) -> None:
    both = GOOD + CHAT.replace("rules: []\n", "").replace("jira.issue", "mlflow.run").replace(
        "payload.type: Chat", "payload.note: x"
    ).replace("{type: Chat}", "{note: x}").replace("{type: Incident}", "{note: z}")
    rules = load(tmp_path, both)
    run = row(outcome="recorded", payload={"status": "FINISHED", "note": "x"})
    assert answers(rules, {"i": run}) == {("i", "finished"), ("i", "chat")}
    told = rules.explain(run)
    assert [m.rule for m in told.matched] == ["finished"]
    assert told.context == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("    when:\n      payload.type: Chat\n", "", 2, "a declaration of context lacks 'when'"),
        ("rationale: Talk among colleagues.", "rationale: ''", 6, "rationale must be text"),
        ("rationale: Talk", "strength: full\n    rationale: Talk", 6, "unknown key 'strength'"),
        ("rationale: Talk", "evidence: policy\n    rationale: Talk", 6, "unknown key 'evidence'"),
        ("kind: jira.issue", "kind: jira.issues", 3, "unknown source kind"),
        ("name: chat", "name: Chat", 2, "words-with-dashes"),
        ("        - payload: {type: Incident}", "        []", 10, "no ignore example"),
        ("{type: Incident}", "{type: Chat}", 11, "chat matches its ignore example"),
        ("- payload: {type: Chat}", "- {outcome: failed, payload: {type: Chat}}", 9,
         "does not match its match example"),
        ("rules: []", "rulez: []", 12, "unknown key 'rulez'"),
    ],
)  # fmt: skip
def test_what_is_no_declaration_is_refused_where_it_stands(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    assert old in CHAT
    with pytest.raises(MappingError, match=says) as caught:
        load(tmp_path, CHAT.replace(old, new, 1))
    assert (Path(caught.value.file).name, caught.value.line) == ("own.yaml", line)


def test_a_name_is_one_among_rules_and_declarations(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    with pytest.raises(MappingError, match=r"b\.yaml:2: finished is also at .*a\.yaml:2"):
        load(tmp_path, CHAT.replace("name: chat", "name: finished"), "b.yaml")


def test_the_digest_moves_with_a_declaration_but_not_with_its_examples(tmp_path: Path) -> None:
    first = load(tmp_path, CHAT).digest
    assert load(tmp_path, CHAT.replace("Incident", "Bug")).digest == first
    assert load(tmp_path, CHAT.replace("Talk", "Gossip")).digest != first
    assert load(tmp_path, "rules: []\n").digest != first


def _shipped(name: str) -> Rule:
    return next(rule for rule in load_rules().rules if rule.name == name)


def test_every_row_that_is_context_is_of_a_register_that_speaks_as_a_whole() -> None:
    rules, row_of = load_rules(), _shipped("register-row")
    asked = [leaf for leaf in leaves(row_of.when) if isinstance(leaf, Is)]
    listed = {v for leaf in asked if leaf.field == REGISTER for v in leaf.values}
    assert len(listed) > 30
    for register in sorted(map(str, listed)):
        whole = {"nature": "state", "payload": {"register": register, "level": "register"}}
        node = Node.of(whole, "whole")
        matched = rules.explain(example_row(node, row_of)).matched
        assert any(claim.evidence for m in matched for claim in m.claims), register


def test_no_row_of_a_register_that_our_rules_name_waits() -> None:
    rules = load_rules()
    asked = (leaf for rule in rules.rules for leaf in leaves(rule.when))
    named = {v for a in asked if isinstance(a, Is) and a.field == REGISTER for v in a.values}
    named -= {"attestations", "impact_assessments"}  # their rows speak, or wait
    assert len(named) > 30
    for register in named:
        for level in ("register", "record"):
            payload = {"register": register, "level": level}
            told = rules.explain(row(kind="git.register", change="changed", payload=payload))
            assert told.matched or told.context, (register, level)


READ = {"eventSource": "s3.amazonaws.com", "eventName": "GetBucketPolicy", "readOnly": True,
        "userIdentity": {"type": "AssumedRole"}}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "context"),
    [
        ({}, True),
        ({"eventName": "ListTagsForResource"}, True),
        ({"errorCode": "AccessDenied"}, False),
        ({"readOnly": False}, False),
        ({"userIdentity": {"type": "Root"}}, False),
        ({"userIdentity": None}, False),
        ({"eventName": "GetObject"}, False),
        ({"eventName": "GetSecretValue", "eventSource": "secretsmanager.amazonaws.com"}, False),
        ({"eventName": "GetPasswordData", "eventSource": "ec2.amazonaws.com"}, False),
        ({"eventName": "DescribeInstanceAttribute", "eventSource": "ec2.amazonaws.com"}, False),
    ],
)
def test_of_a_trail_only_looking_at_settings_is_context(
    change: dict[str, object], context: bool
) -> None:
    item = row(kind="aws.cloudtrail", system="", payload=READ | change)
    assert bool(load_rules().explain(item).context) is context
