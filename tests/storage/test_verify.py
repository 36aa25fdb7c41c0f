"""Forgeries planted in a copy of a sealed lake: each is named, none passes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from evidence.errors import LakeError, VerificationFailed
from storage import case, rescan, survey
from storage.checkpoints import history_name, history_sizes
from storage.commits import log_versions
from storage.compact import compact
from storage.disposal import unfinished
from storage.files import read_rows
from storage.keys import Signer, load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.log_packs import commit_name
from storage.maintain import maintain
from storage.merkle import leaf_hash
from storage.note import LogChain
from storage.place import Place
from storage.processes import in_order
from storage.rows import identity_of, leaf_data
from storage.schema import TIME
from storage.survey import Finding
from storage.verify import examine, verify
from storage.views import connect
from storage.witness import Kept
from tests.storage.crasher import SQL
from tests.storage.makers import World, days, item


@dataclass
class Sealed:
    """A sealed lake that a test may spoil: 12 items in 4 commits over two months, all sealed."""

    path: Path
    witness: Path
    signer: Signer
    world: World

    @property
    def evidence(self) -> Path:
        return self.path / "evidence"

    def files(self) -> list[Path]:
        """The data files in ledger order."""
        table = self.world.lake.table("evidence")
        return [self.evidence / add.path for c in table.commits(0) for add in c.adds]

    def findings(self) -> list[Finding]:
        return [f for f in examine(self.path, self.signer.vkey, self.witness) if f.fatal]

    def said(self) -> str:
        """All that verification says; it must fail."""
        with pytest.raises(VerificationFailed) as failed:
            verify(self.path, self.signer.vkey, witness=self.witness)
        return "\n".join(failed.value.findings)


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("master")
    world = World(folder / "lake")
    make_key(folder / "key", origin="brookside.example/lake")
    for commit in range(4):
        numbers = (commit, commit + 4, commit + 20)
        world.land(*(item(n) for n in numbers), cursor=str(commit))
        integrate(world.lake, load_key(folder / "key"), witness=folder / "witness")
    return folder


@pytest.fixture
def sealed(master: Path, tmp_path: Path) -> Sealed:
    folder = tmp_path / "copy"
    shutil.copytree(master, folder)
    world = World(folder / "lake")
    return Sealed(folder / "lake", folder / "witness", load_key(folder / "key"), world)


def _rewrite(file: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    with pq.ParquetFile(file) as opened:
        table = opened.read()
    rows = change(table.to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)


def _edit(file: Path, column: str, value: object) -> str:
    """Change one value of the first row; the item id of that row."""
    ids = []

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ids.append(rows[0]["item_id"])
        return [rows[0] | {column: value}, *rows[1:]]

    _rewrite(file, change)
    return str(ids[0])


def test_an_untouched_lake_holds(sealed: Sealed) -> None:
    found = verify(sealed.path, sealed.signer.vkey, witness=sealed.witness)
    assert (found.size, found.items, found.notes) == (12, 12, ())
    assert found.origin == "brookside.example/lake"


def test_what_landed_since_is_a_note(sealed: Sealed) -> None:
    sealed.world.land(item(40), cursor="x")
    found = verify(sealed.path, sealed.signer.vkey, witness=sealed.witness)
    assert (found.size, found.items) == (12, 13)
    assert "1 items landed after the last seal" in found.notes[0]


def test_orphans_of_an_interrupted_write_are_a_note(sealed: Sealed) -> None:
    shutil.copy(sealed.files()[0], sealed.files()[0].with_name("orphan.parquet"))
    found = verify(sealed.path, sealed.signer.vkey, witness=sealed.witness)
    assert "1 files in evidence belong to no version" in found.notes[0]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("payload", '{"number":99}'), ("title", "Nothing to see"), ("outcome", "passed!"),
        ("system", ""), ("actor", "someone else"), ("observed_to", item(3).observed_to),
        ("landed_at", item(3).observed_to), ("pull_id", "another"), ("content_sha256", "0" * 64),
        ("locator", "https://elsewhere.example"), ("payload", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 3, -1])
def test_an_edited_item_is_named(sealed: Sealed, column: str, value: object, place: int) -> None:
    edited = _edit(sealed.files()[place], column, value)
    assert f"item {edited} was edited" in sealed.said()


def test_several_processes_say_what_one_says(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescan, "JOB_ROWS", 1)
    monkeypatch.setattr(rescan, "_FEW_JOBS", 1)
    asked = list[int]()

    def counted(work: Any, jobs: Any, processes: int) -> Any:
        asked.append(processes)
        return in_order(work, jobs, processes)

    monkeypatch.setattr(rescan, "in_order", counted)
    shared = verify(sealed.path, sealed.signer.vkey, witness=sealed.witness, processes=2)
    assert shared == verify(sealed.path, sealed.signer.vkey, witness=sealed.witness)
    first, second, third, fourth, *_ = sealed.files()
    edited = _edit(first, "title", "Nothing to see")
    second.unlink()
    third.write_bytes(b"no Parquet")
    _rewrite(fourth, lambda rows: [*rows, rows[0] | {"item_id": "another"}])
    said = [_said(sealed, processes) for processes in (1, 2)]
    assert said[0] == said[1]
    assert asked == [2, 2]
    assert {"edited", "file", "missing", "extra"} <= {kind for kind, _ in said[0]}
    assert any(edited in sentence for _, sentence in said[0])


def _said(sealed: Sealed, processes: int) -> list[tuple[str, str]]:
    found = examine(sealed.path, sealed.signer.vkey, sealed.witness, processes=processes)
    return [(finding.kind, finding.sentence) for finding in found]


def test_an_edit_with_every_digest_redone_is_named(sealed: Sealed) -> None:
    """The forger recomputes payload digest and id: the old id is missed, the new one is extra."""
    ids = []

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        row = rows[0] | {"payload": '{"number":7}'}
        row["content_sha256"] = hashlib.sha256(row["payload"].encode()).hexdigest()
        ids.extend([row["item_id"], hashlib.sha256(identity_of(row)).hexdigest()])
        return [row | {"item_id": ids[1]}, *rows[1:]]

    _rewrite(sealed.files()[2], change)
    said = sealed.said()
    assert f"item {ids[1]} is in no ledger" in said
    assert ids[0] in said
    assert "missing in the middle" in said


def _redo(sealed: Sealed) -> str:
    """Edit an item and its leaf; the item's id."""
    edited = _edit(sealed.files()[2], "title", "Nothing to see")
    rows = _made(sealed)
    for file in (sealed.path / "leaves").glob("*.parquet"):
        _rewrite(file, lambda old: [r | {"leaf_hash": rows[r["item_id"]]} for r in old])
    return edited


