"""What is past its time goes: files that others took the place of long ago, and unfinished ones."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from evidence.errors import LakeError
from storage.commits import Commit
from storage.delta import Table
from storage.files import DataFile
from storage.place import Place
from storage.same import check_bytes, open_spilling, selected

GRACE = timedelta(days=1)
"""How old a file of no version must be: a younger one may be a landing under way."""


@dataclass(slots=True)
class Swept:
    """Files deleted and their bytes; `refused` are sentences: what was kept, and why."""

    deleted: int = 0
    size: int = 0
    refused: list[str] = field(default_factory=list)


def sweep(table: Table, *, before: datetime, sealed: int) -> Swept:
    """Delete files taken out of the table before a moment, and strays older than a day.

    A file taken out goes only if a version up to `sealed` took it out, and if every row of it is in
    the files of today, whose bytes are those that the log names. Else it stays and is named.
    Raises LakeError if the table cannot be read.
    """
    done = Swept()
    files = {file.name: file for file in table.files()}
    spare = _there(table.place) - files.keys()
    if not spare:
        return done
    taken, added = _told(table, spare)
    for folder, names in _by_folder(taken):
        due = [n for n in names if taken[n].version <= sealed and taken[n].at <= before]
        if due:
            stand = [file for name, file in files.items() if name.rpartition("/")[0] == folder]
            _delete_replaced(table, due, stand, done)
    for name in sorted(added - taken.keys()):
        done.refused.append(
            f"{table.spec.name}/{name} landed and was never taken out, but readers are not shown "
            "it; it is kept: run `headwater verify`"
        )
    strays = [n for n in spare - taken.keys() - added if _age(table.place, n) > GRACE]
    _delete(table, strays, done)
    return done


def _there(place: Place) -> set[str]:
    found = (name for name in place.names() if name.endswith(".parquet"))
    return {name for name in found if not name.startswith("_")}


def _told(table: Table, spare: set[str]) -> tuple[dict[str, Commit], set[str]]:
    """By which commit each of these files was taken out, and which of them were ever added."""
    taken: dict[str, Commit] = {}
    added: set[str] = set()
    expected = table.version
    for commit in table.backwards():
        if commit.version != expected:
            break
        taken |= {path: commit for path in spare.intersection(commit.removes) - taken.keys()}
        added |= spare.intersection(add.path for add in commit.adds)
        expected -= 1
        if len(taken) == len(spare):
            return taken, added
    if expected >= 0:
        raise LakeError(f"log entry {expected} of table {table.spec.name} is gone: nothing is "
                        "deleted; run `headwater verify`")  # fmt: skip
    return taken, added


def _by_folder(names: Iterable[str]) -> list[tuple[str, list[str]]]:
    folders: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        folders[name.rpartition("/")[0]].append(name)
    return sorted(folders.items())


def _age(place: Place, name: str) -> timedelta:
    """By the clock of the machine; a store sets the file's time by its own, which a day allows."""
    facts = place.facts(name)
    return datetime.now(UTC) - facts.at if facts else timedelta()  # its writer took it back


def _delete_replaced(
    table: Table, names: Sequence[str], stand: Sequence[DataFile], done: Swept
) -> None:
    try:
        check_bytes(table, stand)
        lost = _lost(table, names, stand)
    except (LakeError, duckdb.Error) as error:
        done.refused.append(f"older files of {table.spec.name} are kept: {error}")
        return
    if lost is None:
        _delete(table, names, done)
        return
    done.refused.append(
        f"older files of {table.spec.name} are kept: of {len(names)} files one holds a row that no "
        f"file of today holds ({lost}); run `headwater verify`"
    )


def _lost(table: Table, names: Sequence[str], stand: Sequence[DataFile]) -> object:
    """The first column of a row that only the older files hold, None if there is no such row."""
    columns = ["item_id"] if table.spec.name == "evidence" else table.spec.file_schema.names
    old = selected(table.spec, table.place.locals(names), columns)
    new = selected(table.spec, table.place.locals(f.name for f in stand), columns) if stand else ""
    with (
        tempfile.TemporaryDirectory(prefix="headwater-") as spill,
        open_spilling(Path(spill)) as engine,
    ):
        row = engine.execute(f"{old} EXCEPT {new} LIMIT 1" if new else f"{old} LIMIT 1").fetchone()
    return None if row is None else row[0]


def _delete(table: Table, names: Sequence[str], done: Swept) -> None:
    for name in names:
        if facts := table.place.facts(name):
            table.place.remove(name)
            done.deleted += 1
            done.size += facts.size
