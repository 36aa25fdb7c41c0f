"""Bring catalogue, registers and lake together and judge them, as of one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from evidence.canonical import digest, plain
from evidence.deadline import Clock, periods
from evidence.freshness import (
    ORGANISATION,
    Attestation,
    ControlStanding,
    Expectation,
    Scope,
    Sighting,
    State,
    Verdict,
    judge,
    stand,
    together,
)
from evidence.model import ControlId
from evidence.times import stamp
from evidence.waiver import Waiver
from flows.approvals import held_back
from flows.moment import Moment
from flows.statements import in_force, number_of
from flows.waivers import waivers
from mappings.catalogue import Catalogue
from mappings.overrides import Override
from storage.arrivals import Asked, began
from storage.code import code_version
from storage.covers import Aging
from storage.engine import ample
from storage.kept import forget, load
from storage.lake import Lake
from storage.landed import WORTH, landed, landed_after, landed_by_now
from storage.pages import Connection, records, seen_systems
from storage.sightings import Key, event_times

NO_SYSTEM = "(no AI system is registered)"


INVENTORIES = ("ai_inventory", "ai_systems")
RESULT = "headwater.result/1"


@dataclass(frozen=True, slots=True)
class Judged:
    """All verdicts and standings as of a moment, with the registers they were judged by."""

    moment: Moment
    systems: Mapping[str, Mapping[str, Any]]
    soa: Mapping[str, Mapping[str, Any]]
    standings: Mapping[ControlId, ControlStanding]

    @property
    def at(self) -> datetime:
        """The time as of which it was judged."""
        return self.moment.at

    @property
    def catalogue(self) -> Catalogue:
        """The controls and what each needs."""
        return self.moment.mapping.catalogue

    @property
    def mapping_digest(self) -> str:
        """The digest that the tags carry."""
        return self.moment.mapping.rules.digest

    @property
    def overrides(self) -> tuple[Override, ...]:
        """What the organisation changed about the expectations, control by control."""
        return self.catalogue.changes(self.moment.mapping.overrides)

    @property
    def digest(self) -> str:
        """SHA-256 over every verdict and standing, and what they were judged by.

        Judging the same items by the same mapping as of the same time gives the same digest.
        """
        return digest(self.told())

    def told(self) -> dict[str, Any]:
        """What the digest covers, as JSON-like values."""
        return {
            "form": RESULT, "at": stamp(self.at), "size": self.moment.size,
            "mapping": self.moment.mapping.digest,
            "verdicts": [told_verdict(verdict) for verdict in self.verdicts],
            "standings": [
                told_standing(standing) for standing in self.standings.values()
            ],
        }  # fmt: skip

    @property
    def differs(self) -> tuple[str, ...]:
        """What is not as it was frozen, where a freeze was asked for; empty if all of it is."""
        freeze = self.moment.freeze
        if freeze is None or self.moment.differs or self.digest == freeze.frozen.result:
            return self.moment.differs
        told = f"the same items judged by the same mapping give {self.digest}, not "
        told += f"{freeze.frozen.result}; then by {freeze.frozen.code}, now by {code_version()}"
        return (freeze.told(told),)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of the moment must know first."""
        return tuple(dict.fromkeys((*self.differs, *self.moment.notes)))

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every verdict of every control, in catalogue order."""
        return tuple(v for standing in self.standings.values() for v in standing.verdicts)


def told_verdict(verdict: Verdict) -> dict[str, Any]:
    """As JSON-like values; `overridden` only where something is, so that digests made before
    corrections came stay what they were. So with all in `_LATER`."""
    return _told(verdict)


def told_standing(standing: ControlStanding) -> dict[str, Any]:
    """As JSON-like values without its verdicts; `overridden` as in `told_verdict`."""
    return _told(standing, "verdicts")


_LATER = ("overridden", "waived")


def _told(judged: Verdict | ControlStanding, *left_out: str) -> dict[str, Any]:
    """Field by field: `asdict` would first copy every value, for hundreds of verdicts at a time."""
    unsaid = [name for name in _LATER if not getattr(judged, name, ())]
    left_out = (*left_out, *unsaid, "history", "continuity")  # `why` tells these
    names = [f.name for f in fields(judged) if f.name not in left_out]
    values: dict[str, Any] = plain({name: getattr(judged, name) for name in names})
    return values


def judge_lake(lake: Lake, moment: Moment) -> Judged:
    """Judge every control of the moment's catalogue, from what had landed by then."""
    at, catalogue = moment.at, moment.mapping.catalogue
    expected = catalogue.expectations(moment.mapping.overrides)
    with moment.connect(lake, ample()) as connection:
        systems = systems_of(connection)
        decisions = records(connection, "statement_of_applicability", "soa", confirmed=True)
        soa = {number_of(row["id"]): row for row in decisions}
        attestations = in_force(connection, catalogue, systems, at)
        held, waits = waivers(connection, catalogue, at), held_back(connection)
        begun, events = began(connection), event_times(connection, at)
        seen = _landed(connection, lake, moment, asked_periods(expected, begun, at),
                       asked_ages(expected))  # fmt: skip
    facts = _Facts(systems, seen, events, begun, at, waits)
    found = _standings(catalogue, expected, soa, attestations, held, facts)
    return Judged(moment, systems, soa, found)


def systems_of(connection: Connection) -> dict[str, dict[str, Any]]:
    """The inventory, and every system that evidence names although the inventory does not."""
    inventory = {str(row["id"]): row for row in records(connection, *INVENTORIES)}
    seen = {name: {"id": name, "name": name} for name in seen_systems(connection)}
    return seen | inventory


