"""What the pages say is there: links, verbs, pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from flows.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_named_tests_and_modules_exist() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(
        re.findall(r"`((?:tests|flows|storage|mappings|collectors|evidence)/[\w./]+)`", text)
    )
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_verb_is_shown_to_a_newcomer() -> None:
    commands = [command for command in app.registered_commands if command.callback]
    verbs = {str(c.name or getattr(c.callback, "__name__", "")) for c in commands}
    text = (ROOT / "README.md").read_text() + (ROOT / "CHANGELOG.md").read_text()
    assert [verb for verb in sorted(verbs) if verb not in text] == []


def test_no_page_promises_what_only_people_decide() -> None:
    for page in PAGES:
        assert not re.search(r"\b(compliant|certified)\b", page.read_text(), re.I), page


def test_the_deployments_name_flows_that_exist() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    for deployment in deployments:
        file, _, name = deployment["entrypoint"].partition(":")
        assert f"def {name}(" in (ROOT / file).read_text()


def test_every_collector_says_what_it_must_be_allowed() -> None:
    text = (ROOT / "docs/permissions.md").read_text(encoding="utf-8").lower()
    collectors = {f.stem for f in (ROOT / "collectors").glob("[a-z]*.py")}
    assert {name for name in collectors - {"base", "contract", "http"} if name not in text} == set()
    for action in re.findall(r'"(?:s3|cloudtrail|config|logs|kms):(\w+)"(?!:)', text):
        reads = ("get", "list", "describe", "lookup", "filter", "startquery")
        assert action.startswith(reads), "it only reads"
