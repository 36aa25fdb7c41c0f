"""`headwater oscal`: what trestle reads, and the words that trestle would let pass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from trestle.oscal.catalog import Catalog
from trestle.oscal.mapping import MappingCollection
from trestle.oscal.profile import Profile

from evidence.errors import ConfigError
from flows.config import load, now
from flows.judgement import judge_lake
from flows.moment import present
from flows.oscal import _decisions, documents, export
from mappings.catalogue import load_catalogue
from mappings.frameworks import CONFIDENCES, RATIONALES, Relation
from mappings.in_force import mapping_in_force
from mappings.oscal import profile
from storage.lake import Lake
from tests.flows.conftest import Home

READERS = {"catalog": Catalog, "profile": Profile, "mapping-collection": MappingCollection}


@pytest.fixture
def written(home: Home, tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "oscal"
    assert export(home(), folder, None) == 0
    return {path.name: json.loads(path.read_text()) for path in sorted(folder.iterdir())}


def test_trestle_reads_every_file(written: dict[str, Any]) -> None:
    assert len(written) == 2 + 2 * len(mapping_in_force().frameworks)
    for document in written.values():
        ((kind, body),) = document.items()
        READERS[kind].model_validate(body)
        assert body["metadata"]["oscal-version"] == "1.2.1"


def test_every_control_and_requirement_is_there_once_and_every_row_points_to_both(
    written: dict[str, Any],
) -> None:
    ours = ids(written["catalog.json"])
    assert len(ours) == len(set(ours)) == len(load_catalogue().controls) == 70
    for name, framework in mapping_in_force().frameworks.items():
        theirs = ids(written[f"{name}.json"])
        assert len(theirs) == len(set(theirs)) == len(framework.requirements)
        (mapping,) = written[f"to-{name}.json"]["mapping-collection"]["mappings"]
        assert len(mapping["maps"]) == len(framework.rows)
        assert len({row["uuid"] for row in mapping["maps"]}) == len(framework.rows)
        for row in mapping["maps"]:
            assert row["sources"][0]["id-ref"] in ours
            assert row["targets"][0]["id-ref"] in theirs
            assert row["relationship"] in set(Relation)
            assert row["matching-rationale"] in RATIONALES
            assert row["confidence-score"]["category"] in CONFIDENCES


def ids(document: Mapping[str, Any]) -> list[str]:
    return [c["id"] for group in document["catalog"]["groups"] for c in group["controls"]]


def test_the_same_moment_gives_the_same_bytes(home: Home) -> None:
    config = load(home())
    lake = Lake.open(config.lake, clock=now)
    judged = judge_lake(lake, present(lake, config))
    assert list(documents(judged)) == list(documents(judged))


def test_only_a_whole_decision_includes_or_leaves_out() -> None:
    soa = {
        "A.2.2": {"applicable": True, "reason": "we have a policy"},
        "A.10.4": {"applicable": False, "reason": "no customers"},
        "A.2.3": {"applicable": False, "reason": "  "},
        "A.2.4": {"applicable": True, "problems": ["no owner"]},
        "A.3.2": {"applicable": "yes"},
    }
    decisions = dict(_decisions(soa))
    assert decisions == {"A.2.2": (True, "we have a policy"), "A.10.4": (False, "no customers")}
    told = profile(mapping_in_force(), decisions, now())["profile"]
    Profile.model_validate(told)
    (chosen,) = told["imports"]
    included = chosen["include-controls"][0]["with-ids"]
    assert "a.2.2" in included
    assert "cl-4.1" in included
    assert not {"a.10.4", "a.2.3", "a.2.4", "a.3.2"} & set(included)
    assert "Left out: A.10.4: no customers" in told["metadata"]["remarks"]
    assert "Not decided yet: A.2.3, A.2.4, A.3.2" in told["metadata"]["remarks"]
    assert [alter["control-id"] for alter in told["modify"]["alters"]] == ["a.2.2"]


def test_a_folder_that_holds_something_is_left_alone(home: Home, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(ConfigError, match="choose a new or empty folder"):
        export(home(), tmp_path, None)
