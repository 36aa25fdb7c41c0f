"""Which item of a subject stands, of all items or of a few kinds: the same rule for both."""

from __future__ import annotations

from storage.engine import literal

SUBJECT = "source, kind, system, subject"


def placed_sql(evidence: str) -> str:
    """The items of a relation like `evidence` with their place among those of one subject.

    The last place is how the subject stands. Results of one check are new each time: the latest
    observed one stands, whenever it came. A change, a loss or a return is a new version of the same
    thing: it replaces whatever landed before it, also one that declares a later date. The relation
    must hold each of its subjects whole.
    """
    return f"""
    WITH revised AS (
        SELECT item_id, sum(CAST(change <> 'new' AS INT)) OVER subject_so_far
            + coalesce(sum(CAST(change = 'gone' AS INT)) OVER subject_before, 0) AS revision
        FROM {evidence}
        SEMI JOIN (SELECT DISTINCT {SUBJECT} FROM {evidence} WHERE change <> 'new')
            USING ({SUBJECT})
        WINDOW subject_so_far AS (PARTITION BY {SUBJECT} ORDER BY landed_at, item_id),
            subject_before AS (PARTITION BY {SUBJECT} ORDER BY landed_at, item_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )
    SELECT e.*, coalesce(revision, 0) AS revision,
        struct_pack(revision := coalesce(revision, 0), observed_to := observed_to,
            collected_at := collected_at, landed_at := landed_at, item_id := item_id) AS place
    FROM {evidence} e LEFT JOIN revised USING (item_id)
    """  # noqa: S608  no text from outside


def latest_sql(placed: str) -> str:
    """The last of each subject, from a relation of items with their places."""
    return f"""SELECT * EXCLUDE (revision, place) FROM {placed} QUALIFY
        row_number() OVER (PARTITION BY {SUBJECT} ORDER BY place DESC) = 1"""  # noqa: S608


def latest_of(evidence: str) -> str:
    """`latest`, of a relation that holds each of its subjects whole: the others are not read."""
    return latest_sql(f"({placed_sql(evidence)})")


def of_kinds(*kinds: str) -> str:
    """The items of these kinds, which `lake_few` holds.

    Asked for one kind the engine passes over the payloads of others, asked for one of several it
    does not: so each is asked for by itself.
    """
    each = (f"SELECT * FROM lake_few WHERE kind = {literal(kind)}" for kind in kinds)  # noqa: S608
    return f"({' UNION ALL '.join(each)})"
