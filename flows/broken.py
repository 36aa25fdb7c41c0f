"""The broken edges of life cycles as what needs a person: one sentence a check and AI system."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from dashboards.model import Attention
from evidence.broken import Look, broken_edges
from evidence.trace import Broken
from flows.board_lives import lives
from storage.pages import Connection

SEE = "`headwater trace` shows what it rests on: let what is missing land, or mend who and when."


def broken(connection: Connection, at: datetime) -> Iterator[Attention]:
    """What `headwater trace` finds broken among what the connection shows, as of `at`.

    That no AI system is registered is told by its missing inventory. Raises LakeError.
    """
    groups: dict[tuple[str, str], list[Broken]] = defaultdict(list)
    found = lives(connection, at)
    for edge in broken_edges(Look(found.graph, at)):
        if edge.about:
            groups[edge.check, edge.system].append(edge)
    for (check, system), edges in groups.items():
        first, number = edges[0], found.thinned.count(edges)
        more = f" (+{number - 1} more)" if number > 1 else ""
        yield Attention(
            "missing", f"{system or 'Organisation'}: {first.why}{more}.", SEE, system=system,
            item_id=next(iter(first.item_ids), ""), cause=f"trace {check} {system}".strip(),
        )  # fmt: skip
