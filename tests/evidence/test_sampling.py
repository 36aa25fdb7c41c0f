"""A sample is what anybody with the seed, the ids and `sha256sum` draws as well."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import ConfigError
from evidence.sampling import FREQUENCIES, draw, population_digest, proposed, rank

IDS = st.sets(st.text("0123456789abcdef", min_size=4, max_size=8), min_size=1, max_size=40)


def test_a_rank_is_what_sha256sum_says() -> None:
    told = subprocess.run(
        ["sha256sum"], input="sieben Stück\nab12".encode(), capture_output=True, check=True
    )
    assert rank("sieben Stück", "ab12") == told.stdout.split()[0].decode()


@given(IDS, st.integers(1, 50), st.randoms())
def test_neither_order_nor_repetition_of_the_population_decides(
    ids: set[str], size: int, chance: object
) -> None:
    listed = [*ids, *ids]
    chance.shuffle(listed)  # type: ignore[attr-defined]
    assert draw(listed, "7", size) == draw(sorted(ids), "7", size)
    assert population_digest(listed) == population_digest(ids)


@given(IDS, st.integers(1, 20))
def test_a_larger_sample_goes_on_from_the_smaller(ids: set[str], size: int) -> None:
    larger = draw(ids, "7", size + 5)
    assert larger[:size] == draw(ids, "7", size)
    assert len(larger) == min(len(ids), size + 5) == len(set(larger))


def test_every_item_has_the_same_chance() -> None:
    ids = [f"{number:064x}" for number in range(20)]
    counts = dict.fromkeys(ids, 0)
    for seed in range(4000):
        for one in draw(ids, f"seed {seed}", 5):
            counts[one] += 1
    # 1000 are expected of each with a deviation of 27: five of them are one in a million
    assert all(abs(count - 1000) < 140 for count in counts.values()), counts


@pytest.mark.parametrize("seed", ["", " ", " 7", "7\n", "a\nb", "x" * 201, "a\u202eb", "\x1b[2J"])
def test_a_seed_that_two_people_might_type_differently_is_refused(seed: str) -> None:
    with pytest.raises(ConfigError, match="seed"):
        draw(["a"], seed, 1)


def test_sizes_are_proposed_by_frequency() -> None:
    assert [proposed(often, 1000) for often in FREQUENCIES] == [1, 2, 5, 15, 40, 60]
    assert proposed("daily", 12) == 12
    with pytest.raises(ConfigError, match=r"hourly.*yearly, quarterly"):
        proposed("hourly", 5)
