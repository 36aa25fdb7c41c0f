"""Legal dates, deadlines and floors are shown, and a class that keeps too little is not passed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import app
from tests.flows.conftest import Home

BRIEF = """
[[retention]]
name = "brief"
kinds = ["aws.*"]
keep = "P90D"
reason = "space"
"""


def told(config: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words, "-c", str(config)], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout


def machine(config: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told(config, "law", "--json")[1])
    return found


def test_dates_that_moved_say_from_when(home: Home) -> None:
    config = home()
    code, shown = told(config, "law")
    assert code == 0
    for line in ("2027-12-02", "was 2026-08-02", "within 72 hours", "GDPR Art. 33(1)", "3660 days",
                 "ISO/IEC 42001:2023", "surveillance", "ISO/IEC 42006:2025",
                 "for your people to say"):  # fmt: skip
        assert line in shown, line
    told_all = machine(config)
    assert [one["stage"] for one in told_all["stages"]][:2] == ["stage 1", "stage 2"]
    dates = told_all["dates"]
    assert [one["on"] for one in dates] == sorted(one["on"] for one in dates)
    annex = next(one for one in dates if "Annex III" in one["what"])
    assert (annex["on"], annex["moved_from"]) == ("2027-12-02", "2026-08-02")
    assert all(one["source"] for one in dates)


def test_a_class_below_a_floor_is_named_until_it_gives_a_basis(home: Home) -> None:
    config = home(extra=BRIEF)
    code, shown = told(config, "check")
    assert code == 1
    assert "class brief keeps 90 days; EU AI Act Art. 19" in shown
    assert "CIS AWS Foundations Benchmark advises 365 days" in shown
    assert told(config, "law")[0] == 3
    below = [floor["below"] for floor in machine(config)["floors"]]
    assert below[0] == [{"class": "brief", "days": 90, "basis": ""}]
    assert below[1] == []
    config.write_text(config.read_text() + 'basis = "no high-risk system runs there"\n')
    assert "ok      retention: 1 classes" in told(config, "check")[1]
    assert told(config, "law")[0] == 0
    assert "no high-risk system runs there" in told(config, "law")[1]


@pytest.mark.parametrize(
    ("control", "says"),
    [
        ("A.8.4", "tell within 72 hours: breach of personal data"),
        ("9.3.2", "management review, inputs: what became of earlier actions"),
        ("9.3.3", "documented information to retain: outcome of management reviews"),
        ("6.1.3", "Statement of Applicability, must hold: every control found necessary"),
        ("A.5.5", "no counterpart in GDPR: GDPR protects natural persons"),
        ("A.2.2", "a person signs, again within 365 days: Top management"),
        ("A.6.2.4", "counts for 90 days, or until new_model_version or"),
        ("4.1", "auditors look for: issues, interested parties"),
        ("A.7.4", "no signature is needed: Not essential"),
        ("A.4.2", "documented information: the control asks for it wherever it applies"),
    ],
)
def test_explain_says_what_people_must_do(explained: Path, control: str, says: str) -> None:
    assert says in told(explained, "explain", control)[1]


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from flows.config import load, now
    from flows.follow import follow
    from flows.setup import initialise
    from storage.lake import Lake

    folder = tmp_path_factory.mktemp("home")
    list(initialise(folder, "Test House"))
    config = load(folder / "headwater.toml")
    follow(Lake.open(config.lake, clock=now), config)
    return folder / "headwater.toml"


def test_what_no_source_here_brings_is_said(home: Home, explained: Path) -> None:
    shown = told(explained, "explain", "A.8.4")[1]
    assert "nothing can fill it: no source here brings any of aws.guardduty.detector" in shown
    listed = told(explained, "rules", "test")[1]
    assert "0 of them can be filled by a source here" in listed
    assert "no source for guardduty: A.6.2.6, A.8.4" in listed
    registers = (
        'name = "registers"\nuses = "collectors.git_registers:GitRegisters"\nrepository = "."'
    )
    config = home(registers)
    assert "nothing can fill it" not in told(config, "explain", "9.3.1")[1]
    assert "no source for policy" not in told(config, "rules", "test")[1]


def test_a_need_without_a_rule_is_said(explained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mappings.rules.RuleSet.taken", lambda *_: {})
    assert "nothing can fill it: no rule takes anything" in told(explained, "explain", "4.1")[1]


def test_an_override_and_what_was_left_out_show_with_their_reasons(home: Home) -> None:
    config = home(
        extra="""
[[override]]
control = "A.2.2"
evidence = "code_review"
reason = "no code host yet"
applies = false
[[override]]
control = "A.2.2"
evidence = "policy"
reason = "half a year is enough"
max_age = "P180D"
[[override]]
control = "A.6.2.4"
evidence = "mlflow_evaluation"
system = "churn"
reason = "retrained monthly"
max_age = "P1M"
"""
    )
    shown = told(config, "explain", "A.2.2")[1]
    assert "override of code_review: not asked, because no code host yet" in shown
    assert "counts for 180 days" in shown
    assert "  of churn: counts for 1 months, or until" in told(config, "explain", "A.6.2.4")[1]
    assert "because half a year is enough" in shown
