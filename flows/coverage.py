"""What is registered against what was collected: every denominator with its numerator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from dashboards.model import Attention
from evidence.times import stamp
from flows.attention import told_disposed
from flows.config import load, now
from flows.moment import Asked, moment
from flows.terminal import Screen, Table, for_machines
from storage.disposed import disposed
from storage.lake import Lake
from storage.pages import Connection, records
from storage.population import REGISTERS, Counted, count_population, read_expected, systems_seen

REGISTER_IT = "Write it into the inventory of AI systems, or correct the name where it is given."
CONNECT = "See that its source is pulled and may show it; if it is no more, correct the register."


@dataclass(frozen=True, slots=True)
class Coverage:
    """Registered systems with what names them, strangers among the evidence, and the population.

    `registered` and `strangers` map a system to its row of `systems_seen`, empty where nothing
    landed; `disposed` items are in no number any more.
    """

    registered: Mapping[str, Mapping[str, Any]]
    strangers: Mapping[str, Mapping[str, Any]]
    population: tuple[Counted, ...]
    disposed: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing that should be there is missing."""
        return (
            all(self.registered.values())
            and not self.strangers
            and not any(one.missing for one in self.population)
        )


def coverage(connection: Connection) -> Coverage:
    """As of the moment that the connection shows. Raises LakeError."""
    inventory = [str(row["id"]) for row in records(connection, "ai_inventory", "ai_systems")]
    seen = systems_seen(connection)
    wanted = read_expected(records(connection, *REGISTERS))
    return Coverage(
        registered={name: _proving(seen.get(name, {})) for name in inventory},
        strangers={name: row for name, row in seen.items() if name not in inventory},
        population=count_population(connection, wanted),
        disposed=disposed(connection),
    )


def _proving(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A system of which every item was corrected has no evidence."""
    return row if row.get("uncorrected") else {}


def uncovered(found: Coverage) -> Iterator[Attention]:
    """What needs a person: one sentence each."""
    for one in found.population:
        if told := _missing(one):
            yield Attention("missing", f"Expected population {one.expected.id}: {told}.", CONNECT)
    if found.registered:  # without an inventory, its absence is told already
        for name, row in found.strangers.items():
            yield Attention(
                "missing", f"{row['items']} items speak of the AI system {name}, which the "
                "inventory does not hold.", REGISTER_IT, system=name,
            )  # fmt: skip


def _missing(one: Counted) -> str:
    wanted = one.expected
    if wanted.problem:
        return f"its record {wanted.problem}, so nothing can be counted"
    if not one.missing:
        return ""
    what = f"{wanted.kind} {wanted.subject}"
    return f"{one.found} of at least {wanted.least} {what} landed and stand"


def show(file: Path, asked: Asked | None, *, as_json: bool) -> int:
    """Print what is covered and what is not; 3 if something is missing, else 0."""
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    shown = moment(lake, config, asked)
    with shown.connect(lake) as connection:
        found = coverage(connection)
    if as_json:
        print(for_machines(_machine(found)))
    else:
        _print(found)
    return 0 if found.whole else 3


def _print(found: Coverage) -> None:
    console = Screen()
    table = Table("AI system", "registered", "items", "kinds", "newest fact")
    for name, row in {**found.registered, **found.strangers}.items():
        known = name in found.registered
        table.add_row(
            escape(name), "yes" if known else "NO", str(row.get("items", 0)),
            str(row.get("kinds", 0)), stamp(row["newest"])[:10] if row else "nothing",
            style="" if known and row else "yellow",
        )  # fmt: skip
    console.print(table)
    named = sum(bool(row) for row in found.registered.values())
    console.print(f"{named} of {len(found.registered)} registered AI systems have evidence",
                  highlight=False)  # fmt: skip
    if found.disposed:
        console.print(told_disposed(found.disposed), highlight=False)
    if not found.population:
        console.print("no register `population` says what else must be there", highlight=False)
        return
    expected = Table("expected", "kind", "subject", "source", "system", "at least", "found")
    for one in found.population:
        want = one.expected
        cells = (want.id, want.kind, want.subject, want.source, want.system, str(want.least))
        expected.add_row(*(escape(cell) for cell in cells), str(one.found),
                         style="yellow" if one.missing else "")  # fmt: skip
    console.print(expected)
    whole = sum(not one.missing for one in found.population)
    console.print(f"{whole} of {len(found.population)} expectations are met", highlight=False)
    for one in found.population:
        if told := _missing(one):
            console.print(escape(f"{one.expected.id}: {told}"), highlight=False)


def _machine(found: Coverage) -> dict[str, object]:
    return {
        "whole": found.whole,
        "disposed": found.disposed,
        "registered": {name: _row(row) for name, row in found.registered.items()},
        "not_registered": {name: _row(row) for name, row in found.strangers.items()},
        "population": [
            {"id": one.expected.id, "kind": one.expected.kind, "subject": one.expected.subject,
             "source": one.expected.source, "system": one.expected.system,
             "least": one.expected.least, "found": one.found, "missing": _missing(one)}
            for one in found.population
        ],
    }  # fmt: skip


def _row(row: Mapping[str, Any]) -> dict[str, object]:
    if not row:
        return {"items": 0, "kinds": 0, "newest": None}
    return {"items": row["items"], "kinds": row["kinds"], "newest": stamp(row["newest"])}
