"""Real repositories, written as carelessly and as nastily as people write them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.git_registers import GitRegisters
from demo.registers import build, later
from evidence.errors import SourceRefused
from evidence.model import Change, Cursor, EvidenceItem, Nature, Outcome
from evidence.runs import PullFacts

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
DOCUMENT = """---
title: AI policy
doc_type: policy
owner: Ann
approver: The board
version: 1.0
reviewed: 2025-12-01
---
Be careful.
"""


class Repo:
    """A repository in which each commit lies one day after the one before."""

    def __init__(self, path: Path) -> None:
        self.path, self.day = path, 0
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str, at: datetime = START, **env: str) -> str:
        date = {"GIT_AUTHOR_DATE": at.isoformat(), "GIT_COMMITTER_DATE": at.isoformat()}
        names = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Ann")
        mails = dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "ann@example.org")
        clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(
            ["git", "-C", str(self.path), *words], check=True, capture_output=True, text=True,
            env=clean | names | mails | date | env,
        )  # fmt: skip
        return done.stdout.strip()

    def commit(
        self, files: Mapping[str, str | bytes | None], message: str = "work", **more: Any
    ) -> str:
        for name, text in files.items():
            path = self.path / os.fsdecode(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.day += 1
        self.git("add", "-A")
        more.setdefault("at", START + timedelta(days=self.day))
        self.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", message, **more)
        return self.git("rev-parse", "HEAD")

    def pull(
        self, cursor: Cursor | None = None, **settings: Any
    ) -> tuple[list[EvidenceItem], Cursor, PullFacts]:
        settings.setdefault("documents", "")
        facts = PullFacts()
        items: list[EvidenceItem] = []
        for batch in GitRegisters("git", self.path, **settings).collect(cursor):
            items += batch.items
            facts = facts + batch.facts
            last = batch.cursor
        self.branches = [i for i in items if i.kind == "git.branch"]
        return [i for i in items if i.kind != "git.branch"], last, facts


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


def register(*records: str, head: str = "reviewed: 2026-01-05") -> str:
    return "\n".join(["register: risk_register", head, "records:", *(f"- {r}" for r in records)])


def of(items: list[EvidenceItem], kind: str = "git.register") -> list[tuple[str, str]]:
    return [(i.subject, i.change.value) for i in items if i.kind == kind]


def payload(item: EvidenceItem) -> dict[str, Any]:
    return dict(json.loads(item.content))


def test_a_record_ages_from_its_own_review_then_the_registers_then_the_commit(repo: Repo) -> None:
    text = register("{id: 1, reviewed: 2025-06-01}", "{id: 2}", "{id: 3, reviewed: 2030-01-01}")
    repo.commit({"registers/risk.yaml": text})
    repo.commit({"registers/plain.csv": "id,name\n9,x\n"})
    items, _, facts = repo.pull()
    assert facts.gaps == ()
    at = {i.subject: i.observed_to for i in items}
    assert at["register/risk_register/1"] == datetime(2025, 6, 1, tzinfo=UTC)
    assert at["register/risk_register/2"] == datetime(2026, 1, 5, tzinfo=UTC)
    assert at["register/risk_register/3"] == START + timedelta(days=1)
    assert at["register/plain/9"] == START + timedelta(days=2)
    notes = [payload(i).get("reviewed_note") for i in items if i.subject.endswith("/3")]
    assert notes == ["declared for 2030-01-01, after its commit: not believed"]


def test_changed_new_and_gone_records_are_told_apart(repo: Repo) -> None:
    repo.commit({"registers/risk.yaml": register("{id: 1, a: x}", "{id: 2, a: x}")})
    _, cursor, _ = repo.pull()
    repo.commit({"registers/risk.yaml": register("{id: 1, a: y}", "{id: 3, a: x}")})
    items, cursor, _ = repo.pull(cursor)
    assert of(items) == [
        ("register/risk_register", "changed"),
        ("register/risk_register/1", "changed"),
        ("register/risk_register/3", "new"),
        ("register/risk_register/2", "gone"),
    ]
    repo.commit({"registers/risk.yaml": None, "registers/other.yaml": "records: []"})
    items, _, _ = repo.pull(cursor)
    assert [c for _, c in of(items)] == ["new", "gone", "gone", "gone"]


def test_of_two_versions_of_one_review_the_later_one_comes_last(repo: Repo) -> None:
    for answer in ("true", "false", "maybe"):
        repo.commit({"registers/risk.yaml": register(f"{{id: 1, applicable: {answer}}}")})
    versions = [i for i in repo.pull()[0] if i.subject.endswith("/1")]
    last = max(versions, key=lambda i: (i.observed_to, i.collected_at))
    assert len({i.observed_to for i in versions}) == 1
    assert payload(last)["applicable"] == "maybe"


def test_an_attestation_renewed_under_another_id_is_not_withdrawn(repo: Repo) -> None:
    text = "records: [{id: %s, control: A.3.2, by: Ann, statement: Yes, at: 2026-01-0%s, until: x}]"
    repo.commit({"registers/attestations.yaml": text % (1, 1)})
    repo.commit({"registers/attestations.yaml": text % (2, 5)})
    assert [c for _, c in of(repo.pull()[0], "human.attestation")] == ["new", "new"]


def test_a_renamed_register_is_the_same_register(repo: Repo) -> None:
    repo.commit({"registers/risk.yaml": register("{id: 1}")})
    _, cursor, _ = repo.pull()
    repo.git("mv", "registers/risk.yaml", "registers/ai-risk.yml")
    repo.commit({})
    assert of(repo.pull(cursor)[0]) == []


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"records:\n- {id: 1}\n- {id: [}\n", "line 3"),
        (b"a: &a [x]\nrecords: [*a]\n", "line 2: aliases are not read"),
        (b"records:\n- id: 1\n  id: 2\n", "line 3: key 'id' stands twice"),
        (b"records:\n- {id: 1}\n- {name: x}\n", "line 3: record 2 has no id"),
        (b"records:\n- {id: 1}\n- {id: '1'}\n", "id '1' stands on 2 records"),
        (b"records: 5\n", "line 1"),
        (b"- 1\n", "line 1"),
        (b"records:\n- {id: 1, x: !!python/object/apply:os.system [id]}\n", "line 2"),
        (b"records:\n- {id: 1, x: !!timestamp 2026-01-01}\n", "line 2"),
        (b"x: " + b"[" * 5000, "is not YAML"),
        (b"records:\n- {id: r\xe9}\n", "line 2: is not UTF-8"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"),
        (b"records: []\n#" + b"x" * 1024 * 1024, "bytes; at most"),
    ],
)
def test_what_cannot_be_read_is_a_gap_in_every_pull(repo: Repo, raw: bytes, why: str) -> None:
    repo.commit({"registers/good.yaml": "records: [{id: 1}]", "registers/bad.yaml": raw})
    for cursor in (None, repo.pull()[1]):
        items, _, facts = repo.pull(cursor)
        assert [gap.what for gap in facts.gaps] == ["registers/bad.yaml"]
        assert why in facts.gaps[0].why
        assert facts.shortfall() == 1
    assert ("register/good/1", "new") in of(repo.pull()[0])
    told = [payload(i)["unreadable"] for i in repo.pull()[0] if i.kind == "git.history"]
    assert told == [[{"file": "registers/bad.yaml", "why": facts.gaps[0].why}]]
    assert [i for i in items if i.change is Change.GONE] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("id;name\n1;x\n", "comma-separated"),
        ("id,id\n1,2\n", "distinct"),
        ("id,name\n1\n", "line 2: has more or fewer cells"),
        ("id,name\n1,2,3\n", "line 2: has more or fewer cells"),
        ('id,name\n1,"x\n', "line 2"),
        ("", "line 1"),
    ],
)
def test_a_crooked_csv_is_a_gap(repo: Repo, text: str, why: str) -> None:
    repo.commit({"registers/bad.csv": text})
    assert why in repo.pull()[2].gaps[0].why


def test_what_a_broken_version_hid_is_found_when_it_is_mended(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": register("{id: 1}", "{id: 2}")})
    repo.commit({"registers/r.yaml": "records: ["})
    _, cursor, facts = repo.pull()
    assert len(facts.gaps) == 1
    repo.commit({"registers/r.yaml": register("{id: 1}")})
    items, _, facts = repo.pull(cursor)
    assert facts.gaps == ()
    assert of(items) == [
        ("register/risk_register", "changed"),
        ("register/risk_register/2", "gone"),
    ]
    assert repo.pull()[2].gaps == ()


def test_links_and_submodules_are_not_followed(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": register("{id: 1}")})
    (repo.path / "registers" / "link.yaml").symlink_to("/etc/passwd")
    repo.git("add", "-A")
    gitlink = f"160000,{repo.git('rev-parse', 'HEAD')},registers/sub.yaml"
    repo.git("update-index", "--add", "--cacheinfo", gitlink)
    repo.git("commit", "-q", "-m", "x")
    whys = {gap.what: gap.why for gap in repo.pull()[2].gaps}
    assert whys == {
        "registers/link.yaml": "is a symbolic link: not followed",
        "registers/sub.yaml": "is a submodule: not read",
    }


def test_two_files_of_one_register_are_a_gap(repo: Repo) -> None:
    repo.commit({"registers/a.yaml": register("{id: 1}"), "registers/b.yaml": register("{id: 2}")})
    (gap,) = repo.pull()[2].gaps
    assert gap.why == "declares the same register as registers/a.yaml"


def test_odd_names_and_messages_show_no_bytes_of_theirs(repo: Repo) -> None:
    message = "\x1b[31mred\x1b]8;;http://x\x07link\x1b\\ \u202eevil\r\nsecond"
    files: dict[str, str | bytes | None] = {os.fsdecode(b"registers/r\xe9.csv"): "id\n1\n"}
    files["registers/=cmd.csv"] = "id\n=1+1\n"
    repo.commit(files, message=message)
    items, _, facts = repo.pull()
    assert facts.gaps == ()
    assert "register/r\\xe9/1" in {i.subject for i in items}
    assert "register/=cmd/=1+1" in {i.subject for i in items}
    (title,) = [i.title for i in items if i.kind == "git.history"]
    assert title == "redlink evil second"


def test_windows_line_ends_change_nothing(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": register("{id: 1}"), "documents/p.md": DOCUMENT})
    _, cursor, _ = repo.pull(documents="documents")
    crlf = DOCUMENT.replace("\n", "\r\n")
    repo.commit(
        {"registers/r.yaml": register("{id: 1}").replace("\n", "\r\n"), "documents/p.md": crlf}
    )
    items, _, facts = repo.pull(cursor, documents="documents")
    assert {i.kind for i in items} == {"git.history"}
    assert facts.gaps == ()


def test_a_document_says_what_it_lacks(repo: Repo) -> None:
    half = DOCUMENT.replace("approver: The board\n", "").replace("2025-12-01", "next year")
    repo.commit(
        {"documents/p.md": DOCUMENT, "documents/half.md": half, "documents/none.md": "# Hi"}
    )
    items, _, facts = repo.pull(registers="", documents="documents")
    found = {i.subject: i for i in items if i.kind == "git.document"}
    assert facts.gaps == ()
    whole = found["documents/p.md"]
    assert (whole.outcome, whole.title) == (Outcome.RECORDED, "AI policy")
    assert whole.observed_to == datetime(2025, 12, 1, tzinfo=UTC)
    assert payload(whole)["doc_type"] == "policy"
    assert found["documents/half.md"].outcome is Outcome.ERROR
    assert payload(found["documents/half.md"])["problems"] == [
        "approver or approved_by is missing",
        "reviewed 'next year' is neither YYYY-MM-DD nor a time with a zone",
    ]
    assert found["documents/none.md"].outcome is Outcome.ERROR
    assert "no front matter" in payload(found["documents/none.md"])["problems"][0]


def test_a_wrong_field_is_an_error_that_names_its_line(repo: Repo) -> None:
    text = """register: soa
