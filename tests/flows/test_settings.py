"""What is asked of sources, kept and told cannot be made less without its author's name showing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.board import build
from flows.config import load, now
from flows.follow import follow
from storage.lake import Lake
from tests.collectors.test_git_registers import Repo
from tests.flows.conftest import Home, numbers, rows, said
from tests.flows.house import RULE, make_house

JIRA = """
[[source]]
name = "tickets"
uses = "collectors.jira:Jira"
url = "https://jira.example.org"
email = "env:MAIL"
token = "env:TOKEN"
projects = ["AIOPS", "INC"]
"""
BEFORE = "2020-01-01T00:00:00Z"
ACTS = "SELECT count(*) FROM evidence WHERE subject = 'settings' AND kind = 'headwater.action'"


@pytest.fixture
def file(home: Home, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in a git repository whose settings are on record."""
    monkeypatch.setenv("MAIL", "evidence@example.org")
    monkeypatch.setenv("TOKEN", "hunter2-hunter2")
    file = home(numbers("checks"), extra=JIRA)
    _findings(file)
    return file


def _repo(file: Path) -> Repo:
    made = Repo.__new__(Repo)
    made.path, made.day = file.parent, 0
    made.git("init", "-q", "-b", "main")
    return made


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def _findings(file: Path) -> list[str]:
    config = load(file)
    lake = Lake.open(config.lake, clock=now, redactor=config.redactor())
    follow(lake, config)
    told = build(lake, config).attention
    return [one.sentence for one in told if one.sentence.startswith("headwater.toml")]


def test_less_is_asked_of_a_source_and_its_author_is_named(file: Path) -> None:
    assert _findings(file) == []
    repo = _repo(file)
    text = file.read_text().replace('["AIOPS", "INC"]', '["AIOPS"]')
    repo.commit({"headwater.toml": text}, "less")
    (told,) = _findings(file)
    assert 'source tickets changed: projects ["AIOPS", "INC"] → ["AIOPS"]; since' in told
    assert "by Ann, seen by nobody else" in told
    assert _findings(file) == [told], "told once, and as long as it is new"
    assert rows(file, ACTS) == [(1,)]
    assert "silence: 1 settings changed" in said("status", "-c", file).stdout
    compared = said("compare", BEFORE, "--json", "-c", file)
    assert told.removesuffix(".") in json.loads(compared.stdout)["decided"]


def test_what_is_judged_by_and_not_on_record_yet_is_told(file: Path) -> None:
    table = '\n[[override]]\ncontrol = "A.6.2.4"\nevidence = "mlflow_evaluation"\n'
    text = file.read_text()
    file.write_text(f'{text}{table}reason = "for a picture"\napplies = false\n')
    told = json.loads(said("status", "--json", "-c", file).stdout)["attention"]
    (one,) = (one["sentence"] for one in told if "for a picture" in one["sentence"])
    assert one.endswith("nothing is on record of that before the next collection.")
    file.write_text(text)
    assert _findings(file) == []


def test_compare_names_each_exception_and_rule_that_changed(file: Path) -> None:
    first = f"@{rows(file, 'SELECT count(*) FROM leaves')[0][0]}"
    table = '[[override]]\ncontrol = "A.6.2.4"\nevidence = "mlflow_evaluation"\nreason = "peace"\n'
    config = file.read_text()
    (file.parent / "rules").mkdir()
    (file.parent / "rules" / "own.yaml").write_text(RULE.format(name="own"))
    more = f'\n[mapping]\nrules = "rules"\n{table}max_age = "P{{}}D"\n'
    file.write_text(config + more.format(90))
    _findings(file)
    second = f"@{rows(file, 'SELECT count(*) FROM leaves')[0][0]}"
    file.write_text(config + more.format(900))
    rule = RULE.format(name="own").replace("says so", "says it")
    (file.parent / "rules" / "own.yaml").write_text(rule)
    _findings(file)
    name = "override iso42001:A.6.2.4 mlflow_evaluation"
    added = json.loads(said("compare", first, second, "--json", "-c", file).stdout)["mapping"]
    assert added[1:] == ["+ rule own", f"+ {name}: age limit 90 days, 0:00:00, because peace"]
    changed = json.loads(said("compare", second, "--json", "-c", file).stdout)["mapping"]
    assert changed[1:] == [
        "~ rule own says otherwise: see `headwater rules diff`",
        f"~ {name}: age limit 90 days, 0:00:00, because peace → age limit 900 days, 0:00:00, "
        "because peace",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (JIRA, "", "source tickets taken out"),
        ('name = "tickets"', 'name = "issues"', "source tickets taken out"),
        (JIRA, f'{JIRA}[[retention]]\nname = "t"\nkinds = ["jira.*"]\nkeep = "P1D"\nreason = "x"\n',
         "retention t added"),
        (JIRA, f'{JIRA}[[override]]\ncontrol = "A.6.2.4"\nevidence = "mlflow_evaluation"\n'
         'reason = "peace"\nmax_age = "P99Y"\n', "override iso42001:A.6.2.4 mlflow_evaluation added"
         ": age limit P99Y, because peace"),
        (JIRA, f'{JIRA}[[redact]]\nname = "quiet"\nfields = ["$.status"]\nreason = "x"\n',
         "redact quiet added"),
        ('uses = "collectors.jira:Jira"', 'uses = "collectors.jira:Jira"\nschedule = "0 0 1 1 *"',
         'source tickets changed: schedule "0 * * * *" → "0 0 1 1 *"'),
    ],
    ids=["out", "renamed", "retention", "override", "redact", "schedule"],
)  # fmt: skip
def test_each_way_to_be_told_less_is_told(file: Path, old: str, new: str, told: str) -> None:
    _edit(file, old, new)
    found = _findings(file)
    assert any(told in one for one in found), found
    assert all("lies in no git repository" in one for one in found)
    assert "hunter2" not in str(rows(file, "SELECT payload FROM evidence"))


def test_days_off_that_put_a_deadline_off_are_told(file: Path) -> None:
    config = file.read_text()
    table = '[[override]]\ncontrol = "5.2"\nevidence = "policy"\nreason = "each quarter"\n'
    deadline = 'deadline = {{ cron = "0 18 L 3,6,9,12 *", days_off = [{}] }}\n'
    file.write_text(config + table + deadline.format("2026-12-31"))
    assert any("(1 days off, " in one for one in _findings(file))
    file.write_text(config + table + deadline.format("2026-12-31, 2027-03-31"))
    (told,) = (one for one in _findings(file) if " changed: " in one)
    assert "(1 days off, " in told
    assert "(2 days off, " in told


def test_a_source_that_nobody_asks_any_more_needs_a_person(home: Home) -> None:
    house = make_house(home())
    house.land(source="checks")
    house.follow()
    told = [one.sentence for one in build(house.lake, house.config).attention]
    assert any(one.startswith("Source checks is configured no more") for one in told)