def test_an_edit_with_its_leaf_redone_is_named_by_the_tiles(sealed: Sealed) -> None:
    """Three places must tell the same: the third still has the sealed leaf."""
    edited = _redo(sealed)
    said = sealed.said()
    assert "the ledger's own list was altered; its tree of tiles still fits the seal" in said
    assert f"item {edited} was edited: its columns differ from its leaf" in said


def test_an_edit_with_its_leaf_and_tiles_redone_is_a_rewritten_history(sealed: Sealed) -> None:
    """The seal does not fit, and the range is named."""
    _redo(sealed)
    shutil.rmtree(sealed.path / "log/tile")
    said = sealed.said()
    assert "history was rewritten" in said
    assert "leaves 3 to 5 are not those that were sealed" in said


def _made(sealed: Sealed) -> dict[str, str]:
    """The leaf that each row makes as it is now."""
    table = sealed.world.lake.table("evidence")
    rows = [read_rows(f.path, f.partition) for f in table.files()]
    return {row["item_id"]: leaf_hash(leaf_data(row)).hex() for t in rows for row in t.to_pylist()}


def test_altered_leaves_over_true_evidence_are_told_apart(sealed: Sealed) -> None:
    file = next((sealed.path / "leaves").glob("*.parquet"))
    _rewrite(file, lambda rows: [r | {"leaf_hash": "ab" * 32} for r in rows])
    assert {f.kind for f in sealed.findings()} == {"file", "leaves"}
    assert "the evidence still fits the seal" in sealed.said()


