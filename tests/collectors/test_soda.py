"""Scans that Soda wrote: what broke or came to nothing never passes, no check is lost unseen."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from evidence.model import Change, Outcome
from tests.collectors.checks_world import edit, kind, outcomes, payload, pull

SODA = Path(__file__).parent / "payloads" / "soda"
LOANS, SCORES = "soda/nightly/loans", "soda/nightly/scores"


def lay(folder: Path, *names: str) -> Path:
    """Copies of these scans, side by side."""
    for name in names:
        shutil.copyfile(SODA / f"{name}.json", folder / f"{name}.json")
    return folder


def over(folder: Path, name: str) -> Path:
    """The file of a scan that each scan writes over."""
    shutil.copyfile(SODA / f"{name}.json", folder / "scan.json")
    return folder


def test_a_scan_passes_where_every_check_of_the_table_held(tmp_path: Path) -> None:
    items, _, facts = pull(lay(tmp_path, "good"), systems={"loans": "credit"})
    assert outcomes(items) == {LOANS: "passed", SCORES: "passed"}
    loans = kind(items, "result")[LOANS]
    assert (loans.system, payload(loans)["tool_version"]) == ("credit", "3.5.6")
    assert loans.observed_from <= loans.observed_to
    suites = kind(items, "suite")
    assert payload(suites[LOANS])["suite_sha256"] == payload(loans)["suite_sha256"]
    severities = {c["name"]: c["severity"] for c in payload(suites[LOANS])["checks"]}
    assert severities["missing_percent(amount) warn when > 1 %"] == "warn"
    assert (facts.gaps, facts.states) == ((), ("checks.suite",))


def test_warnings_and_failures_fail_with_how_many_rows(tmp_path: Path) -> None:
    items, _, _ = pull(lay(tmp_path, "bad"))
    assert outcomes(items) == {LOANS: "failed", SCORES: "failed"}
    told = payload(kind(items, "result")[LOANS])
    assert told["counts"] == {"held": 2, "failed": 4, "error": 0, "skipped": 0}
    rows = {c["name"]: (c["failures"], c["why"]) for c in told["checks"]}
    assert rows["duplicate_count(id) < 1"] == (1, "")
    assert rows["missing_percent(amount) warn when > 1 %"] == (1, "warned")


def test_a_scan_that_broke_is_an_error_for_every_table_known_of(tmp_path: Path) -> None:
    document = json.loads((SODA / "broken.json").read_text())
    assert (document["checks"], document["hasFailures"]) == ([], False)
    items, _, _ = pull(over(tmp_path, "broken"))
    assert outcomes(items) == {LOANS: "error"}
    assert kind(items, "suite") == {}
    _, cursor, _ = pull(over(tmp_path, "good"))
    items, after, facts = pull(over(tmp_path, "broken"), cursor)
    assert outcomes(items) == {LOANS: "error", SCORES: "error"}
    assert "the scan had errors" in kind(items, "result")[SCORES].title
    assert kind(items, "suite") == {}
    assert facts.states == ()
    items, _, facts = pull(over(tmp_path, "good"), after)
    assert set(outcomes(items).values()) == {"passed"}
    assert facts.states == ("checks.suite",)


def test_a_check_that_came_to_nothing_is_no_pass(tmp_path: Path) -> None:
    edit(lay(tmp_path, "empty") / "empty.json", _rows_after_all)
    items, _, _ = pull(tmp_path)
    assert outcomes(items) == {LOANS: "error", SCORES: "error"}
    assert "the scan had 9 checks and its file holds 8" in kind(items, "result")[LOANS].title
    assert kind(items, "suite") == {}


def _rows_after_all(document: dict[str, Any]) -> None:
    for check in document["checks"]:
        check.update(outcome="pass", diagnostics={})
    document["hasFailures"] = False


def test_a_weakened_suite_fails_between_scans_of_one_pull_or_of_two(tmp_path: Path) -> None:
    items, _, _ = pull(lay(tmp_path, "good", "weak"))
    suites = kind(items, "suite")
    assert {s: str(i.outcome) for s, i in suites.items()} == {LOANS: "failed", SCORES: "recorded"}
    told = payload(suites[LOANS])["weaker"]
    assert {c["check"]: c["what"] for c in told["checks"]} == {
        "avg(amount) > 10": "is no longer there",
        "duplicate_count(id) < 1": "is no longer there",
    }
    for file in tmp_path.iterdir():
        file.unlink()
    _, cursor, _ = pull(over(tmp_path, "good"))
    items, cursor, _ = pull(over(tmp_path, "weak"), cursor)
    weak = kind(items, "suite")[LOANS]
    assert (weak.change, weak.outcome) == (Change.CHANGED, Outcome.FAILED)
    assert payload(weak)["weaker"] == told
    items, _, _ = pull(tmp_path, cursor, answered={told["id"]: "Mira, ticket 12"})
    assert kind(items, "suite")[LOANS].outcome is Outcome.RECORDED


@pytest.mark.parametrize("name", ["dropped", "none"])
def test_a_table_that_lost_all_its_checks_has_failed(tmp_path: Path, name: str) -> None:
    _, cursor, _ = pull(over(tmp_path, "good"))
    items, _, _ = pull(over(tmp_path, name), cursor)
    suite = kind(items, "suite")[SCORES]
    assert (suite.outcome, payload(suite)["check_count"]) == (Outcome.FAILED, 0)


def test_a_scan_without_checks_is_no_pass(tmp_path: Path) -> None:
    items, _, _ = pull(lay(tmp_path, "none"))
    assert outcomes(items) == {"soda/nightly/no-table": "error"}


def test_no_cell_query_or_log_lands(tmp_path: Path) -> None:
    def spill(document: dict[str, Any]) -> None:
        document["queries"][0]["sql"] = "select 'Jane Doe'"
        document["logs"][0]["message"] = "Jane Doe"
        document["profiling"] = [{"table": "loans", "rows": ["Jane Doe"]}]
        for check in document["checks"]:
            check["definition"] = check["definition"].replace("car", "Jane Doe")
            check["diagnostics"]["blocks"] = [{"file": {"rows": [["Jane Doe"]]}}]
            check["diagnostics"]["value"] = "Jane Doe"
            check["outcomeReasons"] = [{"message": "Jane Doe"}]
            check["resourceAttributes"] = [{"name": "owner", "value": "Jane Doe"}]

    edit(lay(tmp_path, "bad") / "bad.json", spill)
    items, _, _ = pull(tmp_path)
    assert outcomes(items)[LOANS] == "failed"
    assert b"Doe" not in b"".join(item.content + item.title.encode() for item in items)


def _says(**change: Any) -> Any:
    return lambda document: document["checks"][0].update(change)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (_says(outcome=None), "error"),
        (_says(outcome="\x1b[31mfine"), "error"),
        (_says(diagnostics={"value": 0, "fail": {"lessThanOrEqual": 0.0}}), "failed"),
        (lambda document: document.update(hasErrors="no"), "error"),
        (lambda document: document.pop("hasErrors"), None),
        (lambda document: document.update(hasFailures=True), "error"),
        (lambda document: document["checks"].pop(0), "error"),
        (lambda document: document["logs"].append({"level": "error", "message": "x"}), "error"),
    ],
    ids=["null", "unknown", "denied", "no bool", "not said", "lies", "one fewer", "logged"],
)  # fmt: skip
def test_a_pass_is_only_believed_whole(tmp_path: Path, change: Any, outcome: str | None) -> None:
    edit(lay(tmp_path, "good") / "good.json", change)
    items, _, facts = pull(tmp_path)
    assert outcomes(items).get(LOANS) == outcome
    assert bool(facts.gaps) is (outcome is None)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"scanEndTimestamp": None}, "no time is guessed"),
        ({"scanEndTimestamp": "2999-01-01T00:00:00Z"}, "in the future"),
        ({"definitionName": None, "defaultDataSource": ""}, "names no scan"),
        ({"checks": {"a": 1}}, "no list of `checks`"),
    ],
    ids=["no time", "future", "no name", "no checks"],
)
def test_what_cannot_be_believed_is_a_gap(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    edit(lay(tmp_path, "good") / "good.json", lambda d: d.update(change))
    items, _, facts = pull(tmp_path)
    assert (items, facts.states, facts.gaps[0].what) == ([], (), "good.json")
    assert why in facts.gaps[0].why


def test_half_a_file_is_never_a_pass(tmp_path: Path) -> None:
    raw = (SODA / "good.json").read_bytes()
    for cut in (0, 1, len(raw) // 2, len(raw) - 3):
        (tmp_path / "scan.json").write_bytes(raw[:cut])
        items, _, facts = pull(tmp_path)
        assert items == []
        assert facts.shortfall() == 1


def test_a_scan_edited_in_place_is_told_as_changed_and_fails(tmp_path: Path) -> None:
    _, cursor, _ = pull(over(tmp_path, "bad"))
    edit(tmp_path / "scan.json", _whitewash)
    items, _, _ = pull(tmp_path, cursor)
    told = kind(items, "result")
    assert {item.change for item in told.values()} == {Change.CHANGED}
    assert {item.outcome for item in told.values()} == {Outcome.FAILED}


def _whitewash(document: dict[str, Any]) -> None:
    document.update(hasFailures=False, hasWarnings=False)
    for check in document["checks"]:
        check.update(outcome="pass")


def test_the_next_scan_in_the_same_file_is_a_run_of_its_own(tmp_path: Path) -> None:
    items, cursor, _ = pull(over(tmp_path, "bad"))
    first = kind(items, "result")[LOANS].observed_to
    edit(over(tmp_path, "good") / "scan.json", _later)
    items, _, _ = pull(tmp_path, cursor)
    assert outcomes(items) == {LOANS: "passed", SCORES: "passed"}
    assert {i.change for i in kind(items, "result").values()} == {Change.NEW}
    assert kind(items, "result")[LOANS].observed_to > first


def _later(document: dict[str, Any]) -> None:
    at = json.loads((SODA / "none.json").read_text())["scanEndTimestamp"]
    assert datetime.fromisoformat(at)
    document.update(scanStartTimestamp=at, scanEndTimestamp=at)


def test_two_sources_and_two_checks_of_one_name_stay_apart(tmp_path: Path) -> None:
    def twice(document: dict[str, Any]) -> None:
        for check in document["checks"]:
            check["name"] = "one name"
            if check["table"] == "scores":
                check.update(dataSource="lake", table="loans")

    edit(lay(tmp_path, "good") / "good.json", twice)
    items, _, _ = pull(tmp_path)
    assert outcomes(items) == {LOANS: "passed", "soda/nightly/lake.loans": "passed"}
    names = [c["name"] for c in payload(kind(items, "suite")[LOANS])["checks"]]
    assert len(set(names)) == 6


def test_no_check_hides_behind_another_of_its_name(tmp_path: Path) -> None:
    def crowd(document: dict[str, Any]) -> None:
        for number, check in enumerate(c for c in document["checks"] if c["table"] == "loans"):
            check["identity"] = str(number)
            check["name"] = "n #2" if number == 2 else "n"
            check["outcome"] = "fail" if number == 1 else "pass"

    edit(lay(tmp_path, "good") / "good.json", crowd)
    items, _, _ = pull(tmp_path)
    told = payload(kind(items, "result")[LOANS])
    assert told["counts"] == {"held": 5, "failed": 1, "error": 0, "skipped": 0}
    assert len({check["name"] for check in told["checks"]}) == 6


def test_a_scan_whose_name_begins_like_another_s_is_left_alone(tmp_path: Path) -> None:
    for name in ("nightly", "nightly/loans"):
        file = tmp_path / f"{len(name)}.json"
        shutil.copyfile(SODA / "good.json", file)
        edit(file, lambda document, name=name: document.update(definitionName=name))
    items, cursor, _ = pull(tmp_path)
    assert len(kind(items, "suite")) == 4
    assert {str(i.outcome) for i in kind(items, "suite").values()} == {"recorded"}
    assert pull(tmp_path, cursor)[0] == []
