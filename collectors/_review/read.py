"""Reading one list of changes after the other, and going on where a change cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime

from collectors._marks import Marks
from collectors._review.host import absent
from collectors._review.walk import Seen
from evidence.errors import SourceBusy, SourceRefused
from evidence.model import Batch, EvidenceItem
from evidence.runs import Gap, PullFacts

_BATCH = 20
_FAILING = 500

Read = Callable[[int], tuple[EvidenceItem | None, bool]]
"""Makes the item of the change with a number (None: it is not asked for), and says whether more is
to come of that change, so that the next pull must read it again. Raises SourceError."""


@dataclass(frozen=True, slots=True)
class Step:
    """A batch, and how far it has come."""

    batch: Batch
    marks: Marks


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of a repository, oldest change first, and which of it is evidence. `mark` is its name
    in the bookmark, `name` what a change of a number is called. `dense`: once all of it is read,
    the watermark stands at the beginning of the pull, not at the last change."""

    mark: str
    name: Callable[[int], str]
    every: Sequence[Seen]
    wanted: Sequence[Seen]
    read: Read
    dense: bool = False

    def steps(
        self, marks: Marks, facts: PullFacts, until: datetime, *, short: bool = False
    ) -> Generator[Step, None, tuple[Marks, PullFacts]]:
        """20 changes a batch. Returns how far it has come, and the facts that no batch told yet.

        The watermark passes neither `until` nor what must be read again; where the list is `short`
        of what the host counts, it stays.
        """
        held: datetime | None = None
        for n in range(0, len(self.wanted), _BATCH):
            chunk = self.wanted[n : n + _BATCH]
            read = self._readings(chunk)
            held = min((at for at in (held, read.held) if at), default=None)
            if not short:
                marks = self._moved(marks, chunk, until, held)
            facts += PullFacts(received=len(read.items), gaps=read.gaps)
            yield Step(Batch(read.items, marks.cursor(), facts), marks)
            facts = PullFacts()
        if self.dense:
            return marks.moved(self.mark, min(held or until, until)), facts
        return marks if short else self._moved(marks, self.every, until, held), facts

    def _moved(
        self, marks: Marks, seen: Sequence[Seen], until: datetime, held: datetime | None
    ) -> Marks:
        if not seen:
            return marks
        times = (seen[-1].updated, until, held)
        return marks.moved(self.mark, min(at for at in times if at is not None))

    def _readings(self, chunk: Sequence[Seen]) -> _Readings:
        """One change that the host chokes on, or does not show, is a gap and does not stop the
        rest; two failures in a row are the host's own trouble, and stop all. Raises SourceError."""
        items: list[EvidenceItem] = []
        gaps: list[Gap] = []
        held: list[datetime] = []
        failing = False
        for one in chunk:
            try:
                item, more = self.read(one.number)
                items += [item] if item else []
                held += [one.updated] if more else []
                failing = False
            except (SourceBusy, SourceRefused) as error:
                ill = isinstance(error, SourceBusy) and error.status >= _FAILING and not failing
                if not ill and not absent(error):
                    raise
                failing = ill
                gaps.append(Gap(self.name(one.number), str(error)))
                held.append(one.updated)
        return _Readings(tuple(items), tuple(gaps), min(held, default=None))


@dataclass(frozen=True, slots=True)
class _Readings:
    """What came of reading some changes: `held` is the earliest that must be read again."""

    items: tuple[EvidenceItem, ...]
    gaps: tuple[Gap, ...]
    held: datetime | None
