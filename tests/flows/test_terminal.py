"""Text from sources is shown on a terminal and does not steer it, whichever verb shows it."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import flows
from evidence.model import Cursor, EvidenceItem, Outcome
from evidence.runs import Gap, Pull, PullFacts, PullOutcome, Total
from flows.config import load
from flows.follow import follow
from flows.setup import initialise
from flows.terminal import Screen, for_machines, printable
from storage.lake import Lake
from tests.flows.conftest import numbers, said

HOSTILE = "\x1b[2J\u202e\x9b31m\x07[red]x[/]"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in whose lake every text that a source may send is hostile."""
    file = tmp_path_factory.mktemp("hostile") / "home" / "headwater.toml"
    list(initialise(file.parent, "Test House"))
    file.write_text(f"{file.read_text()}\n[[source]]\n{numbers('checks')}\n")
    config, at = load(file), datetime.now(UTC) - timedelta(minutes=1)
    lake = Lake.open(config.lake, clock=lambda: datetime.now(UTC))
    gap, total = Gap(HOSTILE, HOSTILE), Total(HOSTILE, 4, 2)
    facts = PullFacts(
        1, 2, 4, query=HOSTILE, api_version=HOSTILE, identity=HOSTILE, gaps=(gap,), totals=(total,)
    )  # fmt: skip
    pull = Pull("p", "checks", "tests:None", at, at, PullOutcome.PARTIAL, facts, 2, error=HOSTILE)
    lake.land(
        "checks", [_item("gx.validation_result", at), _item("odd.kind", at)],
        bookmark=lake.bookmark("checks"), cursor=Cursor(HOSTILE), pull_id="p", pull=pull,
    )  # fmt: skip
    follow(lake, config)
    return file


def _item(kind: str, at: datetime) -> EvidenceItem:
    return EvidenceItem(
        source="checks", kind=kind, subject=HOSTILE, observed_from=at, observed_to=at,
        collected_at=at, payload={"x": HOSTILE}, system=f"credit {HOSTILE}", outcome=Outcome.FAILED,
        title=f"{HOSTILE}\nnext", actor=HOSTILE, locator=HOSTILE,
    )  # fmt: skip


VERBS = ["status", "status --json", "sources checks", "coverage --json", "rules queue"]


@pytest.mark.parametrize("verb", VERBS)
def test_no_sign_steers_the_terminal(house: Path, verb: str) -> None:
    shown = said(*verb.split(), "-c", house)
    assert "[red]x" in shown.stdout
    assert not {c for c in shown.stdout + shown.stderr if c not in "\n\t" and not c.isprintable()}


def test_json_says_the_same_with_every_such_sign_spelled() -> None:
    told = {"a": [HOSTILE, "Grün, 10\u00a0%", "\U000e0001"], "ä": None}
    assert json.loads(for_machines(told)) == told
    assert printable(for_machines(told)) == for_machines(told)
    assert "Grün" in for_machines(told)


def test_nobody_takes_another_console() -> None:
    for path in Path(flows.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        taken = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert "rich.console" not in taken or path.name == "terminal.py", f"{path}: take Screen"


def test_a_text_with_markup_of_its_own_is_cleared_too() -> None:
    screen = Screen(record=True, width=200, quiet=True)
    screen.print(f"[bold]a[/] {HOSTILE[:6]}\u00a0b\tc")
    assert printable(screen.export_text()) == screen.export_text()
