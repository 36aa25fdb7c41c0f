"""The shipped rules and the documentation, run by the query engine on their own examples."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from evidence.canonical import canonical, plain
from mappings.catalogue import load_catalogue
from mappings.conditions import COLUMNS
from mappings.examples import example_row
from mappings.nodes import Node, parse, read
from mappings.rules import RULES, RuleSet, load_rules, uncovered

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/rules.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
NAMES = ("item_id", "kind", *COLUMNS, "payload")


def examples(rules: RuleSet, trees: list[Node]) -> dict[str, tuple[str, bool, dict[str, object]]]:
    """Item id → (rule, whether it matches, row) of every example."""
    by_name = {rule.name: rule for rule in rules.rules}
    found: dict[str, tuple[str, bool, dict[str, object]]] = {}
    for tree in trees:
        listed = (tree.value[word].value for word in ("rules", "context") if word in tree.value)
        for node in (node for nodes in listed for node in nodes):
            rule = by_name[node.value["name"].value]
            for word, listed in node.value["examples"].value.items():
                for example in listed.value:
                    found[f"i{len(found)}"] = (
                        rule.name,
                        word == "match",
                        example_row(example, rule),
                    )
    return found


def tagged(rules: RuleSet, rows: dict[str, dict[str, object]]) -> set[tuple[str, str]]:
    """(item, rule) pairs that the query finds."""
    with duckdb.connect() as engine:
        engine.execute(f"CREATE TABLE items ({', '.join(f'{name} VARCHAR' for name in NAMES)})")
        for item_id, row in rows.items():
            payload = canonical(plain(row["payload"])).decode()
            values = [item_id, row["kind"], *(row.get(name, "") for name in COLUMNS), payload]
            engine.execute(f"INSERT INTO items VALUES ({', '.join('?' * len(NAMES))})", values)
        answer = engine.execute(f"SELECT DISTINCT item_id, rule FROM ({rules.sql()})").fetchall()
        columns = [column[0] for column in engine.execute(rules.sql()).description or ()]
    assert columns == ["item_id", "control", "evidence", "rule", "strength", "rationale",
                       "mapping_digest"]  # fmt: skip
    return {(str(item), str(rule)) for item, rule in answer}


def test_every_example_comes_out_of_the_query_as_it_is_written() -> None:
    rules = load_rules()
    known = examples(rules, [read(path) for path in sorted(RULES.glob("*.yaml"))])
    assert len(known) > 2 * len(rules.rules)
    answer = tagged(rules, {item: row for item, (_, _, row) in known.items()})
    wrong = [item for item, (rule, match, _) in known.items() if ((item, rule) in answer) != match]
    assert [known[item] for item in wrong] == []
    declared = {rule.name for rule in rules.rules if rule.context}
    for item, (_, _, row) in known.items():
        told, named = rules.explain(row), {rule for found, rule in answer if found == item}
        assert {match.rule for match in told.matched} == named - declared
        assert {match.rule for match in told.context} == (set() if told.matched else named)


def test_every_need_of_the_catalogue_has_a_shipped_rule() -> None:
    catalogue, rules = load_catalogue(), load_rules()
    needs = {
        (control.id, need.evidence) for control in catalogue.controls for need in control.needs
    }
    assert len(needs) == 256
    assert list(uncovered(rules, catalogue)) == []
    taken = rules.taken()
    assert needs <= taken.keys()
    assert taken[catalogue.numbered("A.8.4").id, "guardduty"] == {
        "aws.guardduty.detector", "aws.guardduty.finding",
    }  # fmt: skip


def test_only_known_controls_and_events_are_claimed() -> None:
    catalogue, rules = load_catalogue(), load_rules()
    known = {c.id for c in catalogue.controls} | {f"event:{name}" for name in catalogue.events}
    claims = {target.control for rule in rules.rules for target in rule.targets if not rule.context}
    assert claims <= known
    asked = {(c.id, need.evidence) for c in catalogue.controls for need in c.needs}
    claimed = {(t.control, t.evidence) for r in rules.rules for t in r.targets if t.evidence}
    assert {pair for pair in claimed if pair[1] != "attestation"} <= asked


@pytest.mark.parametrize("block", BLOCKS)
def test_the_documented_example_loads_and_runs(tmp_path: Path, block: str) -> None:
    (tmp_path / "documented.yaml").write_text(block)
    rules = load_rules((RULES, tmp_path))
    known = examples(rules, [parse(block.encode(), "docs/rules.md")])
    answer = tagged(rules, {item: row for item, (_, _, row) in known.items()})
    for item, (rule, match, _) in known.items():
        assert ((item, rule) in answer) is match


WORDS = """gt gte lt lte like matches has exists all any not name kind when evidence controls
strength rationale examples events full partial supporting named expected context broad""".split()  # noqa: SIM905


def test_the_documentation_names_every_key_and_column() -> None:
    words = (*COLUMNS, *WORDS)
    assert [word for word in words if not re.search(rf"[`*{{ ]{word}\b", DOCS)] == []
    assert len(BLOCKS) == 3, "a rule, the kinds of a file, and a declaration of context"


def test_importing_the_room_costs_neither_sqlglot_nor_an_engine() -> None:
    code = "import sys, mappings.rules, mappings.catalogue; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"sqlglot", "duckdb", "pandas", "pyarrow", "prefect"} & set(loaded)