next_review: soon
records:
  - id: A.2.2
    applicable: true
  - id: A.2.3
    applicable: "false"
    reviewed: 2026-01-05
    risks: {R-1: yes}
    mood: [kept, as, it, is]
"""
    repo.commit({"registers/soa.yaml": text})
    items, cursor, _ = repo.pull()
    found = {i.subject: i for i in items if i.kind == "git.register"}
    bad = found["register/soa/A.2.3"]
    assert bad.outcome is Outcome.ERROR
    assert payload(bad)["problems"] == [
        "line 7: `applicable` is the text 'false': write true or false, without quotes",
        "line 9: `risks` is no list of texts: write a list, or texts with commas",
    ]
    assert bad.locator.startswith("registers/soa.yaml@")
    assert payload(bad)["mood"] == ["kept", "as", "it", "is"]
    whole = found["register/soa"]
    assert payload(whole)["problems"][0].startswith("line 2: `next_review` is 'soon'")
    assert found["register/soa/A.2.2"].outcome is Outcome.RECORDED
    repo.commit({"registers/soa.yaml": "# a line more\n" + text})
    again = [i for i in repo.pull(cursor)[0] if i.kind == "git.register"]
    assert again == [], "a record that only moved down is the same record"


def test_a_known_register_under_another_name_is_an_error(repo: Repo) -> None:
    repo.commit({"registers/Incident.yaml": "records:\n  - id: INC-1\n    kind: [death]\n",
                 "registers/own.yaml": "register: teams\nrecords: []\n"})  # fmt: skip
    found = {i.subject: i for i in repo.pull()[0] if i.kind == "git.register"}
    whole = found["register/Incident"]
    assert whole.outcome is Outcome.ERROR
    assert "'Incident', and nobody reads it: is incidents meant?" in payload(whole)["problems"][0]
    assert found["register/teams"].outcome is Outcome.RECORDED


def test_a_wrong_cell_of_a_table_names_its_line(repo: Repo) -> None:
    rows = "# owner: Ann\nid,person,finished\n1,Ann,2026-01-02\n2,Ben,last week\n3,Cy,\n"
    repo.commit({"registers/training.csv": rows})
    found = {i.subject: i for i in repo.pull()[0] if i.kind == "git.register"}
    errors = {name: payload(i)["problems"] for name, i in found.items() if "problems" in payload(i)}
    assert errors == {
        "register/training/2": [
            "line 4: `finished` is 'last week': write YYYY-MM-DD, or a time with its zone"
        ]
    }


def test_an_attestation_names_who_and_until_when(repo: Repo) -> None:
    text = """records:
