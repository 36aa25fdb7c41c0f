"""Attacks on history: replayed, cut short, forked, back-dated."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from evidence.model import EvidenceItem
from storage.checkpoints import CHECKPOINT, history_name, history_sizes
from storage.forging import Field, append_rows, remove, replace_file
from storage.lake import Lake
from storage.ledger import integrate
from storage.place_local import LocalPlace
from storage.rows import evidence_rows
from storage.views import connect


def _item(field: Field, number: int) -> EvidenceItem:
    at = field.clock()
    return EvidenceItem(
        source="selftest", kind="selftest.item", subject=f"selftest-{number}", observed_from=at,
        observed_to=at, collected_at=at, payload={"number": number}, title="For the trial",
    )  # fmt: skip


def _land(field: Field, *numbers: int) -> None:
    items = [_item(field, number) for number in numbers]
    bookmark = field.lake.bookmark("selftest")
    field.lake.land("selftest", items, bookmark=bookmark, cursor=None, pull_id="selftest")


def _seal(field: Field, *, witness: bool = True) -> None:
    integrate(field.lake, field.signer, witness=field.witness if witness else None)


def _aside(field: Field) -> Path:
    kept = field.folder / "older"
    shutil.copytree(field.path, kept)
    return kept


def _back(field: Field, kept: Path) -> None:
    remove(field.path)
    kept.rename(field.path)


def replay(field: Field) -> str:
    kept = _aside(field)
    _land(field, 1, 2)
    _seal(field)
    _back(field, kept)
    return "set back"


def cut(field: Field) -> str:
    before = {table: len(field.entries(table)) for table in field.lake.tables}
    sealed = history_sizes(LocalPlace(field.path))[-1]
    _land(field, 1)
    _seal(field)
    for table, kept in before.items():
        for entry in field.entries(table)[kept:]:
            remove(entry)
        for short in (field.path / table / "_delta_log").glob("*checkpoint*"):
            remove(short)
    remove(field.path / history_name(history_sizes(LocalPlace(field.path))[-1]))
    replace_file(field.path / CHECKPOINT, (field.path / history_name(sealed)).read_bytes())
    return "set back"


def fork(field: Field) -> str:
    kept = _aside(field)
    _land(field, 1)
    _seal(field)
    _back(field, kept)
    _land(field, 2)
    _seal(field, witness=False)
    return ""


def longer_fork(field: Field) -> str:
    kept = _aside(field)
    _land(field, 1)
    _seal(field)
    _back(field, kept)
    _land(field, 2, 3, 4)
    _seal(field, witness=False)
    return ""


def back_dated(field: Field) -> str:
    past = field.clock() - timedelta(days=365)
    rows = evidence_rows([_item(field, 1)], landed_at=past, pull_id="selftest").to_pylist()
    append_rows(field, rows)
    return "backwards"


def clock_back(field: Field) -> str:
    earlier = Field(field.folder, field.signer, lambda: field.clock() - timedelta(days=365))
    _land(earlier, 1)
    _seal(earlier)
    return "backwards"


def dated_ahead(field: Field) -> str:
    later = Field(field.folder, field.signer, lambda: field.clock() + timedelta(days=365))
    _land(later, 1)
    _seal(field)
    return "later than now"


def older_checkpoint(field: Field) -> str:
    sealed = history_sizes(LocalPlace(field.path))[-1]
    _land(field, 1)
    _seal(field)
    _older_note(field, sealed)
    return "set back"


def _older_note(field: Field, sealed: int) -> bytes:
    older = (field.path / history_name(sealed)).read_bytes()
    remove(field.path / history_name(history_sizes(LocalPlace(field.path))[-1]))
    replace_file(field.path / CHECKPOINT, older)
    return older


def older_witness(field: Field) -> str:
    sealed = history_sizes(LocalPlace(field.path))[-1]
    _land(field, 1)
    _seal(field)
    replace_file(field.witness, _older_note(field, sealed))
    return "the witness was set back"


def no_witness(field: Field) -> str:
    remove(field.witness)
    return "the witness copy is missing"


def anew(field: Field) -> str:
    with connect(field.lake) as connection:
        query = "SELECT * FROM evidence ORDER BY landed_at"
        rows = connection.execute(query).to_arrow_table().to_pylist()
    rows[len(rows) // 2]["title"] = "Nothing to see"
    remove(field.path)
    Lake.create(field.path, clock=field.clock)
    append_rows(field, rows)
    _seal(field, witness=False)
    return ""
