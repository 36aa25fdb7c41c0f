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

from flows.board import build
from flows.config import load, now
from flows.document_drift import land_drift
from flows.judgement import judge_lake
from flows.moment import present
from flows.setup import initialise
from storage.lake import Lake
from tests.flows.conftest import rows, said

pytestmark = pytest.mark.xdist_group("documents")
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
REGISTERS = {
    "roles": [
        {"id": "aims-owner", "name": "Owner of the AI management system", "person": "Lena Holm"},
        {"id": "risk-owner", "name": "Owner of AI risks", "person": "Ben <b>Ode</b>"},
        {"id": "top", "name": "Top management", "person": "Ada Brandt"},
        {"id": "audit", "name": "Internal audit", "person": "Gone Away", "left": YESTERDAY},
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


def git(folder: Path, *words: str, by: str = "Lena Holm") -> str:
    mail = f"{by[:1].lower()}@acme.example"
    command = [
        "git",
        "-C",
        str(folder),
        "-c",
        f"user.name={by}",
        "-c",
        f"user.email={mail}",
        *words,
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, files: dict[str, str], by: str = "Lena Holm") -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Work", by=by)


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
    audits = (documents / "audit-programme.md").read_text()
    assert "FILL IN a name: nobody is named as who plans internal audits" in audits, "who left"
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
    assert re.search(r"- work \(webhook\): .*failed, .*, at once\n", texts)


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
    policy = house / "governance/documents/ai-policy.md"
    made = policy.read_text()
    front, body = re.split(r"(?<=\n---\n)", made, maxsplit=1)
    old = git(house / "governance", "show", "HEAD:documents/ai-policy.md")
    policy.write_text(front + re.split(r"(?<=\n---\n)", old, maxsplit=1)[1])
    approve(house, "ai-policy")
    who, proof = (
        "its text below “Who answers for it”",
        "its text below “What shows that it is done”",
    )
    assert {(one["fact"], bool(one["now"])) for one in drift(house)["documents/ai-policy.md"]} == {
        (who, True), (who, False), (proof, True), (proof, False),
    }, "newer facts over an old text are no agreement"  # fmt: skip
    policy.write_text(front + body)
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
    assert [one["fact"] for one in found] == ["its facts", "organisation own name"]
    (templates / "own.md.j2").write_text(own + "{{ organisation.nobody }}")
    (broken,) = drift(house)["documents/own.md"]
    assert "cannot be rendered" in broken["now"]
    (templates / "own.md.j2").write_text("nothing")
    (unread,) = drift(house)["documents/own.md"]
    assert unread["now"].startswith("not to be told: ")
    (templates / "own.md.j2").unlink()
    (gone,) = (one for one in drift(house)["documents/own.md"] if one["fact"] == "template")
    assert gone == {"fact": "template", "then": "own", "now": ""}
    commit(house / "governance", {"documents/own.md": POLICY})
    collected(house)
    silent = [{"fact": "rendered", "then": "own", "now": ""}]
    assert drift(house)["documents/own.md"] == silent, "what it was made from was taken out"
    commit(
        house / "governance",
        {"documents/own.md": POLICY.replace("---\n", "---\nrendered: no\n", 1)},
    )
    collected(house)
    assert drift(house) == {}


POLICY = f"""---
title: AI policy
doc_type: ai_policy
owner: Lena Holm
approver: Ada Brandt
approvers: [Ada Brandt, Ben Ode]
quorum: 2
version: "1.0"
reviewed: {YESTERDAY}
---
# AI policy
"""
FILE = "documents/ai-policy.md"


def asked(house: Path) -> tuple[int, str, str]:
    """How the verb ends, its sentence, and how the policy of 5.2 stands."""
    config = house / "home/headwater.toml"
    done = said("documents", "approvals", "--json", "-c", config)
    (told,) = json.loads(done.stdout)
    loaded = load(config)
    lake = Lake.open(loaded.lake, clock=now)
    judged = judge_lake(lake, present(lake, loaded))
    (policy,) = (v for v in judged.verdicts if (v.control, v.evidence) == POLICY_OF)
    return done.returncode, told["sentence"], policy.state.value


POLICY_OF = ("iso42001:5.2", "policy")


def signed_off(house: Path, *people: str) -> str:
    records = ""
    for person in people:
        done = said("documents", "approve", house / "governance" / FILE, "--by", person)
        assert done.returncode == 0, done.stderr
        records += done.stdout
    return f"register: approvals\nrecords:\n{records}"


def sign_off(house: Path, *people: str, by: str = "") -> None:
    """The last of them adds their approval to those of the others, or `by` does."""
    text = {"registers/approvals.yaml": signed_off(house, *people)}
    commit(house / "governance", text, by or people[-1])


def claims(house: Path) -> dict[str, Any]:
    collected(house)
    done = said("documents", "approvals", "--json", "-c", house / "home/headwater.toml")
    (told,) = json.loads(done.stdout)
    return {name: told[name] for name in ("by", "claimed", "rests_on")}


def test_what_another_wrote_is_only_claimed_and_counts_only_where_that_is_said(house: Path) -> None:
    repository, registers = house / "governance", "registers/approvals.yaml"
    commit(repository, {FILE: POLICY})
    sign_off(house, "Ada Brandt")
    sign_off(house, "Ada Brandt", "Ben Ode", by="Lena Holm")
    claimed = {"Ben Ode": "Lena Holm <l@acme.example>"}
    unsigned = {"Ada Brandt": "unsigned"}
    assert claims(house) == {"by": ["Ada Brandt"], "claimed": claimed, "rests_on": unsigned}
    (page,) = [one for one in build_board(house).documents if one.path == FILE]
    assert "Lena Holm <l@acme.example> wrote that Ben Ode approved it: claimed" in page.approval
    assert page.waits
    git(repository, "commit", "-q", "--amend", "--author", "Ben Ode <b@acme.example>", "-m", "x")
    assert claims(house)["claimed"] == claimed, "git believes an author, and names who committed"
    config = house / "home/headwater.toml"
    whole = config.read_text()
    config.write_text(whole.replace(SOURCE, f"{SOURCE}claimed = true\n"))
    counted = {
        "Ada Brandt": "unsigned",
        "Ben Ode": "claimed, written by Lena Holm <l@acme.example>",
    }
    assert claims(house)["rests_on"] == counted
    config.write_text(whole)
    assert claims(house)["by"] == ["Ada Brandt"]

    text = (repository / registers).read_text()
    git(repository, "checkout", "-q", "-b", "bens", "HEAD^")
    commit(repository, {registers: text}, by="Ben Ode")
    git(repository, "checkout", "-q", "main")
    git(repository, "reset", "-q", "--hard", "HEAD^")
    commit(repository, {"registers/notes.yaml": "records: []\n"})
    git(repository, "merge", "-q", "--no-ff", "--no-edit", "bens")
    merged = claims(house)
    assert merged["claimed"] == {}, "Lena merged what Ben wrote"
    assert merged["by"] == ["Ada Brandt", "Ben Ode"]
    commit(repository, {registers: f"reviewed: {YESTERDAY}\n{text}"})
    assert claims(house)["claimed"] == {}, "a review of the register wrote none of its records"


def build_board(house: Path) -> Any:
    config = load(house / "home/headwater.toml")
    return build(Lake.open(config.lake, clock=now), config)


def test_a_policy_waits_until_enough_approved_this_very_text(house: Path) -> None:
    repository = house / "governance"
    commit(repository, {FILE: POLICY})
    sign_off(house, "Ada Brandt")
    collected(house)
    waits = "approved by 1 of 2 (Ada Brandt: unsigned); it waits for Ben Ode"
    assert asked(house) == (3, waits, "unknown"), "no policy is in force yet"
    told = said("status", "--json", "-c", house / "home/headwater.toml").stdout
    assert f"AI policy (documents/ai-policy.md): {waits}." in told
    sign_off(house, "Ada Brandt", "Ben Ode")
    collected(house)
    both = "approved by 2 of 2 (Ada Brandt: unsigned, Ben Ode: unsigned)"
    assert asked(house) == (0, both, "fresh")
    commit(repository, {FILE: f"{POLICY}And one word more.\n"})
    collected(house)
    sentence = (
        "approved by 0 of 2; Ada Brandt, Ben Ode approved another text than this one; it waits for "
        "Ada Brandt or Ben Ode"
    )
    assert asked(house) == (3, sentence, "unknown")
    commit(repository, {FILE: POLICY.replace("quorum: 2", "quorum: 1")})
    commit(repository, {FILE: re.sub("(approvers|quorum).*\n", "", POLICY)})
    collected(house)
    code, told, state = asked(house)
    assert (code, state) == (3, "unknown"), "who takes the question away is not asked less"
    assert told.startswith("it asked for approval before and does no more: approved by 0 of 1; ")


@pytest.mark.parametrize(
    ("text", "by", "why"),
    [
        (POLICY, "Lena Holm", "does not ask 'Lena Holm' to approve it, but Ada Brandt, Ben Ode"),
        (POLICY.replace("owner: Lena Holm", "owner: Ben Ode"), "Ada Brandt", "names the owner"),
        (POLICY.replace("---\n", "---\ndraft: true\n", 1), "Ada Brandt", "is a draft"),
        (POLICY + "FILL IN", "Ada Brandt", "still to fill in: the text"),
        (re.sub("(approvers|quorum).*\n", "", POLICY), "Ada Brandt", "asks nobody to approve"),
    ],
    ids=["stranger", "owner", "draft", "unfilled", "nobody"],
)
def test_what_cannot_be_approved_is_refused(tmp_path: Path, text: str, by: str, why: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "p.md").write_text(text)
    done = said("documents", "approve", tmp_path / "p.md", "--by", by)
    assert done.returncode == 2
    assert why in done.stderr


def test_a_record_is_approved_too(tmp_path: Path) -> None:
    file = tmp_path / "risks.yaml"
    file.write_text("records:\n- {id: R-1, owner: Lena Holm, approvers: [Ada Brandt]}\n")
    done = said("documents", "approve", file, "--by", "ada brandt", "--record", "R-1")
    (made,) = yaml.safe_load(done.stdout)
    assert (made["of"], made["id"]) == ("risks/R-1", "risks-r-1-ada-brandt")
    assert len(made["sha256"]) == 64
    assert said("documents", "approve", file, "--by", "Ada", "--record", "R-9").returncode == 2


def test_a_document_is_printed_with_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text(POLICY + "FILL IN")
    done = said("documents", "print", tmp_path / "p.md", "-o", tmp_path / "p.html")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "p.html").read_text()
    assert "It counts for nothing: still to fill in: the text." in text
    assert '<tr><th scope="row">approvers</th><td>Ada Brandt, Ben Ode</td></tr>' in text
    again = said("documents", "print", tmp_path / "p.md", "-o", tmp_path / "p.html")
    assert again.returncode == 2, "what is there stays"
    other = said("documents", "print", tmp_path / "p.md", "-o", tmp_path / "p.doc")
    assert "must end in .html or .pdf" in other.stderr
