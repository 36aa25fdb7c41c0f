"""Whom law says to tell of the incidents that landed, by when, and whether it was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from evidence.fields import nearest
from evidence.incidents import (
    ALL,
    NONE,
    REGISTERS,
    Incident,
    Words,
    read_record,
    read_ticket,
    together,
)
from evidence.notification import Duty, NotificationClock, State, before_known, clocks
from evidence.periods import Limit, Place, earliest
from flows.config import Binding
from flows.moment import Moment
from mappings.deadlines import workdays_of
from mappings.frameworks import Framework
from mappings.law import Deadline, load_law
from storage.incidents import incident_rows
from storage.pages import Connection, known_items, records

BAD = {State.OVER, State.LATE, State.UNKNOWN}
OBLIGATIONS = ("obligations", "obligations_register")


@dataclass(frozen=True, slots=True)
class Notifications:
    """The clocks as of `at`; `bound` are the frameworks that bind, empty: nobody says which.

    `left_out` are laws with deadlines that are said not to bind. `unclassified` are incidents of
    no kind, `wrong` those of which something cannot be read or does not hold, with what. `held`
    are the ids of evidence of a telling that the lake knows. `narrowed`: only some laws or roles
    are asked of.
    """

    at: datetime
    place: Place
    clocks: Sequence[NotificationClock]
    unclassified: Sequence[Incident]
    wrong: Sequence[tuple[Incident, str]]
    bound: frozenset[str]
    left_out: Sequence[str]
    held: frozenset[str] = frozenset()
    narrowed: bool = False


def place_of(binding: Binding) -> Place:
    """Where the organisation's people act."""
    if not binding.country:
        return Place(ZoneInfo(binding.zone))
    return Place(ZoneInfo(binding.zone), workdays_of(binding.country, binding.subdivision))


def words_of(deadlines: Sequence[Deadline]) -> Words:
    """The kinds of incident that laws know, and whom they say to tell."""
    return Words(
        frozenset(kind for one in deadlines for kind in one.incidents),
        frozenset(one.recipient for one in deadlines),
    )


def notifications(
    connection: Connection, shown: Moment, binding: Binding, at: datetime
) -> Notifications:
    """The clocks of what the connection shows. Raises LakeError, MappingError."""
    deadlines, frameworks = load_law().deadlines, shown.mapping.frameworks
    bound = _bound(connection, binding, deadlines)
    duties = [
        _duty(one, frameworks) for one in deadlines
        if (not bound or one.framework in bound) and one.role in (binding.roles or {one.role})
    ]  # fmt: skip
    incidents, gone, said = _incidents(connection, words_of(deadlines))
    place = place_of(binding)
    found = clocks(incidents, duties, place, at)
    lost = [clock for clock in clocks(gone, duties, place, at) if clock.state.open]
    told = known_items(connection, {t.evidence for one in incidents for t in one.told})
    left = {_short(one.framework, frameworks) for one in deadlines
            if bound and one.framework not in bound}  # fmt: skip
    return Notifications(
        at, place, [*found, *lost], [one for one in incidents if not one.kinds],
        [*_wrong(incidents, told, at, place), *_gone(lost), *_weakened(said, duties, place, at)],
        bound, sorted(left), frozenset(told), bool(bound or binding.roles),
    )  # fmt: skip


def _bound(
    connection: Connection, binding: Binding, deadlines: Sequence[Deadline]
) -> frozenset[str]:
    """What headwater.toml and the register of obligations name."""
    known = {one.framework for one in deadlines}
    named = {str(row.get("framework") or "") for row in records(connection, *OBLIGATIONS)}
    bound = (named & known) | {*binding.binds}
    # A misspelt one narrows nothing: it binds as the law that it is most like.
    near = {nearest(name, sorted(known)) for name in named - known} - {""} if bound else set()
    return frozenset(bound | near)


def _duty(one: Deadline, frameworks: Mapping[str, Framework]) -> Duty:
    return Duty(
        law=f"{_short(one.framework, frameworks)} {one.article}", framework=one.framework,
        what=one.duty, by=one.by, to=one.to, role=one.role, recipient=one.recipient,
        incidents=one.incidents, counted_from=one.counted_from,
        limit=Limit(one.limit, one.in_hours) if one.limit else None,
    )  # fmt: skip


