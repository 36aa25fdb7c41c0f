"""From an empty folder to registers that speak to their controls, filled in by a program."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from collectors._safe_yaml import load
from evidence.fields import HEADER, TO_FILL_IN, Field, Form
from evidence.registers import register_called
from flows.cli import app
from flows.config import load as read_config
from flows.config import now
from flows.starters import TEMPLATES
from mappings.catalogue import HERE
from storage.lake import Lake
from storage.pages import all_rows
from storage.views import connect

NOW = datetime.now(UTC)
YESTERDAY = (NOW - timedelta(days=1)).date().isoformat()
LATER = (NOW + timedelta(days=300)).date().isoformat()
TO_COME = {"until", "next_review", "planned", "due", "contract_until", "keep_until"}
IDS = {"ai_systems": "triage", "suppliers": "sortwell", "customers": "clinic", "data": "letters"}
PEOPLE = {"owner": "Ann Oak", "person": "Ann Oak", "chair": "Ann Oak"}
REGISTERS = {*(path.stem for path in (TEMPLATES / "registers").iterdir()), "soa", "obligations"}


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == code, done.output
    return done.stdout


def commit(folder: Path, message: str) -> None:
    git = ["git", "-C", str(folder), "-c", "user.name=Lena Holm", "-c", "user.email=l@acme.example"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", message]):
        subprocess.run([*git, *words], check=True, capture_output=True)


def filled(field: Field | None, register: str, value: Any) -> Any:
    """What a person might write where a starter says FILL IN."""
    if isinstance(value, list):
        return [filled(field, register, one) for one in value]
    if TO_FILL_IN not in str(value):
        return value
    if field is None:
        return IDS.get(register, "told")
    if field.names:
        return IDS[field.names[0]]
    if (register, field.name) == ("incidents", "kind"):
        return "none"
    if field.form is Form.WORD:
        return "Minor" if field.name == "severity" else field.words[0].capitalize()
    answers = {
        Form.PERSON: PEOPLE.get(field.name, "Ben Lind"), Form.NUMBER: 3, Form.DECISION: True,
        Form.DAY: LATER if field.name in TO_COME else YESTERDAY,
    }  # fmt: skip
    return answers.get(field.form, "planned" if field.name == "stage" else "Told by a person")


def fill(file: Path) -> None:
    given, _, _ = load(file.read_text(encoding="utf-8"))
    register = register_called(given["register"])
    assert register is not None
    header = {one.name: one for one in HEADER}
    told = {
        name: filled(header.get(name), "", value)
        for name, value in given.items() if name not in {"draft", "records"}
    }  # fmt: skip
    told["records"] = [
        {name: filled(register.field(name), register.name, value) for name, value in one.items()}
        for one in given["records"]
    ]
    file.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")


def fill_document(file: Path) -> None:
    text = file.read_text(encoding="utf-8").replace("draft: true\n", "")
    lines = []
    for line in text.splitlines():
        before, found, _ = line.partition(TO_FILL_IN)
        told = YESTERDAY if "YYYY" in line else "Ann Oak" if before == "owner: " else "Ben Lind"
        lines.append(before + told if found else line)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose one source is the starter set, filled in, committed and collected."""
    folder = tmp_path_factory.mktemp("journey")
    run("init", folder / "home", "--name", "Acme", "--registers", folder / "governance")
    for file in (folder / "governance/registers").iterdir():
        fill(file)
    for file in (folder / "governance/documents").iterdir():
        fill_document(file)
    assert "0 mistakes" in run("registers", "check", folder / "governance")
    commit(folder / "governance", "As we work")
    run("collect", "--direct", "-c", folder / "home/headwater.toml")
    return folder / "home"


def ask(home: Path, sql: str) -> list[dict[str, Any]]:
    lake = Lake.open(read_config(home / "headwater.toml").lake, clock=now)
    with connect(lake) as connection:
        return all_rows(connection, sql)


def test_every_register_lands_without_an_error(home: Path) -> None:
    rows = ask(home, "select distinct payload->>'$.register' as name from evidence "
               "where payload->>'$.level' = 'record'")  # fmt: skip
    assert {row["name"] for row in rows} == REGISTERS
    wrong = ask(home, "select title from evidence where outcome not in ('recorded', 'passed')")
    assert wrong == []
    assert ask(home, "select title from evidence where payload->>'$.level' = 'draft'") == []


def test_every_register_speaks_to_its_controls(home: Path) -> None:
    rows = ask(home, "select distinct payload->>'$.register' as name, evidence from tags "
               "join evidence using (item_id) where kind = 'git.register'")  # fmt: skip
    spoken = {(row["name"], row["evidence"]) for row in rows}
    shipped = yaml.safe_load((HERE / "rules/registers.yaml").read_text(encoding="utf-8"))
    wanted = {
        (name, rule["evidence"])
        for rule in shipped["rules"] if "evidence" in rule
        for name in REGISTERS.intersection(_names(rule["when"]["payload.register"]))
    }  # fmt: skip
    held = {name for name, _ in wanted}
    assert len(held) > 20
    unheld = wanted - spoken
    assert unheld == {("management_reviews", "management_review")}, "it is planned, not held"
    quiet = {"attestations", "population", "findings", "certification", "decisions", "requests"}
    assert REGISTERS - held <= quiet, "what has a starter speaks, or is told not to"


def _names(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def test_what_fits_has_no_finding_until_it_no_longer_does(home: Path) -> None:
    config = home / "headwater.toml"
    assert "nothing was found that does not fit" in run("consistency", "-c", config)
    file = home.parent / "governance/registers/objectives.yaml"
    given = yaml.safe_load(file.read_text(encoding="utf-8"))
    given["records"][0] |= {"target": "", "title": "[red]Fair\x1b[2J", "metrics": ["M-9"]}
    file.write_text(yaml.safe_dump(given), encoding="utf-8")
    commit(home.parent / "governance", "Less")
    run("collect", "--direct", "-c", config)
    told = json.loads(run("consistency", "--json", "-c", config, code=3))
    assert [(one["check"], one["about"]) for one in told["findings"]] == [
        ("objective-without-measure", "objectives O-1"),
        ("unknown-reference", "objectives O-1 metrics M-9"),
    ]
    ids = {item for one in told["findings"] for item in one["item_ids"]}
    (row,) = ask(home, f"select subject from evidence where item_id = '{min(ids)}'")
    assert row["subject"] == "register/objectives/O-1"
    assert "2 findings" in run("consistency", "-c", config, code=3)
    status = json.loads(run("status", "--json", "-c", config))
    sentences = [one["sentence"] for one in status["attention"]]
    assert "Objective O-1 has no target: nobody can say if it is met." in sentences
