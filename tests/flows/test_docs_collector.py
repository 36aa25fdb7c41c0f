"""The collector on the documentation page works as the page says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evidence.errors import SourceBroken, SourceRefused
from evidence.model import Cursor
from flows.cli import app

ROOT = Path(__file__).resolve().parents[2]


def blocks() -> list[str]:
    """The page's collector, and its tests."""
    found = re.findall(r"```python\n(.*?)```", (ROOT / "docs/collectors.md").read_text(), re.S)
    assert len(found) == 2
    return found


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "acme_notes.py").write_text(blocks()[0])
    monkeypatch.syspath_prepend(tmp_path)
    import importlib

    return importlib.import_module("acme_notes")


def note(folder: Path, name: str, at: str) -> None:
    text = {"id": name, "decided_at": at, "by": "ada", "text": f"Decided {name}"}
    (folder / f"{name}.json").write_text(json.dumps(text))


def test_the_page_in_use(tmp_path: Path, module: Any) -> None:
    notes, home = tmp_path / "notes", tmp_path / "home"
    notes.mkdir()
    note(notes, "one", "2026-01-01T00:00:00Z")
    run = CliRunner().invoke
    assert run(app, ["init", str(home), "--name", "Acme"]).exit_code == 0
    config = home / "headwater.toml"
    source = (
        f'\n[[source]]\nname = "notes"\nuses = "acme_notes:DecisionNotes"\nfolder = "{notes}"\n'
    )
    config.write_text(config.read_text() + source)
    assert run(app, ["check", "-c", str(config)]).exit_code == 0
    assert run(app, ["collect", "-c", str(config), "--direct"]).exit_code == 0
    (notes / "torn.json").write_text('{"id": "to')
    note(notes, "two", "2026-01-02T00:00:00Z")
    partial = run(app, ["collect", "-c", str(config), "--direct"])
    assert partial.exit_code == 1
    assert "torn.json" in partial.output
    note(notes, "torn", "2026-01-01T12:00:00Z")
    assert run(app, ["collect", "-c", str(config), "--direct"]).exit_code == 0
    sql = "select subject from evidence where kind = 'acme.decision' order by subject"
    told = run(app, ["query", sql, "-c", str(config), "--format", "json"])
    assert [row["subject"] for row in json.loads(told.stdout)] == ["one", "torn", "two"]


def test_its_errors(module: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceRefused):
        module.DecisionNotes("n", str(tmp_path / "nowhere")).probe()
    with pytest.raises(SourceBroken):
        list(module.DecisionNotes("n", str(tmp_path)).collect(Cursor("foreign")))


def contract(folder: Path, collector: str) -> subprocess.CompletedProcess[str]:
    """The page's tests, run as a third party runs them: from a folder of their own."""
    (folder / "acme_notes.py").write_text(collector)
    (folder / "test_acme_notes.py").write_text(blocks()[1])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull,
         "--rootdir", str(folder), "--basetemp", str(folder / "temporary"), str(folder)],
        cwd=folder, env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_its_tests_pass_and_can_fail(tmp_path: Path) -> None:
    code = blocks()[0]
    done = contract(tmp_path, code)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b1[0-9] passed", done.stdout)
    loses = code.replace('note["decided_at"] >= since', 'note["decided_at"] > "2026-01-04"')
    assert loses != code
    failed = contract(tmp_path, loses)
    assert failed.returncode == 1, "a collector that leaves items out does not pass"
