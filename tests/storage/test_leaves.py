"""Leaves in compact arrays: found again, grown to their roots, read from spoilt files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import LakeError
from storage.ahead import ahead
from storage.leaves import Finder, Hashes, Leaves, grow, hashes_of, id_key
from storage.merkle import leaf_hash, root_of
from storage.schema import LEAVES

HASHES = [leaf_hash(str(number).encode()) for number in range(300)]


def _array(hashes: list[bytes]) -> Hashes:
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)


_CLOSE = st.tuples(st.sampled_from([b"a" * 8, b"b" * 8]), st.binary(min_size=2, max_size=2))


@given(st.lists(_CLOSE, unique=True), st.lists(_CLOSE))
def test_a_hash_is_found_also_among_others_with_its_beginning(
    held: list[tuple[bytes, bytes]], wanted: list[tuple[bytes, bytes]]
) -> None:
    """Equal first bytes can be made on purpose: they may not hide an item, nor stand for one."""
    known = [first + last * 12 for first, last in held]
    asked = [first + last * 12 for first, last in wanted]
    places = Finder(_array(known)).places(_array(asked)).tolist()
    assert places == [known.index(one) if one in known else -1 for one in asked]


@given(st.integers(0, 300), st.lists(st.integers(0, 320), max_size=5))
def test_roots_at_any_sizes_in_one_pass(size: int, sizes: list[int]) -> None:
    leaves = Leaves.empty(size)
    leaves.hashes[:] = _array(HASHES[:size])
    leaves.held[:] = True
    grown = grow(leaves, sizes)
    assert grown.roots == {n: root_of(HASHES[:n]) for n in {0, *sizes} if n <= size}


def test_no_root_goes_beyond_a_missing_leaf() -> None:
    leaves = Leaves.empty(10)
    leaves.hashes[:] = _array(HASHES[:10])
    leaves.held[:] = True
    leaves.held[6] = False
    assert set(grow(leaves, [3, 6, 7, 10]).roots) == {0, 3, 6}


@pytest.mark.parametrize(
    "text", ["AB" * 32, "ab" * 31, "ab" * 32 + "\n", " " * 64, "ab " * 21 + "a", "", None]
)
def test_only_lower_case_hex_is_a_hash(text: str | None) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        hashes_of(pa.array(["cd" * 32, text], pa.string()))


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=6), st.integers(0, 3))
def test_hashes_are_read_from_any_slice_and_any_chunks(held: list[bytes], skipped: int) -> None:
    column = pa.chunked_array(
        [pa.array([one.hex() for one in held], pa.string()) for _ in range(2)], pa.string()
    ).slice(skipped)
    assert hashes_of(column).tobytes() == b"".join((held + held)[skipped:])
    assert len(hashes_of(pa.chunked_array([], pa.string()))) == 0


def test_another_id_never_has_the_key_of_a_hash() -> None:
    assert id_key("ab" * 32) == b"\xab" * 32
    keys = {id_key(text) for text in ("AB" * 32, " " + "ab" * 32, "ab", "", "x\udc80")}
    assert len(keys) == 5


@pytest.mark.parametrize(
    "spoilt",
    [
        {"leaf_index": pa.array(["1"])}, {"leaf_index": pa.array([None], pa.int64())},
        {"leaf_hash": pa.array(["xy" * 32])}, {"evidence_version": pa.array([None], pa.int64())},
    ],
    ids=["text", "no place", "no hash", "no version"],
)  # fmt: skip
def test_a_spoilt_list_is_one_clear_error(tmp_path: Path, spoilt: dict[str, pa.Array]) -> None:
    row = {"leaf_index": 0, "item_id": "ab" * 32, "leaf_hash": "cd" * 32, "evidence_version": 1}
    table = pa.Table.from_pylist([row], schema=LEAVES)
    for name, values in spoilt.items():
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, tmp_path / "leaves.parquet")
    with pytest.raises(LakeError, match=r"is no list of leaves|leaf_index is of type string"):
        Leaves.empty(5).read(tmp_path / "leaves.parquet", most=1)


def test_a_leaf_that_claims_a_far_place_takes_no_memory(tmp_path: Path) -> None:
    row = {"leaf_index": 2**60, "item_id": "a", "leaf_hash": "cd" * 32, "evidence_version": 1}
    pq.write_table(pa.Table.from_pylist([row], schema=LEAVES), tmp_path / "leaves.parquet")
    leaves = Leaves.empty(5)
    leaves.read(tmp_path / "leaves.parquet", most=1)
    assert not leaves.held.any()


def test_ahead_keeps_order_errors_and_stops() -> None:
    made: list[int] = []

    def numbers() -> object:
        for number in range(1000):
            made.append(number)
            if number == 900:
                raise LakeError("at 900")
            yield number

    found: list[object] = []
    with pytest.raises(LakeError, match="at 900"):
        found.extend(ahead(numbers()))  # type: ignore[call-overload]
    assert made[-1] == 900
    made.clear()
    early = ahead(numbers())  # type: ignore[call-overload]
    assert next(early) == 0
    early.close()
    assert len(made) < 10