- {id: 1, control: A.3.2, by: Ann, statement: Yes, at: 2026-01-01, until: 2027-01-01}
- {id: 2, control: A.3.2, by: Ann, statement: Yes, at: 2025-01-01, until: 2026-01-01}
- {id: 3, control: A.4.2, statement: Yes, at: 2026-01-01T10:00:00}
"""
    repo.commit({"registers/attestations.yaml": text})
    items = [i for i in repo.pull()[0] if i.kind == "human.attestation"]
    assert [i.subject for i in items] == ["attestation/A.3.2/Ann"] * 2 + ["attestation/3"]
    assert [i.outcome for i in items] == [Outcome.RECORDED, Outcome.RECORDED, Outcome.ERROR]
    assert items[0].observed_to == datetime(2026, 1, 1, tzinfo=UTC)
    assert payload(items[0])["by_is_author"] is True
    assert payload(items[2])["problems"] == [
        "line 4: by is missing",
        "line 4: until is missing",
        "line 4: at '2026-01-01T10:00:00' is neither YYYY-MM-DD nor a time with a zone",
    ]


def test_a_review_of_the_register_changes_none_of_its_records(repo: Repo) -> None:
    text = "reviewed: 2026-01-%s\nrecords: [{id: 1, title: %s}, {id: 2, reviewed: 2026-01-02}]"
    said = []
    for day, title in (("05", "a"), ("06", "a"), ("07", "b"), ("04", "b")):
        repo.commit({"registers/risks.yaml": text % (day, title)})
    for item in repo.pull()[0]:
        if item.subject.startswith("register/risks/"):
            said.append((item.subject[-1], item.change.value, item.observed_to.day))
    assert said == [
        ("1", "new", 5), ("2", "new", 2), ("1", "new", 6), ("1", "changed", 7),
        ("1", "changed", 4),
    ]  # fmt: skip


def test_a_csv_says_its_review_before_its_table(repo: Repo) -> None:
    text = "# reviewed: 2026-01-05\n# owner: Ann,,\n# made by hand\nid,name\n1,x\n"
    repo.commit({"registers/training.csv": text})
    whole, record = (i for i in repo.pull()[0] if i.kind == "git.register")
    assert whole.observed_to == record.observed_to == datetime(2026, 1, 5, tzinfo=UTC)
    assert (payload(whole)["owner"], payload(record)["name"]) == ("Ann", "x")
    repo.commit({"registers/training.csv": text + "2\n"})
    _, _, facts = repo.pull()
    assert [gap.why for gap in facts.gaps] == ["line 6: has more or fewer cells than the header"]


def test_a_draft_counts_for_nothing_and_takes_back_what_it_replaces(repo: Repo) -> None:
    repo.commit({"registers/risks.yaml": "records: [{id: 1}]", "documents/p.md": DOCUMENT})
    draft = DOCUMENT.replace("---\n", "---\ndraft: true\n", 1)
    repo.commit({
        "registers/risks.yaml": "draft: true\nrecords: [{id: 1}]", "documents/p.md": draft,
        "registers/t.csv": "# draft: yes\nid\n1\n",
    })  # fmt: skip
    items = [i for i in repo.pull(documents="documents")[0] if i.kind != "git.history"][3:]
    told = {(i.subject, i.change.value, payload(i).get("draft_of")) for i in items}
    assert told == {
        ("register/risks", "changed", "risks"), ("register/risks/1", "gone", None),
        ("documents/p.md", "changed", "policy"), ("register/t", "new", "t"),
    }  # fmt: skip
    assert all("doc_type" not in payload(i) for i in items)


def test_what_is_left_to_fill_in_is_an_error(repo: Repo) -> None:
    repo.commit({
        "registers/r.yaml": "owner: FILL IN a name\nrecords: [{id: 1, x: [FILL IN]}, {id: 2}]",
        "documents/p.md": DOCUMENT.replace("Be careful.", "FILL IN"),
        "registers/rewrites.yaml": "records: [{id: a, by: FILL IN, why: FILL IN}]",
    })  # fmt: skip
    items = [i for i in repo.pull(documents="documents")[0] if i.kind != "git.history"]
    bad = {i.subject for i in items if i.outcome is Outcome.ERROR}
    assert bad == {
        "register/r", "register/r/1", "documents/p.md", "register/rewrites/a",
    }  # fmt: skip


SIGNED = "- {id: %s, control: A.3.2, by: Ann, statement: Yes, at: %s, until: %s%s}\n"


def statements(repo: Repo, **settings: Any) -> list[EvidenceItem]:
    return [i for i in repo.pull(**settings)[0] if i.kind == "human.attestation"]


def test_what_is_signed_for_long_dated_back_or_ahead_is_an_error(repo: Repo) -> None:
    rows = [("for-ever", "2026-01-01", "2126-01-01"), ("back", "2025-12-01", "2026-11-01"),
            ("ahead", "2026-02-01", "2026-12-01"), ("over", "2024-12-01", "2025-11-01"),
            ("good", "2026-01-01", "2026-12-01")]  # fmt: skip
    lines = "".join(SIGNED % (*row, f", system: {row[0]}") for row in rows)
    repo.commit({"registers/attestations.yaml": f"records:\n{lines}"})
    told = {i.system: (i.outcome, *payload(i).get("problems", [])) for i in statements(repo)}
    for system, why in {
        "for-ever": "nobody signs for more than 366 days", "back": "dated back",
        "ahead": "sign when it holds",
    }.items():  # fmt: skip
        assert told[system][0] is Outcome.ERROR
        assert why in str(told[system][1])
    assert told["over"] == told["good"] == (Outcome.RECORDED,)


def test_a_longer_until_with_the_old_day_is_dated_back(repo: Repo) -> None:
    for day, until in (("2026-01-05", "2026-06-01"), ("2026-01-05", "2026-12-01")):
        text = "records:\n" + SIGNED % (1, day, until, "")
        repo.day += 15
        repo.commit({"registers/attestations.yaml": text})
    first, second = statements(repo)
    assert (first.outcome, second.outcome) == (Outcome.RECORDED, Outcome.ERROR)
    text = text.replace("2026-12-01", "2026-12-01, withdrawn: 2026-03-14")
    repo.commit({"registers/attestations.yaml": text})
    last = statements(repo)[-1]
    assert (last.outcome, last.change) == (Outcome.RECORDED, Change.CHANGED)
    assert last.title.startswith("withdrawn: A.3.2 attested by Ann")


def test_taking_the_newer_of_two_statements_out_takes_it_back(repo: Repo) -> None:
    old = SIGNED % (1, "2025-12-20", "2026-01-20", "")
    new = SIGNED % (2, "2026-01-11", "2026-12-01", "")
    repo.commit({"registers/attestations.yaml": f"records:\n{old}{new}"})
    repo.commit({"registers/attestations.yaml": f"records:\n{old}"})
    told = [(payload(i)["id"], i.change) for i in statements(repo)]
    assert told[-1] == ("1", Change.CHANGED), "what stands is no longer what was taken out"
    repo.commit({"registers/attestations.yaml": "records: []\n"})
    assert statements(repo)[-1].change is Change.GONE


def test_a_statement_for_one_system_is_gone_though_another_stands(repo: Repo) -> None:
    both = [SIGNED % (n, "2026-01-10", "2026-12-01", f", system: s{n}") for n in (1, 2)]
    repo.commit({"registers/attestations.yaml": "records:\n" + "".join(both)})
    repo.commit({"registers/attestations.yaml": "records:\n" + both[0]})
    last = statements(repo)[-1]
    assert (last.system, last.change) == ("s2", Change.GONE)


def test_systems_come_from_the_record_the_inventory_or_a_glob(repo: Repo) -> None:
    repo.commit({
        "registers/inv.yaml": "register: ai_inventory\nrecords: [{id: credit}]",
        "registers/r.yaml": register("{id: 1, system: churn}", "{id: 2}"),
        "registers/triage.csv": "id\n1\n",
    })  # fmt: skip
    items, _, _ = repo.pull(systems={"*triage*": "ticket-triage"})
    system = {i.subject: i.system for i in items}
    assert system["register/ai_inventory/credit"] == "credit"
    assert system["register/risk_register/1"] == "churn"
    assert system["register/risk_register/2"] == ""
    assert system["register/triage/1"] == "ticket-triage"


def test_fields_named_like_ours_are_kept_beside_ours(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": register("{id: 1, commit: mine, register: theirs}")})
    (item,) = [i for i in repo.pull()[0] if i.subject.endswith("/1")]
    kept = payload(item)
    assert (kept["own_commit"], kept["own_register"]) == ("mine", "theirs")
    assert kept["register"] == "risk_register"
    assert len(kept["commit"]) == 40


def test_a_back_dated_commit_is_found_and_a_future_one_is_capped(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    _, cursor, _ = repo.pull()
    repo.commit({"registers/r.yaml": "records: [{id: 2}]"}, at=START - timedelta(days=500))
    items, cursor, _ = repo.pull(cursor)
    assert ("register/r/2", "new") in of(items)
    repo.commit({"registers/r.yaml": "records: [{id: 3}]"}, at=datetime(2090, 1, 1, tzinfo=UTC))
    items, _, _ = repo.pull(cursor)
    assert max(i.observed_to for i in items) <= datetime.now(UTC)


def test_what_came_by_a_merge_is_found_with_its_side_commits(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    _, cursor, _ = repo.pull()
    repo.git("checkout", "-q", "-b", "side")
    side = repo.commit({"registers/s.yaml": "records: [{id: 7}]"}, "on the side")
    repo.git("checkout", "-q", "main")
    repo.commit({"registers/r.yaml": "records: [{id: 1}, {id: 2}]"})
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    items, _, _ = repo.pull(cursor)
    assert {("register/r/2", "new"), ("register/s/7", "new")} <= set(of(items))
    assert side in {i.subject for i in items if i.kind == "git.history"}


def test_a_rewritten_history_is_a_finding_and_all_is_read_again(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    lost = repo.commit({"registers/r.yaml": "records: [{id: 1}, {id: 2}]"})
    _, cursor, _ = repo.pull()
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.commit({"registers/r.yaml": "records: [{id: 1}, {id: 3}]"})
    for _ in ("known but orphaned", "forgotten"):
        items, after, _ = repo.pull(cursor)
        (finding,) = [i for i in items if i.outcome is Outcome.FAILED]
        assert "was rewritten" in finding.title
        assert payload(finding)["lost"] == lost
        assert {("register/r/1", "new"), ("register/r/3", "new")} <= set(of(items))
        repo.git("reflog", "expire", "--expire=now", "--all")
        repo.git("gc", "-q", "--prune=now")
    assert repo.pull(after)[0] == []


def test_where_the_branch_stands_is_read_anew_each_time(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    _, cursor, facts = repo.pull()
    (first,) = repo.branches
    assert (first.nature, first.outcome) == (Nature.STATE, Outcome.RECORDED)
    assert "git.branch" in facts.states
    repo.pull(cursor)
    assert repo.branches == [], "the pull itself says that it still stands there"
    head = repo.commit({"registers/r.yaml": "records: [{id: 2}]"})
    repo.pull(cursor)
    (moved,) = repo.branches
    assert (moved.change, payload(moved)["head"]) == (Change.CHANGED, head)


ANSWER = "records: [{id: %s, by: %s, why: a key had been committed}]"


def test_a_rewrite_fails_until_somebody_answers_for_it(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    repo.commit({"registers/r.yaml": "records: [{id: 1}, {id: 2}]"})
    _, cursor, _ = repo.pull()
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.commit({"registers/r.yaml": "records: [{id: 1}, {id: 3}]"})
    items, cursor, _ = repo.pull(cursor)
    (finding,) = [i for i in items if i.outcome is Outcome.FAILED]
    key = payload(finding)["id"]
    assert [b.outcome for b in repo.branches] == [Outcome.FAILED]
    assert payload(repo.branches[0])["rewrites_open"] == [key]

    for nobody in (ANSWER % ("another", "Lena"), ANSWER % (key, "' '")):
        repo.commit({"registers/rewrites.yaml": nobody})
        items, cursor, _ = repo.pull(cursor)
        assert not [i for i in items if i.subject == finding.subject]
        assert [b.outcome for b in repo.branches] == [Outcome.FAILED]

    repo.commit({"registers/rewrites.yaml": ANSWER % (key, "Lena")})
    items, cursor, _ = repo.pull(cursor)
    (settled,) = [i for i in items if i.subject == finding.subject]
    assert (settled.outcome, settled.change) == (Outcome.RECORDED, Change.CHANGED)
    assert "Lena answers for it" in settled.title
    assert [b.outcome for b in repo.branches] == [Outcome.RECORDED]

    repo.commit({"registers/rewrites.yaml": "records: []"})
    items, cursor, _ = repo.pull(cursor)
    assert [i.outcome for i in items if i.subject == finding.subject] == [Outcome.FAILED]
    assert [b.outcome for b in repo.branches] == [Outcome.FAILED], "the answer was taken back"


def test_a_bookmark_of_an_older_headwater_is_understood(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    _, cursor, _ = repo.pull()
    kept = json.loads(cursor.value)
    older = {key: kept[key] for key in ("commit", "ref", "settings")}
    items, _, _ = repo.pull(Cursor(json.dumps(older)))
    assert (items, len(repo.branches)) == ([], 1)


def test_other_globs_bring_everything_again_without_an_alarm(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    items, cursor, _ = repo.pull()
    again, _, _ = repo.pull(cursor, systems={"*": "all"})
    assert [i.subject for i in again] == [i.subject for i in items]
    assert [i for i in again if i.outcome is Outcome.FAILED] == []


def test_a_long_history_may_stop_after_any_batch(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        repo.commit({"registers/r.yaml": register(f"{{id: {number}}}", "{id: x}")})
    whole = {i.item_id for i in repo.pull()[0]}
    monkeypatch.setattr("collectors.git_registers._COMMITS_A_BATCH", 2)
    collector = GitRegisters("git", repo.path, documents="")
    batches = list(collector.collect(None))
    assert len(batches) == 5
    for stop in range(len(batches)):
        before = [i for batch in batches[: stop + 1] for i in batch.items]
        rest, _, _ = repo.pull(batches[stop].cursor)
        events = [i for i in before if i.kind != "git.branch"]
        assert {i.item_id for i in events + rest} == whole
        assert len(before) - len(events) + len(repo.branches) == 1


def test_a_hostile_repository_runs_nothing(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"registers/r.yaml": "records: [{id: 1}]", ".gitattributes": "* filter=x diff=x\n"})
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    programs = "core.fsmonitor core.pager gpg.program diff.external diff.x.command diff.x.textconv"
    for key in (*programs.split(), "filter.x.smudge", "core.sshCommand"):
        repo.git("config", key, str(trap))
    hooks = repo.path / ".git" / "hooks"
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).symlink_to(trap)
    signed = repo.git("cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n", 1
    )
    raw = tmp_path / "commit"
    raw.write_text(signed + "\n")
    repo.git("update-ref", "HEAD", repo.git("hash-object", "-t", "commit", "-w", str(raw)))
    repo.git("log", "-1", "--format=%G?")
    (tmp_path / "sprung").unlink()  # so the trap does spring where nobody takes care
    items, _, facts = repo.pull()
    assert facts.gaps == ()
    assert len(of(items)) == 2
    assert not (tmp_path / "sprung").exists()


def test_replace_refs_do_not_hide_what_was_committed(repo: Repo) -> None:
    real = repo.commit({"registers/r.yaml": "records: [{id: real}]"})
    fake = repo.commit({"registers/r.yaml": "records: [{id: fake}]"})
    repo.git("update-ref", "HEAD", real)
    repo.git("replace", real, fake)
    assert ("register/r/real", "new") in of(repo.pull()[0])


def test_a_shallow_clone_is_refused(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"registers/r.yaml": "records: []"})
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    with pytest.raises(SourceRefused, match="unshallow"):
        list(GitRegisters("git", tmp_path / "shallow").collect(None))


def test_a_bare_clone_is_read_like_any_other(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare"))
    bare = GitRegisters("git", tmp_path / "bare", documents="")
    found = [i for batch in bare.collect(None) for i in batch.items]
    ids = {i.item_id for i in found if i.kind != "git.branch"}
    assert ids == {i.item_id for i in repo.pull()[0]}


def test_a_folder_inside_another_repository_is_not_mistaken_for_it(repo: Repo) -> None:
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    with pytest.raises(SourceRefused, match=r"not a git repository.*run git init there"):
        GitRegisters("git", repo.path / "registers").probe()


def test_places_that_hold_nothing_are_told(repo: Repo) -> None:
    with pytest.raises(SourceRefused, match="names no commit"):
        repo.pull()
    repo.commit({"readme.txt": "x", "registers/table.xlsx": "x"})
    with pytest.raises(SourceRefused, match="no register or document"):
        repo.pull()
    repo.commit({"registers/r.yaml": "records: [{id: 1}]"})
    facts = repo.pull(documents="documents")[2]
    assert [gap.what for gap in facts.gaps] == ["documents"]
    assert "not of a form that is read: registers/table.xlsx" in facts.query
    with pytest.raises(SourceRefused, match="names no commit"):
        repo.pull(ref="nowhere")
    with pytest.raises(SourceRefused, match="names no commit"):
        repo.pull(ref="--all")


def test_the_whole_repository_may_be_the_folder(repo: Repo) -> None:
    repo.commit({"r.yaml": "records: [{id: 1}]", "deep/p.md": DOCUMENT})
    items, _, facts = repo.pull(registers=".", documents=".")
    assert facts.gaps == ()
    assert {"git.register", "git.document", "git.history"} == {i.kind for i in items}


def test_the_demo_company_has_what_the_story_tells(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    root = build(tmp_path / "company", now)
    head = Repo.git(_at(root), "rev-parse", "HEAD")
    assert build(root, now) == root
    assert Repo.git(_at(root), "rev-parse", "HEAD") == head
    collector = GitRegisters("registers", root)
    batches = list(collector.collect(None))
    items = [item for batch in batches for item in batch.items]
    assert sum((batch.facts for batch in batches), PullFacts()).gaps == ()
    assert {i.outcome for i in items} == {Outcome.RECORDED}
    age = {
        i.system: (now - i.observed_to).days for i in items
        if i.kind == "git.document" and payload(i)["doc_type"] == "impact_assessment"
    }  # fmt: skip
    assert age == {"credit-scoring": 60, "churn-predictor": 400}
    excluded = [payload(i) for i in items if payload(i).get("applicable") is False]
    assert [p["id"] for p in excluded] == ["A.8.3", "A.10.4"]
    assert len([i for i in items if i.subject.startswith("register/soa/")]) == 38
    new = later(root, now)
    news = [i for batch in collector.collect(batches[-1].cursor) for i in batch.items]
    assert {payload(i).get("commit", i.subject) for i in news if i.kind != "git.branch"} == {new}
    assert ("register/risk_register/R-02", "changed") in of(news)


def _at(path: Path) -> Repo:
    found = Repo.__new__(Repo)
    found.path, found.day = path, 0
    return found
