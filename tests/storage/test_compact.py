"""Compaction changes how rows lie, never what they are; wrong rows are not made to look right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence.errors import LakeConflict
from storage import compact as compact_module
from storage.checkpoints import read_checkpoint
from storage.compact import MANY, Compacted, compact
from storage.files import Written, read_rows, write_files
from storage.keys import Signer, load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.place import Place
from storage.proof import check_inclusion, inclusion_proof
from storage.rows import evidence_rows
from storage.schema import TABLES, TableSpec
from storage.streamed import write_stream
from storage.verify import examine, verify
from storage.views import connect
from tests.storage.makers import START, World, days, item


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_key(tmp_path / "key", origin="test/lake")
    return load_key(tmp_path / "key")


def fill(world: World, signer: Signer, commits: int = 2 * MANY, *, follow: bool = False) -> None:
    """Small commits over two months, sealed at the end, or tagged and sealed one by one."""
    for number in range(commits):
        world.clock.now += days(1)
        world.land(item(2 * number), item(2 * number + 1), cursor=f"c{number}")
        if follow:
            world.tag("iso42001:8.1", "change_request")
            integrate(world.lake, signer)
    integrate(world.lake, signer)


def compact_all(lake: Lake) -> dict[str, Compacted]:
    sealed, leaves = read_checkpoint(lake).chain.version, lake.table("leaves")
    return {
        name: compact(lake.table(name), leaves, sealed=sealed, now=lake.clock()) for name in TABLES
    }


def everything(lake: Lake, as_of: datetime | None = None) -> list[tuple[object, ...]]:
    with connect(lake, as_of=as_of) as connection:
        return [
            row
            for view in ("evidence", "latest", "tags", "leaves", "pulls")
            for row in sorted(connection.execute(f"SELECT * FROM {view}").fetchall(), key=str)
        ]


def test_every_view_and_every_proof_stay_the_same(world: World, signer: Signer) -> None:
    fill(world, signer, follow=True)
    before, past = everything(world.lake), everything(world.lake, START + days(37))
    assert past != before
    done = compact_all(world.lake)
    assert {name: one.refused for name, one in done.items()} == {name: [] for name in TABLES}
    assert done["evidence"].taken > MANY > done["evidence"].put
    assert done["leaves"].put == done["tags"].put == 1
    assert everything(world.lake) == before
    assert everything(world.lake, START + days(37)) == past
    integrate(world.lake, signer)
    assert verify(world.path, signer.vkey).notes == ()
    proof = inclusion_proof(world.lake, item(3).item_id)
    assert check_inclusion(proof, signer.vkey).size == 4 * MANY


def test_life_goes_on_after_it(world: World, signer: Signer) -> None:
    fill(world, signer)
    world.tag("iso42001:8.1", "change_request")
    compact_all(world.lake)
    assert world.land(item(3), item(500), cursor="next").new == 1
    assert world.tag("iso42001:8.1", "change_request") == 1
    assert integrate(world.lake, signer).size == 4 * MANY + 1
    assert verify(world.path, signer.vkey).items == 4 * MANY + 1
    assert compact_all(world.lake)["evidence"] == Compacted()  # nothing is worth it again


def test_what_is_not_sealed_yet_is_left_alone(world: World, signer: Signer) -> None:
    fill(world, signer, 1)
    for number in range(100, 100 + 2 * MANY):
        world.land(item(number / 50, subject=f"L-{number}"), cursor=f"c{number}")
    assert compact_all(world.lake)["evidence"].taken == 0
    assert integrate(world.lake, signer).size == 2 + 2 * MANY


def test_a_closed_month_is_sorted_once_for_all(world: World, signer: Signer) -> None:
    for number in range(3):
        world.land(
            item(number / 10, kind=f"jira.{'bab'[number]}", system="zyx"[number]),
            cursor=f"{number}",
        )
    integrate(world.lake, signer)
    done = compact_all(world.lake)["evidence"]
    assert (done.taken, done.put, done.rows) == (3, 1, 3)
    (file,) = world.lake.files("evidence")
    assert file.path.name.startswith("final-")
    rows = pq.read_table(file.path, columns=["kind", "system"], partitioning=None).to_pylist()
    lie = [(row["kind"], row["system"]) for row in rows]
    assert lie == [("jira.a", "y"), ("jira.b", "x"), ("jira.b", "z")]
    world.land(item(0.5, subject="late"), cursor="late")
    integrate(world.lake, signer)
    assert compact_all(world.lake)["evidence"].taken == 0


def test_an_edited_file_is_not_carried_over(world: World, signer: Signer) -> None:
    fill(world, signer)
    victim = world.lake.files("evidence")[3].path
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    before = [file.path for file in world.lake.files("evidence")]
    (told,) = [s for s in compact_all(world.lake)["evidence"].refused if victim.name in s]
    assert "does not have the bytes that landed" in told
    assert victim in [file.path for file in world.lake.files("evidence")]
    assert len(list(world.path.glob("evidence/*/*.parquet"))) >= len(before)  # none deleted
    assert any(victim.name in finding.sentence for finding in examine(world.path, signer.vkey))


@pytest.mark.parametrize("column", ["title", "payload", "landed_at"])
def test_a_row_that_was_sealed_otherwise_is_not_carried_over(
    world: World, signer: Signer, column: str
) -> None:
    """Somebody who can write log entries puts an edited row in place of a sealed one."""
    fill(world, signer)
    table = world.lake.table("evidence")
    old = table.files()
    parts = [read_rows(file.path, file.partition) for file in old]
    values = parts[3][column].to_pylist()
    forged = values[0] + "!" if column != "landed_at" else values[0] - days(1)
    place, kind = parts[3].column_names.index(column), parts[3].schema.field(column).type
    edited = pa.array([forged, *values[1:]], kind)
    parts[3] = parts[3].set_column(place, column, edited)
    table.replace(old, [w for part in parts for w in write_files(table.place, table.spec, part)])
    refused = compact_all(world.lake)["evidence"].refused
    assert [s for s in refused if "item " in s and "run `headwater verify`" in s]
    assert "edited" in {finding.kind for finding in examine(world.path, signer.vkey)}


def test_rows_smuggled_in_by_a_replacement_are_named(world: World, signer: Signer) -> None:
    fill(world, signer)
    table = world.lake.table("evidence")
    (victim, *_) = table.files()
    extra = evidence_rows([item(0, subject="smuggled")], landed_at=START, pull_id="x")
    rows = pa.concat_tables([read_rows(victim.path, victim.partition), extra])
    table.replace([victim], list(write_files(table.place, table.spec, rows)))
    assert [s for s in compact_all(world.lake)["evidence"].refused if "as it was sealed" in s]
    assert "extra" in {f.kind for f in examine(world.path, signer.vkey) if f.fatal}


def test_rows_lost_by_a_rewrite_change_nothing(
    world: World, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of our own: the rewritten files lack a row."""
    fill(world, signer)
    whole = write_stream

    def lossy(
        place: Place, spec: TableSpec, partition: Mapping[str, str], batches: Iterable[pa.Table],
        **more: Any,
    ) -> Iterator[Written]:  # fmt: skip
        return whole(place, spec, partition, (batch.slice(1) for batch in batches), **more)

    monkeypatch.setattr(compact_module, "write_stream", lossy)
    before = everything(world.lake)
    done = compact_all(world.lake)
    assert all(
        "would not hold the same rows" in one.refused[0] for one in done.values() if one.refused
    )
    assert sum(one.taken for one in done.values()) == 0
    assert everything(world.lake) == before
    assert verify(world.path, signer.vkey).notes == ()


