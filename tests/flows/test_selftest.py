"""The selftest as users run it: a table, an exit code, a record; the lake itself is only read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from flows.selftest import run
from storage import trial
from storage.attacks import ATTACKS
from tests.flows.conftest import Home, numbers
from tests.nursery import headwater

FEW = [one for one in ATTACKS if one.name in {"edit a title", "turn a verdict to fresh"}]


def _digests(folder: Path) -> dict[str, str]:
    """Of all files but the index, which is made from the others and merges as the lake grows."""
    index = folder / "lake" / "index"
    files = (path for path in folder.rglob("*") if path.is_file() and index not in path.parents)
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_selftest_attacks_copies_only_and_is_recorded(home: Home) -> None:
    config = home(numbers("good"))
    headwater("collect", "--direct", "-c", config)
    before = _digests(config.parent)
    done = headwater("selftest", "-c", config, "--keep", config.parent / "kept")
    assert done.returncode == 0, done.stdout
    assert "0 missed" in done.stdout
    assert "the whole lake (" in done.stdout
    assert "not applicable" in done.stdout, "nothing was judged yet"
    assert (config.parent / "kept" / "copy-00" / "lake" / "lake.json").is_file()
    after = _digests(config.parent)
    assert {path: after[path] for path in before} == before
    told = headwater(
        "query", "select outcome from evidence where subject = 'selftest'", "-c", config
    )
    assert "passed" in told.stdout
    assert headwater("verify", "-c", config).returncode == 0


def test_a_missed_attack_is_shown_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("flows.selftest.trials", lambda base, **_: trial.trials(base, FEW))
    assert run(tmp_path / "none.toml", demo=True, keep=None, items=100) == 0
    monkeypatch.setattr(trial, "examine", lambda *_, **__: ())
    assert run(tmp_path / "none.toml", demo=True, keep=None, items=100) == 1
    told = capsys.readouterr().out
    assert "NO" in told
    assert f"{len(FEW)} attacks: 0 detected, {len(FEW)} missed" in told


def test_nothing_attacked_is_no_success(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("flows.selftest.trials", lambda base, **_: iter(()))
    assert run(tmp_path / "none.toml", demo=True, keep=None, items=100) == 1
