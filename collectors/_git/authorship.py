"""Who wrote what lies at a path, and who else looked at it: as git's commits tell it.

Names in commits are claims. They say whom to ask; a signature or the code host proves more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors._git.repository import Repository
from evidence.errors import SourceError

PATIENCE = 30.0
_HASHES = {40: hashlib.sha1, 64: hashlib.sha256}


@dataclass(frozen=True, slots=True)
class Authorship:
    """`commit` is the newest that touched the path; `alone` are those, since the one asked for,
    that nobody but their author reviewed. `flaw` says why nothing can be told; else it is empty."""

    commit: str = ""
    authors: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    flaw: str = ""


def authorship(path: Path, since: str = "") -> Authorship:
    """Of a file or folder as it lies in the working tree now.

    All commits after `since` count; without it, or where history lost it, the newest alone.
    """
    top = next((p for p in path.parents if (p / ".git").exists()), None)
    top = path if (path / ".git").exists() else top
    if top is None:
        return Authorship(flaw="lies in no git repository")
    try:
        return _told(Repository(top, PATIENCE), path, since)
    except (SourceError, OSError) as error:
        return Authorship(flaw=f"is in a git repository that cannot be read ({error})")


def _told(repository: Repository, path: Path, since: str) -> Authorship:
    head = repository.resolve("HEAD")
    name = path.relative_to(repository.path).as_posix()
    if changed := next(_uncommitted(repository, head, path, name), ""):
        return Authorship(flaw=f"is not committed as it is: {changed}")
    known = bool(since) and repository.is_ancestor(since, head)
    ids = repository.touching(since if known else "", head, [name])
    if not known:
        ids = ids[-1:]
    commits, reviews = repository.commits(ids), repository.reviewers(ids)
    others = {
        commit.id: [who for who in reviews[commit.id] if who.casefold() != commit.author.casefold()]
        for commit in commits
    }
    return Authorship(
        commit=commits[-1].id if commits else since,
        authors=tuple(dict.fromkeys(commit.author for commit in commits)),
        reviewers=tuple(dict.fromkeys(who for names in others.values() for who in names)),
        alone=tuple(commit for commit, names in others.items() if not names),
    )


def _uncommitted(repository: Repository, head: str, path: Path, name: str) -> Iterator[str]:
    """Files that the commit does not hold as they lie there, by their own bytes."""
    held = {entry.path: entry.blob for entry in repository.tree(head, [name])}
    there = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    for file in there:
        relative = file.relative_to(repository.path).as_posix()
        if held.get(relative, "") != _blob(file, len(head)):
            yield relative
    gone = set(held) - {file.relative_to(repository.path).as_posix() for file in there}
    yield from sorted(one for one in gone if one.endswith(".yaml") or one == name)


def _blob(file: Path, digits: int) -> str:
    """The id that git gives to these bytes."""
    content = file.read_bytes()
    return _HASHES[digits](b"blob %d\0" % len(content) + content).hexdigest()
