"""Pulling ServiceNow: one table after the other, and judging every change that anything moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from collectors._marks import Marks
from collectors._servicenow.changes import Rule
from collectors._servicenow.judge import BESIDE, Judge
from collectors._servicenow.records import CHANGES, Making, deleted, record
from collectors._servicenow.survey import DELETED, Asked, Survey, Surveyor
from collectors._servicenow.table import Row, Tables
from evidence.model import Batch, EvidenceItem
from evidence.runs import Gap, PullFacts, Total

_CHUNK = 50
Made = tuple[list[EvidenceItem], tuple[Gap, ...]]
"""The items of a page, and what of it could not be read."""


@dataclass(frozen=True)
class Pulling:
    """One pull of what `surveyor` knows to ask for; `rule` is what counts as an approval."""

    surveyor: Surveyor
    rule: Rule
    making: Callable[[datetime], Making] = field(repr=False)

    def batches(self, before: Marks) -> Iterator[Batch]:
        """Each list, oldest change first, 50 rows a batch with those of its changes that moved."""
        survey, marks, judged = self.surveyor.survey(before), before, set[str]()
        since = [asked.since for asked in survey.lists]
        facts = PullFacts(
            query=survey.told(), api_version="ServiceNow Table API", identity=survey.identity,
            gaps=survey.gaps, window_to=survey.started,
            window_from=None if None in since else min(at for at in since if at),
        )  # fmt: skip
        for asked in survey.lists:
            start, seen, held = marks, set[str](), False
            for rows in self._chunks(asked):
                seen |= {row.id for row in rows}
                items, gaps = self._items(survey, asked, rows, judged)
                held = held or bool(gaps)
                if not held:
                    last = rows[-1].moment(asked.of.clock)
                    marks = marks.moved(asked.of.table, min(last, survey.started))
                facts += PullFacts(received=len(rows), gaps=gaps) + self.surveyor.http.taken()
                yield Batch(self._kept(items), marks.cursor(), facts)
                facts = PullFacts()
            counted = () if asked.counted is None else (_total(asked, seen),)
            facts += PullFacts(totals=counted)
            if any(total.short for total in counted):
                marks = start
        yield Batch((), marks.cursor(), facts + self.surveyor.http.taken())

    def _chunks(self, asked: Asked) -> Iterator[list[Row]]:
        for rows in self._tables.since(asked.of, asked.since):
            for n in range(0, len(rows), _CHUNK):
                yield rows[n : n + _CHUNK]

    def _items(self, survey: Survey, asked: Asked, rows: Sequence[Row], judged: set[str]) -> Made:
        """What rows make; a change that was judged earlier in this pull is not judged again."""
        table, made = asked.of.table, self.making(survey.collected_at)
        if table == DELETED:
            kinds = self.surveyor.kinds()
            return [item for row in rows if (item := deleted(row, made, kinds))], ()
        items = [] if table in BESIDE else [record(row, made) for row in rows]
        if table not in {CHANGES, *BESIDE}:
            return items, ()
        name = "sys_id" if table == CHANGES else BESIDE[table][0]
        ids = {row.key(name) for row in rows if row.value(name)} - judged
        judged |= ids
        judge, gaps = Judge(self._tables, survey, self.rule), list[Gap]()
        for one in judge.dossiers(sorted(ids), rows if table == CHANGES else ()):
            items += one.items(made)
            if one.unread and all(survey.listing(name) for name in BESIDE):
                gaps.append(Gap(f"change {one.row.value('number')}", one.unread))
        return items, tuple(gaps)

    def _kept(self, items: Iterable[EvidenceItem]) -> tuple[EvidenceItem, ...]:
        window = self.surveyor.window
        kept = (item for item in items if window is None or window.holds(item))
        return tuple({item.item_id: item for item in kept}.values())

    @property
    def _tables(self) -> Tables:
        return Tables(self.surveyor.http, self.surveyor.page_size)


def _total(asked: Asked, seen: set[str]) -> Total:
    return Total(asked.of.table, asked.counted or 0, len(seen))
