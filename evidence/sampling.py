"""A sample that anybody can draw again: from which items, by which seed, by a method of one line.

An item's rank is the SHA-256 of the seed, a line feed and its id; the sample is what ranks lowest.
Nothing but the seed and the ids decides, so that two machines, or an auditor with `sha256sum`,
draw the same; and a larger sample by the same seed goes on from the smaller one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from evidence.canonical import digest
from evidence.errors import ConfigError

METHOD = "sha256-rank/1"
MOST_SEED = 200

FREQUENCIES: Mapping[str, tuple[int, int]] = {
    "yearly": (1, 1),
    "quarterly": (2, 2),
    "monthly": (2, 5),
    "weekly": (5, 15),
    "daily": (15, 40),
    "many-a-day": (25, 60),
}
"""How often a control is carried out → the span of sample sizes that auditors commonly take.

Practice, no law: no standard sets them. The auditor decides and may write any other number."""


def rank(seed: str, item_id: str) -> str:
    """Lower-case hex SHA-256 of `seed`, a line feed and the id, as UTF-8."""
    return sha256(f"{seed}\n{item_id}".encode()).hexdigest()


def draw(population: Iterable[str], seed: str, size: int) -> tuple[str, ...]:
    """The `size` ids of lowest rank in the order of their ranks; all, if there are no more.

    Raises ConfigError for a seed that is empty or not one line of text, and for a size below 1.
    """
    check_seed(seed)
    if size < 1:
        raise ConfigError(f"a sample of {size} is none: ask for 1 item or more")
    return tuple(sorted(set(population), key=lambda item: rank(seed, item))[:size])


def check_seed(seed: str) -> None:
    """Raises ConfigError unless two people would type the same: one printable line, not empty."""
    if not seed.strip() or not seed.isprintable() or len(seed) > MOST_SEED or seed != seed.strip():
        raise ConfigError(
            f"the seed {seed[:40]!r} cannot be used: the auditor chooses one line of at most "
            f"{MOST_SEED} printable characters, without spaces at its ends"
        )


def proposed(frequency: str, population: int) -> int:
    """The upper end of what is common for a control of that frequency, or the whole population.

    Raises ConfigError for an unknown frequency.
    """
    if frequency not in FREQUENCIES:
        known = ", ".join(FREQUENCIES)
        raise ConfigError(f"--frequency {frequency!r}: choose one of {known}, or give --size")
    return min(FREQUENCIES[frequency][1], population)


def population_digest(population: Iterable[str]) -> str:
    """The digest of which items were there to draw from, whatever their order."""
    ids: Sequence[str] = sorted(set(population))
    return digest(ids)
