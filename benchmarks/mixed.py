"""Items of many kinds: what the examples of the shipped rules show, among what sources say besides.

A fifth are AWS events, as many are tickets; runs, traces, results of checks and reviews are common,
registers and documents as rare as in an organisation. Some are of a kind that no rule reads.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Any

import pyarrow as pa

from benchmarks.measure import SOURCE, now
from benchmarks.records import START, moment
from evidence.model import Change, Cursor, EvidenceItem, Nature, Outcome
from evidence.runs import Pull, PullFacts, PullOutcome
from evidence.times import stamp
from mappings.in_force import mapping_in_force
from storage.lake import Lake
from storage.rows import evidence_rows
from storage.schema import TIME, month_of

BASE = 50_000
UNREAD = "jira.worklog"
COMMON = {
    "aws.cloudtrail": 20, "jira.issue": 12, "tracker.issue": 8, "mlflow.run": 12,
    "mlflow.trace": 10, "checks.result": 10, "review.pull": 6, "servicenow.change_request": 4,
    "servicenow.incident": 4, UNREAD: 6,
}  # fmt: skip
RARE = {"git": 0.01, "human": 0.001}
"""Whose kinds are few items, however many tickets there are."""
WORDS = (
    "model", "data", "review", "change", "approve", "risk", "drift", "owner", "release", "monitor",
    "incident", "training", "label", "bias", "check", "result", "threshold", "supplier", "access",
)  # fmt: skip


def mixed(number: int, at: datetime) -> EvidenceItem:
    """Item `number`: the same for everybody who asks."""
    dice = random.Random(number)
    kinds, weights, samples = _samples()
    (kind,) = dice.choices(kinds, cum_weights=weights)
    told = dice.choice(samples[kind])
    return EvidenceItem(
        source=SOURCE, kind=kind, subject=f"{kind}-{number}", system=f"system-{number % 200}",
        observed_from=at, observed_to=at, collected_at=at, title=told.get("title") or f"{number}",
        nature=Nature(told.get("nature", Nature.EVENT)), change=Change(told.get("change", "new")),
        outcome=Outcome(told.get("outcome", "recorded")), actor=told.get("actor", ""),
        locator=told.get("locator", f"https://source.example.com/{number}"),
        payload=_besides(number, at, dice) | told.get("payload", {}),
    )  # fmt: skip


@cache
def _samples() -> tuple[list[str], list[float], Mapping[str, list[Mapping[str, Any]]]]:
    """Kinds, their weights added up, and for each what items of it look like."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for page in mapping_in_force().document["rules"]:
        for rule in page["page"]["rules"]:
            kinds = rule["kind"] if isinstance(rule["kind"], list) else [rule["kind"]]
            for sample in (*rule["examples"]["match"], *rule["examples"]["ignore"]):
                found[sample.get("kind", kinds[0])].append(sample)
    found[UNREAD].append({})
    # No source may land what Headwater tells of itself, and a rule may read that, too.
    kinds = sorted(kind for kind in found if not kind.startswith("headwater."))
    return kinds, list(accumulate(map(_weight, kinds))), found


def _weight(kind: str) -> float:
    return COMMON.get(kind, RARE.get(kind.partition(".")[0], 0.3))


def _besides(number: int, at: datetime, dice: random.Random) -> dict[str, Any]:
    people = [f"person-{dice.randrange(900)}" for _ in range(3)]
    return {
        "id": number,
        "url": f"https://source.example.com/browse/{number}",
        "created_at": stamp(at),
        "description": " ".join(dice.choices(WORDS, k=45)),
        "digest": hashlib.sha256(str(number).encode()).hexdigest(),
        "people": {
            role: {"name": name, "email": f"{name}@example.com", "active": True}
            for role, name in zip(("author", "assignee", "watcher"), people, strict=True)
        },
        "history": [
            {"at": stamp(at - timedelta(hours=n)), "field": "status", "to": dice.choice(WORDS)}
            for n in range(3)
        ],
        "metrics": {f"m{n}": round(dice.random(), 6) for n in range(4)},
        "labels": dice.choices(WORDS, k=2),
    }


def lay(lake: Lake, size: int) -> None:
    """Lay so many rows into the lake, evenly over the months, and the record of their pull.

    After BASE items the same come again, each with a subject and an id of its own. The ids of those
    are not what `headwater verify` would compute: these lakes are for reading.
    """
    evidence = lake.table("evidence")
    base = evidence_rows(
        (mixed(number, START) for number in range(min(BASE, size))), landed_at=START, pull_id="laid"
    )
    for low in range(0, size, BASE):
        numbers = range(low, min(low + BASE, size))
        evidence.commit([_again(base, numbers, size)], app="laid", marker=numbers.stop)
    pull = Pull(
        "laid", SOURCE, "benchmarks.mixed", now(), now(), PullOutcome.COMPLETE, PullFacts(), size
    )
    lake.land(
        SOURCE, (), bookmark=lake.bookmark(SOURCE), cursor=Cursor("laid"), pull_id="laid", pull=pull
    )


def _again(base: pa.Table, numbers: range, size: int) -> pa.Table:
    times = pa.array([moment(number, 0, size) for number in numbers], TIME)
    ids = [hashlib.sha256(b"%d" % number).hexdigest() for number in numbers]
    changed = {
        "item_id": pa.array(ids), "subject": pa.array(map(str, numbers), pa.string()),
        "observed_from": times, "observed_to": times, "collected_at": times, "landed_at": times,
        "month": pa.array(map(month_of, times.to_pylist()), pa.string()),
    }  # fmt: skip
    rows = base.slice(0, len(numbers))
    return pa.table([changed.get(name, rows[name]) for name in rows.column_names], rows.schema)
