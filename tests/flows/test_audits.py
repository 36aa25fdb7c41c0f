"""The registers on docs/audits.md are committed, collected and shown as the page says."""

from __future__ import annotations

import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.board import build
from flows.config import load, now
from storage import verify_pack
from storage.keys import load_key
from storage.lake import Lake
from storage.pages import all_rows
from storage.views import connect
from tests.dashboards.page import Page
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


def test_one_audit_is_packed_and_reported(config: Path, tmp_path: Path) -> None:
    """Its controls, criteria, findings and samples; filled in and committed, the report counts."""
    headwater("collect", "--direct", "-c", config)
    headwater("sample", "--control", "8.1", "--seed", "a*b", "--by", "Ines", "-c", config)
    headwater("collect", "--direct", "-c", config)  # which seals that it was drawn
    path = tmp_path / "audit.zip"
    done = headwater("pack", "--audit", "IA-2026-1", "-o", path, "-c", config)
    assert done.returncode == 0, done.stderr
    assert verify_pack.main([str(path), "--key", load_key(load(config).key).vkey]) == 0
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    criteria = json.loads(held["criteria.json"])
    asked = [row["control"] for row in criteria]
    assert {"8.1", "8.4", "A.6.2.4"} <= set(asked)
    assert not {"5.2", "A.7.4", "A.6"} & set(asked)
    manifest = json.loads(held["manifest.json"])["predicate"]
    assert manifest["scope"]["controls"] == [f"iso42001:{number}" for number in asked]
    assert manifest["about"].startswith("the audit IA-2026-1 (Operation and development)")
    assert {one["id"] for one in json.loads(held["findings.json"])} == {"F-1", "CA-1"}
    assert b"which the lake does not hold" in held["MISSING.md"]
    (sample,) = json.loads(held["samples.json"])
    assert (sample["control"], sample["seed"], sample["drawn"]) == ("8.1", "a*b", 1)
    narrow = tmp_path / "narrow.zip"
    options = ("--control", "8.4", "--to", "2020-01-01")
    done = headwater("pack", "--audit", "IA-2026-1", *options, "-o", narrow, "-c", config)
    assert done.returncode == 0, done.stderr
    assert verify_pack.main([str(narrow), "--key", load_key(load(config).key).vkey]) == 0
    with zipfile.ZipFile(narrow) as archive:
        less = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(less["manifest.json"])["predicate"]
    assert [row["control"] for row in json.loads(less["criteria.json"])] == ["8.4"]
    assert json.loads(less["samples.json"]) == json.loads(less["findings.json"]) == []
    assert told["narrowed"]["controls"] == [f"iso42001:{n}" for n in asked if n != "8.4"]
    assert told["narrowed"]["records"] == {"findings": 1, "actions": 1, "samples": 1}
    assert told["left_out"]["items_of_controls_that_were_narrowed_away"] > 0
    assert told["about"].endswith("only 8.4, until 2020-01-01T00:00:00.000000Z")
    for sentence in (b"IA-2026-1: 8.1, ", b"of its controls", b"IA-2026-1: 1 of its samples"):
        assert sentence in less["MISSING.md"], less["MISSING.md"]
    for wrong, why in ((("--control", "5.2"), "is not of iso42001:5.2"),
                       (("--framework", "iso27001"), "leave --everything")):  # fmt: skip
        no = headwater("pack", "--audit", "IA-2026-1", *wrong, "-o", tmp_path / "no", "-c", config)
        assert (no.returncode, why in no.stderr) == (2, True), no.stderr
    none = headwater("pack", "--audit", "IA-9", "-o", tmp_path / "x", "-c", config)
    assert (none.returncode, "known: IA-2026-1, IA-2026-2, C-1" in none.stderr) == (2, True)
    html = headwater("audits", "report", "IA-2026-1", "--format", "html", "-c", config)
    page = Page.read(html.stdout)
    assert page.links() == ["#content"]
    for told in ("Operation and development", "Drift alarms were not answered", "A.6.2.4"):
        assert told in page.text
    file = tmp_path / "audit.md"
    said = headwater("audits", "report", "IA-2026-1", "-o", file, "-c", config)
    assert "a draft" in said.stdout, said.stderr
    text = file.read_text()
    assert "\n- F-1 Drift alarms were not answered (Lena Holm, without a date): open\n" in text
    assert "names the item DOCUMENT" in text
    assert reports(config, tmp_path, text) == [], "a draft counts for nothing"
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    text = text.replace("draft: true\n", "").replace("FILL IN YYYY-MM-DD", day)
    text = text.replace("FILL IN a name, not the owner's", "Ada Brandt")
    text = text.replace("FILL IN a name", "Ines Vidal").replace("FILL IN", "Told:")
    assert reports(config, tmp_path, text) == ["audit_report"]


def reports(config: Path, folder: Path, text: str) -> list[str]:
    """As which evidence the report counts once it is committed."""
    commit(folder / "governance", {"documents/audit.md": text})
    headwater("collect", "--direct", "-c", config)
    with connect(Lake.open(load(config).lake, clock=now)) as connection:
        rows = all_rows(connection, """SELECT DISTINCT evidence
            FROM tags JOIN latest USING (item_id) WHERE title LIKE '%Audit IA-2026-1%'
                AND kind = 'git.document' AND outcome <> 'error'""")  # fmt: skip
    return [row["evidence"] for row in rows]
