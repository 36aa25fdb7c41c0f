"""The views that boards and auditors read, on a connection that can do nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from evidence.errors import LakeError
from evidence.excerpt import EVERYTHING, Excerpt
from evidence.runs import PULL_KIND
from evidence.times import stamp, utc
from storage.corrections import corrected_sql, corrections_sql
from storage.drafts import DRAFTS
from storage.engine import (
    Connection,
    Limits,
    enough,
    literal,
    little,
    load_table,
    open_engine,
    quote,
    rows_of,
    unreadable,
)
from storage.excerpts import cut
from storage.lake import Lake
from storage.placed import latest_sql, placed_sql
from storage.question import Answer, ask
from storage.schema import TABLES, TAGS
from storage.sightings import sightings
from storage.sql_follower import Unfollowed
from storage.suggestions import accepted_sql, suggestions_sql

__all__ = ["Answer", "Connection", "Limits", "ask", "connect", "sightings"]

CLAIMS = f"""SELECT * FROM lake_tags
    WHERE mapping_digest = {{digest}} AND NOT starts_with(control, 'context:')
    UNION ALL BY NAME SELECT *, {{digest}} AS mapping_digest FROM (
        {accepted_sql(f"({suggestions_sql('lake_few')})")})"""  # noqa: S608  ours
"""Tags by the rules in force and those that people accepted, also of items that are not shown: for
who joins them with items."""

CONTEXT = """SELECT item_id, rule AS declaration, rationale
    FROM lake_tags ANTI JOIN lake_corrected USING (item_id)
    WHERE mapping_digest = {digest} AND starts_with(control, 'context:')"""
"""What rule files declare to be context only, tagged or not, also of items that are not shown. What
a person corrected never is."""

VIEWS: Mapping[str, tuple[str, str]] = {
    "evidence": (
        "Every landed item, one row each; columns as in docs/lake.md. Clock: landed_at.",
        "SELECT * FROM lake_evidence WHERE {landed}",
    ),
    "corrections": (
        "What people said of items that are wrong: in what (wrong), what holds instead, who and "
        "why, who confirmed or withdrew it; state tells what is in force. Clock: landed_at.",
        corrections_sql("lake_few"),
    ),
    "suggestions": (
        "What a model proposed an item for (control, evidence, score, the words said and asked), "
        "and what people decided: state is open, accepted, confirmed or rejected. "
        "Clock: landed_at.",
        suggestions_sql("lake_few"),
    ),
    "latest": (
        "How each source, kind, system and subject stands: its latest version, or its latest "
        "result by observed time; "
        "a subject that is gone at its source shows its item with change = 'gone'.",
        latest_sql("lake_placed"),
    ),
    "drafts": (
        "What was drafted from evidence, by which model or by code alone, on which items it rests, "
        "whether those have changed since (outdated), and what a person decided: state is open, "
        "accepted, rejected, or abstained (nothing could be drafted). No draft is evidence for a "
        "control. Clock: landed_at.",
        DRAFTS,
    ),
    "tags": (
        "Which control each item speaks to, by the rules of one mapping digest; controls that "
        "begin with event: are events that make older evidence stale.",
        "SELECT t.* FROM lake_claims t SEMI JOIN evidence e ON t.item_id = e.item_id",
    ),
    "context": (
        "Items that speak to no control and wait for no rule: a declaration of the rule files says "
        "so, and why. One row an item and declaration.",
        """SELECT c.* FROM lake_context c ANTI JOIN lake_claims USING (item_id)
        SEMI JOIN (SELECT item_id FROM evidence WHERE NOT starts_with(kind, 'headwater.')
            AND change <> 'gone') USING (item_id)""",
    ),
    "pulls": (
        "One row for each attempt to pull a source, complete or not, from its record in evidence.",
        """SELECT subject AS pull_id, source, payload->>'$.collector' AS collector,
            TRY_CAST(payload->>'$.started_at' AS TIMESTAMPTZ) AS started_at,
            TRY_CAST(payload->>'$.finished_at' AS TIMESTAMPTZ) AS finished_at,
            payload->>'$.outcome' AS outcome, payload->>'$.query' AS query,
            TRY_CAST(payload->>'$.window_from' AS TIMESTAMPTZ) AS window_from,
            TRY_CAST(payload->>'$.window_to' AS TIMESTAMPTZ) AS window_to,
            TRY_CAST(payload->>'$.pages' AS BIGINT) AS pages,
            TRY_CAST(payload->>'$.received' AS BIGINT) AS received,
            TRY_CAST(payload->>'$.promised' AS BIGINT) AS promised,
            TRY_CAST(payload->>'$.items' AS BIGINT) AS items,
            payload->>'$.error' AS error, (payload->'$.gaps')::VARCHAR AS gaps,
            payload->>'$.identity' AS identity, payload->>'$.api_version' AS api_version,
            payload->>'$.code_version' AS code_version,
            (payload->'$.raw_sha256')::VARCHAR AS raw_sha256,
            coalesce(TRY_CAST(payload->'$.states' AS VARCHAR[]), []) AS states,
            coalesce(TRY_CAST(payload->>'$.backfill' AS BOOLEAN), false) AS backfill,
            coalesce((payload->'$.totals')::VARCHAR, '[]') AS totals,
            (payload->'$.settings')::VARCHAR AS settings,
            (payload->'$.hidden')::VARCHAR AS hidden,
            coalesce(payload->>'$.redaction', '') AS redaction,
            payload->>'$.cursor_before' AS cursor_before,
            payload->>'$.cursor_after' AS cursor_after, landed_at, item_id
        FROM lake_few WHERE kind = {pull_kind}""",
    ),
    "verdicts": (
        "The newest verdict for each control, evidence kind and system. Clock: judged_at.",
        """SELECT * FROM lake_verdicts WHERE {judged} QUALIFY row_number() OVER (
        PARTITION BY control, evidence, system ORDER BY judged_at DESC) = 1""",
    ),
    "standings": (
        "Where each control stood when last judged. Clock: judged_at.",
        """SELECT * FROM lake_standings WHERE {judged} QUALIFY row_number() OVER (
        PARTITION BY control ORDER BY judged_at DESC) = 1""",
    ),
    "leaves": (
        "The ledger's leaf of each sealed item: its place and RFC 6962 hash.",
        "SELECT l.* FROM lake_leaves l SEMI JOIN evidence e ON l.item_id = e.item_id",
    ),
}
"""View name → (what it shows, its SQL), in the order in which they build on one another."""


def connect(
    lake: Lake,
    *,
    as_of: datetime | None = None,
    size: int | None = None,
    mapping_digest: str | None = None,
    tags_sql: str = "",
    untagged: Unfollowed | None = None,
    dimensions: Mapping[str, pa.Table] | None = None,
    limits: Limits | None = None,
    excerpt: Excerpt = EVERYTHING,
    aside: Sequence[str] = (),
) -> Connection:
    """A connection with the views, as things had landed by `as_of` (default: all that landed).

    With `size` the evidence is exactly the first `size` items of the ledger, whatever their clocks
    say: what `as_of` alone shows may still grow, by a landing that began before it. `tags` shows
    the given mapping digest, else the one tagged last; or what `tags_sql` (one SELECT over the
    relation `items`) makes of the evidence shown; with `untagged` only of these items, beside the
    kept tags of that digest. `dimensions` become tables (`controls`, `systems`). Of what is not in
    `excerpt` no relation holds anything. Claims of a strength in `aside` put nothing in date alone:
    `lake_weighs` tells them apart. Close it, or use it in a `with`. Raises LakeError.
    """
    return connect_files(
        lake_files(lake, as_of, size), as_of=as_of, size=size, mapping_digest=mapping_digest,
        tags_sql=tags_sql, untagged=untagged, dimensions=dimensions, limits=limits,
        excerpt=excerpt, aside=aside,
    )  # fmt: skip


def lake_files(
    lake: Lake, as_of: datetime | None = None, size: int | None = None
) -> dict[str, list[Path]]:
    """The files of this machine that the views of each table read; from a bucket they are fetched.

    Raises LakeError.
    """
    if as_of is not None:
        as_of = utc(as_of, what="as_of")
    # Tags may be made long after what they speak of: the digest chooses them, not their time.
    moments = {name: None if name == "tags" else as_of for name in TABLES}
    if size is not None:
        moments["evidence"] = None
    return {name: lake.local_files(name, at) for name, at in moments.items()}


def connect_files(
    files: Mapping[str, Sequence[Path]],
    *,
    as_of: datetime | None = None,
    size: int | None = None,
    mapping_digest: str | None = None,
    tags_sql: str = "",
    untagged: Unfollowed | None = None,
    dimensions: Mapping[str, pa.Table] | None = None,
    limits: Limits | None = None,
    excerpt: Excerpt = EVERYTHING,
    aside: Sequence[str] = (),
) -> Connection:
    """`connect` for who has only the files: no lake, no way to it and no key of it is needed."""
    if as_of is not None:
        as_of = utc(as_of, what="as_of")
    paths = [path for many in files.values() for path in many]
    paths += untagged.files if untagged else ()
    # An excerpt replaces what reads files, so it must be views.
    in_memory = little(paths) and not excerpt.limited
    connection = open_engine(enough(limits or Limits(), paths), little=in_memory)
    try:
        shown = _until("landed_at", as_of) if size is None else _sealed(size)
        weighs = f"strength NOT IN ({', '.join(map(literal, aside))})" if aside else "true"
        connection.execute(f"CREATE MACRO lake_weighs(strength) AS {weighs}")
        raw = {name: rows_of(spec, files[name]) for name, spec in TABLES.items()}
        made = ""
        if tags_sql:
            made = _made_anew(tags_sql, raw["tags"], mapping_digest or "", untagged)
            raw["tags"] = _with_made(raw["tags"], untagged)
        _announce(connection, raw, as_of, shown, mapping_digest, made)
        if excerpt.limited:
            connection.make()
            cut(connection, raw, excerpt, made=bool(tags_sql))
        _load(connection, dimensions or {})
        connection.lock(paths)
    except duckdb.Error as error:
        connection.close()
        raise unreadable(error) from error
    except LakeError:
        connection.close()
        raise
    return connection


def _announce(
    connection: Connection,
    raw: Mapping[str, str],
    as_of: datetime | None,
    shown: str,
    mapping_digest: str | None,
    made: str,
) -> None:
    """Say what each relation is to be made of, those first that others rest on."""

    def view(name: str, sql: str, comment: str = "") -> None:
        told = f"; COMMENT ON VIEW {name} IS {literal(comment)}" if comment else ""
        connection.later(name, f"CREATE VIEW {name} AS {_filled(sql, words)}{told}")

    def claimed(name: str, sql: str) -> None:
        # Which tags were made last is looked up only where somebody asks for tags.
        connection.later(name, lambda: f"CREATE {held} {name} AS {_filled(sql, digest())}")

    def digest() -> Mapping[str, str]:
        known = mapping_digest
        return {"digest": literal(_newest_digest(connection, as_of) if known is None else known)}

    held = "TABLE" if connection.little else "VIEW"
    words = {
        "landed": shown,
        "judged": _until("judged_at", as_of),
        "pull_kind": literal(PULL_KIND),
    }
    for name, sql in raw.items():
        if name != "tags" or not made:
            connection.later(f"lake_{name}", f"CREATE {held} lake_{name} AS {sql}")
    for name, (comment, sql) in VIEWS.items():
        view(name, sql, comment)
        if name == "evidence":
            view("lake_few", "SELECT * FROM evidence")
            view("lake_placed", placed_sql("evidence"))
            if made:
                connection.later("lake_made", made)
                connection.later("lake_tags", f"CREATE VIEW lake_tags AS {raw['tags']}")
            claimed("lake_claims", CLAIMS)
        if name == "corrections":
            view("lake_corrected", corrected_sql(name))
            claimed("lake_context", CONTEXT)


def _load(connection: Connection, dimensions: Mapping[str, pa.Table]) -> None:
    for name, table in dimensions.items():
        if name in VIEWS or name.startswith("lake_"):
            raise LakeError(f"a dimension may not be called {name!r}: that is a view of the lake")
        load_table(connection, name, table)
        connection.execute(f"COMMENT ON TABLE {quote(name)} IS 'Given from outside the lake.'")


def _filled(sql: str, words: Mapping[str, str]) -> str:
    for word, text in words.items():
        sql = sql.replace("{" + word + "}", text)
    return sql


def _until(column: str, as_of: datetime | None) -> str:
    return "true" if as_of is None else f"{column} <= TIMESTAMPTZ {literal(stamp(as_of))}"


def _sealed(size: int) -> str:
    return f"item_id IN (SELECT item_id FROM lake_leaves WHERE leaf_index < {int(size)})"  # noqa: S608


def _made_anew(sql: str, kept: str, digest: str, untagged: Unfollowed | None) -> str:
    """Statements that make the tags: what the rules say of the evidence shown, or of what the kept
    tags of a digest have yet to follow."""
    names = ", ".join(_TOLD)
    items, besides = "SELECT * FROM evidence", ""
    if untagged:
        # What another process tags meanwhile does not come twice.
        known = f"SELECT item_id FROM ({kept}) WHERE mapping_digest = {literal(digest)}"  # noqa: S608
        items, besides = untagged.sql, f"ANTI JOIN ({known}) USING (item_id)"
    return f"""CREATE VIEW items AS {items};
        CREATE TABLE lake_made AS SELECT {names} FROM ({sql}) {besides};
        DROP VIEW items"""  # noqa: S608  ours


def _with_made(kept: str, untagged: Unfollowed | None) -> str:
    """The made tags, in the place of the kept ones or beside them.

    Their texts, of which there are few, stay members of enumerations in memory: each is read as the
    text it is, for it sorts as such.
    """
    texts = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in _TOLD)
    made = f"SELECT {texts}, NULL::TIMESTAMPTZ AS tagged_at FROM lake_made"  # noqa: S608  ours
    return f"{kept} UNION ALL BY NAME {made}" if untagged else made


_TOLD = [name for name in TAGS.names if name != "tagged_at"]


def _newest_digest(connection: Connection, as_of: datetime | None) -> str:
    row = connection.execute(
        "SELECT arg_max(mapping_digest, row(tagged_at, mapping_digest)) "  # noqa: S608  ours
        "FROM lake_tags "  # of two at one moment always the same: an answer must not vary
        f"WHERE {_until('tagged_at', as_of)}"
    ).fetchone()
    return str(row[0]) if row and row[0] else ""
