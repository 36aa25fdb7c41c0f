"""A pack: the evidence of one control with its proofs, in one file that is checked at home."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from evidence.canonical import canonical, digest, plain
from evidence.errors import LakeError
from evidence.own import CORRECTION_KIND, MAPPING_KIND, OWN_SOURCE
from evidence.runs import PULL_KIND
from storage import verify_pack
from storage.checkpoints import checkpoint_of, history_sizes
from storage.disposed import absent
from storage.engine import Connection
from storage.keys import Signer
from storage.lake import Lake
from storage.merkle import leaf_hash
from storage.note import Checkpoint
from storage.proof import inclusion_paths
from storage.rows import leaf_data
from storage.schema import EVIDENCE

FORM = verify_pack.PACK
MOST = 100_000
"""Items in one pack: it is made, and checked, in memory."""
MARKS = ('%"redacted":"sha256:%', "%[redacted sha256:%")
"""How a payload shows that a value in it was hidden at landing."""
_IN_SCOPE = """item_id IN (SELECT item_id FROM tags WHERE control = $control)
    AND ($system IS NULL OR system = $system)
    AND (len($kinds::VARCHAR[]) = 0 OR kind IN (SELECT unnest($kinds::VARCHAR[])))"""
_ROWS = f"""
    WITH scope AS (SELECT item_id, pull_id FROM evidence WHERE {_IN_SCOPE}),
    wanted AS (
        SELECT item_id, 'item' AS role FROM scope
        UNION ALL SELECT item_id, 'pull' FROM evidence WHERE kind = '{PULL_KIND}'
            AND subject IN (SELECT pull_id FROM scope)
            AND item_id NOT IN (SELECT item_id FROM scope)
        UNION ALL SELECT item_id, 'mapping' FROM evidence WHERE source = '{OWN_SOURCE}'
            AND kind = '{MAPPING_KIND}' AND content_sha256 = $mapping
            AND item_id NOT IN (SELECT item_id FROM scope)
            QUALIFY row_number() OVER (ORDER BY landed_at DESC, item_id) = 1
        UNION ALL SELECT item_id, 'correction' FROM evidence WHERE source = '{OWN_SOURCE}'
            AND kind = '{CORRECTION_KIND}'
            AND (payload->>'$.item_id') IN (SELECT item_id FROM scope)
            AND item_id NOT IN (SELECT item_id FROM scope)
    )
    SELECT role, leaf_index, evidence.* FROM wanted JOIN evidence USING (item_id)
    JOIN leaves USING (item_id) ORDER BY leaf_index, role
"""  # noqa: S608  no text from outside


@dataclass(frozen=True, slots=True)
class Scope:
    """Which evidence: a control, of one system (None: any; "": the organisation), of some kinds
    (none: all), among the first `size` items of the ledger, tagged as of `at`."""

    control: str
    size: int
    at: datetime
    system: str | None = None
    kinds: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """The parameters of the query."""
        return {"control": self.control, "system": self.system, "kinds": list(self.kinds)}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a pack with their places: `lines` are items.jsonl, `leaves` place → leaf hash."""

    ids: Mapping[str, Sequence[str]]
    lines: bytes
    places: Mapping[str, int]
    leaves: Mapping[int, bytes]


def rows_in(connection: Connection, scope: Scope, mapping: str) -> Rows:
    """The scope's items, what people corrected of them, the records of the pulls that brought
    them, and the mapping's own item.

    Raises LakeError, also when there are more than a pack may hold.
    """
    table = _arrow(connection, _ROWS, scope.values() | {"mapping": mapping})
    if table.num_rows > MOST:
        raise LakeError(
            f"{table.num_rows} rows are more than a pack holds ({MOST}): narrow it by system, "
            "kinds or an earlier moment"
        )
    columns = table.select(EVIDENCE.names).cast(EVIDENCE)
    ids: dict[str, list[str]] = {"item": [], "pull": [], "mapping": [], "correction": []}
    lines, places, leaves = [], {}, {}
    where = table.select(["role", "leaf_index"]).to_pylist()
    for whole, row in zip(columns.to_pylist(), where, strict=True):
        sealed = leaf_data(whole)
        held = json.loads(sealed) | {"payload": whole["payload"]}
        ids[row["role"]].append(held["item_id"])
        places[held["item_id"]] = row["leaf_index"]
        leaves[row["leaf_index"]] = leaf_hash(sealed)
        line = {"leaf_index": row["leaf_index"], "role": row["role"], "row": held}
        lines.append(canonical(line))
    return Rows(ids, _lines(lines), places, leaves)


