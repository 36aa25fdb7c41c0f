"""The request list on docs/audits.md: found, late, packed, and renewed for another year."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from evidence.errors import ConfigError
from evidence.requests import read_request
from flows.board import build
from flows.config import load, now
from flows.pack_about import refuse_beside
from storage import verify_pack
from storage.keys import load_key
from storage.lake import Lake
from tests.flows.conftest import Home
from tests.flows.test_audits import FILES, moved
from tests.flows.test_docs_registers import FILES as REGISTERS
from tests.flows.test_docs_registers import SOURCE, commit
from tests.nursery import headwater

LIST, POLICY = "registers/requests.yaml", "documents/ai-policy.md"


@pytest.fixture
def config(home: Home, tmp_path: Path) -> Path:
    """Collected before the list is asked: the pull, and the items that it asks for, are there."""
    assert SOURCE is not None
    policy = {POLICY: REGISTERS[POLICY]}  # without a document the pull is not whole
    commit(tmp_path / "governance", policy | {LIST: moved(FILES[LIST])})
    file = home(SOURCE[1])
    headwater("collect", "--direct", "-c", file)
    return file


def requests(config: Path, code: int = 3) -> dict[str, dict[str, Any]]:
    told = headwater("requests", "--json", "-c", config)
    assert told.returncode == code, told.stderr
    return {row["id"]: row for row in json.loads(told.stdout)["requests"]}


def test_the_page_in_use(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, sample, policy = requests(config).values()
    assert (whole["rows"], whole["overdue"]) == (0, False)
    assert whole["lacks"].startswith("Every attempt"), "an empty answer says what it means"
    assert (sample["overdue"], sample["state"]) == (True, "open")
    assert (sample["rows"], sample["items"]) == (1, 1)
    assert policy["lacks"] == "the lake does not hold DOCUMENT"
    board = build(Lake.open(load(config).lake, clock=now), load(config))
    (late,) = [one for one in board.attention if "PBC-2026-2" in one.sentence]
    assert late.severity == "stale"
    (soon,) = [one for one in board.attention if "PBC-2026-1" in one.sentence]
    assert soon.severity == "due"
    assert [row.title[:10] for row in board.calendar] == ["PBC-2026-2", "PBC-2026-1"]
    path = tmp_path / "answers.zip"
    done = headwater("pack", "--request", "all", "-o", path, "-c", config)
    assert done.returncode == 0, done.stderr
    assert verify_pack.main([str(path), "--key", load_key(load(config).key).vkey]) == 0
    assert "the answers to 3 requests" in capsys.readouterr().out
    with zipfile.ZipFile(path) as archive:
        rows = [json.loads(line) for line in archive.read("items.jsonl").splitlines()]
        missing = archive.read("MISSING.md").decode()
        (answer,) = json.loads(archive.read("answers.json"))
        assert "board.html" not in archive.namelist(), "it would show what nobody asked for"
    assert [row["row"]["item_id"] for row in rows if row["role"] == "item"] == [answer["item_id"]]
    assert "PBC-2026-3: the lake does not hold DOCUMENT" in missing
    path = tmp_path / "less.zip"
    less = headwater("pack", "--request", "all", "--kind", "jira.issue", "-o", path, "-c", config)
    assert less.returncode == 0, less.stderr
    assert verify_pack.main([str(path), "--key", load_key(load(config).key).vkey]) == 0
    with zipfile.ZipFile(path) as archive:
        told = json.loads(archive.read("manifest.json"))["predicate"]
        assert json.loads(archive.read("answers.json")) == [], "its rows are of another kind"
        asked = json.loads(archive.read("requests.json"))
        missing = archive.read("MISSING.md").decode()
    assert [row["items"] for row in asked] == [0, 0, 0]
    assert told["narrowed"]["requests"] == {"PBC-2026-2": {"rows": 1, "items": 1}}
    assert told["left_out"]["given_items_of_other_controls_systems_kinds_or_times"] == 1
    assert "PBC-2026-2: 1 of its 1 rows and 1 of its 1 items are not of what" in missing
    kept = headwater("pack", "--request", "all", "--control", "5.2", "-o", tmp_path / "52.zip",
                     "-c", config)  # fmt: skip
    assert kept.returncode == 0, kept.stderr
    with zipfile.ZipFile(tmp_path / "52.zip") as archive:
        assert json.loads(archive.read("answers.json")) == [answer]
        assert "requests" not in archive.read("MISSING.md").decode().partition("## What the")[2]
    one = headwater("pack", "--request", "PBC-2026-2", "-o", tmp_path / "one.zip", "-c", config)
    assert "1 items" in one.stdout, one.stderr
    none = headwater("pack", "--request", "X", "-o", tmp_path / "x", "-c", config)
    assert (none.returncode, "there is no request 'X'" in none.stderr) == (2, True)
    with pytest.raises(ConfigError, match="leave --everything, --framework"):
        refuse_beside("--request", None, False, "iso27001")


def test_next_years_list_is_this_years_moved(config: Path, tmp_path: Path) -> None:
    this = yaml.safe_load(moved(FILES[LIST]))["records"]
    year = max(record["due"].year for record in this) + 1
    file = tmp_path / "next.yaml"
    done = headwater("requests", "renew", year, "-o", file, "-c", config)
    assert done.returncode == 0, done.stderr
    next_ = yaml.safe_load(file.read_text())
    assert next_["draft"] is True
    for old, new in zip(this, next_["records"], strict=True):
        assert new["id"] == old["id"].replace("2026", str(year))
        assert new["due"][:4] == str(old["due"].year + 1)
        assert new["state"] == "open"
        assert "evidence" not in new
        assert read_request(new).problems == ()
    assert next_["records"][0]["with"]["since"][:4] == str(this[0]["with"]["since"].year + 1)
    again = headwater("requests", "renew", year - 1, "-c", config)
    assert (again.returncode, "is no later year" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"state": "done"}, "none of open, answered"),
        ({"due": "soon"}, "write YYYY-MM-DD"),
        ({"owner": ""}, "has no `owner`"),
        ({"sample": {"control": "5.2"}}, "has no `seed`"),
        ({"sample": {"seed": "a", "sql": "x"}}, "`sample` has 'sql'"),
        ({"sample": {"seed": "a"}, "question": "q"}, "choose one"),
        ({"with": [1]}, "are mappings of names to values"),
    ],
    ids=["state", "due", "owner", "seed", "unknown", "both", "list"],
)
def test_what_cannot_be_read_is_said(change: dict[str, Any], says: str) -> None:
    row = {"id": "R", "text": "t", "asked_by": "a", "owner": "o", "due": "2026-12-01"}
    assert read_request(row).problems == ()
    (problem,) = read_request(row | change).problems
    assert says in problem


def test_a_spreadsheet_binds_values_as_text() -> None:
    row = {"id": "R", "with": "since=2026-01-01; system=a=b", "due": "2024-02-29"}
    assert read_request(row).values == {"since": "2026-01-01", "system": "a=b"}
