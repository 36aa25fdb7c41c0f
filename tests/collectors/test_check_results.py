"""Files that dbt wrote, and what becomes of them when checks are weakened, left out or edited."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import ConfigError, SourceBroken, SourceRefused
from evidence.model import Change, Outcome
from tests.collectors.checks_world import edit, kind, outcomes, payload, pull
from tests.collectors.worlds.check_results import DBT, lay

APPLICATIONS, SCORES = "lending/applications", "lending/scores"


def test_a_run_passes_where_every_check_of_the_table_held(tmp_path: Path) -> None:
    items, _, facts = pull(lay(tmp_path, "good"), systems={"app*": "credit"})
    assert outcomes(items) == {APPLICATIONS: "passed", SCORES: "passed"}
    item = kind(items, "result")[APPLICATIONS]
    assert item.system == "credit"
    assert item.observed_to == datetime(2026, 11, 26, 5, 35, 37, 227558, tzinfo=UTC)
    suite = kind(items, "suite")[APPLICATIONS]
    assert payload(item)["suite_sha256"] == payload(suite)["suite_sha256"]
    assert facts.gaps == ()
    assert facts.states == ("checks.suite",)


def test_what_was_skipped_is_an_error_and_a_warning_is_a_failure(tmp_path: Path) -> None:
    items, _, _ = pull(lay(tmp_path, "bad"))
    assert outcomes(items) == {APPLICATIONS: "failed", SCORES: "error"}
    counts = payload(kind(items, "result")[APPLICATIONS])["counts"]
    assert counts == {"held": 1, "failed": 3, "error": 0, "skipped": 0}


def test_a_check_that_broke_is_an_error_that_tells_no_value(tmp_path: Path) -> None:
    item = kind(pull(lay(tmp_path, "broken"))[0], "result")[SCORES]
    assert item.outcome is Outcome.ERROR
    assert "Runtime Error" in {check["why"] for check in payload(item)["checks"]}
    assert b"Binder" not in item.content


def test_a_selection_of_the_checks_is_no_pass(tmp_path: Path) -> None:
    items, _, _ = pull(lay(tmp_path, "some"))
    assert outcomes(items) == {SCORES: "error"}
    assert "3 of 4 checks could not run or were not run" in kind(items, "result")[SCORES].title


def test_nothing_that_a_run_printed_or_was_given_lands(tmp_path: Path) -> None:
    target = lay(tmp_path, "bad")

    def spill(document: dict[str, Any]) -> None:
        document["args"]["vars"] = {"password": "hunter-2"}
        for row in document["results"]:
            row["message"] = "Got 1 result: Jane Doe of Elm Street"
            row["adapter_response"] = {"rows": ["Jane Doe"]}
            row["status"] = "Jane Error" if row["status"] == "fail" else row["status"]

    edit(target / "run_results.json", spill)
    landed = b"".join(item.content + item.title.encode() for item in pull(target)[0])
    assert not [word for word in (b"Doe", b"Elm", b"hunter", b"s3cret") if word in landed]


def test_a_weakened_suite_fails_until_it_is_as_it_was_or_somebody_answers(tmp_path: Path) -> None:
    _, cursor, _ = pull(lay(tmp_path, "good"))
    items, weak, _ = pull(lay(tmp_path, "weak"), cursor)
    assert outcomes(items)[APPLICATIONS] == "passed"
    suites = kind(items, "suite")
    assert {s.change for s in suites.values()} == {Change.CHANGED}
    assert {s.outcome for s in suites.values()} == {Outcome.FAILED}
    told = payload(suites[APPLICATIONS])["weaker"]
    what = {c["check"].split(".")[1]: c["what"] for c in told["checks"]}
    assert what == {
        "accepted_values_applications_purpose__car__home": "asks for something else",
        "unique_applications_id": "is no longer there",
    }
    (softened,) = payload(suites[SCORES])["weaker"]["checks"]
    assert softened["what"] == "only says warn now"
    assert pull(tmp_path, weak)[0] == []
    items, _, _ = pull(tmp_path, weak, answered={told["id"]: "Mira, ticket 12"})
    assert kind(items, "suite")[APPLICATIONS].outcome is Outcome.RECORDED
    assert kind(items, "suite").get(SCORES) is None
    forward = lay(tmp_path, "good") / "manifest.json"
    edit(forward, lambda d: d["metadata"].update(generated_at="2026-11-26T05:35:59Z"))
    suites = kind(pull(tmp_path, weak)[0], "suite")
    assert {s.outcome for s in suites.values()} == {Outcome.RECORDED}


def test_a_table_that_lost_all_its_checks_has_failed(tmp_path: Path) -> None:
    target = lay(tmp_path, "good")
    _, cursor, _ = pull(target)

    def strip(document: dict[str, Any]) -> None:
        for uid in [u for u, n in document["nodes"].items() if "applications" in u]:
            if document["nodes"][uid]["resource_type"] == "test":
                document["disabled"][uid] = [document["nodes"].pop(uid)]

    edit(target / "manifest.json", strip)
    edit(target / "run_results.json", lambda d: d.update(results=[]))
    items, _, _ = pull(target, cursor)
    suite = kind(items, "suite")[APPLICATIONS]
    assert (suite.outcome, payload(suite)["check_count"]) == (Outcome.FAILED, 0)


def test_another_macro_behind_a_test_is_another_criterion(tmp_path: Path) -> None:
    target = lay(tmp_path, "good")
    _, cursor, _ = pull(target)
    macro = {"name": "duckdb__test_not_null", "macro_sql": "select 1 where false", "created_at": 1}
    edit(target / "manifest.json", lambda d: d["macros"].update({"macro.lending.x": macro}))
    suites = kind(pull(target, cursor)[0], "suite")
    assert {suites[name].outcome for name in (APPLICATIONS, SCORES)} == {Outcome.FAILED}


def test_a_later_manifest_will_do_unless_its_tests_were_parsed_anew(tmp_path: Path) -> None:
    target = lay(tmp_path, "good", "freshness")
    assert outcomes(pull(target)[0])[APPLICATIONS] == "passed"
    later = datetime(2026, 11, 26, 5, 35, 39, tzinfo=UTC).timestamp()

    def parse(document: dict[str, Any]) -> None:
        for node in document["nodes"].values():
            node["created_at"] = later

    edit(target / "manifest.json", parse)
    item = kind(pull(target)[0], "result")[APPLICATIONS]
    assert (item.outcome, payload(item)["suite_sha256"]) == (Outcome.ERROR, "")
    assert "parsed anew after the run" in item.title


def test_an_older_manifest_says_nothing_of_a_later_run(tmp_path: Path) -> None:
    shutil.copy(DBT / "good" / "manifest.json", lay(tmp_path, "weak"))
    item = kind(pull(tmp_path)[0], "result")[SCORES]
    assert item.outcome is Outcome.ERROR
    assert "older than the run" in item.title


@pytest.mark.parametrize("damage", ["gone", "torn"])
def test_without_its_manifest_a_run_is_a_gap_until_it_is_there(tmp_path: Path, damage: str) -> None:
    manifest = lay(tmp_path, "good") / "manifest.json"
    raw = manifest.read_bytes()
    manifest.unlink() if damage == "gone" else manifest.write_bytes(raw[:900])
    items, cursor, facts = pull(tmp_path)
    assert items == []
    assert facts.states == ()
    assert any("its criteria are not known" in gap.why for gap in facts.gaps)
    manifest.write_bytes(raw)
    items, _, facts = pull(tmp_path, cursor)
    assert set(outcomes(items).values()) == {"passed"}
    assert facts.gaps == ()


def test_half_a_file_of_results_is_never_a_pass(tmp_path: Path) -> None:
    file = lay(tmp_path, "good") / "run_results.json"
    raw = file.read_bytes()
    for cut in (0, 1, len(raw) // 2, len(raw) - 3):
        file.write_bytes(raw[:cut])
        items, _, facts = pull(tmp_path)
        assert outcomes(items) == {}
        assert facts.gaps
        assert facts.shortfall() == 1


def test_results_edited_in_place_are_told_as_changed_and_fail(tmp_path: Path) -> None:
    target = lay(tmp_path, "bad")
    _, cursor, _ = pull(target)

    def whitewash(document: dict[str, Any]) -> None:
        for row in document["results"]:
            row.update(status="pass", failures=0)

    edit(target / "run_results.json", whitewash)
    items, after, _ = pull(target, cursor)
    told = kind(items, "result")
    assert {item.change for item in told.values()} == {Change.CHANGED}
    assert {item.outcome for item in told.values()} == {Outcome.FAILED}
    assert pull(target, after)[0] == []


def test_the_next_run_in_the_same_place_is_a_run_of_its_own(tmp_path: Path) -> None:
    _, cursor, _ = pull(lay(tmp_path, "bad"))
    items, _, _ = pull(lay(tmp_path, "good"), cursor)
    assert outcomes(items) == {APPLICATIONS: "passed", SCORES: "passed"}
    assert {item.change for item in kind(items, "result").values()} == {Change.NEW}


def test_a_pass_that_its_own_count_denies_has_failed(tmp_path: Path) -> None:
    target = lay(tmp_path, "good")
    edit(target / "run_results.json", lambda d: d["results"][2].update(failures=4))
    assert outcomes(pull(target)[0])[APPLICATIONS] == "failed"
    edit(target / "run_results.json", lambda d: d["results"][2].update(failures=None))
    assert outcomes(pull(target)[0])[APPLICATIONS] == "error"


def test_a_source_that_dbt_could_not_ask_is_not_silently_left_out(tmp_path: Path) -> None:
    target = lay(tmp_path, "good", "freshness")
    assert "nowhere" not in (target / "sources.json").read_text()
    told = kind(pull(target)[0], "result")
    assert told["lending/raw.loans/freshness"].outcome is Outcome.PASSED
    assert told["lending/raw.nowhere/freshness"].outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"status": "warn"}, "failed"),
        ({"status": "error"}, "failed"),
        ({"status": "runtime error"}, "error"),
        ({"max_loaded_at_time_ago_in_s": 400_000}, "failed"),
        ({"max_loaded_at_time_ago_in_s": None}, "error"),
        ({"criteria": {"error_after": {"count": 30, "period": "day"}}}, "error"),
    ],
    ids=["warn", "too old", "broke", "denied by its age", "without age", "other limits"],
)
def test_freshness_is_what_its_age_says(
    tmp_path: Path, change: dict[str, Any], outcome: str
) -> None:
    target = lay(tmp_path, "good", "freshness")
    edit(target / "sources.json", lambda d: d["results"][0].update(change))
    assert outcomes(pull(target)[0])["lending/raw.loans/freshness"] == outcome


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"generated_at": "2999-01-01T00:00:00Z"}, "in the future"),
        ({"generated_at": "yesterday"}, "no time is guessed"),
        ({"generated_at": "2026-11-26T05:35:37"}, "no time is guessed"),
        ({"invocation_id": ""}, "names no invocation"),
        ({"dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v9.json"}, "v4 to v6"),
        ({"dbt_schema_version": "\x1b[2J"}, "no check results"),
    ],
    ids=["future", "no time", "no zone", "no invocation", "later form", "hostile form"],
)
def test_what_cannot_be_believed_is_a_gap(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    target = lay(tmp_path, "good")
    edit(target / "run_results.json", lambda d: d["metadata"].update(change))
    items, _, facts = pull(target)
    assert outcomes(items) == {}
    assert [gap.what for gap in facts.gaps] == ["run_results.json"]
    assert why in facts.gaps[0].why


def test_a_file_older_than_its_run_is_not_believed(tmp_path: Path) -> None:
    file = lay(tmp_path, "good") / "run_results.json"
    os.utime(file, (1, 1))
    items, _, facts = pull(tmp_path)
    assert outcomes(items) == {}
    assert "written before the run" in facts.gaps[0].why


def test_a_table_without_a_name_stops_nothing(tmp_path: Path) -> None:
    target = lay(tmp_path, "good")

    def unname(document: dict[str, Any]) -> None:
        for node in document["nodes"].values():
            node["attached_node"] = " "

    edit(target / "manifest.json", unname)
    assert set(outcomes(pull(target)[0])) == {"unnamed/ "}


def test_two_results_of_one_check_or_unknown_checks_are_a_gap(tmp_path: Path) -> None:
    target = lay(tmp_path, "good")
    edit(target / "run_results.json", lambda d: d["results"].append(d["results"][2]))
    assert "two of one" in pull(target)[2].gaps[0].why
    lay(target, "good")
    unique = "test.lending.unique_applications_id.2ffdeb5a21"
    edit(target / "manifest.json", lambda d: d["nodes"].pop(unique))
    assert "are not in the manifest" in pull(target)[2].gaps[0].why


def test_an_earlier_manifest_laid_back_takes_nothing_back(tmp_path: Path) -> None:
    _, cursor, _ = pull(lay(tmp_path, "weak"))
    items, _, facts = pull(lay(tmp_path, "good"), cursor)
    assert kind(items, "suite") == {}
    assert facts.states == ()
    assert "older than those of" in facts.gaps[-1].why


def test_copies_of_each_run_are_read_and_the_newest_suites_count(tmp_path: Path) -> None:
    for name in ("bad", "good", "weak"):
        lay(tmp_path / name, name)
    items, cursor, facts = pull(tmp_path)
    assert facts.gaps == ()
    assert len([i for i in items if i.kind == "checks.result" and i.subject == SCORES]) == 3
    assert payload(kind(items, "suite")[APPLICATIONS])["check_count"] == 3
    (tmp_path / "bad" / "run_results.json").unlink()
    (lost,) = pull(tmp_path, cursor)[0]
    assert (lost.change, payload(lost)) == (Change.GONE, {"files": 1})


def test_a_test_of_several_tables_speaks_of_each(tmp_path: Path) -> None:
    target = lay(tmp_path, "bad")
    items, _, _ = pull(target)
    names = {c["name"] for c in payload(kind(items, "suite")[SCORES])["checks"]}
    assert "lending.plausible_scores" in names


def test_other_files_are_told_unless_dbt_writes_them_too(tmp_path: Path) -> None:
    target = lay(tmp_path, "good")
    (target / "graph_summary.json").write_text('{"_invocation_id": "x", "linked": {}}')
    assert pull(target)[2].gaps == ()
    (target / "other.json").write_text("[1]")
    assert [gap.what for gap in pull(target)[2].gaps] == ["other.json"]


def test_settings_that_cannot_be_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"answered\.1f2e must say who"):
        pull(tmp_path, answered={"1f2e": " "})
    with pytest.raises(SourceRefused, match=r"no \*\.json below it"):
        pull(tmp_path)
    (tmp_path / "dbt_project.yml").write_text("target-path: \"{{ env_var('T') }}\"")
    with pytest.raises(SourceRefused, match="no plain path"):
        pull(tmp_path)
    (tmp_path / "dbt_project.yml").write_text("{ :")
    with pytest.raises(SourceBroken, match="is not YAML"):
        pull(tmp_path)


def test_a_project_names_its_target(tmp_path: Path) -> None:
    lay(tmp_path / "out", "good")
    (tmp_path / "dbt_project.yml").write_text("name: lending\ntarget-path: out\n")
    assert len(outcomes(pull(tmp_path)[0])) == 2


def test_names_that_are_no_text_are_no_obstacle(tmp_path: Path) -> None:
    lay(tmp_path / os.fsdecode(b"r\xe9gion\x1b"), "good")
    items, cursor, facts = pull(tmp_path)
    assert facts.gaps == ()
    assert {i.locator for i in kind(items, "result").values()} == {
        r"r\xe9gion\x1b/run_results.json"
    }
    assert pull(tmp_path, cursor)[0] == []
