"""What is registered is held against what came: nothing that lacks goes unsaid."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.board import build
from flows.config import load
from flows.follow import follow
from flows.pull import attempt
from storage.lake import Lake
from tests.flows.conftest import Home, numbers
from tests.nursery import headwater

INVENTORY = """register: ai_systems
records:
- {id: known, name: Known}
- {id: silent, name: Silent}
"""
DOCUMENT = """---
title: Card
doc_type: model_card
owner: Ann
approver: Bea
version: "1"
reviewed: 2026-01-02
system: %s
---
"""
POPULATION = """register: population
records:
- {id: all, kind: test.number, least: 10}
- {id: more, kind: test.*, subject: '*', source: n, least: 12}
- {id: one, kind: test.number, subject: '7'}
- {id: elsewhere, kind: test.number, source: other}
- {id: broken, kind: test.number, least: many}
- {id: kindless, subject: x}
"""


def now() -> datetime:
    return datetime.now(UTC)


def commit(repository: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "work"]):
        subprocess.run(["git", "-C", str(repository), *command], check=True)


@pytest.fixture
def house(home: Home, tmp_path: Path) -> Path:
    repository = tmp_path / "governance"
    commit(
        repository,
        {
            "registers/systems.yaml": INVENTORY,
            "registers/population.yaml": POPULATION,
            "documents/known.md": DOCUMENT % "known",
            "documents/ghost.md": DOCUMENT % "ghost",
        },
    )
    table = 'name = "r"\nuses = "collectors.git_registers:GitRegisters"\n'
    return home(numbers("n"), f'{table}repository = "{repository}"')


def collected(config: Path) -> Lake:
    settings = load(config)
    lake = Lake.open(settings.lake, clock=now)
    for source in settings.sources:
        attempt(lake, source, now)
    follow(lake, settings)
    return lake


def told(config: Path) -> tuple[int, dict[str, Any]]:
    done = headwater("coverage", "--json", "-c", config)
    return done.returncode, json.loads(done.stdout)


def test_what_lacks_is_named_with_its_numbers(house: Path) -> None:
    lake = collected(house)
    code, found = told(house)
    assert (code, found["whole"]) == (3, False)
    assert found["registered"]["known"]["items"] == 1
    assert found["registered"]["silent"]["items"] == 0, "its record in the inventory is no evidence"
    assert list(found["not_registered"]) == ["ghost"]
    numbers_of = {one["id"]: (one["found"], one["missing"] != "") for one in found["population"]}
    assert numbers_of == {
        "all": (10, False), "more": (10, True), "one": (1, False), "elsewhere": (0, True),
        "broken": (0, True), "kindless": (0, True),
    }  # fmt: skip
    sentences = [note.sentence for note in build(lake, load(house)).attention]
    assert any("more: 10 of at least 12" in sentence for sentence in sentences)
    assert any("ghost, which the inventory does not hold" in sentence for sentence in sentences)


def test_what_is_gone_counts_no_more_and_whole_is_whole(house: Path, tmp_path: Path) -> None:
    documents = "register: population\nrecords:\n- {id: docs, kind: git.document, least: 2}\n"
    repository = tmp_path / "governance"
    commit(repository, {
        "registers/population.yaml": documents,
        "registers/systems.yaml": INVENTORY.replace("silent", "ghost"),
    })  # fmt: skip
    collected(house)
    assert told(house)[0] == 0
    (repository / "documents" / "ghost.md").unlink()
    commit(repository, {})
    collected(house)
    code, found = told(house)
    assert (code, found["population"][0]["found"]) == (3, 1)


def test_on_the_terminal(house: Path) -> None:
    collected(house)
    shown = headwater("coverage", "-c", house).stdout
    assert "1 of 2 registered AI systems have evidence" in shown
    assert "2 of 6 expectations are met" in shown
    assert "broken: its record `least` is 'many'" in shown
