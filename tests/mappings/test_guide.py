"""Guidance is there for everything, and what else helps people is pinned with its sources."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from evidence.errors import MappingError
from mappings.catalogue import HERE, load_catalogue
from mappings.guide import load_guide
from mappings.law import load_law

SOURCES = set(yaml.safe_load((HERE / "iso42001/SOURCES.yaml").read_text())["sources"])


def test_every_clause_and_control_has_guidance_that_says_something_of_its_own() -> None:
    guidance = load_guide().guidance
    controls = load_catalogue().controls
    assert list(guidance) == [control.id for control in controls]
    assert len(set(guidance.values())) == 70
    for control in controls:
        text = guidance[control.id]
        assert 2 <= len(re.findall(r"[.?](?: |$)", text)) <= 6, control.id
        assert 150 <= len(text) <= 700, control.id
        assert control.summary not in text
        assert not re.search(r"\bshall\b", text), f"{control.id} sounds like a standard"


def test_records_and_stages_are_pinned() -> None:
    guide = load_guide()
    assert {r.name: [len(p.points) for p in r.parts] for r in guide.records} == {
        "Statement of Applicability": [4, 6, 3], "internal audit programme": [6, 4],
        "management review": [5, 2], "nonconformity and corrective action": [6, 7],
    }  # fmt: skip
    clauses = [c.partition(":")[2] for record in guide.records for c in record.clauses]
    assert clauses == ["6.1.3", "9.2.1", "9.2.2", "9.3.1", "9.3.2", "9.3.3", "10.2"]
    certification = guide.certification
    assert certification.standard.name == "ISO/IEC 42001:2023"
    assert [stage.name for stage in certification.stages] == [
        "stage 1", "stage 2", "surveillance", "recertification",
    ]  # fmt: skip
    assert len(certification.rules) == 4
    assert list(certification.areas) == ["4", "5", "6", "7", "8", "9", "10"]


def test_law_is_pinned() -> None:
    law = load_law()
    assert [(f.article, f.least.days, f.force) for f in law.floors] == [
        ("EU AI Act Art. 19 (providers) and Art. 26(6) (deployers)", 6 * 31, "law"),
        ("EU AI Act Art. 18", 10 * 366, "law"),
        ("CIS AWS Foundations Benchmark", 365, "advice"),
        ("a public template", 5 * 366, "advice"),
    ]
    assert [f.keeps.days for f in law.forgets] == [180, 7, 90]
    assert [(d.article, d.within) for d in law.deadlines] == [
        ("Art. 33(1)", "within 72 hours"), ("Art. 33(2)", "without undue delay"),
        ("Art. 34(1)", "without undue delay"), ("Art. 73(2)", "within 15 days"),
        ("Art. 73(3)", "within 2 days"), ("Art. 73(4)", "within 10 days"),
        ("Art. 26(5)", "without undue delay"),
    ]  # fmt: skip
    assert len(law.deadlines_of(load_catalogue().numbered("A.8.4").id)) == 7
    assert law.deadlines_of(load_catalogue().numbered("4.1").id) == ()


def test_all_of_it_has_a_known_source() -> None:
    guide, law = load_guide(), load_law()
    named = {source for record in guide.records for source in record.sources}
    named |= {source for rule in guide.certification.rules for source in rule.sources}
    named |= set(guide.certification.standard.sources)
    named |= {one.source for one in (*law.floors, *law.forgets, *law.deadlines)}
    assert named <= SOURCES


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("iso42001", "law"):
        shutil.copytree(HERE / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("iso42001/guidance.yaml", "  A.9.4:", "  A.9.5:", "unknown key 'A.9.5'"),
        ("iso42001/records.yaml", "[6.1.3]", "[6.1.9]", "unknown control"),
        ("iso42001/certification.yaml", "  '4': issues", "  '3': issues", "unknown key '3'"),
        ("law/retention.yaml", "least: P10Y", "least: ten years", "not an ISO 8601 duration"),
        ("law/retention.yaml", "force: law", "force: custom", "none of law, advice"),
        ("law/deadlines.yaml", "requirement: Art. 33", "requirement: Art. 333", "none of Art. 5"),
        ("law/deadlines.yaml", "framework: gdpr-2016-679", "framework: gdpr", "none of eu-ai-act"),
        ("law/deadlines.yaml", "[A.8.4]", "[A.8.44]", "unknown control"),
    ],
)
def test_a_wrong_word_is_refused_with_its_place(
    copy: Path, file: str, old: str, new: str, says: str
) -> None:
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1))
    with pytest.raises(MappingError, match=says) as caught:
        (load_law if file.startswith("law/") else load_guide)(copy)
    assert caught.value.file == file
