"""Items become nodes of a life cycle by what `trace.yaml` says; mistakes in it are named."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from evidence.errors import MappingError
from evidence.registers import register_called
from evidence.trace import Stage
from mappings.catalogue import HERE, load_catalogue
from mappings.trace import FILE, load_trace

AT = datetime(2026, 11, 1, tzinfo=UTC)


def row(kind: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {
        "item_id": "id", "kind": kind, "source": "s", "nature": "state", "system": "scoring",
        "subject": "sub", "title": "", "change": "new", "outcome": "recorded", "actor": "Ann",
        "locator": "", "observed_from": AT, "observed_to": AT, "payload": payload,
    }  # fmt: skip
    return given | more


def test_it_speaks_of_what_the_catalogue_knows() -> None:
    trace, catalogue = load_trace(), load_catalogue()
    assert set(trace.evidence) <= set(catalogue.kinds)
    assert {kind for one in trace.kinds for kind in one.kinds} <= set(catalogue.native_kinds)
    assert set(trace.stages.values()) | {one.stage for one in trace.kinds} >= {
        stage for stage in Stage
    }


def test_an_item_is_what_its_kind_and_its_tags_say() -> None:
    trace = load_trace()
    version = row("mlflow.model_version", {
        "name": "credit", "version": "3", "logged_model": "m-1", "run_id": "r1", "user_id": "mira",
        "created": "2026-10-01T00:00:00Z", "tags": {"change_ticket": "CHG-1"},
    })  # fmt: skip
    (node,) = trace.nodes(version, ["mlflow_registry"])
    assert (node.stage, node.keys, node.who) == (Stage.VERSION, ("credit/3", "m-1"), "mira")
    assert node.at == datetime(2026, 10, 1, tzinfo=UTC)
    assert {(r.stage.value, r.key, r.firm) for r in node.names} == {
        ("model", "credit", False), ("training", "r1", True), ("change", "CHG-1", True),
    }  # fmt: skip
    run = row("mlflow.run", {"run_id": "r1", "params": {"model": "credit", "version": 3}})
    both = list(trace.nodes(run, ["mlflow_run", "mlflow_evaluation"]))
    assert [n.stage for n in both] == [Stage.TRAINING, Stage.EVALUATION]
    assert {r.key for n in both for r in n.names} == {"credit/3"}
    ticket = row("jira.issue", {"key": "CHG-1", "id": "17", "models": [
        {"name": "credit", "version": "3"}, {"name": "credit"}, "hostile", 7]})  # fmt: skip
    (change,) = trace.nodes(ticket, ["change_request"])
    assert change.keys == ("CHG-1", "17")
    assert [r.key for r in change.names] == ["credit/3"]
    assert list(trace.nodes(ticket, [])) == []


def test_a_kind_that_nobody_described_stands_by_its_tags() -> None:
    (node,) = load_trace().nodes(row("acme.drift", {"run_id": "r"}), ["drift_report", "other"])
    assert (node.stage, node.keys, node.system) == (Stage.MONITORING, ("sub",), "scoring")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("  training: [mlflow_run]", "  teaching: [mlflow_run]", "unknown stage 'teaching'"),
        ("[mlflow_dataset]", "[mlflow_run]", "'mlflow_run' stands at 'training' already"),
        ("    firm: [risk]", "    firm: [system]", "'system' is named nowhere"),
        ("    key: payload.run_id", "    key: run_id", "'run_id' is no field"),
        ("{each: payload.models}", "{every: payload.models}", "unknown key 'every'"),
        ("{join: [payload.name, payload.version]}", "{of: [a]}", "a name is a place"),
        ("    stage: risk\n    key: payload.id\n", "    stage: risk\n", "lacks 'key'"),
        (
            "    key: payload.run_id",
            "    system: payload.team\n    key: payload.run_id",
            "a system of its own needs a `stage`",
        ),
    ],
)
def test_a_mistake_names_file_and_line(tmp_path: Path, old: str, new: str, why: str) -> None:
    text = FILE.read_text()
    assert old in text
    file = tmp_path / "trace.yaml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(MappingError, match=why) as caught:
        load_trace(file)
    assert caught.value.line > 0


def test_what_is_read_of_registers_is_told_to_who_writes_them() -> None:
    for kind in yaml.safe_load((HERE / "trace.yaml").read_text(encoding="utf-8"))["kinds"]:
        registers = kind.get("when", {}).get("payload.register", [])
        for name in [registers] if isinstance(registers, str) else registers:
            known = register_called(name)
            assert known is not None, name
            read = set(re.findall(r"payload\.(\w+)", str({**kind, "when": {}})))
            assert read <= {"id", *(field.name for field in known.of_record)}, name
