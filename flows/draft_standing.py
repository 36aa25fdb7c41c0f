"""How an item stands for who would cite it: what it is in date for, and what speaks against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from evidence.asked import Sighting
from evidence.draft import Flaw
from evidence.freshness import Expectation, Scope, Verdict, judge
from evidence.model import Change, Nature
from evidence.own import OWN_SOURCE
from flows.judgement import Judged
from flows.statements import in_force
from storage.corrections import told_correction
from storage.drafts import heartbeats, overtaking, standing_items, whole_pulls
from storage.pages import Connection, corrections_of, item_tags

_BAD = {"failed", "error"}
_STATEMENT = "attestation"
"""What rules call a person's signed statement: it is not asked for as evidence is."""


@dataclass(frozen=True, slots=True)
class Stands:
    """What an item is in date for, a sentence each, and its flaws."""

    flaws: tuple[Flaw, ...]
    counts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of these items beside their rows."""

    judged: Judged
    wants: Mapping[tuple[str, str], Expectation]
    verdicts: Mapping[tuple[str, str, str], Verdict]
    tags: Mapping[str, Sequence[Mapping[str, Any]]]
    latest: Mapping[str, str]
    corrections: Mapping[str, Sequence[Mapping[str, Any]]]
    beats: Mapping[str, datetime]
    whole: Collection[str]
    events: Mapping[tuple[str, str], datetime]
    signed: Mapping[str, datetime]


def stand_now(
    connection: Connection, judged: Judged, rows: Sequence[Mapping[str, Any]],
    controls: Collection[str] = (),
) -> dict[str, Stands]:  # fmt: skip
    """Item id → how each of these items stands, for these controls (none named: for any).

    Raises LakeError.
    """
    facts = _facts(connection, judged, rows, controls)
    return {row["item_id"]: _stands(row, facts) for row in rows}


def _facts(
    connection: Connection, judged: Judged, rows: Sequence[Mapping[str, Any]],
    controls: Collection[str],
) -> _Facts:  # fmt: skip
    ids = [row["item_id"] for row in rows]
    tags, corrections = defaultdict(list), defaultdict(list)
    for tag in item_tags(connection, ids):
        if not tag["control"].startswith("event:") and tag["control"] in (
            controls or [tag["control"]]
        ):
            tags[tag["item_id"]].append(tag)
    for one in corrections_of(connection, ids):
        if one["state"] != "withdrawn":
            corrections[one["item_id"]].append(one)
    mapping = judged.moment.mapping
    return _Facts(
        judged,
        {(w.control, w.evidence): w for w in mapping.catalogue.expectations(mapping.overrides)},
        {(v.control, v.evidence, v.system): v for v in judged.verdicts},
        tags, standing_items(connection, ids), corrections, heartbeats(connection),
        whole_pulls(connection, {row["pull_id"] for row in rows}),
        overtaking(connection, judged.at), _signed(connection, judged),
    )  # fmt: skip


def _signed(connection: Connection, judged: Judged) -> dict[str, datetime]:
    """The items that are statements by which a control stands now → until when."""
    carrying = in_force(connection, judged.catalogue, judged.systems.keys(), judged.at)
    return {one.item_id: one.until for one in carrying.values() if one.until > judged.at}


def _stands(row: Mapping[str, Any], facts: _Facts) -> Stands:
    found = [_use(row, tag, facts) for tag in facts.tags.get(row["item_id"], ())]
    flaws = list(_flaws(row, facts))
    if not any(use.word == COUNTS for use in found):
        worst = min(found, key=lambda use: _WORDS.index(use.word), default=None)
        flaws.append(worst.flaw if worst else Flaw("unclaimed", "it speaks to no control asked"))
    return Stands(tuple(flaws), tuple(_told(found)))


@dataclass(frozen=True, slots=True)
class _Use:
    """What an item is worth for one need: a word, and why."""

    control: str
    evidence: str
    word: str
    why: str

    @property
    def flaw(self) -> Flaw:
        return Flaw(self.word, f"{self.control} as {self.evidence}: {self.why}")


COUNTS = "counts"
_WORDS = ("stale", "supporting", "unclaimed", COUNTS)
"""Of several reasons why an item is in date for nothing, which is told."""


def _told(uses: Sequence[_Use]) -> Iterator[str]:
    """What it counts for: the controls that ask the same of it in one sentence."""
    controls: dict[tuple[str, str], list[str]] = {}
    for use in uses:
        if use.word == COUNTS:
            controls.setdefault((use.evidence, use.why), []).append(use.control)
    for (evidence, why), named in controls.items():
        yield f"counts as {evidence} for {', '.join(named)} {why}"


def _flaws(row: Mapping[str, Any], facts: _Facts) -> Iterator[Flaw]:
    """What speaks against the item whatever it is taken for."""
    said = facts.corrections.get(row["item_id"], ())
    stated = next((one for one in said if one["fails"]), None)
    if stated:
        yield Flaw("failed", f"{stated['corrected_by']} says so: {stated['reason']}")
    elif row["outcome"] in _BAD:
        yield Flaw(row["outcome"], f"its outcome is {row['outcome']}")
    for one in said:
        yield Flaw("corrected", told_correction(one))
    if row["change"] == Change.GONE or facts.latest.get(row["item_id"]) == Change.GONE:
        yield Flaw("gone", "it is gone at its source")
    elif row["item_id"] not in facts.latest:
        yield Flaw("replaced", "a newer version or result of it landed")
    beat = facts.beats.get(row["source"])
    seen = row["pull_id"] in facts.whole or (beat is not None and row["collected_at"] <= beat)
    if row["source"] != OWN_SOURCE and not seen:
        yield Flaw("unconfirmed", "only a pull that did not finish whole brought it")


def _use(row: Mapping[str, Any], tag: Mapping[str, Any], facts: _Facts) -> _Use:
    control, evidence = tag["control"].partition(":")[2], tag["evidence"]
    if evidence == _STATEMENT:
        until = facts.signed.get(row["item_id"])
        why = f"until {until:%Y-%m-%d}: a person signs" if until else "no control stands by it now"
        return _Use(control, evidence, COUNTS if until else "stale", why)
    verdict, want = _asked(row, tag, facts)
    if verdict is None or want is None:
        why = f"not asked of {row['system'] or 'the organisation'}"
        return _Use(control, evidence, "unclaimed", why)
    if tag["strength"] in facts.judged.catalogue.aside:
        return _Use(control, evidence, "supporting", "it puts nothing in date alone")
    if not verdict.in_date:
        return _Use(control, evidence, "stale", verdict.why)
    until = verdict.fresh_until
    if verdict.item_id != row["item_id"]:
        until, why = _alone(row, want, facts)
        if why:
            return _Use(control, evidence, "stale", why)
    ends = f"until {until:%Y-%m-%d}" if until else "for now"
    fails = f"; yet {verdict.why}" if verdict.failed and row["outcome"] not in _BAD else ""
    return _Use(control, evidence, COUNTS, f"{ends}: {tag['rationale'].rstrip('.')}{fails}")


def _asked(
    row: Mapping[str, Any], tag: Mapping[str, Any], facts: _Facts
) -> tuple[Verdict | None, Expectation | None]:
    """The verdict that the item may bear, and what is asked of its system."""
    control, evidence = tag["control"], tag["evidence"]
    want = facts.wants.get((control, evidence))
    if want is None:
        return None, None
    system = "" if want.scope is Scope.ORGANISATION else row["system"]
    known = facts.judged.systems.get(system, {})
    risk = str(known.get("risk_class") or "")
    return facts.verdicts.get((control, evidence, system)), (
        want.of(system, risk) if system else want
    )


def _alone(row: Mapping[str, Any], want: Expectation, facts: _Facts) -> tuple[datetime | None, str]:
    """Until when an item that the verdict does not rest on is in date, or why it is not: judged as
    if nothing else had landed."""
    if want.max_age is None:
        return None, "a newer one counts in its place"
    own = row["source"] == OWN_SOURCE
    seen = Sighting(
        newest=row["observed_to"], nature=Nature(row["nature"]), source=row["source"],
        heartbeat=row["observed_to"] if own else facts.beats.get(row["source"]),
        events=_events(row, want, facts.events),
    )  # fmt: skip
    # What Headwater itself lands comes when people act: it is never silent.
    silence = timedelta.max if own else want.silence
    asked = replace(want, deadline=None, silence=silence)
    alone = judge(asked, row["system"], seen, facts.judged.at)
    return (alone.fresh_until, "") if alone.in_date else (None, alone.why)


def _events(
    row: Mapping[str, Any], want: Expectation, events: Mapping[tuple[str, str], datetime]
) -> dict[str, datetime]:
    """The latest of each event that bears on the item: for what is asked once, those of all."""
    found: dict[str, datetime] = {}
    for (event, system), when in events.items():
        if want.scope is Scope.ORGANISATION or system in {"", row["system"]}:
            found[event] = max(when, found.get(event, when))
    return found
