"""Read registers and documents as they lie in a folder, before anybody commits them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collectors._git.register_files import (
    DOCUMENT,
    REGISTER,
    Declared,
    Problem,
    read_document,
    read_register,
)
from collectors._git.register_items import LARGEST, Places
from collectors._safe_yaml import Unreadable
from evidence.errors import ConfigError
from evidence.fields import like, named_fields, unread_fields
from evidence.held import Held, Record, Whole
from evidence.incidents import REGISTERS as INCIDENTS
from evidence.incidents import read_record
from evidence.references import Unowned, dangling, unowned
from evidence.registers import register_called
from flows.config import now
from flows.consistency import frameworks_known, record_of, whole_of
from flows.notification import words_of
from flows.terminal import printable
from mappings.in_force import mapping_in_force
from mappings.law import load_law

Say = Callable[[str], None]
_LEVEL, _DRAFT = "level", "draft"


@dataclass(slots=True)
class _File:
    """What a file declares and what is wrong with it."""

    name: str
    declared: list[Declared]
    problems: list[Problem] = field(default_factory=list)

    @property
    def draft(self) -> bool:
        return any(one.payload.get(_LEVEL) == _DRAFT for one in self.declared)

    @property
    def unknown(self) -> str:
        """The register's name if no shipped rule takes a register by it, else empty."""
        names = {str(one.payload.get("register") or "") for one in self.declared}
        return next((name for name in names if name and register_called(name) is None), "")


def check_folder(folder: Path, places: Places, say: Say) -> int:
    """Say of each file what a pull would say of it, and what it names that no other file here
    holds, as `file:line: why`; 1 if anything is wrong.

    A draft is told as one; it is no mistake. What only registers that are not here could hold is
    told as not followed. Raises ConfigError if there is nothing to read.
    """
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    held = [f for f in files if places.holds(f.relative_to(folder).as_posix())]
    if not held:
        raise ConfigError(
            f"{folder}: no register or document below {' or '.join(places.paths())}; name the "
            "folders with --registers and --documents"
        )
    read = [_read(file.relative_to(folder).as_posix(), file, places) for file in held]
    notes = _follow(read)
    for one in read:
        for problem in one.problems:
            line = f":{problem.line}" if problem.line else ""
            say(printable(f"{one.name}{line}: {problem.why}"))
        if one.draft:
            say(printable(f"{one.name}: a draft, which counts for nothing yet"))
        if one.unknown:
            why = f"no register that Headwater knows is called {one.unknown}"
            say(printable(f"{one.name}: {why}: none of its rules takes it"))
    for note in notes:
        say(printable(note))
    wrong = sum(len(one.problems) for one in read)
    say(f"{len(held)} files read, {wrong} mistake{'' if wrong == 1 else 's'}")
    return 1 if wrong else 0


def _read(name: str, file: Path, places: Places) -> _File:
    try:
        raw = file.read_bytes()
    except OSError as error:
        return _File(name, [], [Problem(f"cannot be read: {error.strerror}")])
    if len(raw) > LARGEST:
        return _File(name, [], [Problem(f"has {len(raw):,} bytes; at most {LARGEST:,} are read")])
    read = read_register if places.holds_register(name) else read_document
    try:
        declared = read(name, raw)
    except Unreadable as error:
        why = str(error).removeprefix(f"line {error.line}: ")
        return _File(name, [], [Problem(why, error.line)])
    return _File(name, declared, list(_problems(declared)))


def _problems(declared: list[Declared]) -> Iterator[Problem]:
    """Each once: what is wrong with a register's own date is wrong with each of its records."""
    yield from dict.fromkeys(problem for one in declared for problem in one.problems)
    for one in declared:
        if one.payload.get(_LEVEL) == "record" and one.payload["register"] in INCIDENTS:
            yield from _of_incident(one)


def _of_incident(one: Declared) -> Iterator[Problem]:
    """A misspelt kind starts no clock of law: it is told before it is committed, too."""
    told = list(map(str, one.problems))
    read = read_record({**one.payload, "problems": told}, words_of(load_law().deadlines))
    for why in read.problems[len(told) :]:
        yield Problem(f"{read.id}: {why}", one.lines.of(next(iter(named_fields(why)), "")))


def _follow(files: Sequence[_File]) -> list[str]:
    """Add to each file what it names that is not there, by the rule of `headwater consistency`;
    and say what cannot be followed here."""
    where = {
        f"{one.name} {number}": (one, declared)
        for one in files
        for number, declared in enumerate(one.declared)
    }
    declared = {key: one for key, (_, one) in where.items()}
    held = _held(declared, frameworks_known(mapping_in_force()))
    registers = [one for _, one in where.values() if one.kind == REGISTER]
    here = set(map(_called, registers))
    drafts = {_called(one) for one in registers if one.payload.get(_LEVEL) == _DRAFT}
    unfollowed = Counter[tuple[str, ...]]()
    for found in dangling(held):
        if found.registers and not here.intersection(found.registers):
            unfollowed[found.registers] += 1
            continue
        if not found.registers and found.field == "framework" and not found.near:
            continue  # one of their own, which headwater.toml names
        file, one = where[found.by.item_id]
        yet = " yet: it is a draft here" if drafts.intersection(found.registers) else ""
        file.problems.append(Problem(f"{found.why}{yet}", one.lines.of(found.field)))
    for record in held.records:
        known, (file, one) = register_called(record.register), where[record.item_id]
        for name, why in unread_fields(known.of_record, record.fields) if known else ():
            file.problems.append(Problem(f"{record.called}: {why}", one.lines.of(name)))
    for owner in unowned(held):
        for thing in owner.things:
            file, one = where[thing.item_id]
            file.problems.append(Problem(_told(owner, thing), one.lines.of("owner")))
    return [_note(many, registers) for registers, many in sorted(unfollowed.items())]


def _held(declared: dict[str, Declared], frameworks: Sequence[str]) -> Held:
    records, wholes = list[Record](), list[Whole]()
    for key, one in declared.items():
        row = {"item_id": key, "kind": one.kind, "subject": one.subject, "payload": one.payload}
        known = register_called(str(one.payload.get("register") or ""))
        level = one.payload.get(_LEVEL)
        if one.kind == REGISTER and known and level == "record":
            records.append(record_of(dict(one.payload) | {"item_id": key}, {}))
        elif one.kind == DOCUMENT or level == "register":
            whole = None if level == _DRAFT else whole_of(row)
            wholes += [whole] if whole else []
    return Held(now(), records, wholes, frameworks=frameworks)


def _called(one: Declared) -> str:
    """By the name that Headwater knows a register by; of a draft, too."""
    name = str(one.payload.get("register") or one.payload.get("draft_of") or "")
    known = register_called(name)
    return known.name if known else name


def _told(one: Unowned, thing: Record | Whole) -> str:
    if one.left is not None:
        return f"{thing.called} is owned by {one.owner}, who left on {one.left:%Y-%m-%d}"
    told = f"{thing.called} is owned by {one.owner}, who stands in no record of roles"
    return f"{told}{like(one.near)}"


def _note(many: int, registers: Sequence[str]) -> str:
    named = "1 name" if many == 1 else f"{many} names"
    return (
        f"not followed: {named} of {' or '.join(registers)}, as no register here is called so; "
        "`headwater consistency` follows them among all that landed"
    )
