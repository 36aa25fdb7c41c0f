"""The management review is assembled from what landed, and comes back as the evidence of itself."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboards.pages.review import INPUTS
from evidence.model import ControlId
from flows.config import load, now
from flows.judgement import judge_lake
from flows.moment import present
from storage.lake import Lake
from tests.dashboards.page import Page
from tests.flows.conftest import Home
from tests.flows.test_audits import FILES, moved
from tests.flows.test_docs_registers import FILES as REGISTERS
from tests.flows.test_docs_registers import SOURCE, commit
from tests.nursery import headwater

HOSTILE = "[click](http://x) <script> _now_"


@pytest.fixture
def config(home: Home, tmp_path: Path) -> Path:
    assert SOURCE is not None
    names = ("registers/findings.yaml", "registers/decisions.yaml")
    files = {name: moved(FILES[name]) for name in names}
    files["registers/decisions.yaml"] = files["registers/decisions.yaml"].replace(
        "A second person takes the alarm duty", json.dumps(HOSTILE)
    )
    commit(
        tmp_path / "governance",
        files | {"documents/ai-policy.md": REGISTERS["documents/ai-policy.md"]},
    )
    return home(SOURCE[1])


def standing(config: Path, number: str) -> str:
    headwater("collect", "--direct", "-c", config)
    read = load(config)
    lake = Lake.open(read.lake, clock=now)
    judged = judge_lake(lake, present(lake, read))
    return judged.standings[ControlId(f"iso42001:{number}")].standing.value


def test_what_is_known_is_told_with_its_source_and_what_is_not_is_said(
    config: Path, tmp_path: Path
) -> None:
    assert standing(config, "9.3.1") == "missing"
    done = headwater("review", "-c", config)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert "No review was collected before." in text
    assert "decisions: 1 (0 done, 0 late)" in text
    assert "findings: 1 (0 done" in text
    assert "audits: nothing is known; no register of them is collected" in text
    assert "Finding F-1" in text, "it names an audit that no register holds"
    assert re.search(r"interested parties · organisation: nothing is known; nothing landed", text)
    assert HOSTILE not in text
    assert r"\[click\](http://x) \<script\> \_now\_" in text
    assert re.search(r"result [0-9a-f]{64}", text), "who doubts it can judge the same again"


def test_filled_in_and_committed_it_is_the_evidence_of_the_review(
    config: Path, tmp_path: Path
) -> None:
    headwater("collect", "--direct", "-c", config)
    file = tmp_path / "governance/documents/review.md"
    done = headwater("review", "-o", file, "-c", config)
    assert "a draft" in done.stdout, done.stderr
    commit(tmp_path / "governance", {"documents/review.md": file.read_text()})
    assert standing(config, "9.3.1") == "missing", "a draft counts for nothing"
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    text = file.read_text().replace("draft: true\n", "").replace("FILL IN YYYY-MM-DD", day)
    text = text.replace("FILL IN a name, not the owner's", "Ada Brandt")
    text = text.replace("FILL IN a name", "Lena Holm").replace("FILL IN", "Told:")
    commit(tmp_path / "governance", {"documents/review.md": text})
    assert standing(config, "9.3.1") in {"proved", "needs judgement"}
    again = headwater("review", "-c", config).stdout
    assert f"The last review that was collected is of {day}." in again
    taken = headwater("review", "-o", file, "-c", config)
    assert (taken.returncode, "File exists" in taken.stderr) == (2, True)


def test_what_was_decided_comes_back_in_the_next_review(config: Path, tmp_path: Path) -> None:
    """Review, decision, its record in git, its work done and recorded: the next review tells."""
    day = datetime.now(UTC) - timedelta(days=1)
    due, done = f"{day + timedelta(days=30):%Y-%m-%d}", f"{day:%Y-%m-%d}"
    kept = DECISIONS.format(done, due)
    commit(tmp_path / "governance", {"registers/decisions.yaml": kept})
    headwater("collect", "--direct", "-c", config)
    assert (
        f"D-7 Alarms by two (Lena Holm, due {due}): open"
        in headwater("review", "-c", config).stdout
    )
    commit(tmp_path / "governance", {"registers/decisions.yaml": f"{kept}    done: {done}\n"})
    assert standing(config, "9.3.3") in {"missing", "needs judgement"}, "no review was held"
    text = headwater("review", "-c", config).stdout
    assert "decisions: 1 (1 done, 0 late)" in text
    assert f"D-7 Alarms by two (Lena Holm, due {due}): done {done}" in text
    assert "improvement log · organisation: fresh" in text, "that decisions are tracked is shown"
    html = headwater("review", "--format", "html", "-c", config)
    assert html.returncode == 0, html.stderr
    page = Page.read(html.stdout)
    assert page.links() == ["#content"], "one file that leads nowhere, to print and to sign"
    for title, _ in INPUTS.values():
        assert title in page.text
    for told in ("Alarms by two", done, "No review was collected before.", "Signed, on"):
        assert told in page.text
    assert headwater("review", "--format", "pdf", "-c", config).returncode == 2


DECISIONS = """register: decisions
owner: Ada Brandt
reviewed: {}
records:
  - id: D-7
    title: Alarms by two
    owner: Lena Holm
    due: {}
"""


RULE = """\
rules:
  - name: house-report
    kind: git.document
    when:
      payload.doc_type: house_report
    evidence: management_review
    controls: expected
    rationale: A report of the house.
    examples:
      match: [{payload: {doc_type: house_report}}]
      ignore: [{payload: {doc_type: letter}}]
"""


def test_what_is_carried_away_judges_what_new_rules_have_yet_to_tag(
    config: Path, tmp_path: Path
) -> None:
    headwater("collect", "--direct", "-c", config)
    before = headwater("explain", "5.2", "-c", config).stdout
    assert "fresh     policy" in before
    (config.parent / "rules").mkdir()
    (config.parent / "rules/house.yaml").write_text(RULE)
    config.write_text(config.read_text() + '\n[mapping]\nrules = "rules"\n')
    status = headwater("status", "-c", config).stdout
    assert "not tagged by" in re.sub(r"[\s│]+", " ", status)
    assert headwater("explain", "5.2", "-c", config).stdout == before
    review = headwater("review", "-c", config).stdout
    told, *_ = re.findall(r"^  - improvement log .*$", review, re.MULTILINE)
    assert "nothing" not in told
    printed = tmp_path / "review.html"
    headwater("review", "--format", "html", "-o", printed, "-c", config)
    page = printed.read_text(encoding="utf-8").partition("</header>")[2]
    text = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    told, *_ = re.findall(r"improvement_ log .{90}", text)
    assert "nothing" not in told
