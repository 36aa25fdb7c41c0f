"""docs/lake.md is run and compared: its example, its columns, its views."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from evidence.model import EvidenceItem
from storage.schema import TABLES
from storage.views import VIEWS
from tests.storage.makers import START, World, item

TEXT = (Path(__file__).parents[2] / "docs" / "lake.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_identity_is_recomputed_without_us(tmp_path: Path) -> None:
    told = _run(_blocks("python")[0], tmp_path)
    at = datetime(2026, 11, 2, 9, 15, tzinfo=UTC)
    fields = {"summary": "Impact assessment reviewed", "status": "Done"}
    same = EvidenceItem(
        source="jira", kind="jira.issue", subject="AI-42", observed_from=at, observed_to=at,
        collected_at=START, system="credit-scoring",
        payload={"key": "AI-42", "fields": fields, "score": 1.0},
    )  # fmt: skip
    assert told == same.item_id
    assert f"prints `{told}`" in TEXT


def test_every_column_is_explained() -> None:
    for spec in TABLES.values():
        for name in spec.schema.names:
            assert f"`{name}`" in TEXT, f"{spec.name}.{name}"


def test_every_view_is_explained() -> None:
    for view in VIEWS:
        assert f"`{view}`" in TEXT.partition("## Views")[2].partition("##")[0]


def test_plain_tools_read_the_lake(tmp_path: Path) -> None:
    world = World(tmp_path / "lake")
    world.land(item(1), item(30), cursor="c")
    sql = _blocks("sql")[0].replace("lake/", f"{tmp_path}/lake/")
    assert duckdb.sql(sql).fetchall() == [("jira.issue", 2)]
    block = _blocks("python")[1] + "print(sorted(evidence['subject']))"
    assert _run(block, tmp_path) == "['AI-1', 'AI-30']"


def _run(code: str, folder: Path) -> str:
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
