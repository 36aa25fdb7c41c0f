"""Which retention classes keep less than law or advice wants (`mappings/law/retention.yaml`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from mappings.law import Floor, load_law
from storage.retention import RetentionClass

_LEAP_YEAR = 366
"""Days that a year has at most: floors of years are written as so many."""


def below(classes: Sequence[RetentionClass]) -> Iterator[tuple[RetentionClass, Floor]]:
    """The classes that keep a kind for less than a floor says."""
    for kept in classes:
        for floor in load_law().floors:
            if kept.keep < floor.least and _meet(kept.kinds, floor.kinds):
                yield kept, floor


def short(kept: RetentionClass, floor: Floor) -> str:
    """What a class below a floor keeps, and what the floor says."""
    return f"class {kept.name} keeps {kept.keep.days} days; {sentence(floor)}"


def sentence(floor: Floor) -> str:
    """What a floor says, of what, and where."""
    said = "asks for" if floor.force == "law" else "advises"
    years, rest = divmod(floor.least.days, _LEAP_YEAR)
    told = f" ({years} years)" if years and not rest else ""
    return f"{floor.article} {said} {floor.least.days} days{told}: {floor.what}"


def _meet(globs: Sequence[str], others: Sequence[str]) -> bool:
    """Whether one kind may fit both: a glob is tried as a name of the other side, too."""
    return any(fnmatchcase(a, b) or fnmatchcase(b, a) for a in globs for b in others)
