"""Least times for which law or advice wants kinds of evidence kept, each with its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

from storage.retention import RetentionClass

_YEAR, _MONTH = timedelta(days=366), timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Floor:
    """That items of `kinds` should be kept for `least`, as `source` says."""

    kinds: tuple[str, ...]
    least: timedelta
    source: str


FLOORS = (
    Floor(("aws.*", "mlflow.*"), 6 * _MONTH,
          "EU AI Act Art. 19 and 26(6): logs of high-risk AI systems, at least six months"),
    Floor(("git.*",), 10 * _YEAR,
          "EU AI Act Art. 18: technical file and quality-system documents, ten years"),
    Floor(("aws.*",), timedelta(days=365),
          "CIS advice: audit logs of the cloud, a year"),
    Floor(("git.*", "jira.*", "servicenow.*", "ticket.*", "review.*", "headwater.pull"), 5 * _YEAR,
          "a public template for management systems: core documents and audit records, five years"),
)  # fmt: skip
"""Whether a floor binds an organisation is for its people to say; a year counts as 366 days."""


def below(classes: Sequence[RetentionClass]) -> Iterator[tuple[RetentionClass, Floor]]:
    """The classes that keep a kind for less than a floor says."""
    for kept in classes:
        for floor in FLOORS:
            if kept.keep < floor.least and _meet(kept.kinds, floor.kinds):
                yield kept, floor


def _meet(globs: Sequence[str], others: Sequence[str]) -> bool:
    """Whether one kind may fit both: a glob is tried as a name of the other side, too."""
    return any(fnmatchcase(a, b) or fnmatchcase(b, a) for a in globs for b in others)
