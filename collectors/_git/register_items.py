"""What a commit did to registers and documents, as items; each file version is read only once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from collectors._disk import shown
from collectors._git.register_files import (
    ATTESTATION,
    DOCUMENT,
    DOCUMENT_ENDINGS,
    REGISTER_ENDINGS,
    Declared,
    Problem,
    beside,
    one_line,
    read_document,
    read_register,
)
from collectors._git.repository import Commit, Edit, Entry, Repository
from collectors._git.signers import Signers
from collectors._safe_yaml import Unreadable
from collectors.base import system_of
from evidence import approval
from evidence.attestation import EARLY, Statement, recorded
from evidence.errors import InvalidItem
from evidence.model import Change, EvidenceItem
from evidence.people import person
from evidence.runs import Gap
from evidence.times import stamp

HISTORY = "git.history"
LARGEST = 1024 * 1024
_VERSIONS_BACK, _FILES_NAMED, _BLOBS_A_READ = 20, 200, 200
_NEVER = datetime.min.replace(tzinfo=UTC)
_Read = tuple[Declared, ...] | Unreadable
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Places:
    """The folders that hold registers and documents, relative to the root; empty: none."""

    registers: str
    documents: str

    def paths(self) -> tuple[str, ...]:
        """Both folders, as git wants them."""
        return tuple(p.strip("/") for p in (self.registers, self.documents) if p.strip("/"))

    def holds_register(self, path: str) -> bool:
        """Whether a file is a register by its folder and ending."""
        return _below(path, self.registers) and path.lower().endswith(REGISTER_ENDINGS)

    def holds_document(self, path: str) -> bool:
        """Whether a file is a document by its folder and ending."""
        return _below(path, self.documents) and path.lower().endswith(DOCUMENT_ENDINGS)

    def holds(self, path: str) -> bool:
        """Whether the collector reads the file at all."""
        return self.holds_register(path) or self.holds_document(path)


def _below(path: str, folder: str) -> bool:
    folder = folder.strip("/")
    return bool(folder) and (folder == "." or PurePosixPath(path).is_relative_to(folder))


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose repository it is: the collector's name, its globs, when it was read, whose keys sign
    statements there, whether approvals count that somebody else committed."""

    source: str
    systems: Mapping[str, str]
    collected_at: datetime
    signers: Signers = field(default_factory=Signers)
    claimed: bool = False

    def after(self, commits: int) -> Origin:
        """The same, some commits on: of two versions of one day the later is collected later."""
        return replace(self, collected_at=self.collected_at + timedelta(microseconds=commits))


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads file versions by blob id and remembers what they declare, for one pull."""

    repository: Repository
    places: Places
    known: dict[tuple[str, str], _Read] = field(default_factory=dict)

    def load(self, entries: Iterable[Entry]) -> None:
        """Reads all of these that are not known yet."""
        wanted = {e.blob: e for e in entries if e.blob and not e.oddity}
        new = [e.blob for e in wanted.values() if (e.path, e.blob) not in self.known]
        for start in range(0, len(new), _BLOBS_A_READ):
            part = new[start : start + _BLOBS_A_READ]
            sizes = self.repository.sizes(part)
            raw = self.repository.contents(b for b in part if sizes.get(b, LARGEST + 1) <= LARGEST)
            for blob in part:
                path = wanted[blob].path
                self.known[path, blob] = self._parse(path, raw.get(blob), sizes.get(blob))

    def read(self, entry: Entry) -> tuple[Declared, ...]:
        """What one file version declares; nothing where there is no file. Raises Unreadable."""
        if not entry.mode:
            return ()
        if entry.oddity:
            raise Unreadable(entry.oddity)
        if (entry.path, entry.blob) not in self.known:
            self.load([entry])
        found = self.known[entry.path, entry.blob]
        if isinstance(found, Unreadable):
            raise found
        return found

    def _parse(self, path: str, raw: bytes | None, size: int | None) -> _Read:
        if size is None:
            return Unreadable("its content is missing here (a partial clone?)")
        if raw is None:
            return Unreadable(f"has {size:,} bytes; at most {LARGEST:,} are read")
        try:
            read = read_register if self.places.holds_register(path) else read_document
            return tuple(read(path, raw))
        except Unreadable as error:
            return error

    def before(self, entry: Entry, commit: str) -> tuple[Declared, ...]:
        """What the file declared when it could last be read, at or before a mainline commit."""
        try:
            return self.read(entry)
        except Unreadable:
            pass
        for older in self.repository.earlier(commit, entry.path, _VERSIONS_BACK):
            for version in self.repository.tree(older, [entry.path]):
                try:
                    return self.read(version)
                except Unreadable:
                    continue
        return ()


def changes(
    reader: Reader, commit: Commit, before: str, edits: list[Edit], origin: Origin
) -> tuple[list[EvidenceItem], list[Gap]]:
    """Items for what a commit changed on the mainline, and the files that could not be read."""
    old: dict[_Key, tuple[Declared, Entry]] = {}
    new: dict[_Key, tuple[Declared, Entry]] = {}
    unread = []
    for edit in edits:
        try:
            there = reader.read(edit.new)
        except Unreadable as error:
            unread.append(Gap(shown(edit.new.path), str(error)))
            continue  # what it held before is neither gone nor changed until it can be read again
        new |= {_key(d): (d, edit.new) for d in there}
        if before and edit.old.mode:
            old |= {_key(d): (d, edit.old) for d in reader.before(edit.old, before)}
    wrote = {key: _writer(reader, *one, commit, before) for key, one in new.items()
             if _approves(one[0]) and not origin.signers}  # fmt: skip
    return list(_differences(old, new, commit, origin, wrote)), unread


def _writer(
    reader: Reader, declared: Declared, entry: Entry, commit: Commit, before: str
) -> Commit:
    """The commit that wrote a record as it stands: not one that touched its file since, and of a
    merge the first of those it brought that holds it."""
    repository, path = reader.repository, entry.path
    for older in repository.earlier(before, path, _VERSIONS_BACK) if before else ():
        if not _holds(reader, older, path, declared):
            break
        (commit,) = repository.commits([older])
        before = commit.parents[0] if commit.parents else ""
    if len(commit.parents) < 2:
        return commit
    brought = repository.touching(before, commit.id, [path])
    return next((one for one in repository.commits(brought)
                 if _holds(reader, one.id, path, declared)), commit)  # fmt: skip


def _holds(reader: Reader, commit: str, path: str, declared: Declared) -> bool:
    """Whether the file held this very record at a commit."""
    try:
        there = (known for entry in reader.repository.tree(commit, [path])
                 for known in reader.read(entry))  # fmt: skip
        return any(_same_record(declared, known) for known in there)
    except Unreadable:
        return False


def _same_record(one: Declared, other: Declared) -> bool:
    return _key(one) == _key(other) and _bare(one).payload == _bare(other).payload


def _key(declared: Declared) -> _Key:
    return declared.kind, declared.subject, str(declared.payload.get("id", ""))


def _differences(
    old: Mapping[_Key, tuple[Declared, Entry]],
    new: Mapping[_Key, tuple[Declared, Entry]],
    commit: Commit,
    origin: Origin,
    wrote: Mapping[_Key, Commit],
) -> Iterator[EvidenceItem]:
    for key, (declared, entry) in new.items():
        if key not in old:
            yield _item(declared, entry, commit, Change.NEW, origin, wrote.get(key))
        elif change := _change(old[key][0], declared):
            yield _item(declared, entry, commit, change, origin, wrote.get(key))
    standing = _standing(new, origin)
    for key in sorted(old.keys() - new.keys()):
        lost, entry = old[key]
        stands = standing.get((lost.subject, _system(lost, entry.path, origin)))
        if stands is None:
            yield _gone(lost, entry.path, commit, origin)
        elif stands in old:  # of a person's two statements one was taken out: the other holds again
            yield _item(*new[stands], commit, Change.CHANGED, origin, wrote.get(stands))


def _change(old: Declared, new: Declared) -> Change | None:
    """A record that only its register's review touched was looked at again: it did not change.

    None where nothing is new. A review that went back to an earlier day is a change: else the
    later day would stand.
    """
    if _bare(old) != _bare(new):
        return Change.CHANGED
    if old.dated == new.dated:
        return None
    forward = old.dated and new.dated and new.dated > old.dated
    return Change.NEW if forward else Change.CHANGED


def _bare(declared: Declared) -> Declared:
    """Without the review that a record has from its register."""
    header = declared.payload.get("header")
    if not isinstance(header, Mapping):
        return declared
    kept = {k: v for k, v in header.items() if k not in ("reviewed", "approved")}
    return replace(declared, payload={**declared.payload, "header": kept}, dated=None)


def _standing(
    new: Mapping[_Key, tuple[Declared, Entry]], origin: Origin
) -> dict[tuple[str, str], _Key]:
    """The newest of what stands for each subject and system."""
    found: dict[tuple[str, str], _Key] = {}
    for key, (one, entry) in new.items():
        about = one.subject, _system(one, entry.path, origin)
        known = found.get(about)
        if known is None or (one.dated or _NEVER) > (new[known][0].dated or _NEVER):
            found[about] = key
    return found


def _item(
    declared: Declared, entry: Entry, commit: Commit, change: Change, origin: Origin,
    wrote: Commit | None,
) -> EvidenceItem:  # fmt: skip
    path = entry.path
    at, note = _observed(declared, commit, origin.collected_at)
    if wrong := _believed(declared, commit, origin):
        declared = replace(declared, problems=tuple(map(Problem, wrong)))
    payload = beside(declared.payload, _provenance(path, commit))
    if declared.kind == DOCUMENT or approval.TEXT in payload:
        payload["blob"] = entry.blob
    if note:
        payload["reviewed_note"] = note
    if declared.problems:
        payload["problems"] = list(map(str, declared.problems))
    if declared.actor:
        payload["by_is_author"] = declared.actor in (commit.author, commit.author_email)
    if wrote is not None:
        payload["written_by"] = {"author": _person(wrote), "committer": _committer(wrote)}
    if origin.signers and (declared.kind == ATTESTATION or _approves(declared)):
        payload["signed_by"] = origin.signers.person(commit)
    flaw = f" ({one_line(declared.problems[0])})" if declared.problems else ""
    return EvidenceItem(
        source=origin.source, kind=declared.kind, subject=declared.subject, observed_from=at,
        observed_to=at, collected_at=origin.collected_at, payload=payload,
        system=_system(declared, path, origin), title=declared.title + flaw, change=change,
        outcome=declared.outcome, actor=declared.actor or _person(commit),
        locator=f"{shown(path)}@{commit.id}",
    )  # fmt: skip


def _gone(declared: Declared, path: str, commit: Commit, origin: Origin) -> EvidenceItem:
    at = min(commit.committed_at, origin.collected_at)
    kept = {k: declared.payload[k] for k in ("id", "register", "level", "doc_type", "control")
            if k in declared.payload}  # fmt: skip
    return EvidenceItem(
        source=origin.source, kind=declared.kind, subject=declared.subject, observed_from=at,
        observed_to=at, collected_at=origin.collected_at,
        payload=kept | _provenance(path, commit), system=_system(declared, path, origin),
        title=f"{declared.title} is gone", change=Change.GONE, actor=_person(commit),
        locator=f"{shown(path)}@{commit.id}",
    )  # fmt: skip


def _observed(declared: Declared, commit: Commit, now: datetime) -> tuple[datetime, str]:
    """The declared review, but never later than the commit that brought it, nor than now."""
    committed = min(commit.committed_at, now)
    if declared.dated is None:
        return committed, ""
    if declared.dated > committed:
        early = declared.dated - committed <= EARLY
        day = declared.dated.date().isoformat()
        return committed, "" if early else f"declared for {day}, after its commit: not believed"
    return declared.dated, ""


def _believed(declared: Declared, commit: Commit, origin: Origin) -> tuple[str, ...]:
    """Why a statement that reads well counts for nothing as of its commit; empty if it counts."""
    if _approves(declared) and not declared.problems and not declared.payload.get("withdrawn"):
        told_at = min(commit.committed_at, origin.collected_at)
        doubt = origin.signers.doubt(commit, person(str(declared.payload["by"])))
        return tuple(filter(None, (approval.late(declared.payload, told_at), doubt)))
    if declared.kind != ATTESTATION:
        return ()
    try:
        told = Statement.read(declared.payload)
    except InvalidItem:
        return ()  # its problems say so already
    if told.withdrawn:
        return ()
    late = recorded(told.at, told.until, min(commit.committed_at, origin.collected_at))
    return tuple(filter(None, (late, origin.signers.doubt(commit, told.by))))


def _approves(declared: Declared) -> bool:
    """Whether it is the approval of a text by a person."""
    known = (declared.payload.get(name) for name in ("register", "level"))
    return tuple(known) == (approval.REGISTER, "record")


def history(commit: Commit, files: list[str], unread: list[Gap], origin: Origin) -> EvidenceItem:
    """The item of one commit that touched registers or documents."""
    at = min(commit.committed_at, origin.collected_at)
    payload = {
        "subject": one_line(commit.subject), "author": _person(commit),
        "authored_at": stamp(commit.authored_at), "committed_at": stamp(commit.committed_at),
        "committer": _committer(commit),
        "parents": list(commit.parents), "signature": commit.signature,
        "signed": commit.signature in "GUXYR", "files": files[:_FILES_NAMED],
        "files_count": len(files),
        "unreadable": [{"file": gap.what, "why": gap.why} for gap in unread],
    }  # fmt: skip
    return EvidenceItem(
        source=origin.source, kind=HISTORY, subject=commit.id, observed_from=at, observed_to=at,
        collected_at=origin.collected_at, payload=payload, actor=_person(commit),
        title=one_line(commit.subject) or "(a commit without a message)", locator=commit.id,
    )  # fmt: skip


def head_gaps(reader: Reader, files: list[Entry]) -> tuple[int, list[Gap]]:
    """How many of the files that stand now can be read, and why the others cannot."""
    reader.load(files)
    gaps, names, readable = [], dict[str, str](), 0
    for entry in files:
        try:
            declared = reader.read(entry)
        except Unreadable as error:
            gaps.append(Gap(shown(entry.path), str(error)))
            continue
        readable += 1
        if declared[0].kind == DOCUMENT:
            continue
        first = names.setdefault(declared[0].subject, shown(entry.path))
        if first != shown(entry.path):
            gaps.append(Gap(shown(entry.path), f"declares the same register as {first}"))
    return readable, gaps


def _provenance(path: str, commit: Commit) -> dict[str, object]:
    return {
        "file": shown(path), "commit": commit.id, "author": _person(commit),
        "committed_at": stamp(commit.committed_at), "signature": commit.signature,
    }  # fmt: skip


def _system(declared: Declared, path: str, origin: Origin) -> str:
    key = str(declared.payload.get("id", ""))
    return declared.system or system_of(origin.systems, path, key)


def _person(commit: Commit) -> str:
    return one_line(f"{commit.author} <{commit.author_email}>")


def _committer(commit: Commit) -> str:
    return one_line(f"{commit.committer} <{commit.committer_email}>")
