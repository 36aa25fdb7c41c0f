"""Conditions that leave nearly nothing out are found, whatever the `ignore` example says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence.canonical import canonical
from evidence.errors import MappingError
from mappings.breadth import broad, examples
from mappings.in_force import mapping_in_force, read_document
from mappings.rules import RULES, RuleSet, load_rules

NEVER = "of which nothing is known|nearly all 3[0-9] examples of other rules"
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ("jira.issue", {"not": {"payload.status": "Never used"}}, {},
     {"payload": {"status": "Never used"}}, NEVER),
    ("jira.issue", {"payload.no_such_place": {"exists": False}}, {},
     {"payload": {"no_such_place": 1}}, NEVER),
    ("acme.note", {"payload.no_such_place": {"exists": False}}, {},
     {"payload": {"no_such_place": 1}}, NEVER),
    ("jira.issue", {"outcome": ["passed", "failed", "error", "recorded"],
                    "not": {"payload.x": "y"}}, {}, {"payload": {"x": "y"}}, NEVER),
    ("jira.issue", {"title": {"exists": True}}, {"title": "t"}, {"title": ""}, NEVER),
    ("jira.issue", {"any": [{"subject": {"like": "*-*"}}, {"subject": {"exists": True}}]},
     {"subject": "s"}, {"subject": ""}, NEVER),
    ("jira.issue", {"all": [{"not": {"payload.a.b": 1}}, {"not": {"payload.a": "z"}}]}, {},
     {"payload": {"a": "z"}}, NEVER),
    ("git.register", {"payload.register": {"exists": True}}, {"payload": {"register": "x"}},
     {"payload": {"level": "register"}}, r"nearly all \d+ examples of other rules"),
]  # fmt: skip
IDS = ["not", "absent", "own-kind", "every-word", "title", "either", "deep", "in-all-examples"]


def page(
    word: str, kind: str, when: dict[str, Any], match: object, ignore: object, **more: str
) -> str:
    """A file with one rule or one declaration of context, as JSON, which YAML reads, too."""
    claim = {"events": ["significant_change"]} if word == "rules" else {}
    one = {
        "name": "wide", "kind": kind, "when": when, **claim, **more, "rationale": "Because.",
        "examples": {"match": [match], "ignore": [ignore]},
    }  # fmt: skip
    kinds = {"kinds": {"acme.note": "git.document"}} if kind == "acme.note" else {}
    return json.dumps(kinds | {"rules": [], word: [one]}, indent=1)


def load(folder: Path, text: str) -> RuleSet:
    (folder / "own.yaml").write_text(text)
    load_rules.cache_clear()
    return load_rules((RULES, folder))


@pytest.mark.parametrize("word", ["rules", "context"])
@pytest.mark.parametrize(("kind", "when", "match", "ignore", "says"), CASES, ids=IDS)
def test_what_takes_nearly_everything_is_refused_where_it_stands(
    tmp_path: Path, word: str, kind: str, when: dict[str, Any], match: object, ignore: object,
    says: str,
) -> None:  # fmt: skip
    if word == "context" and "outcome" in when:
        when = when | {"outcome": ["passed", "recorded"]}
    text = page(word, kind, when, match, ignore)
    with pytest.raises(MappingError, match=f"wide takes nearly every {kind}: .*({says})") as caught:
        load(tmp_path, text)
    line = next(n for n, one in enumerate(text.splitlines(), 1) if '"name": "wide"' in one) - 1
    assert (Path(caught.value.file).name, caught.value.line) == ("own.yaml", line)
    assert ("in `broad`" in str(caught.value)) is (word == "rules")


def test_who_means_it_says_so_and_the_digest_holds_it(tmp_path: Path) -> None:
    kind, when, match, ignore, _ = CASES[0]
    wide = load(tmp_path, page("rules", kind, when, match, ignore, broad="All but the unused."))
    other = load(tmp_path, page("rules", kind, when, match, ignore, broad="All the same."))
    assert wide.digest != other.digest
    with pytest.raises(MappingError, match="unknown key 'broad' in a declaration"):
        load(tmp_path, page("context", kind, when, match, ignore, broad="All."))
    with pytest.raises(MappingError, match="broad must be text"):
        load(tmp_path, page("rules", kind, when, match, ignore, broad=""))


def test_no_shipped_rule_is_broad_and_none_says_so() -> None:
    load_rules.cache_clear()
    rules = load_rules().rules
    known = examples(rules)
    asking = [rule for rule in rules if rule.selective]
    assert len(asking) > 150
    assert [rule.name for rule in asking if rule.broad or broad(rule, known)] == []


def test_what_was_in_force_is_judged_again_however_wide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, when, match, ignore, _ = CASES[0]
    (tmp_path / "own.yaml").write_text(page("rules", kind, when, match, ignore))
    with monkeypatch.context() as before:
        before.setattr("mappings.in_force.within_limits", lambda _: None)
        mapping_in_force.cache_clear()
        then = mapping_in_force((RULES, tmp_path))
    mapping_in_force.cache_clear()
    with pytest.raises(MappingError, match="wide takes nearly every"):
        mapping_in_force((RULES, tmp_path))
    read_document.cache_clear()
    assert read_document(canonical(then.document).decode()).rules.digest == then.rules.digest
