"""Reading a git repository's objects with git itself: no checkout, hooks, filters or network."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collectors._disk import reading
from evidence.errors import SourceBroken, SourceBusy, SourceRefused

_PASSING = re.compile(
    r"Input/output error|Stale|Resource temporarily|Too many open files|Cannot allocate memory"
    r"|Connection timed out|endpoint is not connected|out of memory",
    re.IGNORECASE,
)
# What a repository's own configuration may not decide: which programs run on reading it.
_SETTINGS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.quotePath=false",
    "protocol.allow=never", "gpg.program=gpg", "gpg.openpgp.program=gpg",
    "gpg.x509.program=gpgsm", "gpg.ssh.program=ssh-keygen", "gpg.ssh.defaultKeyCommand=",
    "log.showSignature=false", "log.mailmap=false", "i18n.logOutputEncoding=UTF-8",
)  # fmt: skip
# Lets git say of an SSH signature that it holds, and which key made it; it trusts no key by that.
_SSH = "gpg.ssh.allowedSignersFile=/dev/null"
_FIELDS = ("%H", "%an", "%ae", "%cn", "%ce", "%ct", "%at", "%G?", "%GF", "%GP", "%P", "%s")
_REGULAR = {"100644", "100755"}


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit as its object tells; text is decoded with what is no UTF-8 shown as `\\xe9`.

    `signature` is git's letter for it, `keys` the fingerprints of the key that made it.
    """

    id: str
    author: str
    author_email: str
    committer: str
    committer_email: str
    committed_at: datetime
    authored_at: datetime
    signature: str
    keys: tuple[str, ...]
    parents: tuple[str, ...]
    subject: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a tree: `mode` and `blob` are empty where the file is not there."""

    path: str
    mode: str
    blob: str

    @property
    def oddity(self) -> str:
        """Why the entry is not a file to read; empty for a regular file."""
        if self.mode in _REGULAR:
            return ""
        kinds = {"120000": "is a symbolic link: not followed", "160000": "is a submodule: not read"}
        return kinds.get(self.mode, f"has mode {self.mode}")


@dataclass(frozen=True, slots=True)
class Edit:
    """One file as two trees hold it."""

    old: Entry
    new: Entry


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on disk, bare or not. `patience` is seconds that one git call may take.

    With `ssh`, signatures by SSH keys are checked too, whoever owns the key.
    """

    path: Path
    patience: float
    ssh: bool = False

    def resolve(self, ref: str) -> str:
        """The commit id of a branch, tag or id. Raises SourceRefused, SourceBusy."""
        with reading(self.path):
            os.listdir(self.path)
        self._ok("rev-parse", "--git-dir")
        done = self._git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
        )
        if done.returncode:
            raise SourceRefused(f"{self.path}: {ref} names no commit; give a branch that has one")
        if self._ok("rev-parse", "--is-shallow-repository").strip() == b"true":
            raise SourceRefused(
                f"{self.path} is a shallow clone: dates of older files would be wrong; "
                "run git fetch --unshallow"
            )
        return done.stdout.decode().strip()

    def version(self) -> str:
        """What git calls itself."""
        return self._ok("version").decode().strip()

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `old` still belongs to the history of `new`; a forgotten commit does not."""
        if self._git("cat-file", "-e", f"{old}^{{commit}}").returncode:
            return False
        done = self._git("merge-base", "--is-ancestor", old, new)
        if done.returncode not in (0, 1):
            raise _error(self.path, done.stderr)
        return done.returncode == 0

    def mainline(self, old: str, new: str) -> list[str]:
        """Commits of the first-parent chain after `old` (empty: all) up to `new`, oldest first."""
        span = f"{old}..{new}" if old else new
        return self._ok("rev-list", "--first-parent", "--reverse", span, "--").decode().split()

    def touching(self, old: str, new: str, paths: Sequence[str]) -> list[str]:
        """Every commit after `old` up to `new`, on any branch, that touches the paths."""
        span = f"{old}..{new}" if old else new
        flags = ("--topo-order", "--reverse", "--full-history")
        return self._ok("rev-list", *flags, span, "--", *paths).decode().split()

    def earlier(self, commit: str, path: str, limit: int) -> list[str]:
        """Mainline commits up to `commit` that changed a file, newest first."""
        flags = ("--first-parent", f"--max-count={limit}")
        return self._ok("rev-list", *flags, commit, "--", path).decode().split()

    def commits(self, ids: Sequence[str]) -> list[Commit]:
        """The commits of these ids, in their order."""
        if not ids:
            return []
        wanted = "\n".join(ids).encode()
        form = "%x00".join(_FIELDS)
        raw = self._ok(
            "log", "--no-walk=unsorted", "-z", f"--format={form}", "--stdin", give=wanted
        )
        cells = raw.decode("utf-8", "backslashreplace").split("\0")
        size = len(_FIELDS)
        return [_commit(cells[n : n + size]) for n in range(0, size * len(ids), size)]

    def reviewers(self, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Whom each commit names in lines `Reviewed-by:` and `Approved-by:`, without address."""
        if not ids:
            return {}
        lines = "%(trailers:key=Reviewed-by,key=Approved-by,valueonly,separator=%x1f)"
        raw = self._ok(
            "log", "--no-walk=unsorted", "-z", f"--format=%H%x00{lines}", "--stdin",
            give="\n".join(ids).encode(),
        )  # fmt: skip
        cells = raw.decode("utf-8", "backslashreplace").split("\0")
        return {
            commit: tuple(_name(one) for one in told.split("\x1f") if _name(one))
            for commit, told in zip(cells[::2], cells[1::2], strict=False)
        }

    def edits(self, pairs: Iterable[tuple[str, str]], paths: Sequence[str]) -> list[list[Edit]]:
        """What each (commit, before) pair changed below the paths; no `before`: all is new."""
        lines = [f"{commit} {before}".strip() for commit, before in pairs]
        raw = self._ok(
            "diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--root",
            "--always", "--no-ext-diff", "--no-textconv", "--", *paths,
            give="\n".join([*lines, ""]).encode(),
        )  # fmt: skip
        return list(_edits(raw))

    def tree(self, commit: str, paths: Sequence[str]) -> list[Entry]:
        """The files of a commit below the paths."""
        raw = self._ok("ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths)
        return [_tree_entry(line) for line in raw.split(b"\0") if line]

    def sizes(self, blobs: Iterable[str]) -> dict[str, int]:
        """Bytes of each blob that is there; those missing (a partial clone) are left out."""
        raw = self._ok("cat-file", "--batch-check", give=_lines(blobs)).decode()
        rows = [line.split() for line in raw.splitlines()]
        return {row[0]: int(row[2]) for row in rows if len(row) == 3 and row[1] == "blob"}

    def contents(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """The bytes of blobs; ask `sizes` first, all of them are held in memory."""
        raw, found, at = self._ok("cat-file", "--batch", give=_lines(blobs)), {}, 0
        while at < len(raw):
            end = raw.index(b"\n", at)
            blob, _, size = raw[at:end].decode().split()
            found[blob] = raw[end + 1 : end + 1 + int(size)]
            at = end + 2 + int(size)
        return found

    def _ok(self, *words: str, give: bytes = b"") -> bytes:
        done = self._git(*words, give=give)
        if done.returncode:
            raise _error(self.path, done.stderr)
        return done.stdout

    def _git(self, *words: str, give: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        given = (*_SETTINGS, f"safe.directory={self.path}", *((_SSH,) if self.ssh else ()))
        settings = [word for setting in given for word in ("-c", setting)]
        command = ["git", "--no-pager", "-C", str(self.path), *settings, *words]
        try:
            return subprocess.run(
                command, input=give, capture_output=True, check=False, timeout=self.patience,
                env=_environment(self.path),
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise SourceBusy(f"{self.path}: git gave no answer in {self.patience:g} s") from error
        except FileNotFoundError as error:
            raise SourceRefused("git is not installed, or not on the PATH") from error


def _environment(path: Path) -> dict[str, str]:
    """Nothing of the caller's git settings; HOME stays, for the keyring that checks signatures."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "GNUPGHOME") if name in os.environ}
    return kept | {
        "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1",
        "GIT_CEILING_DIRECTORIES": str(path.parent),
    }  # fmt: skip


def _error(path: Path, stderr: bytes) -> SourceBusy | SourceRefused:
    lines = stderr.decode("utf-8", "backslashreplace").strip().splitlines() or ["no reason given"]
    text = f"{path}: {lines[-1]}"
    if "not a git repository" in text:
        text += "; run git init there and commit, or correct `repository`"
    return SourceBusy(text) if _PASSING.search(text) else SourceRefused(text)


def _name(line: str) -> str:
    """`Ann Ode <ann@example.org>` without what stands in brackets."""
    return " ".join(line.partition("<")[0].split())


def _commit(cells: Sequence[str]) -> Commit:
    if len(cells) < len(_FIELDS):
        raise SourceBroken("git log gave fewer fields than asked for")
    commit, author, email, committer, c_email, at, authored, sign, *keys, parents, subject = cells
    return Commit(
        commit, author, email, committer, c_email, _moment(at), _moment(authored), sign,
        tuple(dict.fromkeys(filter(None, keys))), tuple(parents.split()), subject,
    )  # fmt: skip


def _moment(seconds: str) -> datetime:
    """Epoch seconds; what no calendar holds becomes its end, and so is capped as future."""
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(seconds))
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)


def _edits(raw: bytes) -> Iterator[list[Edit]]:
    """Commit ids, each followed by `:modes blobs status`, path, …: NUL after each."""
    cells = iter(raw.split(b"\0"))
    current: list[Edit] | None = None
    for cell in cells:
        if not cell:
            continue
        if not cell.startswith(b":"):
            if current is not None:
                yield current
            current = []
            continue
        if current is None:
            raise SourceBroken("git diff-tree named a change before its commit")
        modes = cell[1:].decode().split()
        path = os.fsdecode(next(cells))
        current.append(Edit(_side(path, modes[0], modes[2]), _side(path, modes[1], modes[3])))
    if current is not None:
        yield current


def _side(path: str, mode: str, blob: str) -> Entry:
    return Entry(path, "", "") if mode == "000000" else Entry(path, mode, blob)


def _tree_entry(line: bytes) -> Entry:
    head, path = line.split(b"\t", 1)
    mode, _, blob = head.decode().split()
    return Entry(os.fsdecode(path), mode, blob)


def _lines(words: Iterable[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()
