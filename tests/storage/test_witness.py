"""Witnesses: a key holder who writes the lake anew is named by each kind of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from evidence.errors import ConfigError, LakeError, VerificationFailed
from evidence.secret import Secret
from storage.keys import Signer, load_key, make_key
from storage.ledger import integrate
from storage.mail import MailServer
from storage.note import LogChain
from storage.place_local import LocalPlace
from storage.publication import MEMORY, remembered, silent
from storage.verify import verify
from storage.witness import FileWitness, Kept, Witness
from storage.witness_git import GitWitness
from storage.witness_mail import MailWitness
from tests.storage.makers import World, item
from tests.storage.smtp import Mailbox, serve


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_key(tmp_path / "key", origin="brookside.example/lake")
    return load_key(tmp_path / "key")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A bare repository elsewhere, reached by its URL."""
    folder = tmp_path / "remote.git"
    folder.mkdir()
    _git(folder, "init", "--quiet", "--bare")
    return folder


@pytest.fixture
def far(remote: Path, tmp_path: Path) -> GitWitness:
    return GitWitness(f"file://{remote}", "checkpoints", tmp_path / "cache")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with serve() as box:
        yield box


def seal(world: World, signer: Signer, *witnesses: Witness, n: int = 1, start: int = 0) -> None:
    """Land `n` items, each with a seal of its own."""
    for number in range(start, start + n):
        world.land(item(number), cursor=str(number))
        integrate(world.lake, signer, witnesses=witnesses)


def rewritten(world: World, signer: Signer, *, size: int) -> World:
    """The administrator with the key builds another past and seals it, witnesses left aside."""
    shutil.rmtree(world.path)
    other = World(world.path)
    other.land(*(item(n, title="Nothing to see") for n in range(1, size + 1)), cursor="x")
    integrate(other.lake, signer)
    return other


def said(world: World, signer: Signer, *witnesses: Witness, kept: tuple[Kept, ...] = ()) -> str:
    with pytest.raises(VerificationFailed) as failed:
        verify(world.path, signer.vkey, witnesses=witnesses, kept=kept)
    return "\n".join(failed.value.findings)


def test_git_keeps_every_checkpoint(
    world: World, signer: Signer, far: GitWitness, remote: Path
) -> None:
    seal(world, signer, far, n=3)
    integrate(world.lake, signer, witnesses=[far])
    notes = far.kept("", whole=True)
    assert [note.text.split("\n")[1] for note in notes] == ["1", "2", "3"]
    assert far.kept("", whole=False) == notes[-1:]
    found = verify(world.path, signer.vkey, witnesses=[far])
    assert (found.size, found.outside, found.notes) == (3, 3, ())
    message = _git(
        Path(far.repository.removeprefix("file://")), "log", "-1", "--format=%s %ae", "checkpoints"
    )
    assert message == "brookside.example/lake: 3 items sealed headwater@localhost"


