"""The registers on docs/audits.md are committed, collected and shown as the page says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.board import build
from flows.config import load, now
from storage.lake import Lake
from storage.pages import all_rows
from storage.views import connect
from tests.flows.conftest import Home
from tests.flows.test_docs_registers import ROOT, SOURCE, commit
from tests.nursery import headwater

PAGE = (ROOT / "docs/audits.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\w+ (\S+/\S+)\n(.*?)```", PAGE, re.S))
WRITTEN = datetime(2026, 11, 26, tzinfo=UTC)


def moved(text: str) -> str:
    """The page's dates as they lay about the day on which it was written, about today."""
    by = datetime.now(UTC) - WRITTEN

    def move(match: re.Match[str]) -> str:
        return (datetime.fromisoformat(f"{match[0]}T00:00:00+00:00") + by).date().isoformat()

    return re.sub(r"\d{4}-\d\d-\d\d", move, text)


LATER = {"registers/requests.yaml", "registers/decisions.yaml"}
AUDITS = {name: text for name, text in FILES.items() if name not in LATER}


@pytest.fixture
def config(home: Home, tmp_path: Path) -> Path:
    assert SOURCE is not None
    commit(tmp_path / "governance", {name: moved(text) for name, text in AUDITS.items()})
    return home(SOURCE[1])


def audits(config: Path) -> dict[str, Any]:
    headwater("collect", "--direct", "-c", config)
    told = headwater("audits", "--json", "-c", config)
    assert told.returncode == 3, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def test_the_page_in_use_and_an_id_that_is_mended(config: Path, tmp_path: Path) -> None:
    first = audits(config)
    assert {entry["what"] for entry in first["entries"]} == {
        "audits", "findings", "corrective_actions", "certification",
    }  # fmt: skip
    needs = [need["sentence"] for need in first["needs"]]
    assert any("names the item DOCUMENT, which the lake does not hold" in one for one in needs)
    late = next(one for one in needs if "CA-1" in one)
    assert "by Lena Holm and is not done" in late
    assert len(needs) == 2, needs
    assert "A.6.2.4" not in first["not_audited_in_three_years"]
    assert "5.2" in first["not_audited_in_three_years"]
    named = [row["title"] for row in first["calendar"]]
    assert named[:2] == ["Alarms go to the duty, who answers within a day", "Data"]
    with connect(Lake.open(load(config).lake, clock=now)) as connection:
        (item,) = all_rows(connection, "SELECT item_id FROM latest WHERE title LIKE '%Alarms go%'")
    mended = FILES["registers/audits.yaml"].replace("[DOCUMENT]", f"[{item['item_id'][:8]}]")
    commit(tmp_path / "governance", {"registers/audits.yaml": moved(mended)})
    (left,) = [need["sentence"] for need in audits(config)["needs"]]
    assert left == late
    board = build(Lake.open(load(config).lake, clock=now), load(config))
    assert [one.severity for one in board.attention if one.sentence == late] == ["stale"]
    assert [row.title for row in board.calendar] == named
    assert board.calendar[0].on < board.as_of - timedelta(days=20)
    said = headwater("audits", "-c", config)
    assert "Alarms go to the duty" in said.stdout
