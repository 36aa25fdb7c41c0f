"""What the mapping leaves open, for the board: items that wait for a rule, other frameworks."""

from __future__ import annotations

from collections.abc import Iterator

from dashboards.model import ContextRow, FrameworkRow, QueueRow, RequirementRow
from flows.judgement import Judged
from mappings.crosswalk import Carried, Reach, carry
from storage.claims import claimed_twice, context_only, untagged_kinds
from storage.engine import Connection


def queue(connection: Connection) -> Iterator[QueueRow]:
    """Items that no rule takes, then those taken for two things at once. Raises LakeError."""
    for row in (*untagged_kinds(connection), *claimed_twice(connection)):
        yield QueueRow(**row)


def context(connection: Connection) -> Iterator[ContextRow]:
    """Every declaration of context by which an item waits for no rule. Raises LakeError."""
    for row in context_only(connection):
        yield ContextRow(**row)


def frameworks(judged: Judged) -> Iterator[FrameworkRow]:
    """Every framework of the mapping in force, as far as today's evidence carries it."""
    for known in judged.moment.mapping.frameworks.values():
        yield FrameworkRow(
            framework=known.id, title=known.title, edition=known.edition,
            requirements=tuple(map(_row, carry(known, judged.standings, judged.at.date()))),
            rows=len(known.rows), reviewed=sum(row.review is not None for row in known.rows),
        )  # fmt: skip


def _row(one: Carried) -> RequirementRow:
    carrying = (link.row.control for link in one.links if link.reach is not Reach.OPEN)
    return RequirementRow(
        one.requirement, one.group, one.reach.value, tuple(carrying), one.failing, one.open
    )
