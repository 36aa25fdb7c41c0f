"""One examination of a lake: where, by which key, and what was found so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from storage.note import Checkpoint, VerifierKey
from storage.place import Place
from storage.survey import Finding
from storage.witness import Held

LISTED = 1000
"""Findings of one kind that are told one by one; of the others, their number."""

Progress = Callable[[int, int], None]
"""Is told how many rows were read of how many."""


@dataclass(slots=True)
class Case:
    """What is examined, and what was found.

    `own` are the checkpoints in the lake, `outside` those kept elsewhere; `seal` is the longest.
    """

    place: Place
    key: VerifierKey
    now: datetime | None = None
    progress: Progress | None = None
    own: list[Held] = field(default_factory=list)
    outside: list[Held] = field(default_factory=list)
    seal: Checkpoint | None = None
    rows: int = 0
    findings: list[Finding] = field(default_factory=list)
    _kinds: Counter[str] = field(default_factory=Counter)

    @property
    def held(self) -> Iterator[Held]:
        """Every checkpoint that can be had."""
        yield from self.own
        yield from self.outside

    def say(
        self, kind: str, sentence: str, *, item_id: str = "", fatal: bool = True,
        notes: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Add a finding."""
        self._kinds[kind] += 1
        if self._kinds[kind] <= LISTED:
            self.findings.append(Finding(kind, sentence, item_id, fatal, notes))

    def close(self) -> None:
        """Say how many findings were not told one by one."""
        for kind, count in self._kinds.items():
            if count > LISTED:
                told = (
                    f"{count - LISTED} more findings of the kind {kind!r} are not told one by one"
                )
                self.findings.append(Finding(kind, told))