@dataclass(frozen=True, slots=True)
class _Facts:
    """What verdicts are made from: the systems, what landed of each kind, and when; `waits` are the
    items of documents that are not approved yet, with the sentence why."""

    systems: Mapping[str, Mapping[str, Any]]
    seen: Mapping[Key, Sighting]
    events: Mapping[str, datetime]
    begun: datetime | None
    at: datetime
    waits: Mapping[str, str]


def _landed(
    connection: Connection, lake: Lake, moment: Moment, asked: Sequence[Asked],
    ages: Sequence[Aging],
) -> dict[Key, Sighting]:  # fmt: skip
    """What landed by then; of a large lake's present by what is kept of it, where that is sure."""
    kept = moment.size is None and moment.untagged is None
    if kept and lake.table("evidence").rows >= WORTH:
        by, aside = moment.mapping.rules.digest, moment.mapping.catalogue.aside
        return landed_by_now(lake, by, moment.at, asked, ample(), WORTH, ages, aside)
    return landed(connection, moment.at, asked, ages)


def kept_differs(lake: Lake, moment: Moment) -> bool:
    """Whether what is kept for judging says otherwise than the whole lake; then it is thrown away.

    Raises LakeError.
    """
    kept = load(lake, moment.mapping.rules.digest, moment.at)
    if kept is None:
        return False
    expected = moment.mapping.catalogue.expectations(moment.mapping.overrides)
    ages, aside = asked_ages(expected), moment.mapping.catalogue.aside
    with moment.connect(lake, ample()) as connection:
        asked = asked_periods(expected, began(connection), moment.at)
        whole = landed(connection, moment.at, asked, ages)
    found = landed_after(lake, kept, moment.at, asked, ample(), ages, aside)
    if found is None or found == whole:
        return False
    forget(lake)
    return True


def asked_ages(expected: Sequence[Expectation]) -> list[Aging]:
    """The age limits that are asked for, with what overtakes evidence before."""
    special = (one.expectation for want in expected for one in want.special)
    found = (
        Aging(want.control, want.evidence, want.max_age, want.stale_on, want.lead,
              want.scope is Scope.ORGANISATION)
        for want in (*expected, *special)
        if want is not None and want.max_age is not None
    )  # fmt: skip
    return list(dict.fromkeys(found))


def asked_periods(
    expected: Sequence[Expectation], begun: datetime | None, at: datetime
) -> list[Asked]:
    """The periods of the deadlines that are asked for."""
    special = (one.expectation for want in expected for one in want.special)
    found = (
        Asked(want.control, want.evidence, period.opens, period.ends,
              want.deadline.clock is Clock.LANDED)
        for want in (*expected, *special)
        if want is not None and want.deadline is not None
        for period in periods(want.deadline, begun, at)
    )  # fmt: skip
    return list(dict.fromkeys(found))


def _standings(
    catalogue: Catalogue,
    expected: Sequence[Expectation],
    soa: Mapping[str, Mapping[str, Any]],
    attestations: Mapping[ControlId, Attestation],
    held: Mapping[ControlId, Sequence[Waiver]],
    facts: _Facts,
) -> dict[ControlId, ControlStanding]:
    wanted: dict[ControlId, list[Expectation]] = defaultdict(list)
    for expectation in expected:
        wanted[expectation.control].append(expectation)
    return {
        control.id: stand(
            control.id,
            [
                _in_force(verdict, facts.waits)
                for want in wanted[control.id]
                for verdict in _verdicts(want, facts)
            ],
            facts.at,
            attestation=attestations.get(control.id),
            attestation_needed=bool(control.attestation_needed),
            # The standard's clauses bind everyone: only controls of Annex A may be left out.
            excluded="" if control.kind == "clause" else excluded(soa.get(control.number)),
            waivers=held.get(control.id, ()),
        )
        for control in catalogue.controls
    }


def _verdicts(want: Expectation, facts: _Facts) -> Iterator[Verdict]:
    """One verdict for the organisation, or one for each system; none registered is one unknown."""
    seen, at, begun = facts.seen, facts.at, facts.begun
    if want.scope is Scope.ORGANISATION:
        names = (ORGANISATION, *facts.systems)
        found = [seen.get((want.control, want.evidence, name)) for name in names]
        once = together([sighting for sighting in found if sighting], facts.events)
        yield judge(want, ORGANISATION, once, at, begun)
        return
    for system, row in (facts.systems or {NO_SYSTEM: {}}).items():
        one = want.of(system, str(row.get("risk_class") or ""))
        if one is not None:
            yield judge(one, system, seen.get((want.control, want.evidence, system)), at, begun)


def _in_force(verdict: Verdict, waits: Mapping[str, str]) -> Verdict:
    """A document that waits for approval is there, and proves nothing yet."""
    why = waits.get(verdict.item_id)
    if why is None or verdict.failed or not verdict.in_date:
        return verdict
    told = f"its text is not in force: {why}"
    return replace(verdict, state=State.UNKNOWN, fresh_until=None, why=told)


def excluded(row: Mapping[str, Any] | None) -> str:
    """The reason for leaving a control out; an exclusion without a reason excludes nothing, nor
    does one with a flaw."""
    if row is None or row.get("applicable") is not False or row.get("problems"):
        return ""
    return str(row.get("reason") or "").strip()
