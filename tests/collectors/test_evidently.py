"""Reports that Evidently wrote: drift is told apart from the data, and no time is guessed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.check_results import CheckResults
from evidence.errors import ConfigError
from evidence.model import Change, EvidenceItem, Outcome
from tests.collectors.checks_world import edit, kind, payload, pull

EVIDENTLY = Path(__file__).parent / "payloads" / "evidently"
DATA, DRIFT = "evidently/credit", "evidently/credit/drift"


def over(folder: Path, name: str, inside: str = "credit") -> Path:
    """The file of a report that each run writes over."""
    (folder / inside).mkdir(exist_ok=True, parents=True)
    shutil.copyfile(EVIDENTLY / f"{name}.json", folder / inside / "report.json")
    return folder


def told(items: list[EvidenceItem]) -> dict[str, tuple[str, str]]:
    events = [i for i in items if i.kind != "checks.suite"]
    return {item.subject: (item.kind, str(item.outcome)) for item in events}


def test_drift_and_data_are_told_apart(tmp_path: Path) -> None:
    items, _, facts = pull(over(tmp_path, "good"), zone="UTC", systems={"credit": "scoring"})
    assert told(items) == {
        DATA: ("checks.result", "passed"),
        DRIFT: ("drift.report", "passed"),
    }
    assert {item.system for item in items} == {"scoring"}
    assert (facts.gaps, facts.states) == ((), ("checks.suite",))
    checks = {c["name"]: c for c in payload(kind(items, "suite")[DATA])["checks"]}
    least = checks["MinValue of income: GreaterOrEqualMetricTest #1"]
    assert (least["severity"], least["criteria"]["limits"]) == ("warn", {"threshold": 0.0})


def test_what_moved_fails_with_its_score(tmp_path: Path) -> None:
    items, _, _ = pull(over(tmp_path, "drifted"), zone="UTC")
    assert {outcome for _, outcome in told(items).values()} == {"failed"}
    (drift,) = [i for i in items if i.kind == "drift.report"]
    scores = payload(drift)["facts"]["drift"]
    assert scores["income"]["method"] == "ks"
    assert scores["income"]["score"] < 0.05 < scores["purpose"]["score"]
    assert payload(drift)["counts"]["failed"] == 2
    moved = [c["name"] for c in payload(drift)["checks"] if c["said"] == "failed"]
    assert moved == [
        "DriftedColumnsCount: LessThanMetricTest #1",
        "ValueDrift of income: ValueDriftTest #1",
    ]


def test_a_report_without_tests_is_no_pass(tmp_path: Path) -> None:
    items, _, _ = pull(over(tmp_path, "untested"), zone="UTC")
    assert told(items) == {DRIFT: ("drift.report", "error")}
    assert "no check was evaluated" in items[0].title


def test_no_time_is_guessed(tmp_path: Path) -> None:
    items, _, facts = pull(over(tmp_path, "without_time"), zone="UTC")
    assert (items, facts.states) == ([], ())
    assert "without its time" in facts.gaps[0].why
    items, cursor, facts = pull(over(tmp_path, "good"))
    assert items == []
    assert "give `zone`" in facts.gaps[0].why
    items, _, facts = pull(tmp_path, cursor, zone="Europe/Berlin")
    berlin = next(i for i in items if i.kind == "drift.report").observed_to
    assert berlin.replace(microsecond=0) == datetime(2026, 11, 26, 6, 21, 13, tzinfo=UTC)
    with pytest.raises(ConfigError, match="no time zone such as"):
        CheckResults("checks", tmp_path, zone="Berlin/Europe")


def test_a_name_and_a_zone_of_its_own_are_taken(tmp_path: Path) -> None:
    items, _, facts = pull(over(tmp_path, "zoned"), zone="America/New_York")
    assert set(told(items)) == {"evidently/credit-nightly", "evidently/credit-nightly/drift"}
    assert {i.observed_to for i in items if i.kind == "drift.report"} == {
        datetime(2026, 11, 26, 7, tzinfo=UTC)
    }
    assert facts.gaps == ()


def test_a_workspace_is_read_as_it_lies(tmp_path: Path) -> None:
    over(tmp_path, "untested", "01a216ba/snapshots")
    (tmp_path / "01a216ba" / "metadata.json").write_text(
        '{"id": "01a216ba", "name": "credit", "description": "", "org_id": null, "version": "1"}'
    )
    items, _, facts = pull(tmp_path, zone="UTC")
    assert facts.gaps == ()
    assert set(told(items)) == {"evidently/01a216ba/drift"}


def _metric(document: dict[str, Any], name: str) -> dict[str, Any]:
    for metric in document["metric_results"].values():
        if metric["metric_value_location"]["metric"]["params"]["type"].endswith(f":{name}"):
            found: dict[str, Any] = metric
            return found
    raise AssertionError(name)


def _later(document: dict[str, Any]) -> None:
    document["timestamp"] = "2026-11-26T07:22:00"


def test_a_weakened_report_fails(tmp_path: Path) -> None:
    _, cursor, _ = pull(over(tmp_path, "good"), zone="UTC")

    def weaken(document: dict[str, Any]) -> None:
        _later(document)
        rows = _metric(document, "RowCount")
        rows["metric_value_location"]["metric"]["params"]["tests"][0]["threshold"] = 1.0
        rows["tests"][0]["bound_test"]["test"]["threshold"] = 1.0
        _metric(document, "MinValue")["tests"].clear()
        _metric(document, "MinValue")["metric_value_location"]["metric"]["params"]["tests"].clear()

    edit(tmp_path / "credit" / "report.json", weaken)
    items, after, _ = pull(tmp_path, cursor, zone="UTC")
    suite = kind(items, "suite")[DATA]
    assert (suite.change, suite.outcome) == (Change.CHANGED, Outcome.FAILED)
    assert [c["what"] for c in payload(suite)["weaker"]["checks"]] == [
        "is no longer there",
        "asks for something else",
    ]
    edit(over(tmp_path, "untested") / "credit" / "report.json", _later)
    items, _, _ = pull(tmp_path, after, zone="UTC")
    suites = {s: str(i.outcome) for s, i in kind(items, "suite").items()}
    assert suites == {DATA: "failed", DRIFT: "failed"}


def test_a_method_that_evidently_chose_itself_is_no_weakening(tmp_path: Path) -> None:
    _, cursor, _ = pull(over(tmp_path, "good"), zone="UTC")

    def more_rows(document: dict[str, Any]) -> None:
        _later(document)
        for metric in document["metric_results"].values():
            params = metric["metric_value_location"]["metric"]["params"]
            if params.get("column") == "purpose" and "method" in params:
                params.update(method="Jensen-Shannon distance", threshold=0.1)

    edit(tmp_path / "credit" / "report.json", more_rows)
    items, _, _ = pull(tmp_path, cursor, zone="UTC")
    assert kind(items, "suite") == {}
    assert told(items)[DRIFT] == ("drift.report", "passed")


def test_no_value_of_the_data_lands(tmp_path: Path) -> None:
    def spill(document: dict[str, Any]) -> None:
        document["metadata"] = document["widgets"] = ["Jane Doe"]
        for metric in document["metric_results"].values():
            metric["display_name"] = "Jane Doe"
            metric["values"] = {"Jane Doe": {"value": 1}}
            metric["widget"] = [{"params": {"rows": ["Jane Doe"]}}]
            for test in metric["tests"]:
                test.update(name="Jane Doe", description="Actual value Jane Doe")

    edit(over(tmp_path, "drifted") / "credit" / "report.json", spill)
    items, _, _ = pull(tmp_path, zone="UTC")
    assert {outcome for _, outcome in told(items).values()} == {"failed"}
    assert b"Doe" not in b"".join(item.content + item.title.encode() for item in items)


def _status(status: Any) -> Any:
    return lambda d: _metric(d, "RowCount")["tests"][0].update(status=status)


@pytest.mark.parametrize(
    ("change", "subject", "outcome"),
    [
        (_status("WARNING"), DATA, "failed"),
        (_status("ERROR"), DATA, "error"),
        (_status("SKIPPED"), DATA, "error"),
        (_status(None), DATA, "error"),
        (lambda d: _metric(d, "RowCount").update(value=3), DATA, "failed"),
        (lambda d: _metric(d, "CategoryCount")["share"].update(value=0.01), DATA, "failed"),
        (lambda d: _metric(d, "RowCount")["tests"].clear(), DATA, "error"),
        (lambda d: _metric(d, "ValueDrift").update(value=0.001), DRIFT, "failed"),
    ],
    ids=["warning", "error", "skipped", "null", "denied", "share denied", "left out", "drifted"],
)  # fmt: skip
def test_a_pass_is_only_believed_whole(
    tmp_path: Path, change: Any, subject: str, outcome: str
) -> None:
    def every_method(document: dict[str, Any]) -> None:
        for metric in document["metric_results"].values():
            params = metric["metric_value_location"]["metric"]["params"]
            if params.get("method") == "ks":
                params["method"] = "K-S p_value"
        change(document)

    edit(over(tmp_path, "good") / "credit" / "report.json", every_method)
    items, _, _ = pull(tmp_path, zone="UTC")
    assert told(items)[subject][1] == outcome


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"timestamp": "2999-01-01T00:00:00"}, "in the future"),
        ({"timestamp": "soon"}, "no time is guessed"),
        ({"metric_results": []}, "no object `metric_results`"),
    ],
    ids=["future", "no time", "no metrics"],
)
def test_what_cannot_be_believed_is_a_gap(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    edit(over(tmp_path, "good") / "credit" / "report.json", lambda d: d.update(change))
    items, _, facts = pull(tmp_path, zone="UTC")
    assert (items, facts.states, facts.gaps[0].what) == ([], (), "credit/report.json")
    assert why in facts.gaps[0].why


def test_a_report_edited_in_place_is_told_as_changed_and_fails(tmp_path: Path) -> None:
    _, cursor, _ = pull(over(tmp_path, "drifted"), zone="UTC")

    def whitewash(document: dict[str, Any]) -> None:
        for metric in document["metric_results"].values():
            for test in metric["tests"]:
                test["status"] = "SUCCESS"

    edit(tmp_path / "credit" / "report.json", whitewash)
    items, _, _ = pull(tmp_path, cursor, zone="UTC")
    assert {(i.change, i.outcome) for i in items} == {(Change.CHANGED, Outcome.FAILED)}
    assert len(items) == 2
