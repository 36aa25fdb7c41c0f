"""What `headwater init --registers` writes counts for nothing until people have filled it in."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from collectors._git.register_files import read_document, read_register
from collectors._safe_yaml import load
from evidence.audits import Books, lacks, read_entry
from evidence.errors import ConfigError
from evidence.registers import REGISTERS, register_called
from evidence.requests import read_request
from flows.cli import app
from flows.setup import initialise
from flows.starters import TEMPLATES, starter_set
from tests.flows.conftest import said
from tests.flows.test_documents import SOURCE, collected

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
NEXT_YEAR = (datetime.now(UTC) + timedelta(days=300)).date().isoformat()


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == code, done.output
    return done.stdout


def commit(folder: Path) -> None:
    git = ["git", "-C", str(folder), "-c", "user.name=Lena Holm", "-c", "user.email=l@acme.example"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Work"]):
        subprocess.run([*git, *words], check=True, capture_output=True)


def standings(home: Path) -> dict[str, int]:
    """What stands how often; only words that are used."""
    config = home / "headwater.toml"
    run("collect", "--direct", "-c", config)
    told = json.loads(run("status", "--json", "-c", config))
    return {word: number for word, number in told["standings"].items() if number}


def edit(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for pattern, new in changes:
        text = re.sub(pattern, new, text, flags=re.M)
    file.write_text(text, encoding="utf-8")


def test_a_placeholder_turns_nothing_green(tmp_path: Path) -> None:
    home, registers = tmp_path / "home", tmp_path / "governance"
    said = run("init", home, "--name", "Acme", "--registers", registers)
    assert f"written {registers / 'registers/soa.yaml'}" in said
    assert "kept" in run("init", home, "--registers", registers)
    assert 'repository = "../governance"' in (home / "headwater.toml").read_text()
    commit(registers)
    assert standings(home) == {"missing": 70}
    told = json.loads(run("status", "--json", "-c", home / "headwater.toml"))["attention"]
    todo = {a["sentence"].split(":")[0]: a["action"] for a in told if a["severity"] == "missing"}
    assert todo["No soa"].startswith("Write it in git")
    assert todo["No incident ticket"].startswith("Connect a source that has it, or write it in git")
    assert todo["No iam report"].startswith("Connect a source that has it, or state")
    sql = "SELECT count(*) AS n FROM evidence WHERE title LIKE '%is a draft%'"
    (row,) = json.loads(run("query", sql, "--format", "json", "-c", home / "headwater.toml"))
    files = [*(registers / "registers").iterdir(), *(registers / "documents").iterdir()]
    assert row["n"] == len(files), "each draft is seen, and told to be one"
    for file in files:  # somebody takes `draft` out and fills nothing in
        edit(file, (r"^draft: true\n", ""))
    soa = registers / "registers/soa.yaml"
    edit(soa, ("applicable: FILL IN true or false", "applicable: false"))
    commit(registers)
    left = standings(home)
    assert set(left) <= {"missing", "failed"}, (
        "a reason that is still to fill in leaves nothing out"
    )
    assert left["failed"] > 0


@pytest.mark.parametrize("document", [False, True], ids=["registers", "documents"])
def test_what_is_filled_in_reads_well(tmp_path: Path, document: bool) -> None:
    list(starter_set(tmp_path))
    for file in (tmp_path / ("documents" if document else "registers")).iterdir():
        edit(
            file,
            (r"^draft: true\n", ""),
            (r"^(\s*until: )FILL IN.*$", rf"\g<1>{NEXT_YEAR}"),
            (r"FILL IN.*YYYY-MM-DD.*$", YESTERDAY),
            (r"FILL IN true or false", "true"),
            (r"FILL IN a number.*$", "3"),
            (r"FILL IN (low|critical|yes), .*$", r"'\1'"),
            (r"FILL IN", "Told"),
        )
        read = read_document if document else read_register
        found = read(file.name, file.read_bytes())
        assert [one.problems for one in found if one.problems] == []
        assert len(found) >= (1 if document else 2)


def test_the_statement_of_applicability_names_every_control_of_annex_a(tmp_path: Path) -> None:
    list(starter_set(tmp_path))
    given: Any = yaml.safe_load((tmp_path / "registers/soa.yaml").read_text())
    annex = [record for record in given["records"] if record["id"].startswith("A.")]
    clauses = [record for record in given["records"] if not record["id"].startswith("A.")]
    assert (len(annex), len(clauses)) == (38, 32)
    assert all(record["applicable"] is True for record in clauses), "the clauses bind everybody"


STARTERS = sorted(path.stem for path in (TEMPLATES / "registers").iterdir())


def test_every_register_has_a_starter() -> None:
    unwritten = {one.name for one in REGISTERS} - {*STARTERS, "soa", "obligations"}
    written_by_verbs = {"waivers", "rewrites", "approvals"}
    assert unwritten == written_by_verbs


@pytest.fixture(scope="module")
def governance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("governance")
    list(starter_set(folder))
    return folder


@pytest.mark.parametrize("name", [*STARTERS, "soa", "obligations"])
def test_a_starter_fits_the_schema_that_it_names(governance: Path, name: str) -> None:
    file = governance / f"registers/{name}.yaml"
    text = file.read_text(encoding="utf-8")
    pointer = text.partition("\n")[0].partition("$schema=")[2]
    schema = json.loads((file.parent / pointer).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    given, _, _ = load(text)
    wrong = [
        error
        for error in Draft202012Validator(schema).iter_errors(given)
        if "FILL IN" not in str(error.instance)
    ]
    assert wrong == []
    known = register_called(name)
    assert known is not None
    names = {field for record in given["records"] for field in record} - {"id"}
    assert names <= {field.name for field in known.of_record}, "a starter shows known fields"
    shown = set(re.findall(r"^    # (\w+):", text, re.M))
    assert shown <= {field.name for field in known.of_record}
    broken = {**given, "records": [{"title": "no id", "due": "soon", "reviewed": "never"}]}
    assert len(list(Draft202012Validator(schema).iter_errors(broken))) > 1


def test_registers_are_checked_before_they_are_committed(tmp_path: Path) -> None:
    folder = tmp_path / "governance"
    list(starter_set(folder))
    assert "0 mistakes" in run("registers", "check", folder)
    risks = folder / "registers/risks.yaml"
    edit(
        risks,
        (r"^draft: true\n", ""),
        (r" +system: .*\n", ""),
        ("FILL IN YYYY-MM-DD", "2026-11-02"),
        ("FILL IN", "Told"),
    )
    assert "0 mistakes" in run("registers", "check", folder)
    edit(risks, (r"accepted: 2026-11-02", "accepted: last week"))
    line = risks.read_text().splitlines().index("    accepted: last week") + 1
    told = run("registers", "check", folder, code=1)
    assert f"registers/risks.yaml:{line}: `accepted` is 'last week': write YYYY-MM-DD" in told
    incidents = folder / "registers/incidents.yaml"
    kept = incidents.read_text()
    row = "{id: INC-1, kind: [personal_data_breech], told: [{to: boss}]}"
    incidents.write_text(f"records:\n  - {row}\n")
    told = run("registers", "check", folder, code=1)
    assert "incidents.yaml:2: INC-1: `kind` is 'personal_data_breech', none of " in told
    assert "incidents.yaml:2: INC-1: `to` is 'boss', none of " in told
    incidents.write_text(kept)
    trainings = folder / "registers/schulungen.csv"
    trainings.write_text("id,person\nS-1,Jörg Größe\n")
    told = run("registers", "check", folder, code=1)
    assert "schulungen.csv: no register that Headwater knows is called schulungen" in told
    assert told.endswith(" files read, 1 mistake\n")
    trainings.unlink()
    risks.write_text("records:\n  - {id: NO, title: x, rating: 0,8}\n")
    told = run("registers", "check", folder, code=1)
    assert "registers/risks.yaml:2: `id` is read as False: put it in quotes" in told
    assert "registers/risks.yaml:2: a field is called 8, which is no text: put in quotes" in told
    risks.write_text("records: [")
    assert "registers/risks.yaml:1: " in run("registers", "check", folder, code=1)
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigError, match="no register or document below registers or documents"):
        CliRunner().invoke(app, ["registers", "check", str(tmp_path / "none")],
                           catch_exceptions=False)  # fmt: skip
    run("registers", "schemas", tmp_path / "schemas")
    assert (tmp_path / "schemas/risks.json").read_bytes() == (
        folder / "schemas/risks.json"
    ).read_bytes()


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


NAMED = {
    "registers/inventory.yaml": "register: ai_inventory\nowner: Ben Odd\nrecords:\n"
        "  - {id: triage, owner: Ada Brandt}\n",
    "registers/roles.csv": "id,role,person,left\nr1,Lead,Ada Brandt,\nr2,Head,Ben Ode,\n"
        "r3,Old,Cy Tan,2026-01-31\n",
    "registers/risks.yaml": "records:\n  - id: R-1\n    system: triaje\n    owner: Cy Tan\n"
        "  - id: R-2\n    system: triage\n",
    "registers/treatment_plan.yaml": "records:\n  - id: T-1\n    owner: Ada Brandt\n"
        "    risk: R1\n",
    "registers/incidents.csv": "id,system,changes,risks,severty\n"
        "I-1,triage,C-1,\"R-1, R-9\",major\n",
    "registers/changes.yaml": "draft: true\nrecords:\n  - id: C-1\n",
    "registers/obligations.yaml": "records:\n  - {id: O-1, framework: gdpr-2016-678}\n"
        "  - {id: O-2, framework: works-council-terms}\n",
    "registers/data.yaml": "records:\n  - {id: calls, supplier: sortwell, systems: [ghost]}\n",
    "registers/approvals.yaml": "records:\n  - {id: A-1, of: documents/poicy.md}\n"
        "  - {id: A-2, of: risks/R-22}\n  - {id: A-3, of: risks/R-22, withdrawn: 2026-11-02}\n",
    "registers/management_reviews.yaml": "records:\n  - {id: M-1, minutes: documents/policy.md}\n"
        "  - {id: M-2, minutes: https://wiki.example/minutes}\n",
    "documents/policy.md": "---\ntitle: P\nsystem: triag\nowner: Ada Brandt\n---\n",
}  # fmt: skip
DANGLING = """\
documents/policy.md:3: the document documents/policy.md names triag in `system`, which no register \
ai_systems holds: is triage meant?
registers/approvals.yaml:2: approvals A-1 names documents/poicy.md in `of`, which is no document \
that stands: is documents/policy.md meant?
registers/approvals.yaml:3: approvals A-2 names risks/R-22 in `of`, which no register risks \
holds: is risks/R-2 meant?
registers/data.yaml:2: data calls names ghost in `systems`, which no register ai_systems holds
registers/incidents.csv:2: incidents I-1 names C-1 in `changes`, which no register changes holds \
yet: it is a draft here
registers/incidents.csv:2: incidents I-1 names R-9 in `risks`, which no register risks holds: is \
R-2 meant?
registers/incidents.csv:2: incidents I-1: `severty` is read by nobody: is severity meant?
registers/inventory.yaml:2: the register ai_systems is owned by Ben Odd, who stands in no record \
of roles: is Ben Ode meant?
registers/obligations.yaml:2: obligations O-1 names gdpr-2016-678 in `framework`, which is no \
framework that Headwater knows: is gdpr-2016-679 meant?
registers/risks.yaml:3: risks R-1 names triaje in `system`, which no register ai_systems holds: is \
triage meant?
registers/risks.yaml:4: risks R-1 is owned by Cy Tan, who left on 2026-01-31
registers/treatment_plan.yaml:4: treatment_plan T-1 names R1 in `risk`, which no register risks \
holds: is R-1 meant?
""".replace("\\\n", "")


def test_what_a_file_names_and_no_other_holds_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, NAMED)
    told = run("registers", "check", tmp_path, code=1).splitlines()
    assert [one for one in told if re.search("names? |owned|read by", one)] == [
        *DANGLING.splitlines(),
        "not followed: 1 name of suppliers, as no register here is called so; `headwater "
        "consistency` follows them among all that landed",
    ]


def test_what_is_told_before_a_commit_is_found_after_it(tmp_path: Path) -> None:
    write(tmp_path / "governance", NAMED)
    commit(tmp_path / "governance")
    list(initialise(tmp_path / "home", "Acme"))
    config = tmp_path / "home/headwater.toml"
    config.write_text(config.read_text() + SOURCE)
    collected(tmp_path)
    done = said("consistency", "--json", "-c", config)
    found = [one for one in json.loads(done.stdout)["findings"]
             if one["check"] == "unknown-reference"]  # fmt: skip
    named = {one.partition(": ")[2].removesuffix(" yet: it is a draft here")
             for one in DANGLING.splitlines() if " names " in one}  # fmt: skip
    elsewhere = {one for one in named if re.match("risks R-1|treatment_plan T-1", one)}
    unfollowed = {
        "data calls names sortwell in `supplier`, which no register suppliers holds",
        "obligations O-2 names works-council-terms in `framework`, which is no framework that "
        "Headwater knows",
    }
    assert {one["why"] for one in found} == named - elsewhere | unfollowed


def test_what_audits_are_led_by_lacks_nothing_but_an_action(tmp_path: Path) -> None:
    list(starter_set(tmp_path))
    rows = []
    for name in ("audits", "findings", "certification", "decisions", "requests"):
        file = tmp_path / f"registers/{name}.yaml"
        edit(file, (r"FILL IN.*YYYY-MM-DD.*$", NEXT_YEAR), (r"FILL IN", "Told"))
        rows += [{"register": name, **one} for one in yaml.safe_load(file.read_text())["records"]]
    asked = [read_request(row) for row in rows if row["register"] == "requests"]
    assert [one.problems for one in asked] == [()]
    entries = [read_entry(row) for row in rows if row["register"] != "requests"]
    found = lacks(Books(entries, lambda _: True, datetime.now(UTC)))
    assert [one.sentence for one in found] == [
        "Finding F-1 (Told what was found) is a nonconformity without a corrective action."
    ]
