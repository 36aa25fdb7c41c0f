"""What `headwater init --registers` writes counts for nothing until people have filled it in."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from collectors._git.register_files import read_document, read_register
from flows.cli import app
from flows.setup import starter_set

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
NEXT_YEAR = (datetime.now(UTC) + timedelta(days=300)).date().isoformat()


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == code, done.output
    return done.stdout


def commit(folder: Path) -> None:
    git = ["git", "-C", str(folder), "-c", "user.name=Lena Holm", "-c", "user.email=l@acme.example"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Work"]):
        subprocess.run([*git, *words], check=True, capture_output=True)


def standings(home: Path) -> dict[str, int]:
    """What stands how often; only words that are used."""
    config = home / "headwater.toml"
    run("collect", "--direct", "-c", config)
    told = json.loads(run("status", "--json", "-c", config))
    return {word: number for word, number in told["standings"].items() if number}


def edit(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for pattern, new in changes:
        text = re.sub(pattern, new, text, flags=re.M)
    file.write_text(text, encoding="utf-8")


def test_a_placeholder_turns_nothing_green(tmp_path: Path) -> None:
    home, registers = tmp_path / "home", tmp_path / "governance"
    said = run("init", home, "--name", "Acme", "--registers", registers)
    assert f"written {registers / 'registers/soa.yaml'}" in said
    assert "kept" in run("init", home, "--registers", registers)
    assert 'repository = "../governance"' in (home / "headwater.toml").read_text()
    commit(registers)
    assert standings(home) == {"missing": 70}
    told = json.loads(run("status", "--json", "-c", home / "headwater.toml"))["attention"]
    todo = {a["sentence"].split(":")[0]: a["action"] for a in told if a["severity"] == "missing"}
    assert todo["No soa"].startswith("Write it in git")
    assert todo["No incident ticket"].startswith("Connect a source that has it, or write it in git")
    assert todo["No iam report"].startswith("Connect a source that has it, or state")
    sql = "SELECT count(*) AS n FROM evidence WHERE title LIKE '%is a draft%'"
    (row,) = json.loads(run("query", sql, "--format", "json", "-c", home / "headwater.toml"))
    files = [*(registers / "registers").iterdir(), *(registers / "documents").iterdir()]
    assert row["n"] == len(files), "each draft is seen, and told to be one"
    for file in files:  # somebody takes `draft` out and fills nothing in
        edit(file, (r"^draft: true\n", ""))
    soa = registers / "registers/soa.yaml"
    edit(soa, ("applicable: FILL IN true or false", "applicable: false"))
    commit(registers)
    left = standings(home)
    assert set(left) <= {"missing", "failed"}, (
        "a reason that is still to fill in leaves nothing out"
    )
    assert left["failed"] > 0


@pytest.mark.parametrize("document", [False, True], ids=["registers", "documents"])
def test_what_is_filled_in_reads_well(tmp_path: Path, document: bool) -> None:
    list(starter_set(tmp_path))
    for file in (tmp_path / ("documents" if document else "registers")).iterdir():
        edit(
            file,
            (r"^draft: true\n", ""),
            (r"^(\s*until: )FILL IN.*$", rf"\g<1>{NEXT_YEAR}"),
            (r"FILL IN.*YYYY-MM-DD.*$", YESTERDAY),
            (r"FILL IN true or false", "true"),
            (r"FILL IN", "Told"),
        )
        read = read_document if document else read_register
        found = read(file.name, file.read_bytes())
        assert [one.problems for one in found if one.problems] == []
        assert len(found) >= (1 if document else 2)


def test_the_statement_of_applicability_names_every_control_of_annex_a(tmp_path: Path) -> None:
    list(starter_set(tmp_path))
    given: Any = yaml.safe_load((tmp_path / "registers/soa.yaml").read_text())
    assert len(given["records"]) == 38
    assert all(record["id"].startswith("A.") for record in given["records"])
