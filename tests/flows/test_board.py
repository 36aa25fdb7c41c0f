"""The board owns up to what it does not show, and to exclusions that nobody may make."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence.freshness import Standing
from evidence.model import ControlId
from flows.board import build
from flows.config import load
from flows.follow import follow
from flows.judgement import judge_lake
from flows.moment import present
from flows.pull import attempt
from flows.status import show
from storage import views
from storage.engine import Limits, ample, open_engine
from storage.lake import Lake
from tests.flows.conftest import Home, numbers

SOA = """register: soa
records:
- {id: "8.4", applicable: false, reason: we would rather not}
- {id: A.8.4, applicable: false, reason: nobody outside uses it}
"""


def now() -> datetime:
    return datetime.now(UTC)


def _pulled(config: Path) -> Lake:
    settings = load(config)
    lake = Lake.open(settings.lake, clock=now)
    for source in settings.sources:
        attempt(lake, source, now)
    return lake


def test_what_landed_and_is_not_tagged_yet_is_told_first(home: Home) -> None:
    config = load(home(numbers("n")))
    lake = _pulled(config.file)
    first = build(lake, config).attention[0]
    assert (first.severity, "not tagged" in first.sentence) == ("failed", True)
    assert show(config.file, None, fail_on="failed", as_json=True) == 3
    follow(lake, config)
    assert not any("not tagged" in note.sentence for note in build(lake, config).attention)
    assert show(config.file, None, fail_on="failed", as_json=True) == 0


@pytest.fixture
def governance(tmp_path: Path) -> Path:
    """A repository with a Statement of Applicability."""
    (tmp_path / "governance" / "registers").mkdir(parents=True)
    _commit(tmp_path / "governance", SOA)
    return tmp_path / "governance"


def _commit(repository: Path, soa: str, name: str = "Ann") -> None:
    (repository / "registers" / "soa.yaml").write_text(soa)
    who = ["-c", f"user.name={name}", "-c", f"user.email={name.lower()}@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "work"]):
        subprocess.run(["git", "-C", str(repository), *command], check=True)


def test_a_clause_cannot_be_left_out(home: Home, governance: Path) -> None:
    table = 'name = "r"\nuses = "collectors.git_registers:GitRegisters"\ndocuments = ""\n'
    config = load(home(f'{table}repository = "{governance}"'))
    lake = _pulled(config.file)
    standings = judge_lake(lake, present(lake, config)).standings
    assert standings[ControlId("iso42001:A.8.4")].standing is Standing.NOT_APPLICABLE
    assert standings[ControlId("iso42001:8.4")].standing is Standing.MISSING
    (told,) = (n.sentence for n in build(lake, config).attention if " is left out " in n.sentence)
    assert told.startswith("A.8.4 ")
    assert "by Ann <ann@example.org>, since 20" in told
    assert told.endswith(": nobody outside uses it.")


def test_records_that_are_taken_out_of_a_register_are_told(home: Home, governance: Path) -> None:
    table = 'name = "r"\nuses = "collectors.git_registers:GitRegisters"\ndocuments = ""\n'
    config = load(home(f'{table}repository = "{governance}"'))
    lake = _pulled(config.file)
    assert not any("taken out" in note.sentence for note in build(lake, config).attention)
    _commit(governance, SOA.replace("- {id: A.8.4", "# - {id: A.8.4"), "Eve")
    _pulled(config.file)
    (told,) = (n.sentence for n in build(lake, config).attention if "taken out" in n.sentence)
    assert told.startswith("A record was taken out of the register soa by Eve <eve@example.org>")
    assert "A.8.4" in told


def test_a_clock_ahead_is_told_before_what_it_hides(home: Home) -> None:
    """Landed in the future, so in no view of now: without a word the board would look complete."""
    config = load(home(numbers("n")))
    lake = Lake.open(config.lake, clock=lambda: now() + timedelta(days=2))
    for source in config.sources:
        attempt(lake, source, now)
    follow(lake, config)
    notes = build(lake, config).attention
    told = [note.severity for note in notes if "a time later than now" in note.sentence]
    assert told == ["failed"]


def test_judging_is_not_bounded_as_a_question_of_a_stranger_is(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(home(numbers("n")))
    lake = _pulled(config.file)
    moment, used = present(lake, config), []

    def noting(limits: Limits, *, little: bool = False) -> views.Connection:
        used.append(limits)
        return open_engine(limits, little=little)

    monkeypatch.setattr(views, "open_engine", noting)
    judge_lake(lake, moment)
    assert [replace(limits, threads=0) for limits in used] == [replace(ample(), threads=0)]
    assert ample().memory_mb >= Limits().memory_mb
