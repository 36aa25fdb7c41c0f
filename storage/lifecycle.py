"""The items that stand in a life cycle: by their native kind, or by what rules take them for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.engine import Connection, literal
from storage.pages import all_rows

_SUBJECT = "source, kind, system, subject"


@dataclass(frozen=True, slots=True)
class Tie:
    """Where items of these native kinds have the names by which others call them (`keys`), and
    those that they call others by: columns, or paths into the payload such as `$.run."id"`.

    `after` are places of lists with what an entry begins with that calls another.
    """

    kinds: tuple[str, ...]
    keys: tuple[str, ...]
    names: tuple[str, ...]
    after: tuple[tuple[str, str], ...] = ()


def lifecycle_rows(
    connection: Connection,
    kinds: Sequence[str],
    evidence: Sequence[str],
    among: str = "true",
    events: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The last item of each subject that is not gone and that nobody corrected, oldest first.

    Columns of the evidence table, `evidence`, the kinds that its tags take it for, and those of
    `events` that they do. `among` is one of ours, made by `tied` or `called`. Raises LakeError.
    """
    return all_rows(
        connection,
        f"""WITH taken AS (
            SELECT item_id, list(DISTINCT evidence ORDER BY evidence) AS evidence FROM tags
            WHERE evidence IN (SELECT unnest($evidence::VARCHAR[])) GROUP BY item_id
        ), happened AS (
            SELECT item_id, list(DISTINCT control ORDER BY control) AS events FROM tags
            WHERE control IN (SELECT unnest($events::VARCHAR[])) GROUP BY item_id
        ), wanted AS (
            -- Asked before the last of each subject is sought: most of a lake is in no life cycle.
            SELECT {_SUBJECT} FROM evidence WHERE kind IN (SELECT unnest($kinds::VARCHAR[]))
            UNION SELECT {_SUBJECT} FROM evidence SEMI JOIN taken USING (item_id)
        ), last AS (
            SELECT arg_max(item_id, place) AS item_id
            FROM lake_placed SEMI JOIN wanted USING ({_SUBJECT}) GROUP BY {_SUBJECT}
        ), standing AS (
            SELECT item_id, kind, source, nature, system, subject, title, change, outcome, actor,
                locator, observed_from, observed_to, payload, coalesce(t.evidence, []) AS evidence,
                coalesce(h.events, []) AS events,
                kind IN (SELECT unnest($kinds::VARCHAR[])) AS native
            FROM evidence SEMI JOIN last USING (item_id) LEFT JOIN taken t USING (item_id)
                LEFT JOIN happened h USING (item_id)
            WHERE change <> 'gone' AND item_id NOT IN (SELECT item_id FROM lake_corrected)
                AND (native OR t.item_id IS NOT NULL)
        ), newest AS (
            SELECT item_id FROM (SELECT item_id, system, observed_to, unnest(evidence) AS one
                FROM standing)
            QUALIFY row_number() OVER (PARTITION BY system, one
                ORDER BY observed_to DESC, item_id) = 1
        ) SELECT * EXCLUDE (native) FROM standing WHERE {among} ORDER BY observed_to, item_id""",  # noqa: S608  ours
        {"kinds": list(kinds), "evidence": list(evidence), "events": list(events)},
    )


def tied(ties: Sequence[Tie], failing: Sequence[str]) -> str:
    """Those that a broken edge may be about: what names others, is the newest of its kind for its
    system, failed as one of these kinds of evidence or happened as one of the events, and all that
    stand there by their native kind."""
    named = (f"({_of(tie)} AND ({' OR '.join(_naming(tie))}))" for tie in ties if _naming(tie))
    bad = f"outcome IN ('failed', 'error') AND list_has_any(evidence, {_texts(failing)})"
    happened = "events <> []"
    return " OR ".join(("native", f"({bad})", happened, "item_id IN (FROM newest)", *named))


def called(ties: Sequence[Tie], names: Sequence[str]) -> str:
    """Those that have one of these names."""
    wanted = f"(SELECT unnest({_texts(names)}))"
    keyed = (f"({_of(tie)} AND ({' OR '.join(f'{_text(key)} IN {wanted}' for key in tie.keys)}))"
             for tie in ties if tie.keys)  # fmt: skip
    return " OR ".join((f"subject IN {wanted}", *keyed))


def _texts(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]::VARCHAR[]"


def _of(tie: Tie) -> str:
    return f"kind IN ({', '.join(map(literal, tie.kinds))})"


def _naming(tie: Tie) -> list[str]:
    begins = [f"contains({_text(place)}, {literal(json.dumps(text)[:-1])})"
              for place, text in tie.after]  # fmt: skip
    return [*map(_names, tie.names), *begins]


def _names(place: str) -> str:
    return f"coalesce({_text(place)}, '') NOT IN ('', '[]')"


def _text(place: str) -> str:
    if place.startswith("$"):
        return f"left(trim(json_extract_string(payload, {literal(place)}), ' \t\r\n'), 200)"
    return f'"{place}"'
