"""With `signers`, a statement of a person counts only if that person's key signed its commit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from collectors._git.repository import Commit
from collectors._git.signers import Signers
from evidence.errors import ConfigError
from evidence.model import Outcome
from tests.collectors.test_git_registers import START, Repo, payload

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
STATEMENT = """register: attestations
records:
- {{id: AT-1, control: "5.2", by: {by}, statement: {words}, at: 2026-01-10, until: 2026-12-01}}
"""


class Keys:
    """SSH keys of people, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prints = {name: self._made(name) for name in ("ada", "tom", "stranger")}
        self.signers = {self.prints["ada"]: "Ada Brandt", self.prints["tom"]: "Tom Okafor"}

    def _made(self, name: str) -> str:
        key = str(self.folder / name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        told = subprocess.run(
            ["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True
        )
        return told.stdout.split()[1]

    def sign(self, name: str) -> dict[str, str]:
        settings = {
            "gpg.format": "ssh", "user.signingkey": str(self.folder / f"{name}.pub"),
            "commit.gpgsign": "true",
        }  # fmt: skip
        env = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings.items()):
            env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return env


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


def stated(
    repo: Repo, keys: Keys, signed: str, by: str = "Ada Brandt", words: str = "I approve."
) -> None:
    text = STATEMENT.format(by=by, words=words)
    repo.commit({"registers/attestations.yaml": text}, **(keys.sign(signed) if signed else {}))


def problems(repo: Repo, signers: dict[str, str]) -> list[str]:
    items, _, _ = repo.pull(signers=signers)
    made = [item for item in items if item.kind == "human.attestation"][-1]
    found: list[str] = payload(made).get("problems", [])
    assert (made.outcome is Outcome.ERROR) is bool(found)
    return found


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


def test_it_counts_with_the_key_of_who_states_it(repo: Repo, keys: Keys) -> None:
    stated(repo, keys, "ada", by="ADA  Brandt")
    assert problems(repo, keys.signers) == []
    items, _, _ = repo.pull(signers=keys.signers)
    (made,) = (item for item in items if item.kind == "human.attestation")
    assert payload(made)["signed_by"] == "Ada Brandt"


@pytest.mark.parametrize(
    ("signed", "why"),
    [
        ("", "is not signed by Ada Brandt: it carries none"),
        ("tom", "is signed by Tom Okafor, not by Ada Brandt"),
        ("stranger", "is signed by a key that is nobody's: SHA256:"),
    ],
)
def test_it_counts_for_nothing_with_another_or_none(
    repo: Repo, keys: Keys, signed: str, why: str
) -> None:
    stated(repo, keys, signed)
    (told,) = problems(repo, keys.signers)
    assert why in told
    assert problems(repo, {}) == [], "where nobody's keys are told, none is asked for"


def test_who_changes_a_signed_statement_takes_its_signature_away(repo: Repo, keys: Keys) -> None:
    stated(repo, keys, "ada")
    stated(repo, keys, "", words="I approve of everything.")
    (told,) = problems(repo, keys.signers)
    assert "carries none" in told


def test_a_signature_that_was_moved_to_another_commit_does_not_fit(repo: Repo, keys: Keys) -> None:
    stated(repo, keys, "ada")
    raw = repo.git("cat-file", "commit", "HEAD").replace("work", "other work")
    forged = repo.path / "forged"
    forged.write_text(raw + "\n")
    commit = repo.git("hash-object", "-t", "commit", "-w", str(forged))
    forged.unlink()
    repo.git("update-ref", "refs/heads/main", commit)
    (told,) = problems(repo, keys.signers)
    assert "does not fit it" in told


def test_keys_that_are_told_later_judge_what_landed_before(repo: Repo, keys: Keys) -> None:
    stated(repo, keys, "")
    _, cursor, _ = repo.pull()
    items, _, _ = repo.pull(cursor, signers=keys.signers)
    (made,) = (item for item in items if item.kind == "human.attestation")
    assert made.outcome is Outcome.ERROR


@pytest.mark.parametrize("letter", "BEXYRN?")
def test_only_a_signature_that_holds_is_one(keys: Keys, letter: str) -> None:
    given: dict[str, Any] = dict.fromkeys(
        ("id", "author", "author_email", "committer", "committer_email", "subject"), ""
    )
    commit = Commit(**given, committed_at=START, authored_at=START, signature=letter,
                    keys=(keys.prints["ada"],), parents=())  # fmt: skip
    assert "is not signed by Ada Brandt" in Signers(keys.signers).doubt(commit, "Ada Brandt")


@pytest.mark.parametrize("people", [{"ada@example.org": "Ada"}, {"SHA256:" + "x" * 43: " "}])
def test_what_is_no_fingerprint_or_nobody_is_refused(people: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="signers"):
        Signers(people)


APPROVAL = """register: approvals
reviewed: {reviewed}
records:
- {{id: A, of: documents/p.md, by: Ada Brandt, at: {at}, sha256: "{sha256}"}}
"""


def approved(
    repo: Repo, signed: dict[str, str], at: str = "2026-01-10", reviewed: str = ""
) -> None:
    text = APPROVAL.format(at=at, reviewed=reviewed or at, sha256="a" * 64)
    repo.commit({"registers/approvals.yaml": text}, **signed)


def of_approval(repo: Repo, signers: dict[str, str]) -> list[str]:
    items, _, _ = repo.pull(signers=signers)
    made = [item for item in items if item.subject == "register/approvals/A"]
    assert made[-1].actor == "Ada Brandt"
    found: list[str] = payload(made[-1]).get("problems", [])
    return found


def test_an_approval_is_asked_for_its_key_as_a_statement_is(repo: Repo, keys: Keys) -> None:
    approved(repo, keys.sign("ada"))
    assert of_approval(repo, keys.signers) == []
    approved(repo, keys.sign("tom"), reviewed="2026-01-11")
    assert of_approval(repo, keys.signers) == [], "who reads the register changes no approval in it"
    approved(repo, keys.sign("tom"), at="2026-01-11")
    (told,) = of_approval(repo, keys.signers)
    assert "is signed by Tom Okafor, not by Ada Brandt" in told


def test_an_approval_is_not_dated_back(repo: Repo) -> None:
    approved(repo, {}, at="2025-09-01")
    (told,) = of_approval(repo, {})
    assert "dated back" in told
