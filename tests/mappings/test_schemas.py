"""The JSON Schemas are of today's code, take every shipped file, and refuse what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from evidence.errors import MappingError
from mappings.catalogue import HERE, load_catalogue
from mappings.nodes import parse, read
from mappings.schemas import FOLDER, schema, schemas, write

FILES = {
    "rules": sorted((HERE / "rules").glob("*.yaml")),
    "frameworks": sorted((HERE / "frameworks").glob("*.yaml")),
    "clauses": [HERE / "iso42001" / "clauses.yaml"],
    "controls": [HERE / "iso42001" / "controls.yaml"],
    "evidence_kinds": [HERE / "iso42001" / "evidence_kinds.yaml"],
    "expectations": [HERE / "expectations.yaml"],
    "questions": [HERE / "questions.yaml"],
    "trace": [HERE / "trace.yaml"],
    "labelled": [HERE / "suggest" / "labelled.yaml"],
    "aliases": [HERE / "aliases.yaml"],
    **{
        name: [HERE / "iso42001" / f"{name}.yaml"]
        for name in ("guidance", "records", "certification")
    },
    **{name: [HERE / "law" / f"{name}.yaml"] for name in ("retention", "deadlines")},
}
RULE = """\
rules:
  - name: own-rule
    kind: jira.issue
    when:
      payload.status: Done
      outcome: [passed, failed]
      any:
        - payload.points: {gte: 3}
        - not: {payload.labels: {has: minor}}
    evidence: change_request
    controls: expected
    rationale: Because.
    examples:
      match: [{payload: {status: Done}}]
      ignore: [{payload: {status: Open}}]
"""


def wrong(name: str, value: Any) -> Iterator[str]:
    made = schemas(load_catalogue())[name]
    Draft202012Validator.check_schema(made)
    yield from (error.message for error in Draft202012Validator(made).iter_errors(value))


def test_the_committed_files_are_what_the_code_makes(tmp_path: Path) -> None:
    write(tmp_path)
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.json")}
    for path in sorted(made):
        assert (FOLDER / path).read_text() == (tmp_path / path).read_text(), (
            "python -m mappings.schemas"
        )
    assert made == {path.relative_to(FOLDER) for path in FOLDER.rglob("*.json")}
    assert json.loads(schema("rules"))["title"] == "Headwater: rules.yaml"
    with pytest.raises(MappingError, match="there is no schema 'rule'; known: rules"):
        schema("rule")


@pytest.mark.parametrize("name", FILES)
def test_every_shipped_file_fits_and_points_to_its_schema(name: str) -> None:
    for path in FILES[name]:
        assert list(wrong(name, read(path).plain())) == [], path
        pointer = path.read_text().partition("\n")[0].partition("$schema=")[2]
        assert (path.parent / pointer).resolve() == FOLDER / f"{name}.json"


def test_every_file_of_the_mapping_has_a_schema() -> None:
    listed = {path for paths in FILES.values() for path in paths}
    assert set(HERE.rglob("*.yaml")) - listed == {HERE / "iso42001" / "SOURCES.yaml"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: own-rule", "name: Own Rule"),
        ("payload.status: Done", "payloadstatus: Done"),
        ("[passed, failed]", "[passed, fine]"),
        ("{gte: 3}", "{least: 3}"),
        ("{gte: 3}", "{gte: three}"),
        ("evidence: change_request", "evidence: change_requests"),
        ("controls: expected", "controls: [A.6.2.4]"),
        ("controls: expected", "events: [deployment]"),
        ("rationale: Because.", "why: Because."),
        ("      ignore: [{payload: {status: Open}}]\n", ""),
    ],
)
def test_what_the_loader_refuses_an_editor_shows(old: str, new: str) -> None:
    assert list(wrong("rules", parse(RULE.encode(), "own.yaml").plain())) == []
    assert old in RULE
    broken = parse(RULE.replace(old, new, 1).encode(), "own.yaml").plain()
    assert list(wrong("rules", broken))


def test_a_review_is_no_framework() -> None:
    review = {
        "framework": "x", "from": "7.2", "to": "R1", "relation": "equal-to", "by": "Ann",
        "on": "2026-11-20", "why": "looked",
    }  # fmt: skip
    assert list(wrong("frameworks", {"reviews": [review]})) == []
    assert list(wrong("frameworks", {"reviews": [review | {"on": "yesterday"}]}))
    assert list(wrong("frameworks", {"reviews": [review], "framework": "x"}))