def left_out(connection: Connection, scope: Scope) -> dict[str, int]:
    """What a reader would miss: counted, never silently dropped."""
    wider = "item_id IN (SELECT item_id FROM tags WHERE control = $control)"
    sql = f"""SELECT
        (SELECT count(*) FROM evidence WHERE {wider} AND NOT ({_IN_SCOPE}))
            AS items_of_this_control_for_other_systems_or_of_other_kinds,
        (SELECT count(*) FROM evidence WHERE {_IN_SCOPE}
            AND (payload LIKE $one OR payload LIKE $two)) AS items_in_the_pack_with_hidden_values,
        (SELECT count(*) FROM lake_evidence WHERE landed_at <= $at
            AND item_id NOT IN (SELECT item_id FROM lake_leaves WHERE leaf_index < $size))
            AS items_of_any_control_landed_by_then_and_sealed_later_or_not_yet"""  # noqa: S608
    values = {"size": scope.size, "at": scope.at, "one": MARKS[0], "two": MARKS[1]}
    (row,) = _arrow(connection, sql, scope.values() | values).to_pylist()
    disposed, missing = absent(connection, scope.size)
    row["items_of_any_control_that_were_disposed_of"] = disposed
    row["sealed_items_of_any_control_that_are_missing_without_a_record_of_disposal"] = missing
    return {name: int(number) for name, number in row.items()}


def tags_in(connection: Connection, rows: Rows) -> list[dict[str, str]]:
    """Why each item of the pack speaks to which controls."""
    sql = """SELECT item_id, control, evidence, rule, strength, rationale, mapping_digest FROM tags
        WHERE item_id IN (SELECT unnest($ids::VARCHAR[])) ORDER BY ALL"""
    return _arrow(connection, sql, {"ids": list(rows.ids["item"])}).to_pylist()


def corrections_in(connection: Connection, rows: Rows) -> list[dict[str, Any]]:
    """What people said of items of the pack that are wrong, and what stands of it."""
    sql = """SELECT * FROM corrections WHERE item_id IN (SELECT unnest($ids::VARCHAR[]))
        ORDER BY corrected_at, correction"""
    found = _arrow(connection, sql, {"ids": list(rows.ids["item"])}).to_pylist()
    return [plain(row) for row in found]


def checkpoint_for(lake: Lake, size: int) -> Checkpoint:
    """The first kept checkpoint that covers `size` items. Raises LakeError if none does."""
    for kept in history_sizes(lake.place):
        if kept >= size:
            return checkpoint_of(lake, kept)
    raise LakeError(f"no checkpoint covers {size} items; run `headwater collect` to seal them")


def proof_lines(lake: Lake, head: Checkpoint, rows: Rows) -> bytes:
    """proofs.jsonl: the path of each row under the checkpoint, in the rows' order."""
    paths = inclusion_paths(lake, head, rows.leaves)
    return _lines(
        canonical({"item_id": item, "leaf_index": at, "path": [n.hex() for n in paths[at]]})
        for item, at in rows.places.items()
    )


def population(rows: Rows) -> str:
    """The digest of which items are in the pack, whatever their order."""
    return digest(sorted(rows.ids["item"]))


def write_pack(
    path: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any], signer: Signer
) -> str:
    """Write the pack with its signed manifest; returns the SHA-256 of the file.

    The same files, manifest and key give the same bytes: names sorted, times fixed, nothing
    compressed (whoever checks it need not fear what it unpacks to). Raises LakeError.
    """
    listed = {name: sha256(content).hexdigest() for name, content in files.items()}
    signed = canonical({**manifest, "form": FORM, "files": listed})
    note = signer.attest("pack", f"sha256 {sha256(signed).hexdigest()}\n")
    whole = {**files, "manifest.json": signed, "manifest.note": note.encode()}
    content = verify_pack.archived(whole)
    try:
        with path.open("xb") as out:
            out.write(content)
    except FileExistsError as error:
        raise LakeError(f"{path} is there already: a pack is not written over") from error
    except OSError as error:
        raise LakeError(f"{path} cannot be written: {error.strerror}") from error
    return sha256(content).hexdigest()


def verifier() -> bytes:
    """The program that checks a pack, as it lies in this version of Headwater."""
    return Path(verify_pack.__file__).read_bytes()


def _lines(lines: Iterator[bytes] | Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _arrow(connection: Connection, sql: str, values: Mapping[str, object]) -> pa.Table:
    try:
        return connection.execute(sql, dict(values)).to_arrow_table()
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be read for a pack: {error}") from error
