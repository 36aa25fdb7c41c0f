"""Cut the views of a connection to what one reader is shown: nothing else is behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from evidence.excerpt import Excerpt
from evidence.own import CORRECTION_KIND, SUGGESTION_KIND
from evidence.runs import PULL_KIND
from evidence.times import stamp
from storage.engine import Connection, literal

_SHOWN = "SELECT item_id FROM lake_shown"


def cut(connection: Connection, raw: Mapping[str, str], excerpt: Excerpt, *, made: bool) -> None:
    """Replace every relation that reads files by one that holds only what is in the excerpt.

    `raw` is the SQL of each table's rows; with `made` tags lie in the table `lake_made`. Beside
    the items themselves the records of the pulls that brought them are shown, and what was said of
    them: corrections, and proposals with their decisions. Nothing else of Headwater's own is.
    """
    connection.execute(f"CREATE TABLE lake_shown AS {_items(excerpt)}")
    connection.execute(
        f"""INSERT INTO lake_shown SELECT item_id FROM evidence
        WHERE (kind = {literal(PULL_KIND)} AND subject IN
                (SELECT pull_id FROM evidence WHERE item_id IN ({_SHOWN})))
            OR (kind = {literal(CORRECTION_KIND)} AND (payload->>'$.item_id') IN ({_SHOWN}))
            OR (kind = {literal(SUGGESTION_KIND)} AND (payload->>'$.item_id') IN ({_SHOWN})
                AND {_where(_among("(payload->>'$.control')", excerpt.controls))})"""  # noqa: S608
    )
    if made:
        connection.execute(f"DELETE FROM lake_made WHERE ({_where(_tags(excerpt))}) IS NOT TRUE")  # noqa: S608
    for name, conditions in _conditions(excerpt).items():
        rows = f"SELECT * FROM ({raw[name]}) WHERE {_where(conditions)}"  # noqa: S608
        connection.execute(f"CREATE OR REPLACE VIEW lake_{name} AS {rows}")


def _items(excerpt: Excerpt) -> str:
    conditions = ["NOT starts_with(kind, 'headwater.')", *_among("system", excerpt.systems)]
    if excerpt.since:
        conditions.append(f"observed_to >= {_moment(excerpt.since)}")
    if excerpt.until:
        conditions.append(f"observed_from < {_moment(excerpt.until)}")
    if excerpt.controls is not None:
        spoken = _where(_among("control", excerpt.controls))
        conditions.append(f"item_id IN (SELECT item_id FROM lake_claims WHERE {spoken})")  # noqa: S608
    return f"SELECT item_id FROM evidence WHERE {_where(conditions)}"  # noqa: S608


def _conditions(excerpt: Excerpt) -> dict[str, Iterable[str]]:
    """Table → what its rows must fulfil. A standing is over all systems: of some, there is none."""
    shown = f"item_id IN ({_SHOWN})"
    judged = [f"judged_at < {_moment(excerpt.until)}"] if excerpt.until else []
    controls = list(_among("control", excerpt.controls))
    return {
        "evidence": [shown],
        "tags": _tags(excerpt),
        "leaves": [shown],
        "verdicts": [*controls, *_among("system", excerpt.systems), *judged],
        "standings": [*controls, *judged] if excerpt.systems is None else ["false"],
    }


def _tags(excerpt: Excerpt) -> Iterable[str]:
    return [f"item_id IN ({_SHOWN})", *_among("control", excerpt.controls)]


def _among(column: str, values: tuple[str, ...] | None) -> Iterator[str]:
    if values is not None:
        yield f"{column} IN ({', '.join(map(literal, values)) or 'NULL'})"


def _where(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions) or "true"


def _moment(moment: datetime) -> str:
    return f"TIMESTAMPTZ {literal(stamp(moment))}"
