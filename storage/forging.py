"""The tools of a forger, for trials on copies: what somebody who can write to the lake can do.

Only the attacks use them. Every file is replaced, never written into: the copies that the
trials work on share their untouched files.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.errors import LakeError
from storage.files import file_sha256, read_rows, write_files
from storage.keys import Signer
from storage.lake import Lake
from storage.place_local import LocalPlace
from storage.rows import identity_of
from storage.schema import TABLES
from storage.views import connect

Row = dict[str, Any]
Change = Callable[[Row], Sequence[Row]]
"""What becomes of one row: itself altered, nothing, or more than one."""


class NotApplicable(LakeError):
    """This lake holds nothing that the attack could alter; the message says what is lacking."""


@dataclass(frozen=True)
class Field:
    """A copy of a sealed lake, its witness, and a key made for the trial."""

    folder: Path
    signer: Signer
    clock: Callable[[], datetime]

    @property
    def path(self) -> Path:
        """The lake."""
        return self.folder / "lake"

    @property
    def witness(self) -> Path:
        """The checkpoint's copy outside the lake."""
        return self.folder / "witness"

    @cached_property
    def lake(self) -> Lake:
        """The lake, opened."""
        return Lake.open(self.path, clock=self.clock)

    @cached_property
    def ids(self) -> list[str]:
        """The sealed items in the ledger's order. Raises NotApplicable under three."""
        with connect(self.lake) as connection:
            rows = connection.execute("SELECT item_id FROM leaves ORDER BY leaf_index").fetchall()
        if len(rows) < 3:
            raise NotApplicable("fewer than three sealed items")
        return [row[0] for row in rows]

    @property
    def middle(self) -> str:
        """An item from the middle of the ledger."""
        return self.ids[len(self.ids) // 2]

    def files(self, table: str) -> list[Path]:
        """The data files that readers of a table are given. Raises NotApplicable if none."""
        files = sorted(file.path for file in self.lake.files(table))
        if not files:
            raise NotApplicable(f"the table {table} is empty")
        return files

    def file_of(self, item_id: str) -> Path:
        """The data file of the evidence that holds an item."""
        for file in self.files("evidence"):
            with pq.ParquetFile(file) as opened:
                if item_id in opened.read(columns=["item_id"])["item_id"].to_pylist():
                    return file
        raise NotApplicable(f"no file holds {item_id}")

    def entries(self, table: str) -> list[Path]:
        """The log entries of a table that lie as files of their own, oldest first."""
        found = sorted((self.path / table / "_delta_log").glob("*.json"))
        return [path for path in found if path.stem.isdigit()]


def replace_file(path: Path, content: bytes) -> None:
    """The file's new content, under a new file: what shares the old one keeps it."""
    fresh = path.with_name(path.name + ".forged")
    fresh.write_bytes(content)
    fresh.replace(path)


def rewrite(file: Path, change: Change) -> list[Row]:
    """Rewrite a data file row by row; the rows as they were."""
    with pq.ParquetFile(file) as opened:
        table = opened.read()
    rows = table.to_pylist()
    after = [new for row in rows for new in change(row)]
    fresh = file.with_name(file.name + ".forged")
    pq.write_table(pa.Table.from_pylist(after, schema=table.schema), fresh, compression="zstd")
    fresh.replace(file)
    return rows


def only(item_id: str, change: Change) -> Change:
    """The change for one item, every other row as it is."""
    return lambda row: change(row) if row["item_id"] == item_id else [row]


def edited(item_id: str, **values: Any) -> Change:
    """New values in the columns of one item."""
    return only(item_id, lambda row: [row | values])


def cover_tracks(field: Field, table: str, file: Path, work: Callable[[], object]) -> None:
    """Do `work` to a data file, then redo what the table's log says of its bytes and rows."""
    before, rows = file_sha256(file), _rows(file)
    work()
    after, left = file_sha256(file), _rows(file)
    for entry in field.entries(table):
        text = entry.read_text(encoding="utf-8")
        if before in text:
            # The name keeps the old digest: whoever renames the file has to rewrite more.
            told = re.sub(rf"{before}(?!\.parquet)", after, text)
            if rows != left:
                old, new = (f'numRecords\\":{number},' for number in (rows, left))
                told = told.replace(old, new)
            replace_file(entry, told.encode())


def _rows(file: Path) -> int:
    with pq.ParquetFile(file) as opened:
        return int(opened.metadata.num_rows)


def redone(row: Row) -> Row:
    """The row with payload digest and id computed anew, as a careful forger does."""
    row = row | {"content_sha256": hashlib.sha256(row["payload"].encode()).hexdigest()}
    return row | {"item_id": hashlib.sha256(identity_of(row)).hexdigest()}


def whole(row: Row, file: Path) -> Row:
    """The row with the column that lies in the file's folder name."""
    return row | {"month": file.parent.name.partition("=")[2]}


def lie_in_checkpoint(
    field: Field, table: str, change: Callable[[Mapping[str, Any]], Row | None]
) -> None:
    """Alter what the table's own short cut for readers says of its files; None leaves one out."""
    from deltalake import DeltaTable

    DeltaTable(field.path / table).create_checkpoint()
    for file in (field.path / table / "_delta_log").glob("*.checkpoint.parquet"):
        with pq.ParquetFile(file) as opened:
            short = opened.read()
        rows = list(_lied(short.to_pylist(), change))
        fresh = file.with_name(file.name + ".forged")
        pq.write_table(pa.Table.from_pylist(rows, schema=short.schema), fresh)
        fresh.replace(file)


def _lied(rows: Sequence[Row], change: Callable[[Mapping[str, Any]], Row | None]) -> Iterator[Row]:
    for row in rows:
        if row.get("add") is None:
            yield row
        elif (told := change(row["add"])) is not None:
            yield row | {"add": told}


def false_rewrite(field: Field, table: str, change: Change) -> None:
    """A log entry that takes out the files of one folder and puts in one that was altered.

    It says that it changed nothing, as a compaction does.
    """
    root, spec = field.path / table, TABLES[table]
    told = field.lake.table(table)
    folder = field.file_of(field.middle).parent if table == "evidence" else root
    old = [file for file in told.files() if file.path.parent == folder]
    if not old:
        raise NotApplicable(f"the table {table} is empty")
    rows = [row for file in old for row in read_rows(file.path, file.partition).to_pylist()]
    forged = pa.Table.from_pylist([new for r in rows for new in change(r)], schema=spec.schema)
    if not forged.num_rows:
        raise NotApplicable("a whole month would be gone")
    (new,) = write_files(LocalPlace(root), spec, forged)
    add = {
        "path": new.relative, "partitionValues": dict(new.partition), "size": new.size,
        "modificationTime": new.modified_ms, "dataChange": False, "stats": new.stats,
    }  # fmt: skip
    actions: list[Row] = [
        {"commitInfo": {"timestamp": 1, "headwater": {"files": {new.relative: new.sha256}}}},
        {"add": add},
    ]
    for file in old:
        path = file.path.relative_to(root).as_posix()
        remove_action = {"path": path, "dataChange": False, "deletionTimestamp": 1}
        actions.append({"remove": remove_action | {"partitionValues": dict(file.partition)}})
    entry = root / "_delta_log" / f"{told.version + 1:020}.json"
    entry.write_text("".join(json.dumps(action) + "\n" for action in actions), encoding="utf-8")


def append_rows(field: Field, rows: Sequence[Row]) -> None:
    """A commit of evidence as a program writes it that does not ask for what is known."""
    spec = TABLES["evidence"]
    columns = [pa.array([row[f.name] for row in rows], f.type) for f in spec.schema]
    table = pa.Table.from_arrays(columns, schema=spec.schema)
    field.lake.table("evidence").commit([table], metadata={"source": "forger"})


def remove(path: Path) -> None:
    """A file or a folder with everything in it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
