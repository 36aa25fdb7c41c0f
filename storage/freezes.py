"""Freezes: what the lake held and said at one moment, signed, to be held against it later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from evidence.canonical import digest
from evidence.errors import InvalidItem, LakeError, VerificationFailed
from evidence.own import ACTION_KIND, OWN_SOURCE
from evidence.times import parse, stamp
from storage.engine import Connection
from storage.holds import FREEZE, RELEASE, Hold, hold_of
from storage.keys import Signer
from storage.note import VerifierKey, check_signature

FORM = "headwater.freeze/1"

Counts = Mapping[tuple[str, str], int]
"""(source, kind) → items."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What was fixed: the first `size` items of the ledger, judged as of `at`.

    `sealed` and `root` are the checkpoint that covers them; `mapping` is the digest of catalogue,
    rules and overrides, `expectations` that of what they ask for; `counts` are those of the items,
    `absent` of which were gone already; `result` is the digest of all verdicts and standings, made
    by `code`.
    """

    at: datetime
    size: int
    sealed: int
    root: str
    mapping: str
    expectations: str
    counts: Counts
    absent: int
    result: str
    code: str

    def told(self) -> dict[str, Any]:
        """As JSON-like values."""
        return {
            "form": FORM, "at": stamp(self.at), "size": self.size, "sealed": self.sealed,
            "root": self.root, "mapping": self.mapping, "expectations": self.expectations,
            "counts": [[*key, number] for key, number in sorted(self.counts.items())],
            "absent": self.absent, "result": self.result, "code": self.code,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Freeze:
    """One act of freezing: the hold that keeps its items, what was fixed, and its signed note.

    `released` is empty, or the reason for which somebody let go of the items.
    """

    act: str
    hold: Hold
    frozen: Frozen
    note: str
    released: str = ""

    def told(self, why: str) -> str:
        """The sentence that it does not hold, and why."""
        return f"the freeze {self.hold.name} does not hold: {why}"

    def in_force(self, now: datetime) -> bool:
        """Whether it still keeps its items."""
        return not self.released and self.hold.active(now)

    def check(self, key: VerifierKey) -> None:
        """Raises VerificationFailed unless the ledger's key signed exactly this."""
        what = f"the freeze {self.hold.name}"
        signed, _, signatures = self.note.rpartition("\n\n")
        own = VerifierKey(f"{key.origin}/{FREEZE}", key.public)
        if f"{signed}\n" != f"{own.origin}\n{_line(self.hold, self.frozen)}":
            raise VerificationFailed((f"{what} says another thing than what was signed",))
        check_signature(f"{signed}\n", signatures, own, what)


def freeze_facts(hold: Hold, frozen: Frozen, signer: Signer) -> dict[str, Any]:
    """What the act says: a hold's facts, what was fixed, and both of them signed."""
    note = signer.attest(FREEZE, _line(hold, frozen))
    return hold.facts() | {"frozen": frozen.told(), "note": note}


def _line(hold: Hold, frozen: Frozen) -> str:
    return f"{FORM} {digest({'hold': hold.facts(), 'frozen': frozen.told()})}\n"


def freezes(connection: Connection) -> dict[str, Freeze]:
    """Name → freeze, of all that were ever made, oldest first. Raises LakeError.

    Of two of one name, which only another program can have landed, the first counts.
    """
    found: dict[str, Freeze] = {}
    for act, text, released in _acts(connection):
        try:
            facts = json.loads(text)
            made = Freeze(act, hold_of(facts), _frozen(facts["frozen"]), facts["note"], released)
        except (InvalidItem, ValueError, KeyError, TypeError, RecursionError) as error:
            raise LakeError(
                f"the act {act} ({FREEZE}) cannot be read ({error}): run `headwater verify`"
            ) from error
        found.setdefault(made.hold.name, made)
    return found


def _acts(connection: Connection) -> list[tuple[str, str, str]]:
    """The act, its facts and the reason of its release, for each freeze."""
    sql = """WITH acts AS (
            SELECT item_id, subject, landed_at, (payload->'$.facts')::VARCHAR AS facts,
                payload->>'$.facts.lifts' AS lifts, payload->>'$.facts.reason' AS reason
            FROM evidence WHERE source = $source AND kind = $kind
        ) SELECT f.item_id, f.facts, coalesce(min(r.reason), '')
        FROM acts f LEFT JOIN acts r ON r.subject = $release AND r.lifts = f.item_id
        WHERE f.subject = $freeze
        GROUP BY f.item_id, f.facts, f.landed_at ORDER BY f.landed_at, f.item_id"""
    values = {"source": OWN_SOURCE, "kind": ACTION_KIND, "freeze": FREEZE, "release": RELEASE}
    try:
        return connection.execute(sql, values).fetchall()
    except duckdb.Error as error:
        raise LakeError(f"the freezes cannot be read: {error}") from error


def _frozen(told: Mapping[str, Any]) -> Frozen:
    if told["form"] != FORM:
        raise ValueError(f"its form is {told['form']!r}")
    own = {name: told[name] for name in Frozen.__slots__ if name not in {"at", "counts"}}
    counts = {(source, kind): int(number) for source, kind, number in told["counts"]}
    return Frozen(at=parse(told["at"]), counts=counts, **own)


def counted(connection: Connection) -> Counts:
    """How many items the views show, by source and kind."""
    rows = connection.execute("SELECT source, kind, count(*) FROM evidence GROUP BY ALL")
    return {(source, kind): number for source, kind, number in rows.fetchall()}