def test_a_repository_here_keeps_its_checkout_and_is_pushed_on(
    world: World, signer: Signer, remote: Path, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    _git(tmp_path, "init", "--quiet", "-b", "main", str(here))
    (here / "own.txt").write_text("mine")
    _git(here, "remote", "add", "backup", str(remote))
    witness = GitWitness(str(here), "checkpoints", tmp_path / "cache")
    seal(world, signer, witness, n=2)
    assert _git(here, "status", "--porcelain") == "?? own.txt"
    assert _git(remote, "rev-parse", "checkpoints") == _git(here, "rev-parse", "checkpoints")
    shutil.move(remote, tmp_path / "away.git")
    seal(world, signer, witness, start=2)
    (told,) = silent(LocalPlace(world.path / "log"), [witness])
    assert "git ls-remote" in told
    assert "the last it took covers 2 items" in told
    assert "cannot be read" in said(world, signer, witness)
    shutil.move(tmp_path / "away.git", remote)
    integrate(world.lake, signer, witnesses=[witness])
    assert not list(silent(LocalPlace(world.path / "log"), [witness]))
    assert verify(world.path, signer.vkey, witnesses=[witness]).outside == 3


def test_other_files_of_the_branch_stay(world: World, signer: Signer, tmp_path: Path) -> None:
    _git(tmp_path, "init", "--quiet", "-b", "main", "here")
    here = tmp_path / "here"
    (here / "README").write_text("kept")
    _git(here, "add", ".")
    _git(here, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "first")
    seal(world, signer, GitWitness(str(here), "main", tmp_path / "cache"))
    assert _git(here, "ls-tree", "--name-only", "main").split() == ["README", "checkpoint"]


def test_a_rewritten_git_history_is_named_and_not_mended(
    world: World, signer: Signer, far: GitWitness, remote: Path
) -> None:
    seal(world, signer, far, n=3)
    gone = _git(remote, "rev-parse", "checkpoints")
    _git(remote, "update-ref", "refs/heads/checkpoints", "checkpoints~1")
    assert f"its history was rewritten: commit {gone}" in said(world, signer, far)
    seal(world, signer, far, start=3)
    assert _git(remote, "rev-list", "--count", "checkpoints") == "2", "nothing is published on it"
    (told,) = silent(LocalPlace(world.path / "log"), [far])
    assert "history was rewritten" in told
    _git(remote, "update-ref", "-d", "refs/heads/checkpoints")
    assert "the branch is gone" in said(world, signer, far)


def test_a_note_put_into_git_by_another_is_named(
    world: World, signer: Signer, far: GitWitness, remote: Path, tmp_path: Path
) -> None:
    seal(world, signer, far)
    make_key(tmp_path / "other", origin="brookside.example/lake")
    forged = load_key(tmp_path / "other").sign(1, b"x" * 32, LogChain())
    far.publish(forged, "")
    assert "is not signed by brookside.example/lake" in said(world, signer, far)
    with pytest.raises(VerificationFailed, match="not signed by"):
        integrate(world.lake, signer, witnesses=[far])


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("kind", ["file", "git", "mail"])
def test_an_administrator_with_the_key_is_caught(
    world: World, signer: Signer, far: GitWitness, mailbox: Mailbox, tmp_path: Path,
    kind: str, size: int,
) -> None:  # fmt: skip
    """The whole lake is written anew and sealed with the true key: shorter, as long, longer."""
    post = MailWitness("audit@example.org", mailbox.server())
    file = FileWitness(tmp_path / "elsewhere/checkpoint")
    witness: Witness = {"file": file, "git": far, "mail": post}[kind]
    seal(world, signer, witness, n=3)
    other = rewritten(world, signer, size=size)
    assert verify(other.path, signer.vkey).size == size, "by itself the forgery is flawless"
    kept = tuple(_attached(box) for box in mailbox.messages)
    asked = [] if kind == "mail" else [witness]
    with pytest.raises(VerificationFailed) as failed:
        verify(other.path, signer.vkey, witnesses=asked, kept=kept)
    told = "\n".join(failed.value.findings)
    assert (
        "rewritten" if size == 3 else "set back" if size == 2 else "not those that were"
    ) in told
    assert len(failed.value.notes) >= 2, "both signed notes are the proof"
    if kind != "mail":
        with pytest.raises(VerificationFailed):
            integrate(other.lake, signer, witnesses=asked)


def _attached(message: bytes) -> Kept:
    (part,) = message_from_bytes(message, policy=policy.SMTP).iter_attachments()
    assert part.get_filename().endswith(".note")
    return Kept("the mail", "the mail", part.get_content().decode())


def test_each_keeper_of_another_past_is_named(
    world: World, signer: Signer, far: GitWitness, tmp_path: Path
) -> None:
    file = FileWitness(tmp_path / "witness", name="the witness one")
    seal(world, signer, far, file, n=2)
    (tmp_path / "lake/log/witnesses.json").rename(tmp_path / "memory")
    other = rewritten(world, signer, size=4)
    (tmp_path / "memory").rename(other.path / "log/witnesses.json")
    told = said(other, signer, far, file)
    assert "not those that were sealed by the witness git+" in told
    assert "not those that were sealed by the witness one" in told


def test_a_witness_set_back_or_gone_is_named(world: World, signer: Signer, tmp_path: Path) -> None:
    file = FileWitness(tmp_path / "witness")
    seal(world, signer, file)
    old = file.path.read_text()
    seal(world, signer, file, start=1)
    file.path.write_text(old)
    assert "covers 1 items, but was shown 2: the witness was set back" in said(world, signer, file)
    file.path.unlink()
    assert "the witness copy is missing" in said(world, signer, file)


def test_a_dead_witness_does_not_stop_the_seal(
    world: World, signer: Signer, tmp_path: Path
) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    dead = FileWitness(tmp_path / "blocked/witness", name="the witness blocked")
    alive = FileWitness(tmp_path / "alive")
    seal(world, signer, dead, alive)
    assert verify(world.path, signer.vkey, witnesses=[alive]).size == 1
    (told,) = silent(LocalPlace(world.path / "log"), [dead, alive])
    since = remembered(LocalPlace(world.path / "log"))[dead.where].since
    assert told.startswith("the witness blocked has not taken a seal since 2026-11-19")
    world.clock.now += timedelta(days=1)
    seal(world, signer, dead, alive, start=1)
    assert remembered(LocalPlace(world.path / "log"))[dead.where].since == since, (
        "since when, not the last try"
    )
    (tmp_path / "blocked").unlink()
    integrate(world.lake, signer, witnesses=[dead, alive])
    assert not list(silent(LocalPlace(world.path / "log"), [dead, alive]))
    assert dead.path.read_text() == alive.path.read_text()


def test_a_witness_that_cannot_be_read_is_not_written_over(
    world: World, signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its note may be all that contradicts the lake: it must be compared before it is replaced."""
    file = FileWitness(tmp_path / "witness")
    seal(world, signer, file, n=3)
    kept = file.path.read_text()
    other = rewritten(world, signer, size=5)

    def stale(*_: object, **__: object) -> None:
        raise LakeError("stale file handle")

    with monkeypatch.context() as patched:
        patched.setattr(FileWitness, "kept", stale)
        integrate(other.lake, signer, witnesses=[file])
    assert file.path.read_text() == kept
    (told,) = silent(LocalPlace(other.path / "log"), [file])
    assert "stale file handle" in told
    assert "not those that were sealed by the witness copy" in said(other, signer, file)
    with pytest.raises(VerificationFailed):
        integrate(other.lake, signer, witnesses=[file])


def test_not_more_often_than_asked(world: World, signer: Signer, tmp_path: Path) -> None:
    hourly = FileWitness(tmp_path / "witness", every=timedelta(hours=1))
    seal(world, signer, hourly)
    seal(world, signer, hourly, start=1)
    assert "\n1\n" in hourly.path.read_text()
    assert verify(world.path, signer.vkey, witnesses=[hourly]).size == 2
    world.clock.now += timedelta(hours=1)
    integrate(world.lake, signer, witnesses=[hourly])
    assert "\n2\n" in hourly.path.read_text()
    world.clock.now -= timedelta(days=400)
    seal(world, signer, hourly, start=2)
    assert "\n3\n" in hourly.path.read_text(), "a clock set back does not silence it"


def test_a_damaged_memory_is_told(world: World, signer: Signer, tmp_path: Path) -> None:
    file = FileWitness(tmp_path / "witness")
    seal(world, signer, file)
    (world.path / "log" / MEMORY).write_text("[1")
    assert "witnesses.json is damaged" in said(world, signer, file)
    with pytest.raises(LakeError, match="delete it"):
        integrate(world.lake, signer, witnesses=[file])


def test_mail_carries_the_note_byte_for_byte(
    world: World, signer: Signer, mailbox: Mailbox
) -> None:
    post = MailWitness("audit@example.org", mailbox.server())
    seal(world, signer, post, n=2)
    integrate(world.lake, signer, witnesses=[post])
    assert len(mailbox.messages) == 2
    assert mailbox.recipients == ["<audit@example.org>"] * 2
    kept = _attached(mailbox.messages[1])
    assert kept.text == (world.path / "log/checkpoint").read_text()
    found = verify(world.path, signer.vkey, witnesses=[post], kept=[kept])
    assert found.outside == 1
    assert "cannot be read back" in found.notes[0]


def test_a_mailbox_that_refuses_is_remembered(
    world: World, signer: Signer, mailbox: Mailbox
) -> None:
    mailbox.refuse = b"550 no such person\r\n"
    post = MailWitness("audit@example.org", mailbox.server())
    seal(world, signer, post)
    (told,) = silent(LocalPlace(world.path / "log"), [post])
    assert "550" in told
    gone = MailWitness("audit@example.org", replace(mailbox.server(), port=1))
    seal(world, signer, gone, start=1)
    assert "127.0.0.1:1 did not take it" in "".join(silent(LocalPlace(world.path / "log"), [gone]))


def test_a_password_is_not_sent_in_the_clear() -> None:
    with pytest.raises(ConfigError, match="in the clear"):
        MailServer("mail.example.org", "a@b", user="me", password=Secret("pw"), tls="none")
