"""The shipped frameworks are pinned; nothing carried elsewhere looks better than it is."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evidence.canonical import canonical
from evidence.errors import MappingError
from evidence.freshness import ControlStanding, Standing
from evidence.model import ControlId
from mappings.catalogue import HERE, load_catalogue
from mappings.crosswalk import Carried, Reach, carry
from mappings.frameworks import Framework, Relation, Review, Row
from mappings.in_force import mapping_in_force, read_document
from mappings.read_frameworks import FRAMEWORKS, framework_trees, read_frameworks

SHIPPED = mapping_in_force().frameworks
CONTROLS = [control.id for control in load_catalogue().controls]
TODAY = date(2026, 11, 26)
MADE = """\
framework: acme-1
title: Acme's own
short: Acme
edition: first
rights: ours
requirements:
  - title: All
    ids: [R1, R2]
rows:
  - from: '7.2'
    to: R1
    relation: equivalent-to
    rationale: functional
    confidence: high
    sources: [our lawyers]
"""
REVIEW = """\
reviews:
  - framework: acme-1
    from: '7.2'
    to: R1
    relation: {relation}
    by: Ann Ode
    on: '{on}'
    why: The records name both roles.
"""


def test_ids_and_numbers_are_pinned() -> None:
    assert {name: (len(f.requirements), len(f.rows)) for name, f in SHIPPED.items()} == {
        "eu-ai-act-2024-1689": (40, 108),
        "gdpr-2016-679": (46, 98),
        "iso27001-2022": (123, 97),
        "nist-ai-rmf-1.0": (72, 186),
        "soc2-tsc-2017-rev2022": (61, 100),
    }
    annex = [r for r in SHIPPED["iso27001-2022"].requirements if r.startswith("A.")]
    assert Counter(r.rpartition(".")[0] for r in annex) == {
        "A.5": 37,
        "A.6": 8,
        "A.7": 14,
        "A.8": 34,
    }
    nist = Counter(r.partition(" ")[0] for r in SHIPPED["nist-ai-rmf-1.0"].requirements)
    assert nist == {"GOVERN": 19, "MAP": 18, "MEASURE": 22, "MANAGE": 13}


def test_every_row_has_a_source_that_is_listed_and_no_review_that_nobody_made() -> None:
    listed = yaml.safe_load((HERE / "iso42001" / "SOURCES.yaml").read_text())["sources"]
    for framework in SHIPPED.values():
        for row in framework.rows:
            assert set(row.sources) <= set(listed), row
            assert row.review is None, "who ships a row cannot have reviewed it for a user"
        assert {day.source for day in framework.dates} <= set(listed)


def standings(**given: Standing) -> dict[ControlId, ControlStanding]:
    """All controls stale, but for those that are given (`c7_2`)."""
    told = {f"iso42001:{key[1:].replace('_', '.')}": value for key, value in given.items()}
    return {
        control: ControlStanding(control, told.get(control, Standing.STALE), "because", 0, 1)
        for control in CONTROLS
    }


def made(tmp_path: Path, *reviews: str, text: str = MADE) -> Framework:
    (tmp_path / "acme.yaml").write_text(text)
    for number, review in enumerate(reviews):
        (tmp_path / f"reviews-{number}.yaml").write_text(review)
    return read_frameworks(framework_trees([tmp_path]), load_catalogue())["acme-1"]


def first(framework: Framework, standing: Standing, on: date = TODAY) -> Carried:
    return next(iter(carry(framework, standings(c7_2=standing), on)))


def test_only_what_a_person_reviewed_carries_the_whole(tmp_path: Path) -> None:
    bare = first(made(tmp_path), Standing.PROVED)
    assert bare.reach is Reach.PART
    assert bare.open.startswith("said to cover it, which nobody here reviewed: 7.2")
    reviewed = made(tmp_path, REVIEW.format(relation="equivalent-to", on="2026-11-20"))
    assert first(reviewed, Standing.PROVED).reach is Reach.WHOLE
    assert first(reviewed, Standing.PROVED).open == ""
    assert first(reviewed, Standing.STALE).reach is Reach.OPEN
    assert first(reviewed, Standing.ATTESTED).reach is Reach.PART
    assert "over a year ago" in first(reviewed, Standing.PROVED, date(2027, 12, 1)).open
    assert "a day to come" in first(reviewed, Standing.PROVED, date(2026, 11, 19)).open


def test_the_later_review_holds_and_may_take_a_row_away(tmp_path: Path) -> None:
    later = REVIEW.format(relation="no-relationship", on="2026-11-21")
    earlier = REVIEW.format(relation="equivalent-to", on="2026-11-20")
    for order in ([later, earlier], [earlier, later]):
        told = first(made(tmp_path, *order), Standing.PROVED)
        assert told.reach is Reach.OPEN
        assert told.open == "no control of ISO/IEC 42001 speaks to it"


relations = st.sampled_from(list(Relation))
reviews = st.none() | st.builds(
    Review, by=st.just("Ann"), on=st.dates(date(2025, 1, 1), date(2027, 1, 1)), relation=relations,
    why=st.just("x"),
)  # fmt: skip


@st.composite
def frameworks(draw: st.DrawFn) -> Framework:
    controls = draw(st.lists(st.sampled_from(CONTROLS), unique=True, max_size=6))
    rows = tuple(
        Row(c, "R", draw(relations), "semantic", "low", ("x",), review=draw(reviews))
        for c in controls
    )
    return Framework("f", "F", "F", "1", "ours", {"R": "All"}, rows, {}, (), ())


@given(framework=frameworks(), rng=st.randoms(use_true_random=False))
def test_never_better_than_the_best_link_alone(framework: Framework, rng: Random) -> None:
    told = {
        control: ControlStanding(control, rng.choice(list(Standing)), "", 0, 1)
        for control in CONTROLS
    }
    (all_,) = carry(framework, told, TODAY)
    alone = [next(iter(carry(_only(framework, row), told, TODAY))).reach for row in framework.rows]
    order = [Reach.OPEN, Reach.PART, Reach.WHOLE]
    assert order.index(all_.reach) <= max((order.index(reach) for reach in alone), default=0)
    proved = {row.control for row in framework.rows
              if told[row.control].standing in {Standing.PROVED, Standing.ATTESTED}}  # fmt: skip
    if all_.reach is not Reach.OPEN:
        assert proved, "something is carried, and no control is in date"
    if all_.reach is Reach.WHOLE:
        assert not all_.failing
        assert any(row.review and row.review.relation.whole for row in framework.rows)
    assert bool(all_.open) == (all_.reach is not Reach.WHOLE)


def _only(framework: Framework, row: Row) -> Framework:
    return Framework("f", "F", "F", "1", "ours", {"R": "All"}, (row,), {}, (), ())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("from: '7.2'", "from: '7.99'", "acme.yaml:10: unknown control 'iso42001:7.99'"),
        ("to: R1", "to: R9", "acme.yaml:11: 'R9' is none of the framework's requirements"),
        ("equivalent-to", "banana", "acme.yaml:12: relation 'banana' is none of equal-to"),
        ("confidence: high", "confidence: sure", "acme.yaml:14: confidence 'sure' is none of"),
        ("[R1, R2]", "[R1, R1]", "acme.yaml:8: the requirement 'R1' is there twice"),
        ("to: R1", "to: [R1, R1]", "acme.yaml:11: iso42001:7.2 and R1 are in two rows"),
        ("framework: acme-1", "framework: gdpr-2016-679", "acme.yaml:1: the framework 'gdpr-2016"),
        ("short: Acme", "shirt: Acme", "acme.yaml:3: unknown key 'shirt'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_names_file_and_line(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    with pytest.raises(MappingError) as error:
        made(tmp_path, text=MADE.replace(old, new, 1))
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("acme-1", "acme-2", "there is no such framework; known: eu-ai-act-2024-1689"),
        ("to: R1", "to: R2", "no row of acme-1 says that iso42001:7.2 speaks to R2"),
        ("2026-11-20", "20 November", "a day is written as 2026-11-26"),
    ],
)
def test_a_review_of_nothing_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    review = REVIEW.format(relation="equal-to", on="2026-11-20").replace(old, new)
    with pytest.raises(MappingError, match=told):
        made(tmp_path, review)


def test_the_mapping_document_brings_frameworks_back_and_older_ones_have_none(
    tmp_path: Path,
) -> None:
    (tmp_path / "acme.yaml").write_text(MADE)
    (tmp_path / "reviews.yaml").write_text(REVIEW.format(relation="equal-to", on="2026-11-20"))
    mapping = mapping_in_force(frameworks=(tmp_path,))
    again = read_document(canonical(mapping.document).decode())
    assert again.frameworks == mapping.frameworks
    assert again.frameworks["acme-1"].rows[0].review is not None
    older = {key: value for key, value in mapping.document.items() if key != "frameworks"}
    assert read_document(canonical(older).decode()).frameworks == {}
    assert mapping.digest != mapping_in_force().digest


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="no framework and no review found"):
        framework_trees([tmp_path])
    assert len(framework_trees()) == len(list(FRAMEWORKS.glob("*.yaml")))
