"""Assemble the board's values from judgement and lake; the pages only draw them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from dashboards.model import (
    Attention,
    Board,
    ClockRow,
    ControlRow,
    DocumentRow,
    ItemPage,
    LakeFacts,
    OverrideRow,
    SourceRow,
    SystemRow,
)
from evidence.errors import LakeError
from evidence.freshness import ORGANISATION
from evidence.times import stamp
from flows._alerts.unsent import unsent
from flows.attention import attention, overridden, records_taken_out, unconfirmed, went_away
from flows.audits import audited, books, calendar, record_rows
from flows.board_counting import counting
from flows.board_documents import papers
from flows.board_mapping import context, frameworks, queue
from flows.board_pages import shown_pages
from flows.board_times import ends
from flows.broken import broken
from flows.config import Config, now
from flows.consistency import inconsistent
from flows.coverage import coverage, uncovered
from flows.draft_waiting import undecided
from flows.exclusions import left_out
from flows.judgement import Judged, judge_lake
from flows.moment import Asked, moment
from flows.notification import notifications
from flows.notification_told import clock_rows, pressing
from flows.origin import unreviewed
from flows.outside import witnesses
from flows.request_list import asked_of, dates
from flows.settings import changed_settings, unlanded_settings
from flows.source_rows import ATTEMPTS, missed_runs, source_rows
from flows.statements import refused
from flows.troubles import ailing
from flows.waivers import waived
from storage.checkpoints import checkpoint_of
from storage.clocks import landed_ahead
from storage.disposed import disposed
from storage.health import healths, lately
from storage.lake import Lake
from storage.note import Checkpoint
from storage.pages import Connection, control_items, control_totals, counts, unclaimed_errors
from storage.publication import silent

UNJUDGED = "Run `headwater collect` or `headwater freshness`; if that fails, mend what it names."
UNSEEN = "Mend its address, key or network; it is tried again with the next seal."
CLOCK = "Set the clocks of this machine and of those that collect; `headwater verify` names when."
NOT_JUDGED, WITNESS = "landings are not judged yet", "a witness takes no seals"
SHOWN_IN_ALL = 600
SHOWN_BYTES = 8_000_000
"""Of payloads in all: a page has to open on a phone. What is left out is counted on the board."""


def build(lake: Lake, config: Config, asked: Asked | None = None) -> Board:
    """The whole board as of the moment asked for (now, if None)."""
    judged = judge_lake(lake, moment(lake, config, asked))
    return assemble(lake, config, judged, past=asked is not None)


def assemble(lake: Lake, config: Config, judged: Judged, *, past: bool) -> Board:
    """The whole board of what was judged; of a past moment without what is so of today only."""
    with counting(lake, config, judged.moment, past=past) as connection:
        shown = control_items(connection)
        found = needs(connection, lake, config, judged, past=past)
        waiting, apart = tuple(queue(connection)), tuple(context(connection))
        judging = (i for v in judged.verdicts for i in (v.item_id, *v.overridden) if i)
        such = (*(row.item_id for row in waiting), *(row.item_id for row in apart))
        named = (row.item_id for rows in (found.attention, found.clocks, found.documents)
                 for row in rows if row.item_id)  # fmt: skip
        wanted = (*judging, *named, *such, *_flat(shown.values()))
        items = _capped(shown_pages(connection, _first(wanted, SHOWN_IN_ALL)))
        totals = control_totals(connection)
        held = books(connection, judged.at)
        dated = (*calendar(held), *dates(connection))
        ending = ends(connection, judged.moment, judged.systems)
    return Board(
        organisation=config.organisation,
        as_of=judged.at,
        built_at=now(),
        controls=tuple(_controls(judged)),
        systems=tuple(_systems(judged)),
        sources=found.sources,
        attention=found.attention,
        lake=found.lake,
        evidence={control: tuple(ids) for control, ids in shown.items()},
        items=items,
        evidence_total=totals,
        queue=waiting,
        context=apart,
        documents=found.documents,
        frameworks=tuple(frameworks(judged)),
        calendar=tuple(sorted(dated, key=lambda row: row.on)),
        records=record_rows(held),
        clocks=found.clocks,
        ends=ending,
    )


@dataclass(frozen=True, slots=True)
class Needs:
    """What needs a person, with the health of the sources, the facts of the lake, the documents and
    the legal deadlines behind it."""

    sources: tuple[SourceRow, ...]
    lake: LakeFacts
    attention: tuple[Attention, ...]
    documents: tuple[DocumentRow, ...]
    clocks: tuple[ClockRow, ...]


def needs(
    connection: Connection, lake: Lake, config: Config, judged: Judged, *, past: bool = False
) -> Needs:
    """All that needs a person as of the judged moment; `past` where one was asked for."""
    seen = healths(connection, judged.at)
    tried = lately(connection, ATTEMPTS)
    sources = source_rows(config, seen, tried, None if past else judged.at)
    facts = _lake_facts(connection, lake, judged)
    told = papers(connection, config, past=past)
    clocks = notifications(connection, judged.moment, config.law, judged.at)
    attention_now = (
        *_behind(lake, judged),
        *_notes(judged),
        *(() if past else _unseen(lake, config)),
        *(() if past else _ahead(lake)),
        *(() if past else unsent(config)),
        *(() if past else ailing(config, lake, connection, judged.at)),
        *pressing(clocks),
        *missed_runs(sources),
        *attention(judged, sources, facts),
        *went_away(connection, judged.at),
        *records_taken_out(connection, judged.at),
        *unreviewed(connection),
        *changed_settings(connection, judged.at),
        *(() if past else unlanded_settings(connection, config)),
        *unconfirmed(connection),
        *undecided(connection, judged.at),
        *refused(connection, judged.catalogue),
        *waived(connection, judged.catalogue, judged.at),
        *left_out(connection, judged),
        *uncovered(coverage(connection)),
        *broken(connection, judged.at),
        *inconsistent(connection, judged.moment.mapping, judged.at),
        *audited(connection, judged.at),
        *told.attention,
        *asked_of(connection, judged.at),
        *overridden(connection),
    )
    return Needs(sources, facts, attention_now, told.rows, clock_rows(clocks))


def _behind(lake: Lake, judged: Judged) -> Iterator[Attention]:
    """What landed and was not tagged yet is not judged: the board may look better than it is."""
    if judged.moment.size is not None:
        return
    tagged = lake.followed("tags", f"tags:{judged.mapping_digest}") or 0
    if missing := lake.version - tagged:
        yield Attention(
            "failed", f"{missing} landings in the lake are not tagged by today's rules, so they "
            "are not judged: whatever they bring, also failures, is not on this board.",
            UNJUDGED, cause=NOT_JUDGED,
        )  # fmt: skip


def _unseen(lake: Lake, config: Config) -> Iterator[Attention]:
    """A witness that does not take our seals protects nothing that landed since."""
    for told in silent(lake.place.at("log"), witnesses(config)):
        yield Attention("source", f"{told[:1].upper()}{told[1:]}.", UNSEEN, cause=WITNESS)


def _ahead(lake: Lake) -> Iterator[Attention]:
    """What claims to land later than now is on no board until then, also if it is a failure."""
    if not (landed := landed_ahead(lake, now())):
        return
    items, until = landed
    yield Attention(
        "failed", f"{items} items landed with a time later than now, until {stamp(until)}: a clock "
        "is or was wrong, and until then they are not judged.",
        CLOCK,
    )  # fmt: skip


def _notes(judged: Judged) -> Iterator[Attention]:
    """What a reader of a past moment must know first."""
    for note in judged.notes:
        severity = "failed" if note in judged.differs else "mapping"
        yield Attention(severity, f"{note[:1].upper()}{note[1:]}.", judged.moment.token)


def _capped(items: Mapping[str, ItemPage]) -> dict[str, ItemPage]:
    sizes = accumulate(len(item.payload) for item in items.values())
    kept = zip(items.items(), sizes, strict=True)
    return {item_id: item for (item_id, item), size in kept if size <= SHOWN_BYTES}


def _first(ids: Iterable[str], most: int) -> list[str]:
    return list(dict.fromkeys(ids))[:most]


def _flat(lists: Iterable[Iterable[str]]) -> Iterator[str]:
    return (value for values in lists for value in values)


def _controls(judged: Judged) -> Iterator[ControlRow]:
    overrides: dict[str, list[OverrideRow]] = defaultdict(list)
    for change in judged.overrides:
        told = f"{change.evidence}: {change.told}"
        overrides[change.control].append(OverrideRow(told, change.system))
    for control in judged.catalogue.controls:
        yield ControlRow(
            control=control.id,
            framework=control.id.partition(":")[0],
            number=control.number,
            title=control.title,
            group=control.group_title,
            summary=control.summary,
            standing=judged.standings[control.id],
            attestation_needed=control.attestation_needed,
            owner=str(judged.soa.get(control.number, {}).get("owner") or ""),
            overrides=tuple(overrides[control.id]),
        )


def _systems(judged: Judged) -> Iterator[SystemRow]:
    yield SystemRow(ORGANISATION, "Organisation")
    for system, row in judged.systems.items():
        yield SystemRow(
            system=system,
            name=str(row.get("name") or system),
            owner=str(row.get("owner") or ""),
            risk_class=str(row.get("risk_class") or ""),
            stage=str(row.get("stage") or ""),
            facts=tuple(_facts(row)),
            item_id=str(row.get("item_id") or ""),
        )


_TOLD = {"id", "name", "owner", "risk_class", "stage", "item_id", "item_system", "level"}
_OF_THE_FILE = {"author", "commit", "committed_at", "file", "header", "register", "signature"}
"""Told by the item of the record, to which the page leads."""


def _facts(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if name not in _TOLD | _OF_THE_FILE and value not in (None, "", [], {}):
            yield name.replace("_", " "), value if isinstance(value, str) else json.dumps(value)


def _lake_facts(connection: Connection, lake: Lake, judged: Judged) -> LakeFacts:
    counted = counts(connection)
    sealed = _sealed(lake, judged.moment.size)
    return LakeFacts(
        items=counted.items,
        version=judged.moment.version,
        ledger_size=sealed.size if sealed else None,
        ledger_root=sealed.root.hex() if sealed else "",
        ledger_origin=sealed.origin if sealed else "",
        untagged=counted.untagged,
        context=counted.context,
        errors=unclaimed_errors(connection),
        mapping_digest=judged.mapping_digest,
        shown=judged.moment.token,
        result=judged.digest,
        disposed=disposed(connection),
    )


def _sealed(lake: Lake, size: int | None) -> Checkpoint | None:
    """The checkpoint of the items shown: the last, or the one kept at that size, if any."""
    try:
        return checkpoint_of(lake, size)
    except LakeError:
        return None