def test_of_two_replacements_of_one_file_one_is_refused(world: World, signer: Signer) -> None:
    fill(world, signer)
    first, second = world.lake.table("evidence"), world.lake.table("evidence")
    old = first.files()
    rows = pa.concat_tables([read_rows(file.path, file.partition) for file in old])
    world.land(item(900), cursor="beside")  # an append beside it passes
    first.replace(old, list(write_files(first.place, first.spec, rows)))
    again = list(write_files(second.place, second.spec, rows))
    with pytest.raises(LakeConflict):
        second.replace(old, again)
    assert not any(second.place.has(file.relative) for file in again)
    with pytest.raises(LakeConflict, match="no longer has"):
        world.lake.table("evidence").replace(old, [])
    with connect(world.lake) as connection:
        counted = connection.execute("SELECT count(*), count(DISTINCT item_id) FROM evidence")
        assert counted.fetchall() == [(4 * MANY + 1, 4 * MANY + 1)]


def test_a_follower_that_comes_late_sees_every_row_once(world: World, signer: Signer) -> None:
    """Also when the files that landed are gone, and it had followed a part of them."""
    for number in range(4 * MANY):
        world.land(item(number / 4, subject=f"L-{number}"), cursor=f"c{number}")
        if number == MANY:
            world.tag("iso42001:8.1", "early")
    integrate(world.lake, signer)
    landed = [file.path for file in world.lake.files("evidence")]
    compact_all(world.lake)
    world.land(item(40), cursor="after")
    for path in landed:
        path.unlink()
    assert world.tag("iso42001:8.1", "early") == 3 * MANY
    assert world.tag("iso42001:8.1", "new") == 4 * MANY + 1
    with connect(world.lake) as connection:
        sql = "SELECT evidence, count(*), count(DISTINCT item_id) FROM lake_tags GROUP BY 1"
        assert sorted(connection.execute(sql).fetchall()) == [
            ("early", 4 * MANY + 1, 4 * MANY + 1), ("new", 4 * MANY + 1, 4 * MANY + 1)
        ]  # fmt: skip
