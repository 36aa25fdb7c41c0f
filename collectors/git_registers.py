"""Registers, documents and attestations kept in a git repository, and their history there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from collectors._disk import shown
from collectors._git.branch import BRANCH, Answer, Rewrite, answers, branch
from collectors._git.register_files import ATTESTATION, DOCUMENT, REGISTER
from collectors._git.register_items import (
    HISTORY,
    Origin,
    Places,
    Reader,
    changes,
    head_gaps,
    history,
)
from collectors._git.repository import Entry, Repository
from collectors._git.signers import Signers
from collectors.base import Clock, utc_now
from evidence.canonical import digest
from evidence.errors import SourceBroken, SourceRefused
from evidence.model import Batch, Cursor, EvidenceItem
from evidence.runs import Gap, PullFacts
from evidence.snapshot import Snapshot

_COMMITS_A_BATCH = 200
_COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class GitRegisters:
    """Replays the mainline of a local repository: each version of each record is one event.

    `registers` and `documents` are folders in it (empty: none); `systems` maps globs over file
    paths and record ids to AI systems, for records that name none. An event is observed at its
    declared review date, at 00:00 UTC of that day and never later than its commit, else at the
    commit. Where the branch stands is a state, read anew by each pull. `signers` maps fingerprints
    of keys to people: with it, a statement of a person counts only if the commit that brought it
    to the branch is signed by a key of that person. Without it git's author and committer are all
    there is, which anybody may write: `claimed` counts approvals of documents also where these name
    somebody else than the approver. `patience` is the seconds that one call of git
    may take.
    """

    source: str
    repository: Path
    ref: str = "HEAD"
    registers: str = "registers"
    documents: str = "documents"
    systems: Mapping[str, str] = field(default_factory=dict)
    signers: Mapping[str, str] = field(default_factory=dict)
    claimed: bool = False
    patience: float = 60.0
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    kinds: ClassVar[tuple[str, ...]] = (REGISTER, DOCUMENT, HISTORY, ATTESTATION, BRANCH)
    states: ClassVar[tuple[str, ...]] = (BRANCH,)

    def __post_init__(self) -> None:
        Signers(self.signers)

    def probe(self) -> str:
        """Which commit the ref names, and as whom it is read."""
        head = self._repository().resolve(self.ref)
        return f"{self.ref} of {self.repository} is {head[:12]}, read as uid {os.getuid()}"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """What each commit after the cursor's changed, oldest first.

        A cursor whose commit is no ancestor any more means that history was rewritten: that is
        an item, which fails until the register `rewrites` answers for it, and all is read again.
        Files that cannot be read now are Gaps in every pull. Raises SourceBusy, SourceRefused,
        SourceBroken.
        """
        repository, places = self._repository(), Places(self.registers, self.documents)
        memory = Memory.read(cursor)
        head = repository.resolve(self.ref)
        origin = Origin(
            self.source, self.systems, self.clock(), Signers(self.signers), self.claimed
        )  # fmt: skip
        old = memory.commit if memory.ref == self.ref else ""
        if old and not repository.is_ancestor(old, head):
            memory = memory.rewritten(Rewrite(self.ref, old, head))
            old = ""
        if memory.settings != self._salt():
            old = ""  # other folders or globs: what was left out before may belong in now
        memory = replace(memory, ref=self.ref, settings=self._salt())
        reader = Reader(repository, places)
        line = repository.mainline(old, head)
        for start in range(0, len(line), _COMMITS_A_BATCH):
            part = line[start : start + _COMMITS_A_BATCH]
            items, facts = _replayed(reader, origin.after(start), old, part)
            old = part[-1]
            memory = replace(memory, commit=old)
            yield Batch(items, memory.cursor(), facts)
        yield self._closing(reader, memory, head, origin.after(len(line)))

    def _closing(self, reader: Reader, memory: Memory, head: str, origin: Origin) -> Batch:
        """What stands at the head, where the branch does, and what became of lost history."""
        facts, files = self._whole(reader, head)
        given = answers(reader, files)
        now = {one: given.get(one.key, Answer()) for one in memory.rewrites}
        (commit,) = reader.repository.commits([head])
        found = [
            one.item(commit, answer, origin)
            for one, answer in now.items()
            if memory.rewrites[one] != answer.by
        ]
        state = branch(self.ref, commit, len(files), now, origin)
        states, snapshot = memory.snapshot.compare(
            [state], at=origin.collected_at, source=self.source
        )
        told = replace(memory, commit=head, snapshot=snapshot,
                       rewrites={one: answer.by for one, answer in now.items()})  # fmt: skip
        return Batch((*found, *states), told.cursor(), facts)

    def _repository(self) -> Repository:
        path = Path(os.path.abspath(self.repository))
        return Repository(path, self.patience, ssh=bool(self.signers))

    def _salt(self) -> str:
        settings = [self.registers, self.documents, dict(self.systems)]
        # Without signers the digest stays that of older cursors: nothing is read again for it.
        return digest([*settings, dict(self.signers)] if self.signers else settings)[:16]

    def _whole(self, reader: Reader, head: str) -> tuple[PullFacts, list[Entry]]:
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
        facts = PullFacts(
            pages=1, received=readable, promised=len(files), gaps=tuple(gaps), states=(BRANCH,),
            query=query + (f"; not of a form that is read: {', '.join(others)}" if others else ""),
            identity=f"uid {os.getuid()}", api_version=reader.repository.version(),
        )  # fmt: skip
        return facts, files


@dataclass(frozen=True, slots=True)
class Memory:
    """What a pull leaves to the next: the commit replayed last of which ref and settings, where the
    branch stood, and the rewrites seen with who answered for each (empty: nobody yet)."""

    commit: str = ""
    ref: str = ""
    settings: str = ""
    snapshot: Snapshot = field(default_factory=lambda: Snapshot({}))
    rewrites: Mapping[Rewrite, str | None] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor | None) -> Memory:
        """From a cursor written by `cursor()`; None is the empty memory. Raises SourceBroken."""
        if cursor is None:
            return cls()
        try:
            kept = json.loads(cursor.value)
            commit, seen = str(kept["commit"]), kept.get("seen", {})
            rewrites = {Rewrite(*map(str, one)): by for *one, by in kept.get("rewrites", ())}
            snapshot = Snapshot({str(k): str(v) for k, v in seen.items()})
            memory = cls(commit, str(kept["ref"]), str(kept["settings"]), snapshot, rewrites)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceBroken(f"the cursor was not written by this collector: {error}") from error
        if not _COMMIT_ID.fullmatch(commit):
            raise SourceBroken(f"the cursor names no commit: {commit!r}")
        return memory

    def cursor(self) -> Cursor:
        """The bookmark as text."""
        rewrites = [[one.ref, one.lost, one.now, by] for one, by in self.rewrites.items()]
        kept = {"commit": self.commit, "ref": self.ref, "settings": self.settings,
                "seen": dict(sorted(self.snapshot.seen.items())), "rewrites": rewrites}  # fmt: skip
        return Cursor(json.dumps(kept, ensure_ascii=False))

    def rewritten(self, rewrite: Rewrite) -> Memory:
        """With one more rewrite, not told yet."""
        return replace(self, rewrites={**self.rewrites, rewrite: None})


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