def _short(framework: str, frameworks: Mapping[str, Framework]) -> str:
    known = frameworks.get(framework)
    return known.short if known else framework


Said = Sequence[tuple[Incident, Sequence[Incident]]]
"""Incidents that stand, each as all of its versions told it."""


def _incidents(connection: Connection, words: Words) -> tuple[list[Incident], list[Incident], Said]:
    """Those that stand, those whose record or ticket is gone, and what was said of them before."""
    rows = incident_rows(connection, REGISTERS)
    said = [
        (_read(row, words), [_read(row | {"payload": row["payload"] | one}, words)
                             for one in row["said"]])
        for row in rows if len(row["said"]) > 1 and not row["gone"]
    ]  # fmt: skip
    read = {row["item_id"]: _read(row, words) for row in rows}
    register = [row for row in rows if row["kind"] == "git.register"]
    tickets = [row for row in rows if row["kind"] != "git.register"]
    standing = together(*(
        [read[row["item_id"]] for row in many if not row["gone"]] for many in (register, tickets)
    ))  # fmt: skip
    gone = [read[row["item_id"]] for row in rows if row["gone"]]
    return standing, [one for one in gone if not _carried(one, standing)], said


def _carried(gone: Incident, standing: Sequence[Incident]) -> bool:
    """Whether one that stands is the same, moved or told by its record: another team's first
    incident has the id INC-1, too."""
    return any(
        gone.id in (one.id, one.ticket) and one.system == (gone.system or one.system)
        and {*gone.kinds} - {NONE} <= {*one.kinds}
        for one in standing
    )  # fmt: skip


def _read(row: Mapping[str, Any], words: Words) -> Incident:
    about = {name: row[name] for name in ("item_id", "opened", "source")}
    payload = row["payload"]
    if row["kind"] == "git.register":
        return read_record(payload | about | {"item_system": row["system"]}, words)
    name = payload.get("key") or payload.get("number") or row["subject"]
    told = {"id": name, "title": row["title"], "system": row["system"]}
    return read_ticket({"labels": payload.get("labels")} | told | about, words)


def _wrong(
    incidents: Sequence[Incident], known: Mapping[str, str], at: datetime, place: Place
) -> Iterator[tuple[Incident, str]]:
    for one in incidents:
        for problem in one.problems:
            yield one, problem
        for told in one.told:
            if told.evidence and told.evidence not in known:
                yield one, f"names the item {told.evidence[:20]}, which the lake does not hold"
            if told.at is not None and earliest(told.at, place.zone) > at:
                yield one, f"is told to {told.to} on a day to come: that counts for nothing"
            if before_known(told, earliest(one.aware, place.zone) if one.aware else None, place):
                yield one, f"is told to {told.to} before it was known: that counts for nothing"
        if one.aware is not None and earliest(one.aware, place.zone) > at:
            yield one, "became known on a day to come: that counts for nothing"


def _weakened(
    said: Said, duties: Sequence[Duty], place: Place, at: datetime
) -> Iterator[tuple[Incident, str]]:
    """What an earlier version said that would leave somebody untold, or told late."""
    for now, versions in said:
        if any(one.to == ALL for one in now.exempt) or any(one.why for one in now.told):
            continue
        stands = {clock.duty.law: clock.state for clock in clocks([now], duties, place, at)}
        for before in versions:
            was = replace(now, kinds=before.kinds, aware=before.aware)
            for clock in clocks([was], duties, place, at) if was.aware or was.kinds else ():
                if stands.get(clock.duty.law) is None:
                    yield now, f"was told as {', '.join(was.kinds)} before ({clock.duty.law})"
                elif was.aware and clock.state in BAD and stands[clock.duty.law] not in BAD:
                    yield (
                        now,
                        (
                            f"was known since {was.aware} by an earlier version, by which "
                            f"{clock.duty.law} is {clock.state.value}"
                        ),
                    )


def _gone(lost: Sequence[NotificationClock]) -> Iterator[tuple[Incident, str]]:
    for incident in dict.fromkeys(clock.incident for clock in lost):
        yield incident, "is gone at its source while somebody was still to be told"
