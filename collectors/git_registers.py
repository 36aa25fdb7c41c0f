"""Registers, documents and attestations kept in a git repository, and their history there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from collectors._disk import shown
from collectors._git import Repository
from collectors._register_files import ATTESTATION, DOCUMENT, REGISTER
from collectors._register_items import (
    HISTORY,
    Origin,
    Places,
    Reader,
    changes,
    head_gaps,
    history,
    rewritten,
)
from collectors.base import Clock, utc_now
from evidence.canonical import digest
from evidence.errors import SourceBroken, SourceRefused
from evidence.model import Batch, Cursor, EvidenceItem
from evidence.runs import Gap, PullFacts

_COMMITS_A_BATCH = 200
_COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class GitRegisters:
    """Replays the mainline of a local repository: each version of each record is one event.

    `registers` and `documents` are folders in it (empty: none); `systems` maps globs over file
    paths and record ids to AI systems, for records that name none. An event is observed at its
    declared review date, at 00:00 UTC of that day and never later than its commit, else at the
    commit. `patience` is the seconds that one call of git may take.
    """

    source: str
    repository: Path
    ref: str = "HEAD"
    registers: str = "registers"
    documents: str = "documents"
    systems: Mapping[str, str] = field(default_factory=dict)
    patience: float = 60.0
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    kinds: ClassVar[tuple[str, ...]] = (REGISTER, DOCUMENT, HISTORY, ATTESTATION)
    states: ClassVar[tuple[str, ...]] = ()

    def probe(self) -> str:
        """Which commit the ref names, and as whom it is read."""
        head = self._repository().resolve(self.ref)
        return f"{self.ref} of {self.repository} is {head[:12]}, read as uid {os.getuid()}"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """What each commit after the cursor's changed, oldest first.

        A cursor whose commit is no ancestor any more means that history was rewritten: that is
        an item, and all is read again. Files that cannot be read now are Gaps in every pull.
        Raises SourceBusy, SourceRefused, SourceBroken.
        """
        repository, places = self._repository(), Places(self.registers, self.documents)
        old, salt = self._bookmark(cursor)
        head = repository.resolve(self.ref)
        origin = Origin(self.source, self.systems, self.clock())
        news: tuple[EvidenceItem, ...] = ()
        if old and not repository.is_ancestor(old, head):
            news = (rewritten(self.ref, old, repository.commits([head])[0], origin),)
            old = ""
        if salt != self._salt():
            old = ""  # other folders or globs: what was left out before may belong in now
        reader = Reader(repository, places)
        line = repository.mainline(old, head)
        for start in range(0, len(line), _COMMITS_A_BATCH):
            part = line[start : start + _COMMITS_A_BATCH]
            items, facts = _replayed(reader, origin.after(start), old, part)
            old = part[-1]
            yield Batch(news + items, self._cursor(old), facts)
            news = ()
        yield Batch(news, self._cursor(head), self._whole(reader, head))

    def _repository(self) -> Repository:
        return Repository(Path(os.path.abspath(self.repository)), self.patience)

    def _salt(self) -> str:
        settings = [self.registers, self.documents, dict(self.systems)]
        return digest(settings)[:16]

    def _cursor(self, commit: str) -> Cursor:
        return Cursor(json.dumps({"commit": commit, "ref": self.ref, "settings": self._salt()}))

    def _bookmark(self, cursor: Cursor | None) -> tuple[str, str]:
        """The commit and the settings' digest; no commit when another ref was followed."""
        if cursor is None:
            return "", self._salt()
        try:
            kept = json.loads(cursor.value)
            commit, ref, salt = str(kept["commit"]), str(kept["ref"]), str(kept["settings"])
        except (ValueError, KeyError, TypeError) as error:
            raise SourceBroken(f"the cursor was not written by this collector: {error}") from error
        if not _COMMIT_ID.fullmatch(commit):
            raise SourceBroken(f"the cursor names no commit: {commit!r}")
        return (commit if ref == self.ref else ""), salt

    def _whole(self, reader: Reader, head: str) -> PullFacts:
        """What stands at the head now, read whole: a file broken long ago is still a gap today."""
        places = reader.places
        found = reader.repository.tree(head, places.paths())
        files = [entry for entry in found if places.holds(entry.path)]
        if not files:
            raise SourceRefused(
                f"{self.repository}: no register or document below "
                f"{' or '.join(places.paths()) or 'no folder'} at {self.ref}"
            )
        readable, gaps = head_gaps(reader, files)
        missing = [p for p in places.paths() if not any(_in(p, e.path) for e in found)]
        gaps += [Gap(p, "the folder is missing or empty; correct or empty the setting")
                 for p in missing]  # fmt: skip
        others = [shown(entry.path) for entry in found if not places.holds(entry.path)]
        query = f"{self.ref} at {head}: {len(files)} files in {', '.join(places.paths())}"
        return PullFacts(
            pages=1, received=readable, promised=len(files), gaps=tuple(gaps),
            query=query + (f"; not of a form that is read: {', '.join(others)}" if others else ""),
            identity=f"uid {os.getuid()}", api_version=reader.repository.version(),
        )  # fmt: skip


def _in(folder: str, path: str) -> bool:
    return folder == "." or path.startswith(f"{folder}/")


def _replayed(
    reader: Reader, origin: Origin, old: str, part: list[str]
) -> tuple[tuple[EvidenceItem, ...], PullFacts]:
    """The items of a stretch of the mainline, and of the side commits that it brought in."""
    repository, places = reader.repository, reader.places
    befores = [old, *part[:-1]]
    edits = repository.edits(zip(part, befores, strict=True), places.paths())
    edits = [[e for e in one if places.holds(e.new.path)] for one in edits]
    reader.load(side for one in edits for edit in one for side in (edit.new, edit.old))
    touched = repository.touching(old, part[-1], places.paths())
    commits = {c.id: c for c in repository.commits([*dict.fromkeys([*touched, *part])])}
    found: list[EvidenceItem] = []
    unread: dict[str, list[Gap]] = {}
    for number, (commit, before, one) in enumerate(zip(part, befores, edits, strict=True)):
        now = origin.after(number)
        items, unread[commit] = changes(reader, commits[commit], before, one, now)
        found += items
    pairs = [(c, commits[c].parents[0] if commits[c].parents else "") for c in touched]
    names = [
        [shown(edit.new.path) for edit in one] for one in repository.edits(pairs, places.paths())
    ]
    past = [
        history(commits[c], files, unread.get(c, []), origin)
        for c, files in zip(touched, names, strict=True)
    ]
    facts = PullFacts(pages=1, received=len(touched), promised=len(touched))
    return (*past, *found), facts
