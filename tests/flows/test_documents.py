"""Documents of a house: from its registers in a real git repository, and its settings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.config import load, now
from flows.document_drift import land_drift
from flows.setup import initialise
from storage.lake import Lake
from tests.flows.conftest import rows, said

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
REGISTERS = {
    "roles": [
        {"id": "aims-owner", "name": "Owner of the AI management system", "person": "Lena Holm"},
        {"id": "risk-owner", "name": "Owner of AI risks", "person": "Ben <b>Ode</b>"},
        {"id": "top", "name": "Top management", "person": "Ada Brandt"},
    ],
    "ai_systems": [{"id": "triage", "name": "Triage helper", "owner": "Lena Holm"}],
    "soa": [{"id": "A.10.4", "applicable": False, "reason": "No customers"}],
}
SOURCE = """
[[source]]
name = "registers"
uses = "collectors.git_registers:GitRegisters"
schedule = "0 * * * *"
repository = "../governance"
"""


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Lena Holm",
               "-c", "user.email=l@acme.example", *words]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Work")


def register(name: str, records: list[dict[str, Any]]) -> dict[str, str]:
    whole = {"register": name, "owner": "Lena Holm", "reviewed": YESTERDAY, "records": records}
    return {f"registers/{name}.yaml": yaml.safe_dump(whole, sort_keys=False)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home beside its repository of registers, collected once; tests take copies."""
    base = tmp_path_factory.mktemp("made")
    (base / "governance").mkdir()
    git(base / "governance", "init", "-q", "-b", "main")
    files = {"documents/start.md": "---\ndraft: true\n---\n"}
    for name, records in REGISTERS.items():
        files |= register(name, records)
    commit(base / "governance", files)
    list(initialise(base / "home", "Acme"))
    config = base / "home/headwater.toml"
    config.write_text(config.read_text() + SOURCE)
    collected(base)
    return base


