"""`headwater framework`: what the evidence carries elsewhere, shown, exported and compared."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evidence.errors import ConfigError
from flows.cli import app
from flows.config import load, now
from flows.follow import follow
from mappings.in_force import mapping_in_force
from storage.lake import Lake
from tests.flows.conftest import Home
from tests.mappings.test_frameworks import MADE, REVIEW

HOSTILE = MADE.replace("R1", "'=cmd()'").replace("title: All", 'title: "<b>All"')


def told(config: Path, *words: str) -> str:
    mapping_in_force.cache_clear()  # each verb is a process of its own
    done = CliRunner().invoke(app, [*words, "-c", str(config)], catch_exceptions=True)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


@pytest.fixture
def config(home: Home) -> Path:
    """A home with a framework of its own and an empty lake that is sealed."""
    file = home()
    own = file.parent / "frameworks"
    own.mkdir()
    (own / "acme.yaml").write_text(MADE)
    text = file.read_text()
    assert "[mapping]" not in text
    file.write_text(text + '\n[mapping]\nframeworks = "frameworks"\n')
    settings = load(file)
    follow(Lake.open(settings.lake, clock=now), settings)
    return file


def test_without_evidence_nothing_is_carried_anywhere(config: Path) -> None:
    for name in ("acme", "eu-ai-act"):
        shown = json.loads(told(config, "framework", name, "--format", "json"))
        assert {one["carried"] for one in shown["requirements"]} == {"open"}
        assert all(one["open"] for one in shown["requirements"])
        assert shown["mapping"] == load(config).mapping().digest
    assert "acme-1" in told(config, "framework", "list")


def test_the_table_says_what_stays_open_and_from_when_the_law_applies(config: Path) -> None:
    shown = told(config, "framework", "eu-ai-act-2024-1689")
    assert "from 2027-12-02: high-risk systems of Annex III" in shown
    assert "0 whole, 0 part, 40 open" in " ".join(shown.split())
    assert "for people to decide" in " ".join(shown.split())


def test_csv_holds_a_line_a_link_and_no_formula(config: Path) -> None:
    (config.parent / "frameworks" / "acme.yaml").write_text(HOSTILE)
    rows = list(csv.DictReader(io.StringIO(told(config, "framework", "acme", "--format", "csv"))))
    assert [row["requirement"] for row in rows] == ["'=cmd()", "R2"]
    assert rows[0]["control"] == "iso42001:7.2"
    assert rows[1]["control"] == ""
    assert rows[1]["open"] == "no control of ISO/IEC 42001 speaks to it"


def test_an_upgrade_and_a_review_show_as_differences_and_can_be_taken_back(config: Path) -> None:
    own = config.parent / "frameworks"
    assert told(config, "framework", "diff", "acme").strip() == "nothing differs"
    newer = MADE.replace("acme-1", "acme-2").replace("R2", "R3").replace("high", "low")
    (own / "newer.yaml").write_text(newer)
    assert told(config, "framework", "diff", "acme-1", "acme-2").splitlines() == [
        "- requirement R2", "+ requirement R3",
        "~ iso42001:7.2 equivalent-to R1, high confidence, from our lawyers; equivalent-to, not "
        "reviewed → iso42001:7.2 equivalent-to R1, low confidence, from our lawyers; "
        "equivalent-to, not reviewed",
    ]  # fmt: skip
    (own / "reviews.yaml").write_text(REVIEW.format(relation="subset-of", on="2026-11-20"))
    since = told(config, "framework", "diff", "acme-1", "--as-of", "@2")
    assert "not reviewed → iso42001:7.2" in since
    assert "subset-of, Ann Ode on 2026-11-20" in since
    (own / "newer.yaml").unlink()
    (own / "reviews.yaml").unlink()
    assert "nothing differs" in told(config, "framework", "diff", "acme-1", "--as-of", "@2")


def test_what_is_not_there_is_named(config: Path) -> None:
    with pytest.raises(ConfigError, match="'hipaa' names 0 frameworks; known: eu-ai-act-2024-1689"):
        told(config, "framework", "hipaa")
    with pytest.raises(ConfigError, match="none of table, csv, json"):
        told(config, "framework", "acme", "--format", "xml")


def test_explain_says_what_else_a_control_speaks_to(config: Path) -> None:
    assert "speaks to Acme: R1 (equivalent-to, not reviewed)" in told(config, "explain", "7.2")
