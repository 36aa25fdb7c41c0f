"""The collector on the documentation page works as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evidence.errors import SourceBroken, SourceRefused
from evidence.model import Cursor
from flows.cli import app

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/collectors.md").read_text(), re.S)
    (tmp_path / "acme_notes.py").write_text(code)
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
