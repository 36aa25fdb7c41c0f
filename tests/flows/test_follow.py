"""What Headwater itself does to a lake is tagged at once, or said: else the board called it red."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from evidence.errors import HeadwaterError, VerificationFailed
from flows import correct, freeze, hold, pack, selftest, verify
from flows.anchoring import run as anchor
from flows.board import build
from flows.config import load, now
from flows.follow import follow, leave_record
from flows.pull import attempt
from flows.setup import initialise
from flows.upkeep import keep_lean
from storage.lake import Lake
from storage.trial import trials
from storage.views import connect
from tests.flows.conftest import numbers

ANCHOR = '[anchor]\nurl = "http://127.0.0.1:9"\nroots = "roots.pem"\n'


def quiet(_: str) -> None:
    """Nobody reads along."""


def verified(file: Path) -> None:
    verify.run(file, quiet)


def attacked(file: Path) -> None:
    with pytest.MonkeyPatch.context() as few:  # tests/storage/test_trial.py tries every attack
        few.setattr(selftest, "trials", lambda base, *, keep: islice(trials(base, keep=keep), 3))
        selftest.run(file, demo=False, keep=None, items=3)


def packed(file: Path) -> None:
    pack.write(file, pack.Wanted(["8.1"]), file.parent / "p.zip", None, quiet)


def maintained(file: Path) -> None:
    keep_lean(load(file))


def corrected(file: Path) -> None:
    with connect(Lake.open(load(file).lake, clock=now)) as connection:
        row = connection.execute("SELECT item_id FROM evidence WHERE kind LIKE 'test%'").fetchone()
    assert row
    correct.correct(file, row[0], "outcome", "failed", "Ann", "mistyped", quiet)


def held(file: Path) -> None:
    hold.set_hold(file, "case-1", "Ann", "x", "", {"kinds": ["odd.*"]})


def frozen(file: Path) -> None:
    freeze.set_freeze(file, "audit-1", "Ann", "audit", None, "")


def unanchored(file: Path) -> None:
    (file.parent / "roots.pem").write_text("not looked at")
    file.write_text(file.read_text() + ANCHOR)
    with pytest.raises(HeadwaterError):
        anchor(file, quiet)


def untagged(file: Path) -> list[str]:
    config = load(file)
    board = build(Lake.open(config.lake, clock=now), config)
    return [note.sentence for note in board.attention if "not tagged" in note.sentence]


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose lake holds what one pull brought, tagged and sealed: to be copied."""
    file = tmp_path_factory.mktemp("collected") / "home" / "headwater.toml"
    list(initialise(file.parent, "Test House"))
    file.write_text(f"{file.read_text()}\n[[source]]\n{numbers('n')}\n")
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    attempt(lake, config.sources[0], now)
    assert untagged(file), "the line that must not be there later is there before"
    follow(lake, config)
    return file


@pytest.fixture
def file(collected: Path, tmp_path: Path) -> Path:
    """A home of its own for each test."""
    return Path(shutil.copytree(collected.parent, tmp_path / "home"), collected.name)


def opened(file: Path) -> Lake:
    return Lake.open(load(file).lake, clock=now)


@pytest.mark.parametrize(
    "done",
    [verified, attacked, packed, maintained, corrected, held, frozen, unanchored],
    ids=lambda done: done.__name__,
)
def test_no_verb_leaves_a_landing_untagged(file: Path, done: Callable[[Path], None]) -> None:
    lake = opened(file)
    before = lake.version
    done(file)
    assert lake.version > before, f"{done.__name__} left no record: nothing was tried"
    assert untagged(file) == []


def test_a_failed_verification_is_judged_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise VerificationFailed(("a row is missing",))

    lake = opened(file)
    monkeypatch.setattr(verify, "verify", failing)
    before = lake.version
    with pytest.raises(VerificationFailed):
        verify.run(file, quiet)
    assert lake.version > before
    assert untagged(file) == []


def test_an_act_brings_no_other_mapping_into_force(file: Path) -> None:
    """Else whoever looks with other rules would change by what the controls are judged."""
    lake = opened(file)
    reason = '[[override]]\ncontrol = "*"\nevidence = "dq_validation"\n'
    file.write_text(file.read_text() + f'{reason}applies = false\nreason = "we have none"\n')
    mapping = lake.bookmark("headwater").cursor
    assert leave_record(lake, load(file), "verify") == ""
    assert lake.bookmark("headwater").cursor == mapping
    assert untagged(file), "the landing waits for the collection that brings the mapping"


def test_a_record_without_tags_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = opened(file)

    def broken(*_: object, **__: object) -> int:
        raise HeadwaterError("the table of tags cannot be written")

    monkeypatch.setattr(Lake, "follow_sql", broken)
    told = leave_record(lake, load(file), "verify")
    assert "recorded but not tagged until the next collection: the table of tags" in told
