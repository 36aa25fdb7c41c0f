"""The repository on docs/registers.md is committed, collected and judged as the page says."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from flows.cli import app
from mappings.register_schemas import field_table
from tests.flows.conftest import Home

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/registers.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\w+ (\S+/\S+)\n(.*?)```", PAGE, re.S))
SOURCE = re.search(r"```toml\n\[\[source\]\]\n(.*?)```", PAGE, re.S)
REVIEWED, UNTIL = "2026-11-02", "2027-11-02"


def commit(folder: Path, files: dict[str, str]) -> None:
    """The page's files with its dates moved to yesterday and to a year from now."""
    now = datetime.now(UTC)
    for name, text in files.items():
        text = text.replace(REVIEWED, (now - timedelta(days=1)).date().isoformat())
        text = text.replace(UNTIL, (now + timedelta(days=364)).date().isoformat())
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git = ["git", "-C", str(folder), "-c", "user.name=Lena Holm", "-c", "user.email=l@acme.example"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "As on the page"]):
        subprocess.run([*git, *words], check=True, capture_output=True)


@pytest.fixture
def config(home: Home, tmp_path: Path) -> Path:
    """A home whose one source is the page's, beside the repository that it names."""
    assert SOURCE is not None
    commit(tmp_path / "governance", FILES)
    return home(SOURCE[1])


def told(config: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words, "-c", str(config)])
    assert done.exit_code == code, done.output
    return done.stdout


def test_the_page_holds_each_form() -> None:
    assert set(FILES) == {
        "registers/ai_inventory.yaml", "registers/training.csv", "documents/ai-policy.md",
        "registers/attestations.yaml", "registers/soa.yaml", "registers/rewrites.yaml",
        "registers/population.yaml",
    }  # fmt: skip


def test_the_page_in_use(config: Path) -> None:
    told(config, "collect", "--direct")
    sql = "select subject from evidence where outcome not in ('recorded', 'passed')"
    assert json.loads(told(config, "query", sql, "--format", "json")) == []
    policy = told(config, "explain", "5.2")
    assert "stands: proved" in policy
    assert "Ada Brandt signed" in policy
    left_out = told(config, "explain", "A.10.4")
    assert "stands: not applicable: No AI system is supplied to customers" in left_out
    assert "· triage" in told(config, "explain", "A.6.2.4")


def test_what_is_missing_shows(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "governance"
    policy = FILES["documents/ai-policy.md"].replace("owner: Lena Holm\n", "")
    commit(folder, {"documents/ai-policy.md": policy})
    told(config, "collect", "--direct")
    titles = told(config, "query", "select title from evidence where outcome = 'error'")
    assert "owner is missing" in titles
    assert "stands: failed" in told(config, "explain", "5.2")
    commit(folder, {"registers/soa.yaml": "- {id: A.10.4}\n"})
    assert "registers/soa.yaml" in told(config, "collect", "--direct", code=1)


@pytest.mark.parametrize("name", ["statement_of_applicability", "attestation"])
def test_the_other_names_mean_the_same(config: Path, tmp_path: Path, name: str) -> None:
    first = {"statement_of_applicability": "soa", "attestation": "attestations"}[name]
    text = FILES[f"registers/{first}.yaml"].replace(f"register: {first}", f"register: {name}")
    text = text.replace('"5.2"', '"iso42001:5.2"').replace("A.10.4", "iso42001:A.10.4")
    commit(tmp_path / "governance", {f"registers/{first}.yaml": text})
    told(config, "collect", "--direct")
    assert "stands: proved" in told(config, "explain", "5.2")
    assert "stands: not applicable" in told(config, "explain", "A.10.4")


def test_the_table_of_fields_is_what_is_known() -> None:
    table = "\n".join(field_table())
    assert table in PAGE, "write mappings.register_schemas.field_table() anew into the page"


@pytest.mark.parametrize(
    ("rules", "place"),
    [("registers", "payload.register"), ("documents", "payload.doc_type")],
)
def test_every_name_that_a_rule_knows_is_listed(rules: str, place: str) -> None:
    listed = re.findall(r"^\| (`.+?`) \| `(\w+)`(?:; .+)? \|$", PAGE, re.M)
    found = {(name, evidence) for names, evidence in listed for name in re.findall(r"\w+", names)}
    shipped = yaml.safe_load((ROOT / f"mappings/rules/{rules}.yaml").read_text())["rules"]
    known = set()
    for rule in shipped:
        names = rule.get("when", {}).get(place, [])
        names = [names] if isinstance(names, str) else names
        known |= {(name, rule["evidence"]) for name in names if "evidence" in rule}
    assert known
    assert known <= found
