"""A git repository as witness: one commit a checkpoint, so that its whole history is kept."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from evidence.errors import LakeError, VerificationFailed
from storage.note import Checkpoint
from storage.witness import Kept

FILE = "checkpoint"
_NONE = "0" * 40
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[^/]+:")
# Neither the repository's nor the user's configuration may run a program of its own here.
_SETTINGS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false",
    "core.fsync=loose-object,reference,pack", "protocol.ext.allow=never", "push.gpgSign=false",
)  # fmt: skip
_NOT_OURS = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GitWitness:
    """A branch of a repository: a folder on this machine (pushed on if it has a remote), or a URL.

    `cache` is where the objects of a URL are kept between calls; losing it costs a fetch. The
    checkpoint lies in the file `checkpoint`; other files of the branch stay. Nothing is forced: a
    branch that was rewritten is named, not mended. `patience` is seconds that a call may take.
    """

    repository: str
    branch: str
    cache: Path
    every: timedelta = timedelta()
    patience: float = 60.0
    readable: bool = True

    @property
    def where(self) -> str:
        """The address as it is configured."""
        return f"git+{self.repository}#{self.branch}"

    @property
    def name(self) -> str:
        """For people."""
        return f"the witness {self.where}"

    def publish(self, head: Checkpoint, mark: str) -> str:
        """Commit on the branch's tip and push; returns the commit's id."""
        git = self._open()
        remote, ours = self._remote(git), self._local(git)
        if mark:
            self._demand_history(git, mark, remote if git.remote else ours)
        tip = self._newer(git, remote, ours)
        if not tip or git.text("show", f"{tip}:{FILE}", fails_as="") != head.text:
            tip = self._commit(git, tip, head)
        if tip != ours:
            git.run("update-ref", f"refs/heads/{self.branch}", tip, ours or _NONE)
        if git.remote and tip != remote:
            git.run("push", "--quiet", git.remote, f"{tip}:refs/heads/{self.branch}")
        return tip

    def kept(self, mark: str, *, whole: bool) -> Sequence[Kept]:
        """The note of the newest commit, or of all that changed it."""
        git = self._open()
        tip = self._remote(git) if git.remote else self._local(git)
        if mark:
            self._demand_history(git, mark, tip)
        if not tip:
            return ()
        some = () if whole else ("-1",)
        commits = git.run(
            "log", *some, "--full-history", "--format=%H", "--reverse", tip, "--", FILE
        ).split()
        return self._notes(git, commits)

    def _open(self) -> _Git:
        if _REMOTE.match(self.repository):
            digest = hashlib.sha256(self.repository.encode()).hexdigest()[:16]
            git = _Git(self.cache / f"{digest}.git", self.patience, self.repository)
            if not (git.path / "HEAD").is_file():
                git.path.mkdir(parents=True, exist_ok=True)
                git.run("init", "--quiet", "--bare")
            return git
        path = Path(self.repository)
        if not path.is_dir():
            raise LakeError(f"{path} is no git repository on this machine")
        git = _Git(path, self.patience)
        remotes = git.run("remote").split()
        return _Git(path, self.patience, (sorted(remotes) or [""])[0])

    def _local(self, git: _Git) -> str:
        return git.text("rev-parse", "--verify", "--quiet", f"refs/heads/{self.branch}").strip()

    def _remote(self, git: _Git) -> str:
        """The branch's tip at the remote, its objects fetched; empty if there is none."""
        if not git.remote:
            return ""
        ref = f"refs/heads/{self.branch}"
        tip, _, _ = git.run("ls-remote", git.remote, ref).partition("\t")
        if tip and not git.holds(tip):
            git.run("fetch", "--quiet", "--no-tags", git.remote, f"+{ref}:refs/headwater/{ref}")
        return tip

    def _newer(self, git: _Git, remote: str, ours: str) -> str:
        if not remote or not ours or git.leads(remote, ours):
            return ours or remote
        if git.leads(ours, remote):
            return remote
        raise VerificationFailed(
            (f"{self.name}: the branch here and at {git.remote} went apart: one was rewritten",)
        )

    def _demand_history(self, git: _Git, mark: str, tip: str) -> None:
        if not tip:
            raise VerificationFailed((f"{self.name}: the branch is gone, with commit {mark}",))
        if not git.leads(mark, tip):
            raise VerificationFailed(
                (f"{self.name}: its history was rewritten: commit {mark} is no part of it any "
                 "more; find out who did it, and go on with another branch",)
            )  # fmt: skip

    def _commit(self, git: _Git, tip: str, head: Checkpoint) -> str:
        blob = git.run("hash-object", "-w", "--stdin", given=head.text).strip()
        with git.index() as own:
            if tip:
                own.run("read-tree", tip)
            own.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{FILE}")
            tree = own.run("write-tree").strip()
        told = f"{head.origin}: {head.size} items sealed\n\nroot {head.root.hex()}\n"
        parents = ("-p", tip) if tip else ()
        return git.run("commit-tree", tree, *parents, given=told).strip()

    def _notes(self, git: _Git, commits: Sequence[str]) -> list[Kept]:
        asked = "".join(f"{commit}:{FILE}\n" for commit in commits)
        texts = _batch(git.run("cat-file", "--batch", given=asked).encode())
        pairs = zip(commits, texts, strict=True)
        return [Kept(self.name, f"{self.name}, commit {commit}", text) for commit, text in pairs]


