"""What ends or begins on a day, beside evidence: signatures, waivers, laws."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from dashboards.detail import EndRow
from evidence.freshness import Attestation
from flows.moment import Moment
from flows.statements import in_force
from flows.waivers import waivers
from storage.pages import Connection


def ends(connection: Connection, shown: Moment, systems: Collection[str]) -> tuple[EndRow, ...]:
    """What ends or begins after the moment shown, in order of days. Raises LakeError."""
    rows = [*_people(connection, shown, systems), *_laws(shown)]
    return tuple(sorted(rows, key=lambda row: (row.on, row.what, row.sentence)))


def _people(
    connection: Connection, shown: Moment, systems: Collection[str]
) -> Iterator[EndRow]:  # fmt: skip
    catalogue, at = shown.mapping.catalogue, shown.at
    signed = in_force(connection, catalogue, systems, at)
    for control, made in signed.items():
        if at < made.until:
            yield EndRow(made.until.date(), "signature", _signed(made), control, made.by)
    for control, held in waivers(connection, catalogue, at).items():
        for waiver in held:
            if waiver.in_force(at):
                yield EndRow(
                    waiver.until.date(), "waiver", f"{waiver.sentence}.", control, waiver.owner
                )


def _signed(made: Attestation) -> str:
    return f"the statement of {made.by}, signed {made.at:%Y-%m-%d}, is over"


def _laws(shown: Moment) -> Iterator[EndRow]:
    for framework in shown.mapping.frameworks.values():
        for told in framework.dates:
            if told.on > shown.at.date():
                yield EndRow(told.on, "law", f"{framework.short} {told.sentence}")
