"""The tiles beside the table: the same tree, proved from a few of them, made anew when spoilt."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.errors import LakeError, VerificationFailed
from storage import leaves, ledger
from storage.checkpoints import checkpoint_of
from storage.delta import Table
from storage.keys import Signer, load_key, make_key
from storage.ledger import integrate, tiles_of
from storage.merkle import EMPTY, Edge, consistency_path, inclusion_path, leaf_hash, node_hash
from storage.place_local import LocalPlace
from storage.proof import (
    InclusionProof,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
)
from storage.tiles import Tiles, tile_path
from tests.storage.makers import World, item

LEAVES = [leaf_hash(str(number).encode()) for number in range(70_000)]


def _plain(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else EMPTY
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(_plain(leaves[:split]), _plain(leaves[split:]))


@pytest.mark.parametrize(
    ("number", "path"),
    [(0, "tile/0/000"), (255, "tile/0/255"), (1000, "tile/0/x001/000"),
     (1234067, "tile/0/x001/x234/067")],
)  # fmt: skip
def test_a_tile_lies_where_the_specification_says(number: int, path: str) -> None:
    assert tile_path(0, number) == path


def _built(folder: Path, steps: list[int]) -> Tiles:
    made, edge = Tiles(LocalPlace(folder)), Edge()
    for step in steps:
        growth = edge.grow(b"".join(LEAVES[edge.size : edge.size + step]))
        made.append(edge.size, growth.tops)
        edge = growth.edge
    return made


def _files(folder: Path) -> dict[str, bytes]:
    found = (path for path in (folder / "tile").rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_the_tiles_of_a_tree_of_seventy_thousand(tmp_path: Path) -> None:
    """Sizes as the specification works them out: 273 whole tiles and 112 hashes, then 1 and 17."""
    _built(tmp_path, [70_000])
    held = _files(tmp_path)
    assert len(held) == 273 + 1 + 1 + 1 + 1
    assert held["tile/0/000"] == b"".join(LEAVES[:256])
    assert held["tile/0/273.p/112"] == b"".join(LEAVES[273 * 256 :])
    assert held["tile/1/000"][32:64] == _plain(LEAVES[256:512])
    assert len(held["tile/1/001.p/17"]) == 17 * 32
    assert held["tile/2/000.p/1"] == _plain(LEAVES[:65_536])


@settings(max_examples=25)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_however_it_grew_the_tiles_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    size = sum(steps)
    grown = _built(one, steps)
    _built(other, [size])
    assert _files(one) == _files(other)
    assert grown.stand(size, _plain(LEAVES[:size]))
    assert grown.edge(size) == Edge().extend(LEAVES[:size])


@given(st.data())
def test_paths_from_tiles_are_those_from_leaves(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, 1500))
    made = _built(tmp_path_factory.mktemp("tiles"), [size])
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))

    def plain(first: int, last: int) -> bytes:
        return _plain(LEAVES[first:last])

    assert inclusion_path(made.root, index, size) == inclusion_path(plain, index, size)
    assert consistency_path(made.root, old, size) == consistency_path(plain, old, size)


def test_a_proof_reads_few_tiles(tmp_path: Path) -> None:
    made = _built(tmp_path, [70_000])
    inclusion_path(made.root, 12_345, 70_000)
    assert len(made._read) <= 2 * 3


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_key(tmp_path / "key", origin="brookside.example/lake")
    return load_key(tmp_path / "key")


@pytest.fixture
def world(tmp_path: Path, signer: Signer) -> World:
    """300 items sealed in three steps: at 100, 200 and 300."""
    world = World(tmp_path / "lake")
    for step in range(3):
        world.land(*(item(n / 100) for n in range(step * 100, step * 100 + 100)), cursor=str(step))
        integrate(world.lake, signer)
    return world


def _ids(world: World) -> list[str]:
    rows = [row for file in world.lake.table("leaves").files() for row in _rows(file.path)]
    return [
        str(row["item_id"]) for row in sorted(rows, key=lambda row: int(str(row["leaf_index"])))
    ]


def _rows(path: Path) -> list[dict[str, object]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, object]] = pq.read_table(path).to_pylist()
    return rows


def test_any_item_under_any_kept_checkpoint(world: World, signer: Signer) -> None:
    ids = _ids(world)
    for index, size in [(0, 100), (99, 100), (0, 300), (150, 200), (299, None)]:
        proof = inclusion_proof(world.lake, ids[index], size=size)
        assert proof.index == index
        assert check_inclusion(proof, signer.vkey).size == (size or 300)
    with pytest.raises(LakeError, match="not sealed"):
        inclusion_proof(world.lake, ids[150], size=100)
    with pytest.raises(LakeError, match="no checkpoint of 150 items"):
        inclusion_proof(world.lake, ids[0], size=150)


@pytest.mark.parametrize(("old", "new"), [(100, 200), (100, 300), (200, 300), (200, None)])
def test_any_kept_checkpoint_continues_any_older(world: World, old: int, new: int | None) -> None:
    first, last = checkpoint_of(world.lake, old), checkpoint_of(world.lake, new)
    path = consistency_proof(world.lake, old, new)
    check_consistency(first, last, path)
    with pytest.raises(VerificationFailed):
        check_consistency(replace(first, root=b"f" * 32), last, path)
    with pytest.raises(VerificationFailed):
        check_consistency(first, replace(last, root=b"f" * 32), path)


def _lose(log: Path) -> None:
    shutil.rmtree(log / "tile")


def _cut(log: Path) -> None:
    (log / "tile/0/000").write_bytes(b"x")


def _flip(log: Path) -> None:
    path = log / "tile/0/000"
    row = bytearray(path.read_bytes())
    row[5] ^= 1
    path.write_bytes(bytes(row))


def _flip_edge(log: Path) -> None:
    (path,) = (log / "tile/0/001.p").iterdir()
    path.write_bytes(bytes(len(path.read_bytes())))


SPOILT = [_lose, _cut, _flip, _flip_edge]


@pytest.mark.parametrize("spoil", SPOILT)
def test_no_proof_is_wrong_or_lost_with_spoilt_tiles(
    world: World, signer: Signer, spoil: Callable[[Path], None]
) -> None:
    spoil(world.path / "log")
    for item_id in _ids(world)[::60]:
        assert check_inclusion(inclusion_proof(world.lake, item_id), signer.vkey).size == 300
    path = consistency_proof(world.lake, 100, 200)
    check_consistency(checkpoint_of(world.lake, 100), checkpoint_of(world.lake, 200), path)


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_spoilt_tile_is_no_rewritten_history(
    world: World, signer: Signer, spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    """An older seal is compared by way of the tiles, and in doubt by the leaves themselves."""
    witness = tmp_path / "witness"
    witness.write_text(checkpoint_of(world.lake, 100).text)
    spoil(world.path / "log")
    world.land(item(50), cursor="x")
    assert integrate(world.lake, signer, witness=witness).size == 301
    other = signer.sign(100, b"f" * 32, checkpoint_of(world.lake, 100).chain)
    witness.write_text(other.text)
    with pytest.raises(VerificationFailed, match="rewritten"):
        integrate(world.lake, signer, witness=witness)


@pytest.mark.parametrize("spoil", [_lose, _flip_edge])
def test_the_next_seal_makes_spoilt_tiles_anew(
    world: World, signer: Signer, spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    """So does the first seal of a lake that an older Headwater made, which has none."""
    spoil(world.path / "log")
    world.land(item(50), cursor="x")
    head = integrate(world.lake, signer)
    assert tiles_of(world.lake).stand(301, head.root)
    spoilt = _files(world.path / "log")
    shutil.rmtree(world.path / "log/tile")
    integrate(world.lake, signer)
    assert _files(world.path / "log") == spoilt


def test_tiles_that_a_crash_left_behind_catch_up(
    world: World, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the leaves and their tiles: what is there already is not read again."""
    world.land(*(item(100 + n / 100) for n in range(50)), cursor="x")
    with monkeypatch.context() as patch:
        patch.setattr(Tiles, "append", _crash)
        with pytest.raises(KeyboardInterrupt):
            integrate(world.lake, signer)
    asked = []

    def noted(table: Table, first: int, last: int) -> bytes:
        asked.append((first, last))
        return leaves.leaf_hashes(table, first, last)

    monkeypatch.setattr(ledger, "leaf_hashes", noted)
    head = integrate(world.lake, signer)
    assert head.size == 350
    assert asked == [(300, 350)]
    assert tiles_of(world.lake).stand(350, head.root)


