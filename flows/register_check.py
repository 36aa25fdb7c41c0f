"""Read registers and documents as they lie in a folder, before anybody commits them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from collectors._git.register_files import Declared, Problem, read_document, read_register
from collectors._git.register_items import LARGEST, Places
from collectors._safe_yaml import Unreadable
from evidence.errors import ConfigError
from evidence.incidents import REGISTERS as INCIDENTS
from evidence.incidents import read_record
from flows.notification import words_of
from flows.terminal import printable
from mappings.law import load_law

Say = Callable[[str], None]


def check_folder(folder: Path, places: Places, say: Say) -> int:
    """Say of each file what a pull would say of it, as `file:line: why`; 1 if anything is wrong.

    A draft is told as one; it is no mistake. Raises ConfigError if there is nothing to read.
    """
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    held = [f for f in files if places.holds(f.relative_to(folder).as_posix())]
    if not held:
        raise ConfigError(
            f"{folder}: no register or document below {' or '.join(places.paths())}; name the "
            "folders with --registers and --documents"
        )
    wrong = 0
    for file in held:
        name = file.relative_to(folder).as_posix()
        declared, problems = _read(name, file, places)
        wrong += len(problems)
        for problem in problems:
            line = f":{problem.line}" if problem.line else ""
            say(printable(f"{name}{line}: {problem.why}"))
        if declared and declared[0].payload.get("level") == "draft":
            say(printable(f"{name}: a draft, which counts for nothing yet"))
    say(f"{len(held)} files read, {wrong} mistakes")
    return 1 if wrong else 0


def _read(name: str, file: Path, places: Places) -> tuple[list[Declared], list[Problem]]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        return [], [Problem(f"cannot be read: {error.strerror}")]
    if len(raw) > LARGEST:
        return [], [Problem(f"has {len(raw):,} bytes; at most {LARGEST:,} are read")]
    read = read_register if places.holds_register(name) else read_document
    try:
        declared = read(name, raw)
    except Unreadable as error:
        return [], [Problem(str(error).removeprefix(f"line {error.line}: "), error.line)]
    return declared, list(_problems(declared))


def _problems(declared: list[Declared]) -> Iterator[Problem]:
    """Each once: what is wrong with a register's own date is wrong with each of its records."""
    yield from dict.fromkeys(problem for one in declared for problem in one.problems)
    for one in declared:
        if one.payload.get("level") == "record" and one.payload["register"] in INCIDENTS:
            yield from _of_incident(one)


def _of_incident(one: Declared) -> Iterator[Problem]:
    """A misspelt kind starts no clock of law: it is told before it is committed, too."""
    told = list(map(str, one.problems))
    read = read_record({**one.payload, "problems": told}, words_of(load_law().deadlines))
    for why in read.problems[len(told) :]:
        yield Problem(f"{read.id}: {why}")
