"""What should be there against what is: a denominator for evidence, by the organisation's word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.pages import KINDS, REGISTER_KINDS, Connection, all_rows
from storage.tally import counted

REGISTERS = ("population", "expected_population")


@dataclass(frozen=True, slots=True)
class Expected:
    """One record of the register: at least `least` subjects that match the globs must have landed.

    `problem` says why the record cannot be used; it then counts as nothing found.
    """

    id: str
    kind: str
    subject: str = "*"
    source: str = "*"
    system: str = "*"
    least: int = 1
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """An expectation with the number of subjects that stand for it now."""

    expected: Expected
    found: int

    @property
    def missing(self) -> int:
        """How many of those expected did not land, or are gone."""
        return max(0, self.expected.least - self.found)


def read_expected(rows: Sequence[Mapping[str, Any]]) -> tuple[Expected, ...]:
    """The register's records; one that cannot be used stays, with its problem."""
    return tuple(_expected(row) for row in rows)


def _expected(row: Mapping[str, Any]) -> Expected:
    names = ("kind", "subject", "source", "system")
    texts = {n: str(row[n]).strip() for n in names if row.get(n) not in (None, "")}
    least, kind = row.get("least", 1), texts.pop("kind", "")
    problem = "" if kind else "has no `kind`"
    try:
        number = int(str(least))
    except ValueError:
        number = 0
    if number < 1:
        number, problem = 1, f"`least` is {str(least)[:20]!r}, not a number of 1 or more"
    return Expected(str(row.get("id", "")), kind, least=number, problem=problem, **texts)


def count_population(connection: Connection, wanted: Sequence[Expected]) -> tuple[Counted, ...]:
    """Each expectation with its subjects that stand (not gone, not corrected), in order.

    Raises LakeError.
    """
    usable = [one for one in wanted if not one.problem]
    found: dict[str, int] = {}
    if usable:
        names = ("id", "kind", "subject", "source", "system")
        columns = {name: [getattr(one, name) for one in usable] for name in names}
        rows = all_rows(
            connection,
            """WITH wanted AS (
                SELECT unnest($id::VARCHAR[]) AS id, unnest($kind::VARCHAR[]) AS kind,
                    unnest($subject::VARCHAR[]) AS subject, unnest($source::VARCHAR[]) AS source,
                    unnest($system::VARCHAR[]) AS system
            )
            SELECT w.id, count(DISTINCT row(l.source, l.kind, l.system, l.subject)) AS found
            FROM wanted w JOIN latest l ON l.kind GLOB w.kind AND l.subject GLOB w.subject
                AND l.source GLOB w.source AND l.system GLOB w.system
            WHERE l.change <> 'gone' AND l.item_id NOT IN (SELECT item_id FROM lake_corrected)
            GROUP BY w.id""",
            columns,
        )
        found = {row["id"]: row["found"] for row in rows}
    return tuple(Counted(one, found.get(one.id, 0) if not one.problem else 0) for one in wanted)


def systems_seen(connection: Connection) -> dict[str, dict[str, Any]]:
    """AI system → how many items name it, of how many kinds, the latest of their times.

    `uncorrected` counts those that nobody corrected. An item names no system of which two people
    said that it is the wrong one.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in counted(connection, KINDS):
        if row["system"] and row["kind"] not in REGISTER_KINDS and not row["elsewhere"]:
            known = found.setdefault(row["system"], {"items": 0, "kinds": 0, "uncorrected": 0})
            known["newest"] = max(known.get("newest", row["newest"]), row["newest"])
            known["kinds"] += 1
            for name in ("items", "uncorrected"):
                known[name] += row[name]
    return dict(sorted(found.items()))