def _crash(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("spoil", SPOILT)
def test_spoilt_tiles_are_made_again_on_request(
    world: World, spoil: Callable[[Path], None]
) -> None:
    whole = _files(world.path / "log")
    spoil(world.path / "log")
    assert ledger.remake_tiles(world.lake) == 300
    assert _files(world.path / "log") == whole


def test_nothing_is_signed_when_the_list_of_leaves_was_altered(
    world: World, signer: Signer
) -> None:
    """The tiles are gone, and what they would be made from is not what the ledger was given."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = world.lake.table("leaves").files()[0].path
    rows = [row | {"leaf_hash": "ab" * 32} for row in _rows(file)]
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(file)), file)
    _lose(world.path / "log")
    with pytest.raises(VerificationFailed, match="was altered"):
        integrate(world.lake, signer)


def test_a_proof_as_text_is_read_back(world: World, signer: Signer) -> None:
    proof = inclusion_proof(world.lake, _ids(world)[7])
    text = str(proof)
    lines = text.partition("\n\n")[0].split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert base64.b64decode(lines[1].removeprefix("extra ")) == proof.data
    assert lines[2] == "index 7"
    assert lines[3:] == [base64.b64encode(node).decode() for node in proof.path]
    assert text.endswith("\n\n" + proof.checkpoint)
    assert InclusionProof.parse(text) == proof
    assert check_inclusion(InclusionProof.parse(text), signer.vkey).size == 300


def test_a_text_that_is_no_proof_is_refused(world: World) -> None:
    text = str(inclusion_proof(world.lake, _ids(world)[7]))
    spoilt = [
        "", "\n\n", text.replace("@v1", "@v2"), text.replace("index 7", "index 07"),
        text.replace("index 7", "index -7"), text.replace("index 7", "index ٧"),
        text.replace("index 7\n", ""), text.replace("extra ", "extra  "),
        text.replace("=\n", "\n", 1), text.replace("index 7\n", "index 7\nAAAA\n"),
        text.replace("\n", "\r\n"),
    ]  # fmt: skip
    for one in spoilt:
        with pytest.raises(VerificationFailed, match=r"no proof|is no c2sp"):
            InclusionProof.parse(one)


def test_a_full_disk_is_one_clear_error(
    world: World, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    world.land(item(60), cursor="x")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(LakeError, match=r"cannot write .*No space"):
            integrate(world.lake, signer)
    assert integrate(world.lake, signer).size == 301
