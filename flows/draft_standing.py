"""How an item stands for who would cite it: what it is in date for, and what speaks against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence.draft import Flaw
from evidence.duration import plus
from evidence.freshness import CLOCK_SKEW, Expectation, Scope, Verdict
from evidence.model import Change, Nature
from evidence.own import OWN_SOURCE
from flows.judgement import Judged
from storage.corrections import told_correction
from storage.drafts import heartbeats, overtaking, standing_items, whole_pulls
from storage.pages import Connection, corrections_of, item_tags

_BAD = {"failed", "error"}


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
        overtaking(connection, judged.at),
    )  # fmt: skip


def _stands(row: Mapping[str, Any], facts: _Facts) -> Stands:
    flaws = list(_flaws(row, facts))
    found = [_counts(row, tag, facts) for tag in facts.tags.get(row["item_id"], ())]
    counts = tuple(dict.fromkeys(told for counts, told in found if counts))
    if not found:
        flaws.append(Flaw("unclaimed", "it speaks to no control that is asked"))
    elif not counts:
        flaws.append(Flaw("stale", found[0][1]))
    return Stands(tuple(flaws), counts)


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


def _counts(row: Mapping[str, Any], tag: Mapping[str, Any], facts: _Facts) -> tuple[bool, str]:
    """Whether the item is in date for one need, and the sentence that says so or why not."""
    what = f"{tag['control']} as {tag['evidence']}"
    verdict, want = _asked(row, tag, facts)
    if verdict is None or want is None:
        return False, f"{what} is not asked of {row['system'] or 'the organisation'}"
    if tag["strength"] in facts.judged.catalogue.aside:
        return False, f"it only supports {what}: it puts nothing in date alone"
    if not verdict.in_date:
        return False, f"{what}: {verdict.why}"
    if why := "" if verdict.item_id == row["item_id"] else _too_old(row, want, facts):
        return False, f"{what}: {why}"
    until = f" until {verdict.fresh_until:%Y-%m-%d}" if verdict.fresh_until else ""
    fails = f"; yet {verdict.why}" if verdict.failed else ""
    return True, f"counts for {what}{until}: {tag['rationale']}{fails}"


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


def _too_old(row: Mapping[str, Any], want: Expectation, facts: _Facts) -> str:
    """Why an item that the verdict does not rest on is not in date by itself; empty if it is."""
    at = facts.judged.at
    beat = row["observed_to"] if row["source"] == OWN_SOURCE else facts.beats.get(row["source"])
    clock = beat if row["nature"] == Nature.STATE else row["observed_to"]
    if clock is None or beat is None:
        return f"{row['source']} never finished a complete pull"
    if row["observed_to"] > at + CLOCK_SKEW:
        return "its time lies in the future: not believed"
    if want.max_age is None:
        return "a newer one counts in its place"
    if plus(clock, want.max_age) <= at:
        return f"from {clock:%Y-%m-%d}, over its age limit"
    if at - beat > want.silence and row["source"] != OWN_SOURCE:
        return f"{row['source']} has not finished a pull since {beat:%Y-%m-%d}"
    for (event, system), when in facts.events.items():
        if event in want.stale_on and when > clock + want.lead and (
            want.scope is Scope.ORGANISATION or system in {"", row["system"]}
        ):  # fmt: skip
            return f"{event.replace('_', ' ')} on {when:%Y-%m-%d} came after it"
    return ""
