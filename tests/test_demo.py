"""`headwater demo` as a newcomer runs it: the whole job twice, and the board in a browser."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from tests import nursery
from tests.company import headwater
from tests.dashboards.browser import browser, complaints

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "board.png"
pytestmark = [pytest.mark.xdist_group("demo"), pytest.mark.timeout(400)]


def ask(company: Path, sql: str) -> list[dict[str, str]]:
    config = company / "headwater.toml"
    done = nursery.headwater("query", sql, "-c", config, "--format", "csv")
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_it_looks_like_a_believable_month(company: Path) -> None:
    done = nursery.headwater("status", "--json", "-c", company / "headwater.toml")
    told = json.loads(done.stdout)
    assert told["organisation"] == "Brookside Lending"
    for word in ("proved", "failed", "stale", "missing", "needs judgement", "not applicable"):
        assert told["standings"][word], word
    assert told["sources"].pop("tickets-emea") == "busy"
    assert set(told["sources"].values()) == {"complete"}
    assert told["untagged"] < 10, "what waits for a rule is short enough to be read"
    assert told["context_only"] > 100 > told["context_declarations"] > 3
    failed = " ".join(a["sentence"] for a in told["attention"] if a["severity"] == "failed")
    assert "CHG-14 self-approved" in failed
    assert "churn" in failed
    assert "nobody approved it" in failed
    assert "not tagged" not in failed, "the demo's own verification left the board behind"
    assert [a for a in told["attention"] if a["severity"] == "due"]
    assert [a for a in told["attention"] if "tickets-emea" in a["sentence"]]


def test_each_broken_edge_of_the_story_is_named(company: Path) -> None:
    config = str(company / "headwater.toml")
    done = nursery.headwater("trace", "--json", "-c", config)
    assert done.returncode == 3, done.stderr
    found = {(b["check"], b["system"]) for b in json.loads(done.stdout)["broken"]}
    assert found >= {
        ("approval-does-not-hold", "churn-predictor"), ("data-check-failed", "churn-predictor"),
        ("change-does-not-hold", "credit-scoring"), ("risk-without-treatment", "ticket-triage"),
        ("system-without-impact-assessment", "ticket-triage"),
    }  # fmt: skip
    one = nursery.headwater("trace", "credit-risk/2", "-c", config)
    assert one.returncode == 3
    assert "CHG-14 self-approved" in " ".join(one.stdout.split())
    unknown = nursery.headwater("trace", "nobody", "-c", config)
    assert "systems: churn-predictor, credit-scoring, ticket-triage" in unknown.stderr


def test_every_kind_of_source_landed(company: Path) -> None:
    rows = ask(company, "select kind, count(*) as n from evidence group by kind")
    kinds = {row["kind"] for row in rows}
    assert kinds >= {
        "mlflow.run", "mlflow.dataset", "mlflow.model_version", "mlflow.model_alias",
        "mlflow.approval",
        "gx.validation_result", "gx.expectation_suite", "aws.cloudtrail", "aws.cloudtrail.digest",
        "jira.issue", "ticket.approval", "git.register", "git.document", "human.attestation",
        "headwater.pull",
    }  # fmt: skip
    moved = ask(company, "select title from evidence where kind = 'mlflow.model_alias' "
                         "and change = 'changed' and subject = 'credit-risk@champion'")  # fmt: skip
    assert len(moved) == 1


def test_its_policies_say_what_it_really_does(company: Path) -> None:
    documents = company / "documents"
    assert len(list(documents.rglob("*.md"))) == 33, "one of each template, or one a system"
    policy = (documents / "ai-policy.md").read_text(encoding="utf-8")
    assert "| credit-scoring | Credit scoring | Ben Lindqvist | developer and deployer |" in policy
    assert "Ann Okafor keeps this policy" in policy
    assert "FILL IN a name: nobody is named as top management" in policy
    whole = (documents / "management-system.md").read_text(encoding="utf-8")
    assert "| mlflow-runs | MlflowRuns | 0 \\* \\* \\* \\* | UTC |" in whole
    assert "**Nobody is told: no alert is configured.**" in whole
    gates = (documents / "life-cycle.md").read_text(encoding="utf-8")
    assert "who approves must be another person than: creator, reporter, assignee" in gates
    assert "not asked, because model code is reviewed in the change request" in gates


def test_a_second_run_adds_nothing_that_is_not_new(company: Path) -> None:
    sql = "select count(*) as n from evidence where kind not like 'headwater.%'"
    before = ask(company, sql)
    again = headwater("demo", str(company))
    assert again.returncode == 0, again.stderr
    assert ask(company, sql) == before
    assert int(ask(company, "select count(*) as n from leaves")[0]["n"]) > int(before[0]["n"])


@pytest.mark.browser
def test_the_board_is_quiet_in_a_browser_and_makes_the_readme_picture(
    company: Path, tmp_path: Path
) -> None:
    with browser(tmp_path / "profile") as chromium:
        chromium.set_window_size(1280, 1400)
        chromium.get((company / "board.html").as_uri())
        width = chromium.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert width[0] <= width[1]
        assert complaints(chromium) == []
        assert "Brookside Lending" in chromium.title
        if os.environ.get("HEADWATER_PICTURE"):
            site = tmp_path / "site"
            config = str(company / "headwater.toml")
            assert headwater("dashboard", "-o", str(site), "-c", config).returncode == 0
            chromium.get((site / "index.html").as_uri())
            chromium.save_screenshot(str(PICTURE))
    assert PICTURE.stat().st_size > 20_000