@pytest.mark.parametrize(
    ("place", "kept", "where"),
    [(0, slice(1, None), "at the head"), (-1, slice(0, -1), "at the tail"),
     (2, slice(1, None), "in the middle")],
)  # fmt: skip
def test_a_missing_row_is_placed_and_named(
    sealed: Sealed, place: int, kept: slice, where: str
) -> None:
    lost: list[str] = []

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        lost.extend(r["item_id"] for r in rows if r not in rows[kept])
        return rows[kept]

    _rewrite(sealed.files()[place], change)
    said = sealed.said()
    assert f"1 sealed items are missing {where}" in said
    assert lost[0] in said


def test_a_deleted_file_is_named_with_its_items(sealed: Sealed) -> None:
    file = sealed.files()[0]
    file.unlink()
    said = sealed.said()
    assert f"the file evidence/{file.relative_to(sealed.evidence)} is gone" in said
    assert item(0).item_id in said


def test_a_deleted_partition_is_named(sealed: Sealed) -> None:
    shutil.rmtree(sealed.evidence / "month=2026-11")
    assert "the partition evidence/month=2026-11 is gone: 4 rows" in sealed.said()


def test_a_deleted_table_is_everything(sealed: Sealed) -> None:
    shutil.rmtree(sealed.evidence)
    said = sealed.said()
    assert "everything is gone: the table evidence has no log" in said
    assert "12 sealed items are missing everywhere" in said


def test_a_deleted_lake_is_everything(sealed: Sealed) -> None:
    shutil.rmtree(sealed.path)
    said = sealed.said()
    assert "everything is gone" in said
    assert "the ledger lists 0 of the 12 sealed items" in said


def test_a_lake_made_anew_is_no_lake_without_a_past(sealed: Sealed) -> None:
    shutil.rmtree(sealed.path)
    Lake.create(sealed.path, clock=sealed.world.clock)
    assert "the ledger lists 0 of the 12 sealed items" in sealed.said()


def test_an_unsealed_lake_is_not_reassuring(tmp_path: Path, sealed: Sealed) -> None:
    Lake.create(tmp_path / "new", clock=sealed.world.clock)
    with pytest.raises(VerificationFailed, match="checkpoint is missing"):
        verify(tmp_path / "new", sealed.signer.vkey)


def test_a_damaged_file_is_named(sealed: Sealed) -> None:
    file = sealed.files()[1]
    file.write_bytes(b"PAR1")
    assert str(file) in sealed.said()


def test_every_flipped_byte_is_found(sealed: Sealed) -> None:
    """Also where no row lies: a false statistic would hide a row from every reader."""
    file = sealed.files()[1]
    whole = file.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 90)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0xFF
        file.write_bytes(bytes(spoilt))
        assert "does not have the bytes that landed" in sealed.said()


def _times(column: Any, kind: Any) -> Any:
    """The column as it is, or with times at the end of 64 bits, of another type."""
    if not pa.types.is_timestamp(column.type):
        return column
    return pa.repeat(2**63 - 1, len(column)).cast(kind)


HOSTILE: dict[str, Callable[[Any], Any]] = {
    "lists": lambda column: pa.array([[1]] * len(column)),
    "records": lambda column: pa.array([{"a": {"b": [1]}}] * len(column)),
    "maps": lambda column: pa.array([[("a", 1)]] * len(column), pa.map_(pa.string(), pa.int64())),
    "bytes": lambda column: pa.array([b"\xff"] * len(column)),
    "numbers": lambda column: pa.array([float("nan")] * len(column)),
    "nothing": lambda column: pa.nulls(len(column), column.type),
    "times that no calendar holds": lambda column: _times(column, TIME),
    "a zone that is none": lambda column: _times(column, pa.timestamp("us", "Nowhere/Land")),
    "the same, other bytes": lambda column: column.combine_chunks().dictionary_encode(),
}