def collected(base: Path) -> None:
    done = said("collect", "--direct", "-c", base / "home/headwater.toml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def house(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "house", symlinks=True)
    return tmp_path / "house"


def rendered(house: Path, *words: object) -> str:
    folder = house / "governance/documents"
    done = said("documents", "render", folder, *words, "-c", house / "home/headwater.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fields(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(re.split(r"^---\n", file.read_text(), flags=re.M)[1])
    return found


def test_a_set_says_what_is_done_and_what_is_not(house: Path) -> None:
    said_first = rendered(house)
    documents = house / "governance/documents"
    policy = (documents / "ai-policy.md").read_text()
    assert fields(documents / "ai-policy.md")["owner"] == "Lena Holm"
    assert fields(documents / "ai-policy.md")["approver"] == "Ada Brandt"
    assert "| triage | Triage helper | Lena Holm |" in policy
    assert "**No objective is registered.** FILL IN" in policy
    assert "| 5.2 | policy | organisation | 365 days |" in policy
    assert "Ben \\<b\\>Ode\\</b\\> sees to it" in (documents / "risk-method.md").read_text()
    assert (
        "Nobody is told: no alert is configured" in (documents / "management-system.md").read_text()
    )
    assert "**No source shows who approved anything.**" in (documents / "life-cycle.md").read_text()
    assert "leaves this out: No customers" in (documents / "customer-terms.md").read_text()
    assert (documents / "triage/vv-plan.md").exists()
    assert said_first.count("written ") == len(list(documents.rglob("*.md"))) - 1 == 27


def test_what_is_there_stays_unless_asked(house: Path) -> None:
    file = house / "governance/documents/ai-policy.md"
    file.write_text("ours")
    assert f"kept    {file}" in rendered(house, "--only", "ai-policy")
    assert file.read_text() == "ours"
    rendered(house, "--only", "ai-policy", "--again")
    assert "# AI policy of Acme" in file.read_text()


def test_no_secret_and_no_address_is_a_fact(house: Path) -> None:
    config = house / "home/headwater.toml"
    config.write_text(
        config.read_text()
        + """
[[source]]
name = "tickets"
uses = "collectors.jira:Jira"
url = "https://jira.hidden.example"
email = "reader@hidden.example"
token = "file:token"
projects = ["CHG"]

[[alert]]
name = "work"
kind = "webhook"
url = "file:token"
secret = "file:token"
"""
    )
    (house / "home/token").write_text("whsec_" + "aGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVu")
    rendered(house)
    texts = "".join(p.read_text() for p in (house / "governance/documents").rglob("*.md"))
    assert "hidden" not in texts
    assert "aGlkZGVu" not in texts
    assert "is approved by a move into Approved" in texts
    assert "work (webhook): failed, health, source, stale, missing, at once" in texts


def test_mistakes_are_one_clear_error(house: Path) -> None:
    config = house / "home/headwater.toml"
    done = said("documents", "render", house / "x", "--only", "poem", "-c", config)
    assert done.returncode == 2
    assert "there is no template 'poem'; known: ai-policy" in done.stderr
    commit(house / "governance", register("ai_systems", [{"id": "../../up", "name": "Up"}]))
    collected(house)
    done = said("documents", "render", house / "out", "-c", config)
    assert done.returncode == 3
    assert "left out vv-plan: AI system '../../up': its name is no name of a folder" in done.stdout
    assert not (house.parent / "up").exists()


def test_the_list_names_what_is_served(house: Path) -> None:
    done = said("documents", "list", "--json", "-c", house / "home/headwater.toml")
    (policy,) = (one for one in yaml.safe_load(done.stdout) if one["name"] == "ai-policy")
    assert policy["serves"] == ["5.2", "A.2.2", "A.2.4"]


def approve(house: Path, *names: str, **changes: str) -> None:
    """Fill in rendered documents by program, as people would, and let them be collected."""
    for name in names:
        file = house / f"governance/documents/{name}.md"
        text = file.read_text().replace("draft: true\n", "", 1)
        text = text.replace("FILL IN YYYY-MM-DD", YESTERDAY).replace("FILL IN", "Said")
        for old, new in changes.items():
            text = text.replace(old, new)
        commit(house / "governance", {f"documents/{name}.md": text})
    collected(house)


def drift(house: Path) -> dict[str, list[dict[str, str]]]:
    """Document → its drifts, as the verb tells them."""
    done = said("documents", "drift", "--json", "-c", house / "home/headwater.toml")
    found = {one["document"]: one["drifts"] for one in json.loads(done.stdout)}
    assert done.returncode == (3 if any(found.values()) else 0), done.stderr
    return found


def test_a_document_that_is_no_longer_so_is_named_with_then_and_now(house: Path) -> None:
    rendered(house, "--only", "ai-policy", "--only", "management-system")
    approve(house, "ai-policy", "management-system")
    assert drift(house) == {"documents/ai-policy.md": [], "documents/management-system.md": []}
    config = load(house / "home/headwater.toml")
    lake = Lake.open(config.lake, clock=now)
    assert land_drift(lake, config) == 0, "what holds needs no record"

    roles = [dict(one) for one in REGISTERS["roles"]]
    roles[0]["person"] = "Omar Diaz"
    commit(house / "governance", register("roles", roles))
    collected(house)
    text = (
        config.file.read_text().replace('= "0 * * * *"', '= "0 0 * * *"')
        + """
[[override]]
control = "5.2"
evidence = "policy"
max_age = "P700D"
reason = "less work"
"""
    )
    config.file.write_text(text)
    assert drift(house) == {
        "documents/ai-policy.md": [
            {"fact": "evidence 5.2 policy changed", "then": "",
             "now": "age limit 700 days, 0:00:00, because less work"},
            {"fact": "evidence 5.2 policy max_age", "then": "365 days", "now": "700 days"},
            {"fact": "people management system person", "then": "Lena Holm", "now": "Omar Diaz"},
        ],
        "documents/management-system.md": [
            {"fact": "people management system person", "then": "Lena Holm", "now": "Omar Diaz"},
            {"fact": "sources registers schedule", "then": "0 * * * *", "now": "0 0 * * *"},
        ],
    }  # fmt: skip
    config = load(config.file)
    assert land_drift(lake, config) == 2
    assert land_drift(lake, config) == 0, "once, while it stays as it is"
    (told,) = rows(
        config.file,
        "SELECT outcome, title FROM evidence WHERE subject = 'registers/documents/ai-policy.md'",
    )
    sentence = (
        "AI policy (documents/ai-policy.md) is outdated: evidence 5.2 policy changed was nothing, "
        "is “age limit 700 days, 0:00:00, because less work” (+2 more)."
    )
    assert told == ("failed", sentence)
    rendered(house, "--only", "ai-policy", "--again")
    needs = json.loads(said("status", "--json", "-c", config.file).stdout)["attention"]
    named = [one["sentence"] for one in needs if "is outdated" in one["sentence"]]
    assert named[0] == sentence, "only a commit ends it"
    assert len(named) == 2
    git(house / "governance", "rm", "-q", "documents/management-system.md")
    approve(house, "ai-policy")
    assert drift(house) == {"documents/ai-policy.md": []}
    assert land_drift(lake, config) == 2
    outcomes = rows(config.file, "SELECT outcome FROM evidence WHERE kind = 'headwater.drift' "
                    "ORDER BY landed_at, subject")  # fmt: skip
    assert outcomes == [("failed",), ("failed",), ("passed",), ("passed",)]


def test_what_cannot_be_compared_is_no_agreement(house: Path) -> None:
    templates = house / "home/templates"
    templates.mkdir()
    own = '---\ntitle: Own\ndoc_type: policy\nserves: ["5.2"]\nfacts: [organisation]\n---\n# Own\n'
    (templates / "own.md.j2").write_text(own)
    config = house / "home/headwater.toml"
    config.write_text(config.read_text() + '\n[mapping]\ndocuments = "templates"\n')
    rendered(house, "--only", "own")
    approve(house, "own", Acme="Evil")
    found = drift(house)["documents/own.md"]
    assert [one["fact"] for one in found] == ["its facts", "organisation name"]
    (templates / "own.md.j2").write_text(own + "{{ organisation.nobody }}")
    (broken,) = drift(house)["documents/own.md"]
    assert "cannot be rendered" in broken["now"]
    (templates / "own.md.j2").write_text("nothing")
    (unread,) = drift(house)["documents/own.md"]
    assert unread["now"].startswith("not to be told: ")
    (templates / "own.md.j2").unlink()
    (gone,) = (one for one in drift(house)["documents/own.md"] if one["fact"] == "template")
    assert gone == {"fact": "template", "then": "own", "now": ""}
