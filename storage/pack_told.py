"""What a pack tells beside its rows: tags, pulls, corrections, past verdicts, what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evidence.canonical import plain
from evidence.own import DISPOSAL_KIND, OWN_SOURCE
from storage.disposed import absent
from storage.engine import Connection
from storage.pack import STEP, WIDER, Scope, Selected, listed
from storage.pages import all_rows

MARKS = ('%"redacted":"sha256:%', "%[redacted sha256:%")
"""How a payload shows that a value in it was hidden at landing."""


def left_out(connection: Connection, scope: Scope, narrowed: Sequence[str] = ()) -> dict[str, int]:
    """What a reader would miss: counted, never silently dropped. `narrowed` are the controls that
    what is asked for is of, and the pack is not."""
    wider = "given_items" if scope.items is not None else "items_of_these_controls"
    others = (
        "controls_systems_kinds_or_times" if scope.items is not None else "systems_kinds_or_times"
    )
    sql = f"""SELECT
        (SELECT count(*) FROM evidence WHERE {WIDER}
            AND item_id NOT IN (SELECT item_id FROM wanted WHERE role = 'item'))
            AS {wider}_of_other_{others},
        (SELECT count(*) FROM evidence WHERE item_id IN
                (SELECT item_id FROM tags WHERE control IN (SELECT unnest($narrowed::VARCHAR[])))
            AND item_id NOT IN (SELECT item_id FROM wanted WHERE role = 'item'))
            AS items_of_controls_that_were_narrowed_away,
        (SELECT count(*) FROM evidence SEMI JOIN wanted USING (item_id)
            WHERE payload LIKE $one OR payload LIKE $two) AS rows_in_the_pack_with_hidden_values,
        (SELECT count(*) FROM lake_evidence WHERE landed_at <= $at
            AND item_id NOT IN (SELECT item_id FROM lake_leaves WHERE leaf_index < $size))
            AS items_of_any_control_landed_by_then_and_sealed_later_or_not_yet"""  # noqa: S608
    given = {"size": scope.size, "at": scope.at, "one": MARKS[0], "two": MARKS[1]}
    given |= {"controls": listed(scope.controls), "items": listed(scope.items)}
    given |= {"narrowed": list(narrowed)}
    (row,) = all_rows(connection, sql, given)
    disposed, missing = absent(connection, scope.size)
    row["items_of_any_control_that_were_disposed_of"] = disposed
    row["sealed_items_of_any_control_that_are_missing_without_a_record_of_disposal"] = missing
    return {name: int(number) for name, number in row.items()}


def tags_in(connection: Connection, found: Selected) -> Iterator[dict[str, str]]:
    """Why each item of the pack speaks to which controls, by item. Raises LakeError."""
    sql = """SELECT item_id, control, evidence, rule, strength, rationale, mapping_digest FROM tags
        WHERE item_id >= $low AND item_id < $high
            AND item_id IN (SELECT item_id FROM wanted WHERE role = 'item') ORDER BY ALL"""
    shares = "0123456789abcdef" if found.total > STEP else "0"
    ends = [*shares[1:], "g"]  # every id lies below "g": it is written in hex
    for low, high in zip(shares, ends, strict=True):
        yield from all_rows(connection, sql, {"low": low, "high": high})


def corrections_in(connection: Connection) -> list[dict[str, Any]]:
    """What people said of items of the pack that are wrong, and what stands of it."""
    sql = """SELECT * FROM corrections
        WHERE item_id IN (SELECT item_id FROM wanted WHERE role = 'item')
        ORDER BY corrected_at, correction"""
    return [plain(row) for row in all_rows(connection, sql)]


def pulls_in(connection: Connection) -> Iterator[dict[str, Any]]:
    """What the pull records of the pack say, as the view `pulls` has them, oldest first."""
    sql = """SELECT * FROM pulls WHERE item_id IN (SELECT item_id FROM wanted)
        ORDER BY started_at, item_id"""
    return iter(all_rows(connection, sql))


def disposals_in(connection: Connection) -> list[dict[str, Any]]:
    """The records of disposal by then: of whatever scope, for who knows what they took."""
    sql = f"""SELECT item_id, landed_at, actor, payload->>'$.class' AS class,
            payload->>'$.reason' AS reason, json_array_length(payload->'$.items') AS items
        FROM evidence WHERE source = '{OWN_SOURCE}' AND kind = '{DISPOSAL_KIND}'
        ORDER BY landed_at, item_id"""  # noqa: S608  ours
    return [plain(row) for row in all_rows(connection, sql)]


def verdict_history(connection: Connection, scope: Scope) -> list[dict[str, Any]]:
    """Every change of a verdict in the scope's time, after the last one before it, oldest first.

    Kept as it was judged then; none for a scope of given items. Raises LakeError.
    """
    sql = """SELECT * FROM lake_verdicts WHERE judged_at <= $at
        AND ($controls::VARCHAR[] IS NULL OR control IN (SELECT unnest($controls::VARCHAR[])))
        AND ($systems::VARCHAR[] IS NULL OR system IN (SELECT unnest($systems::VARCHAR[])))
        AND ($end::TIMESTAMPTZ IS NULL OR judged_at < $end::TIMESTAMPTZ)
            AND NOT $given
        QUALIFY $begin::TIMESTAMPTZ IS NULL OR judged_at >= $begin::TIMESTAMPTZ
            OR row_number() OVER (PARTITION BY control, evidence, system
                ORDER BY (judged_at >= $begin::TIMESTAMPTZ), judged_at DESC) = 1
        ORDER BY judged_at, control, evidence, system"""
    given = {name: scope.values()[name] for name in ("controls", "systems", "begin", "end")}
    given |= {"at": scope.at, "given": scope.items is not None}
    return [plain(row) for row in all_rows(connection, sql, given)]
