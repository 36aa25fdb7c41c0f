"""docs/lake.md is run and compared: its example, its columns, its views."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence.model import EvidenceItem
from storage import log_packs
from storage.checkpoints import read_checkpoint
from storage.disposal import dispose
from storage.keys import load_key, make_key
from storage.ledger import integrate
from storage.maintain import maintain
from storage.retention import Plan, RetentionClass, plan
from storage.schema import TABLES
from storage.views import VIEWS, connect
from tests.storage.makers import START, World, days, item

TEXT = (Path(__file__).parents[2] / "docs" / "lake.md").read_text(encoding="utf-8")


def _blocks(language: str, heading: str = "") -> list[str]:
    text = TEXT.partition(heading)[2] if heading else TEXT
    text = text.partition("\n## ")[0] if heading else text
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


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


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with a `lake`: one fresh, one with items disposed of, files replaced and most of its
    log packed."""
    made = {}
    for state in ("fresh", "maintained"):
        folder = made[state] = tmp_path_factory.mktemp(state)
        world = World(folder / "lake")
        make_key(folder / "key", origin="test/lake")
        signer = load_key(folder / "key")
        if state == "maintained":
            world.clock.now -= days(900)
            world.land(item(0, subject="old", at=START - days(900)), cursor="old")
            world.clock.now += days(900)
        for number in range(14):
            world.land(item(number), item(number + 40, kind="other"), cursor=str(number))
            world.clock.now += days(1)
        integrate(world.lake, signer)
        if state == "maintained":
            _dispose(world)
            world.clock.now += days(3)  # what was replaced stays for two
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(log_packs, "ENTRIES", 5)
                maintain(world.lake, signer.verifier, keep=days(2))
    packed = made["maintained"] / "lake/evidence"
    assert not (packed / "_delta_log/00000000000000000000.json").exists()
    world = World(made["maintained"] / "lake")
    table = world.lake.table("evidence")
    assert len(list(packed.glob("*/*.parquet"))) > len(table.files()), (
        "replaced files still lie here"
    )
    return made


def _dispose(world: World) -> None:
    """Take out the one item that is older than two years."""
    signer = load_key(world.path.parent / "key")
    kept = RetentionClass("tickets", ("jira.*",), days(730), "no longer needed")

    def due() -> Plan:
        with connect(world.lake) as connection:
            sealed = read_checkpoint(world.lake).size
            return plan(connection, (kept,), now=world.clock.now, sealed=sealed, needed=frozenset())

    done = dispose(world.lake, signer, due, by="Ann", reason="yearly",
                   seal=lambda: integrate(world.lake, signer))  # fmt: skip
    assert done.items == 1


@pytest.mark.parametrize("state", ["fresh", "maintained"])
@pytest.mark.parametrize("tool", ["duckdb", "pandas", "pyarrow.dataset", "polars", "QueryBuilder"])
def test_each_tool_reads_the_lake_as_the_page_says(
    lakes: dict[str, Path], tool: str, state: str
) -> None:
    listing, *snippets = _blocks("python", "## Reading it without Headwater")
    (snippet,) = (block for block in snippets if re.search(rf"import .*{tool}", block))
    told = _run(listing + snippet, lakes[state])
    record = "('headwater.disposal', 1), " if state == "maintained" else ""
    assert told == f"[{record}('jira.issue', 14), ('other', 14)]"


def test_a_log_with_a_hole_gives_no_list(lakes: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(lakes["fresh"], tmp_path / "holed")
    (tmp_path / "holed/lake/evidence/_delta_log/00000000000000000004.json").unlink()
    listing = _blocks("python", "## Reading it without Headwater")[0]
    with pytest.raises(subprocess.CalledProcessError) as failed:
        _run(listing + "files('lake/evidence')", tmp_path / "holed")
    assert "are missing" in failed.value.stderr


def _run(code: str, folder: Path) -> str:
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
