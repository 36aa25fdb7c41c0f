"""Files that Great Expectations wrote, and what becomes of them when somebody tampers or trips."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.quality_checks import QualityChecks
from demo.quality import build, tables
from evidence.errors import SourceBroken, SourceRefused
from evidence.model import Change, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts

NOW = datetime.now(UTC)
OLD = Path(__file__).parent / "payloads" / "gx_0x_titanic_with_exceptions.json"
pytestmark = pytest.mark.xdist_group("quality")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = tables()
    frames["ticket-triage"] = frames["ticket-triage"].drop(columns="length")
    frames["credit-scoring"].loc[3, "income"] = float("inf")
    return build(tmp_path_factory.mktemp("gx"), NOW, frames)


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "gx"))


def pull(
    folder: Path, cursor: Cursor | None = None
) -> tuple[list[EvidenceItem], Cursor, PullFacts]:
    batches = list(QualityChecks("dq", folder, {"credit-*": "credit-scoring"}).collect(cursor))
    facts = PullFacts()
    for batch in batches:
        facts = facts + batch.facts
    return [item for batch in batches for item in batch.items], batches[-1].cursor, facts


def unknown(items: list[EvidenceItem], before: list[EvidenceItem]) -> list[EvidenceItem]:
    """Files are remembered in groups, and a group is read again whole: known ids are dropped."""
    known = {item.item_id for item in before}
    return [item for item in items if item.item_id not in known]


def results(items: list[EvidenceItem], system: str) -> list[EvidenceItem]:
    return [i for i in items if i.kind == "gx.validation_result" and i.subject.startswith(system)]


def stored(root: Path, system: str = "") -> list[Path]:
    return sorted((root / "uncommitted" / "validations").glob(f"{system}*/**/*.json"))


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def bare(tmp_path: Path, text: str) -> tuple[list[EvidenceItem], PullFacts]:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "one.json").write_text(text)
    items, _, facts = pull(tmp_path / "results")
    return items, facts


def payload(item: EvidenceItem) -> dict[str, Any]:
    return dict(json.loads(item.content))


def test_outcomes_are_what_the_checks_said(root: Path) -> None:
    items, _, facts = pull(root)
    assert facts.gaps == ()
    assert {i.outcome for i in results(items, "credit-scoring")} == {Outcome.PASSED}
    assert {i.system for i in results(items, "credit-scoring")} == {"credit-scoring"}
    churn = results(items, "churn-predictor")
    assert [i.outcome for i in churn] == [Outcome.PASSED] * 3 + [Outcome.FAILED]
    assert churn[-1].observed_to == NOW - timedelta(days=1)
    assert [c["column"] for c in payload(churn[-1])["failed"]] == ["monthly_fee", "monthly_fee"]


def test_a_check_that_could_not_run_is_an_error_with_its_column(root: Path) -> None:
    item = results(pull(root)[0], "ticket-triage")[-1]
    assert item.outcome is Outcome.ERROR
    assert "2 of 6 checks could not run" in item.title
    assert {e["raised"] for e in payload(item)["errors"]} == {"column length does not exist"}


def test_cells_of_the_checked_table_stay_behind(root: Path) -> None:
    assert "-25.0" in stored(root, "churn")[-1].read_text()
    item = results(pull(root)[0], "churn-predictor")[-1]
    assert not re.search(rb"[:,\[]-25\b", item.content)  # a value; a day may end so
    assert b"partial_unexpected" not in item.content


def test_an_error_message_with_a_cell_in_it_stays_behind(root: Path) -> None:
    path = stored(root, "ticket")[-1]
    document = json.loads(path.read_text())
    document["results"][0]["exception_info"] = {
        "raised_exception": True,
        "exception_message": "can't convert 'Jane Doe' of Elm Street",
        "exception_traceback": "Traceback …\nValueError: can't convert 'Jane Doe' of Elm Street\n",
    }
    path.write_text(json.dumps(document))
    item = results(pull(root)[0], "ticket-triage")[-1]
    assert b"Jane" not in item.content
    assert b"Elm" not in item.content
    assert b"ValueError" in item.content


def test_infinity_is_no_obstacle(root: Path) -> None:
    path = stored(root, "credit")[0]
    document = json.loads(path.read_text())
    document["results"][0]["expectation_config"]["kwargs"]["max_value"] = float("inf")
    path.write_text(json.dumps(document))
    assert "Infinity" in path.read_text()
    assert pull(root)[2].gaps == ()


def test_nothing_evaluated_never_passes(root: Path) -> None:
    empty = {"evaluated_expectations": 0, "success_percent": None}
    rewrite(stored(root, "credit")[-1], results=[], statistics=empty, success=True)
    item = results(pull(root)[0], "credit-scoring")[-1]
    assert item.outcome is Outcome.ERROR
    assert "no check was evaluated" in item.title


def test_a_success_that_its_own_checks_deny_is_a_failure(root: Path) -> None:
    rewrite(stored(root, "churn")[-1], success=True)
    assert results(pull(root)[0], "churn-predictor")[-1].outcome is Outcome.FAILED


def test_a_claim_without_the_checks_behind_it_is_an_error(root: Path) -> None:
    rewrite(stored(root, "credit")[-1], results=[])
    assert results(pull(root)[0], "credit-scoring")[-1].outcome is Outcome.ERROR


def test_the_suite_that_judged_has_the_digest_of_its_file(root: Path) -> None:
    items, cursor, _ = pull(root)
    suites = {i.subject: payload(i)["suite_sha256"] for i in items if i.kind.endswith("_suite")}
    judged = {payload(i)["suite"]: payload(i)["suite_sha256"] for i in results(items, "")}
    assert suites == judged
    path = root / "expectations" / "churn-predictor-inputs.json"
    document = json.loads(path.read_text())
    document["expectations"].pop()
    path.write_text(json.dumps(document))
    news, _, _ = pull(root, cursor)
    assert [(i.subject, i.change) for i in news] == [("churn-predictor-inputs", Change.CHANGED)]


def test_a_weakened_suite_fails_until_somebody_answers(root: Path) -> None:
    _, cursor, _ = pull(root)
    path = root / "expectations" / "churn-predictor-inputs.json"
    whole = path.read_text()
    document = json.loads(whole)
    dropped = document["expectations"].pop()
    document["expectations"][0]["severity"] = "info"
    path.write_text(json.dumps(document))
    (weak,), after, _ = pull(root, cursor)
    assert weak.outcome is Outcome.FAILED
    told = payload(weak)["weaker"]
    assert {c["what"] for c in told["checks"]} == {"is no longer there", "only says info now"}
    assert any(c["check"].startswith(dropped["type"]) for c in told["checks"])
    assert pull(root, after)[0] == []
    answered = QualityChecks("dq", root, {"credit-*": "credit-scoring"}, {told["id"]: "Mira"})
    (item,) = [i for batch in answered.collect(after) for i in batch.items]
    assert (item.outcome, payload(item)["weaker"]["answer"]) == (Outcome.RECORDED, "Mira")
    path.write_text(whole)
    (item,) = pull(root, after)[0]
    assert (item.outcome, "weaker" in payload(item)) == (Outcome.RECORDED, False)


def test_a_half_written_file_is_a_gap_in_every_pull_until_it_is_whole(root: Path) -> None:
    path = stored(root, "churn")[-1]
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    items, cursor, facts = pull(root)
    assert len(results(items, "")) == 11
    assert len(facts.gaps) == 1
    assert facts.shortfall() == 1
    assert "churn-predictor-inputs" in facts.gaps[0].what
    again = pull(root, cursor)
    assert len(again[2].gaps) == 1
    path.write_bytes(whole)
    news, _, facts = pull(root, again[1])
    assert facts.gaps == ()
    assert [i.outcome for i in unknown(news, items)] == [Outcome.FAILED]


@pytest.mark.parametrize(
    ("run_time", "why"),
    [("2026-01-01T00:00:00", "no zone"), (None, "no zone"), ("2999-01-01T00:00:00Z", "future")],
)
def test_a_time_is_never_guessed(tmp_path: Path, run_time: str | None, why: str) -> None:
    document = json.loads(OLD.read_text())
    document["meta"] |= {"run_id": {"run_time": run_time}, "validation_time": None}
    items, facts = bare(tmp_path, json.dumps(document))
    assert items == []
    assert why in facts.gaps[0].why or "is not ISO 8601 with a zone" in facts.gaps[0].why


def test_files_of_the_old_form_are_read(tmp_path: Path) -> None:
    items, facts = bare(tmp_path, OLD.read_text())
    assert facts.gaps == ()
    assert facts.states == ()
    (item,) = items
    assert (item.subject, item.observed_to.year) == ("titanic", 1955)
    assert item.outcome is Outcome.ERROR
    assert payload(item)["errors"][0]["type"].startswith("expect_")


@pytest.mark.parametrize(
    "text", ['{"a": 1}', "[]", "", "[" * 100_000, '{"meta": {}, "success": 1}']
)
def test_other_json_is_a_gap(tmp_path: Path, text: str) -> None:
    items, facts = bare(tmp_path, text)
    assert items == []
    assert [gap.what for gap in facts.gaps] == ["one.json"]


def test_a_late_file_with_an_old_time_and_a_replaced_one_are_found(root: Path) -> None:
    late = stored(root, "credit")[0]
    aside = root.parent / "aside.json"
    late.rename(aside)
    items, cursor, _ = pull(root)
    aside.rename(late)
    replaced = stored(root, "ticket")[-1]
    before = replaced.stat()
    replaced.write_text(replaced.read_text().replace("weekly", "hourly"))
    os.utime(replaced, ns=(before.st_atime_ns, before.st_mtime_ns))
    news, _, _ = pull(root, cursor)
    assert {i.subject.split("/")[0] for i in unknown(news, items)} == {
        "credit-scoring-inputs",
        "ticket-triage-inputs",
    }


def whitewash(path: Path) -> None:
    document = json.loads(path.read_text())
    for check in document["results"]:
        check["success"] = True
    path.write_text(json.dumps(document | {"success": True}))


def test_a_result_that_was_overwritten_is_changed_and_has_failed(root: Path) -> None:
    items, cursor, _ = pull(root)
    path = stored(root, "churn")[-1]
    whole = path.read_text()
    whitewash(path)
    news, after, _ = pull(root, cursor)
    (item,) = unknown(news, items)
    assert (item.change, item.outcome) == (Change.CHANGED, Outcome.FAILED)
    assert item.observed_to > results(items, "churn-predictor")[-1].observed_to
    assert "altered after it was read" in item.title
    later = {"run_time": (NOW - timedelta(minutes=1)).isoformat(), "run_name": "weekly"}
    for number in range(300):  # some of them lie on the same shelf
        copy = json.loads(OLD.read_text())
        copy["meta"]["run_id"] = later
        (path.parent / f"{number}.json").write_text(json.dumps(copy))
    news, after, _ = pull(root, after)
    assert [i for i in unknown(news, items) if i.subject.startswith("churn")] == []
    path.write_text(whole)
    news, after, _ = pull(root, after)
    assert [i.outcome for i in unknown(news, items) if i.change is Change.CHANGED] == [
        Outcome.FAILED
    ]
    wider = QualityChecks("dq", root, {"*": "everything"})
    news = [i for batch in wider.collect(after) for i in batch.items]
    assert {i.outcome for i in results(news, "churn") if i.locator in item.locator} == {
        Outcome.FAILED
    }


def test_a_bookmark_of_before_results_were_remembered_is_read(root: Path) -> None:
    _, cursor, _ = pull(root)
    old = {k: v for k, v in json.loads(cursor.value).items() if k != "latest"}
    assert pull(root, Cursor(json.dumps(old)))[0] == []
    old["latest"] = "AAAA"
    with pytest.raises(SourceBroken, match="not written by this collector"):
        pull(root, Cursor(json.dumps(old)))


def test_the_newest_of_each_suite_is_remembered_however_old(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    document = json.loads(OLD.read_text())
    (folder / "old.json").write_text(json.dumps(document))
    document["meta"] |= {"expectation_suite_name": "other", "run_id": {"run_time": str(NOW)}}
    for number in range(520):
        document["meta"]["run_id"]["run_name"] = f"r{number}"
        (folder / f"{number}.json").write_text(json.dumps(document))
    items, cursor, _ = pull(folder)
    whitewash(folder / "old.json")
    news = unknown(pull(folder, cursor)[0], items)
    assert [(i.subject, i.change) for i in news] == [("titanic", Change.CHANGED)]


def test_deleted_results_are_noticed_and_suites_too(root: Path) -> None:
    items, cursor, _ = pull(root)
    for path in stored(root, "ticket"):
        path.unlink()
    (root / "expectations" / "ticket-triage-inputs.json").unlink()
    news, after, _ = pull(root, cursor)
    news = unknown(news, items)
    assert [i.change for i in news] == [Change.GONE] * 2
    assert payload(news[0])["at_least"] == 3
    assert unknown(pull(root, after)[0], items) == []


def test_an_unreadable_suite_is_not_a_lost_one(root: Path) -> None:
    _, cursor, _ = pull(root)
    (root / "expectations" / "ticket-triage-inputs.json").write_text("{")
    news, after, facts = pull(root, cursor)
    assert news == []
    assert facts.states == ()
    assert len(facts.gaps) == 1
    (root / "expectations" / "ticket-triage-inputs.json").unlink()
    assert [i.change for i in pull(root, after)[0]] == [Change.GONE]


def test_results_that_are_not_there_are_a_gap_not_a_deletion(root: Path) -> None:
    _, cursor, _ = pull(root)
    (root / "uncommitted").rename(root / "elsewhere")
    news, after, facts = pull(root, cursor)
    assert news == []
    assert "could not be listed" in facts.gaps[0].why
    (root / "elsewhere").rename(root / "uncommitted")
    assert pull(root, after)[2].gaps == ()


def test_links_and_pipes_are_not_followed(root: Path) -> None:
    folder = root / "uncommitted" / "validations"
    (folder / "link.json").symlink_to("/etc/passwd")
    (folder / "out").symlink_to("/etc")
    os.mkfifo(folder / "pipe.json")
    assert {gap.what for gap in pull(root)[2].gaps} == {"link.json", "out", "pipe.json"}


def test_the_bookmark_stays_small_when_the_store_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    document = json.loads(OLD.read_text())
    for number in range(1300):
        document["meta"]["run_id"]["run_name"] = f"r{number}"
        (folder / f"{number}.json").write_text(json.dumps(document))
    items, cursor, facts = pull(folder)
    assert (len(items), facts.received) == (1300, 1300)
    assert len(cursor.value) < 30_000
    (folder / "7.json").write_text(json.dumps(document))
    news, _, facts = pull(folder, cursor)
    assert len(news) < 40


def test_new_globs_bring_old_results_again(root: Path) -> None:
    _, cursor, _ = pull(root)
    wider = QualityChecks("dq", root, {"*": "everything"})
    news = [i for batch in wider.collect(cursor) for i in batch.items]
    assert len(results(news, "")) == 12


def test_stores_that_are_no_folders_are_refused(root: Path) -> None:
    config = root / "great_expectations.yml"
    text = config.read_text()
    config.write_text(text.replace("TupleFilesystemStoreBackend", "TupleS3StoreBackend"))
    with pytest.raises(SourceRefused, match="TupleS3StoreBackend"):
        pull(root)
    config.write_text(text.replace("uncommitted/validations/", "$RESULTS"))
    with pytest.raises(SourceRefused, match="no plain path"):
        pull(root)
    config.write_text("{ :")
    with pytest.raises(SourceBroken):
        pull(root)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="give the gx folder"):
        pull(tmp_path)