@pytest.mark.parametrize("table", ["evidence", "leaves"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_of_another_shape_is_named_and_ends_nothing(
    sealed: Sealed, table: str, name: str
) -> None:
    path = sealed.world.lake.local_files(table)[0]
    with pq.ParquetFile(path) as opened:
        there = opened.read()
    columns = {column: HOSTILE[name](there[column]) for column in there.column_names}
    pq.write_table(pa.table(columns), path)
    said = [found.sentence for found in sealed.findings() if found.kind == "file"]
    assert any(path.name in sentence for sentence in said)


@pytest.mark.parametrize("name", HOSTILE)
def test_whoever_reads_a_file_of_another_shape_says_so_in_one_sentence(
    sealed: Sealed, name: str
) -> None:
    lake = sealed.world.lake
    for path in [*lake.local_files("evidence"), *lake.local_files("leaves")]:
        with pq.ParquetFile(path) as opened:
            there = opened.read()
        columns = {column: HOSTILE[name](there[column]) for column in there.column_names}
        pq.write_table(pa.table(columns), path)
    shutil.rmtree(sealed.path / "index")
    verbs: list[Callable[[], object]] = [
        lambda: sealed.world.land(item(0), item(60), cursor="x"),
        lambda: integrate(lake, sealed.signer, witness=sealed.witness),
        lambda: maintain(lake, sealed.signer.verifier),
        lambda: unfinished(lake, sealed.signer),
        lambda: connect(lake).close(),
    ]
    for verb in verbs:
        with suppress(LakeError):
            verb()


def test_a_file_of_endless_rows_is_not_read_to_its_end(sealed: Sealed) -> None:
    path = sealed.files()[0]
    with pq.ParquetFile(path) as opened:
        schema = opened.schema_arrow
    nulls = {name: pa.nulls(100_000, schema.field(name).type) for name in schema.names}
    pq.write_table(pa.table(nulls, schema=schema), path)
    assert re.search(r"holds more than 100\d rows", sealed.said())


def test_two_swapped_files_are_found(sealed: Sealed) -> None:
    one, other = sealed.files()[0], sealed.files()[1]
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert sealed.findings()


def test_an_item_moved_to_another_month_is_named(sealed: Sealed) -> None:
    log = sealed.evidence / commit_name(1)
    log.write_text(log.read_text().replace('{"month":"2026-10"}', '{"month":"2025-10"}'))
    assert f"item {item(0).item_id} was edited" in sealed.said()


def test_rows_added_behind_the_seal_are_named(sealed: Sealed) -> None:
    extra = item(77)

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [*rows, rows[0] | {"item_id": extra.item_id}]

    _rewrite(sealed.files()[0], change)
    said = sealed.said()
    assert f"item {extra.item_id} is in no ledger" in said
    assert "holds 3 rows, not 2" in said


def test_a_row_twice_is_named(sealed: Sealed) -> None:
    _rewrite(sealed.files()[0], lambda rows: [*rows, rows[0]])
    assert f"item {item(0).item_id} is there 2 times" in sealed.said()


def test_a_log_entry_cut_out_is_named(sealed: Sealed) -> None:
    (sealed.evidence / commit_name(2)).unlink()
    said = sealed.said()
    assert "log entry 2 of table evidence is gone" in said
    assert "missing in the middle" in said


def test_a_log_cut_at_its_end_is_named(sealed: Sealed) -> None:
    (sealed.evidence / commit_name(4)).unlink()
    assert "3 sealed items are missing at the tail" in sealed.said()


def test_a_false_statistic_in_the_log_is_named(sealed: Sealed) -> None:
    """Views of the past skip files by it: one changed digit would hide the file."""
    log = sealed.evidence / commit_name(1)
    text = log.read_text()
    landed = text.partition('landed_at\\":\\"')[2][:10]
    assert landed
    log.write_text(text.replace(f'landed_at\\":\\"{landed}', 'landed_at\\":\\"2027-01-01'))
    assert "the evidence log up to version 1 is not the one that was sealed" in sealed.said()


def test_a_false_statistic_for_readers_is_named(sealed: Sealed) -> None:
    from deltalake import DeltaTable

    DeltaTable(sealed.evidence).create_checkpoint()
    (file,) = (sealed.evidence / "_delta_log").glob("*.checkpoint.parquet")
    table = pq.read_table(file)
    rows = [_lied(row) for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
    assert "readers of evidence are told otherwise of month=" in sealed.said()


def _lied(row: dict[str, Any]) -> dict[str, Any]:
    if row["add"]:
        row["add"]["stats"] = row["add"]["stats"].replace("2026-11-19", "2027-11-19")
    return row


def test_a_damaged_log_entry_is_named(sealed: Sealed) -> None:
    (sealed.evidence / commit_name(2)).write_text('{"add": {"path"')
    assert "is no log entry" in sealed.said()


def test_a_removal_written_to_the_log_is_named(sealed: Sealed) -> None:
    path = sealed.files()[0].relative_to(sealed.evidence).as_posix()
    action = {"remove": {"path": path, "dataChange": True, "deletionTimestamp": 1}}
    (sealed.evidence / commit_name(5)).write_text(json.dumps(action) + "\n")
    said = sealed.said()
    assert "version 5 of table evidence took rows out" in said
    assert item(0).item_id in said


def test_a_checkpoint_that_sets_a_source_back_is_named(sealed: Sealed) -> None:
    """Readers would take up the source where it stood before."""
    DeltaTable(sealed.evidence).create_checkpoint()
    (short_cut,) = (sealed.evidence / "_delta_log").glob("*.checkpoint.parquet")

    def set_back(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"txn": row["txn"] and row["txn"] | {"version": 1}} for row in rows]

    _rewrite(short_cut, set_back)
    assert "readers of evidence are told otherwise of 'source:jira'" in sealed.said()


@pytest.mark.parametrize("name", ["evidence", "tags", "leaves"])
def test_what_lands_while_verification_reads_is_no_finding(
    sealed: Sealed, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(place: Place) -> list[int]:
        versions = log_versions(place)
        if place.uri.endswith(name):
            sealed.world.land(item(50 + len(versions)), cursor=str(len(versions)))
            sealed.world.lake.follow_sql("tags", SQL, app="tags:m1")
            integrate(sealed.world.lake, sealed.signer, witness=sealed.witness)
        return versions

    monkeypatch.setattr(survey, "log_versions", listed)
    assert sealed.findings() == []


@pytest.mark.parametrize(
    "name",
    ["_delta_log/99999999999999999999.json", "_delta_log/00000999999999999999.json",
     "_log_packs/0-99999999999999999.parquet"],
)  # fmt: skip
def test_a_name_that_promises_endless_entries_is_not_counted_out(sealed: Sealed, name: str) -> None:
    path = sealed.evidence / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    found = sealed.findings()
    assert "_log_packs" in name or any("are gone" in f.sentence for f in found)


@pytest.mark.parametrize("content", [None, b"", b"[]", b"\xff", b'{"form": "headwater.lake/9"}'])
def test_a_lake_that_says_nothing_of_its_form_is_named(
    sealed: Sealed, content: bytes | None
) -> None:
    path = sealed.path / "lake.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert [found.kind for found in sealed.findings()] == ["form"]


def test_a_checkpoint_that_hides_files_from_readers_is_named(sealed: Sealed) -> None:
    """The log's own short cut is altered: readers see fewer files than the log tells."""
    from deltalake import DeltaTable

    log = sealed.evidence / "_delta_log"
    DeltaTable(sealed.evidence).create_checkpoint()
    (file,) = log.glob("*.checkpoint.parquet")
    table = pq.read_table(file)
    keep = [row["add"] is None or "month=2026-11" not in row["add"]["path"] for row in
            table.to_pylist()]  # fmt: skip
    pq.write_table(table.filter(pa.array(keep)), file)
    assert "readers of evidence are not shown 4 files of its log" in sealed.said()


def test_the_wrong_key_is_named(sealed: Sealed, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other", origin="brookside.example/lake")
    with pytest.raises(VerificationFailed, match="not signed by"):
        verify(sealed.path, other, witness=sealed.witness)


def test_a_forged_checkpoint_is_named(sealed: Sealed) -> None:
    head = sealed.path / "log/checkpoint"
    head.write_text(head.read_text().replace("\n12\n", "\n11\n"))
    assert "signature that does not hold" in sealed.said()


def test_a_removed_checkpoint_is_named(sealed: Sealed) -> None:
    (sealed.path / "log/checkpoint").unlink()
    assert "the lake's checkpoint is missing" in sealed.said()


def test_a_removed_witness_is_named(sealed: Sealed) -> None:
    sealed.witness.unlink()
    assert "the witness copy is missing" in sealed.said()


def test_a_lake_set_back_whole_is_named(sealed: Sealed, master: Path, tmp_path: Path) -> None:
    """An older, honest copy of everything: only the witness knows better."""
    sealed.world.clock.now += days(1)
    sealed.world.land(item(40), item(41), cursor="x")
    integrate(sealed.world.lake, sealed.signer, witness=sealed.witness)
    shutil.rmtree(sealed.path)
    shutil.copytree(master / "lake", sealed.path)
    said = sealed.said()
    assert "covers 12 items, the witness copy 14: the lake was cut or set back" in said
    assert "2 sealed items are missing at the tail" in said
    assert verify(sealed.path, sealed.signer.vkey).size == 12


def test_a_history_signed_anew_is_named(sealed: Sealed, tmp_path: Path) -> None:
    """The key holder builds another past of the same length: the witness does not agree."""
    shutil.rmtree(sealed.path)
    world = World(sealed.path)
    for commit in range(4):
        world.land(*(item(n + 100) for n in (commit, commit + 4, commit + 20)), cursor=str(commit))
    integrate(world.lake, sealed.signer)
    said = sealed.said()
    assert "history was rewritten" in said
    assert verify(sealed.path, sealed.signer.vkey).size == 12


def test_a_longer_history_that_does_not_continue_the_witness_is_named(sealed: Sealed) -> None:
    shutil.rmtree(sealed.path)
    world = World(sealed.path)
    world.land(*(item(n + 100) for n in range(15)), cursor="1")
    integrate(world.lake, sealed.signer)
    assert "leaves 0 to 11 are not those that were sealed" in sealed.said()


def test_an_altered_kept_checkpoint_is_named(sealed: Sealed) -> None:
    kept = sealed.path / history_name(6)
    kept.write_text(sealed.signer.sign(6, b"\x01" * 32, LogChain()).text)
    assert "leaves 3 to 5 are not those that were sealed" in sealed.said()


def test_the_integrator_refuses_to_sign_over_each_rewrite(sealed: Sealed) -> None:
    for file in (sealed.path / "leaves/_delta_log").glob(f"*{4}.json"):
        file.unlink()
    with pytest.raises(VerificationFailed, match="cut"):
        integrate(sealed.world.lake, sealed.signer)
    assert history_sizes(sealed.world.lake.place) == [3, 6, 9, 12]


def _tile(sealed: Sealed) -> Path:
    (tile,) = (path for path in (sealed.path / "log/tile").rglob("*") if path.is_file())
    return tile


def test_a_false_tile_is_named_and_a_lost_one_is_a_note(sealed: Sealed) -> None:
    tile = _tile(sealed)
    row = tile.read_bytes()
    tile.write_bytes(row[:-1] + bytes([row[-1] ^ 1]))
    assert "1 tiles of the tree are not what its leaves make" in sealed.said()
    for spoil in (lambda: tile.write_bytes(row[:-1]), tile.unlink):
        spoil()
        found = verify(sealed.path, sealed.signer.vkey, witness=sealed.witness)
        assert "1 tiles of the tree are missing or cut, first log/tile/0/000" in found.notes[0]


def test_with_rows_moved_and_the_list_altered_the_tiles_name_what_is_lost(sealed: Sealed) -> None:
    """Compacted files are in another order: only the tiles know which leaf was where."""
    lake, now = sealed.world.lake, sealed.world.clock.now + days(300)
    assert compact(lake.table("evidence"), lake.table("leaves"), sealed=lake.version, now=now).put
    for file in (sealed.path / "leaves").glob("*.parquet"):
        _rewrite(file, lambda rows: [r | {"leaf_hash": "ab" * 32} for r in rows])
    assert {f.kind for f in sealed.findings()} == {"file", "leaves"}
    (file, *_) = (f.path for f in lake.table("evidence").files() if f.rows > 1)
    lost: list[str] = []

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        lost.append(rows[0]["item_id"])
        return rows[1:]

    _rewrite(file, change)
    said = sealed.said()
    assert "its tree of tiles still fits the seal" in said
    assert "1 sealed items are missing" in said


def test_two_checkpoints_that_contradict_are_both_named(sealed: Sealed) -> None:
    """Our key signed another beginning of six items: no log begins with both."""
    own = (sealed.path / "log/checkpoint").read_text()
    other = sealed.signer.sign(6, b"f" * 32, LogChain(2, b"f" * 32))
    kept = [Kept("auditor", "the auditor's note", other.text)]
    with pytest.raises(VerificationFailed, match="forked") as failed:
        verify(sealed.path, sealed.signer.vkey, witness=sealed.witness, kept=kept)
    (told,) = (f for f in failed.value.findings if "forked" in f)
    assert "of 6 items with root " + b"f".hex() * 32 in told
    assert "that of 12 with root " in told
    assert set(failed.value.notes) == {other.text, own}


def test_a_checkpoint_from_the_future_is_named(sealed: Sealed) -> None:
    """Signed over more items, or a longer log, than the lake holds."""
    more = sealed.signer.sign(15, b"f" * 32, LogChain(6, b"f" * 32))
    (sealed.path / "log/checkpoint").write_text(more.text)
    said = sealed.said()
    assert "the ledger lists 12 of the 15 sealed items" in said
    assert "up to version 6 is not the one that was sealed; it can be followed to version 4" in said


def test_a_checkpoint_set_back_among_longer_ones_is_no_shorter_promise(sealed: Sealed) -> None:
    """A crash between history and checkpoint looks the same: what was signed last is what holds."""
    (sealed.path / "log/checkpoint").write_text((sealed.path / history_name(9)).read_text())
    found = verify(sealed.path, sealed.signer.vkey)
    assert (found.size, found.items) == (12, 12)
    assert "covers 9 items, the last one kept 12" in found.notes[0]
    sealed.files()[-1].unlink()
    with pytest.raises(VerificationFailed, match="missing at the tail"):
        verify(sealed.path, sealed.signer.vkey)


def test_a_checkpoint_in_another_ones_place_is_named(sealed: Sealed) -> None:
    (sealed.path / history_name(6)).write_text((sealed.path / history_name(9)).read_text())
    assert "the checkpoint 00000000000000000006 covers 9 items" in sealed.said()


@pytest.mark.parametrize("text", ["no hash at all", "AB" * 32, "ab" * 31, ""])
def test_an_id_that_is_no_hash_is_named_as_it_is(sealed: Sealed, text: str) -> None:
    """Also when its leaf was made of it: whatever the text, it is compared as text."""
    old = _edit(sealed.files()[0], "item_id", text)
    assert f"item {text} is in no ledger" in sealed.said()

    def renamed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [r | ({"item_id": text} if r["item_id"] == old else {}) for r in rows]

    for file in (sealed.path / "leaves").glob("*.parquet"):
        _rewrite(file, renamed)
    assert f"item {text} was edited: its id is not the digest" in sealed.said()


def test_a_thousand_findings_of_a_kind_are_counted_not_told(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case, "LISTED", 2)
    for file in sealed.files():
        _rewrite(file, lambda rows: [r | {"title": "x"} for r in rows])
    said = sealed.said()
    assert said.count("was edited") == 2
    assert "10 more findings of the kind 'edited' are not told one by one" in said


def test_progress_ends_with_every_row_read(sealed: Sealed) -> None:
    told: list[tuple[int, int]] = []
    verify(sealed.path, sealed.signer.vkey, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (12, 12)
    assert told == sorted(told)
