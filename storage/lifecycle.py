"""The items that stand in a life cycle: by their native kind, or by what rules take them for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.engine import Connection
from storage.pages import all_rows


def lifecycle_rows(
    connection: Connection, kinds: Sequence[str], evidence: Sequence[str]
) -> list[dict[str, Any]]:
    """The last item of each subject that is not gone and that nobody corrected, oldest first.

    Columns of the evidence table, and `evidence`: the kinds that its tags take it for. Raises
    LakeError.
    """
    return all_rows(
        connection,
        """WITH taken AS (
            SELECT item_id, list(DISTINCT evidence ORDER BY evidence) AS evidence FROM tags
            WHERE evidence IN (SELECT unnest($evidence::VARCHAR[])) GROUP BY item_id
        ) SELECT l.item_id, kind, source, nature, system, subject, title, change, outcome, actor,
            locator, observed_from, observed_to, payload, coalesce(t.evidence, []) AS evidence
        FROM latest l LEFT JOIN taken t USING (item_id)
        WHERE change <> 'gone' AND item_id NOT IN (SELECT item_id FROM lake_corrected)
            AND (kind IN (SELECT unnest($kinds::VARCHAR[])) OR t.item_id IS NOT NULL)
        ORDER BY observed_to, item_id""",
        {"kinds": list(kinds), "evidence": list(evidence)},
    )