@dataclass(frozen=True, slots=True)
class _Git:
    """Calls of git in one repository; `remote` is where it pushes to, if anywhere."""

    path: Path
    patience: float
    remote: str = ""
    index_file: str = ""

    def run(self, *words: str, given: str = "") -> str:
        """What git prints. Raises LakeError with what it complains of."""
        done = self._call(words, given)
        if done.returncode:
            told = " ".join(done.stderr.decode("utf-8", "replace").split())[:300]
            raise LakeError(f"git {words[0]}: {told or f'exit code {done.returncode}'}")
        return done.stdout.decode("utf-8", "replace")

    def text(self, *words: str, fails_as: str = "") -> str:
        """What git prints, or `fails_as` where it finds nothing."""
        done = self._call(words, "")
        return fails_as if done.returncode else done.stdout.decode("utf-8", "replace")

    def holds(self, commit: str) -> bool:
        """Whether the commit lies here."""
        return not self._call(("cat-file", "-e", f"{commit}^{{commit}}"), "").returncode

    def leads(self, old: str, new: str) -> bool:
        """Whether `old` is `new` or one of its ancestors."""
        return not self._call(("merge-base", "--is-ancestor", old, new), "").returncode

    @contextmanager
    def index(self) -> Iterator[_Git]:
        """The same repository with an index of its own, so that a checkout is not disturbed."""
        with tempfile.TemporaryDirectory() as folder:
            own = f"{folder}/index"
            yield _Git(self.path, self.patience, self.remote, own)

    def _call(self, words: Sequence[str], given: str) -> subprocess.CompletedProcess[bytes]:
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        try:
            return subprocess.run(
                ["git", *settings, "-C", str(self.path), *words], input=given.encode(),
                capture_output=True, check=False, timeout=self.patience, env=self._environment(),
            )  # fmt: skip
        except FileNotFoundError as error:
            raise LakeError("git is not installed on this machine") from error
        except subprocess.TimeoutExpired as error:
            told = f"git {words[0]} did not end within {self.patience:g} s"
            raise LakeError(told) from error
        except OSError as error:
            raise LakeError(f"git cannot be run: {error}") from error

    def _environment(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if name not in _NOT_OURS}
        ours = {
            "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C",
            "GIT_SSH_COMMAND": kept.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
        }  # fmt: skip
        for role in ("AUTHOR", "COMMITTER"):
            ours |= {f"GIT_{role}_NAME": "Headwater", f"GIT_{role}_EMAIL": "headwater@localhost"}
        return kept | ours | ({"GIT_INDEX_FILE": self.index_file} if self.index_file else {})


def _batch(out: bytes) -> Iterator[str]:
    """The contents in the answer of `git cat-file --batch`."""
    while out:
        header, _, out = out.partition(b"\n")
        if header.endswith(b" missing"):
            yield ""
            continue
        size = int(header.rsplit(b" ", 1)[1])
        yield out[:size].decode("utf-8", "replace")
        out = out[size + 1 :]
