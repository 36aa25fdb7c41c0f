"""How items become rows of `evidence`, and rows items again, ids or ledger leaves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evidence.canonical import canonical
from evidence.errors import LakeError
from evidence.model import FORM, Change, EvidenceItem, Nature, Outcome
from evidence.times import stamp, utc
from storage.schema import EVIDENCE, TIME, month_of

STEP_ROWS = 50_000
LEAF_COLUMNS = (
    "form", "item_id", "source", "kind", "nature", "system", "subject", "title", "observed_from",
    "observed_to", "collected_at", "landed_at", "change", "outcome", "actor", "locator",
    "content_sha256", "pull_id", "month",
)  # fmt: skip
"""What a ledger leaf of form 1 covers: the payload is bound by `content_sha256`.

Written out, because a column that comes later must not change a leaf that was sealed."""

IDENTITY = (
    "form", "source", "kind", "nature", "system", "subject", "observed_from", "observed_to",
    "change", "outcome", "content_sha256",
)  # fmt: skip
"""What the id of an item of form 1 covers."""


@dataclass(frozen=True, slots=True)
class ItemForm:
    """What the id and the leaf of items of one form cover."""

    identity: tuple[str, ...]
    leaf: tuple[str, ...]


ITEM_FORMS: Mapping[str, ItemForm] = {"headwater.item/1": ItemForm(IDENTITY, LEAF_COLUMNS)}
"""Every form that was ever written: rows of the older ones are checked as they were written."""


def item_form(form: str) -> ItemForm:
    """The form that a row names. Raises LakeError for one that is not known here."""
    if form not in ITEM_FORMS:
        raise LakeError(
            f"an item of form {form!r}; this Headwater knows {', '.join(ITEM_FORMS)}: if a newer "
            "one wrote it, upgrade Headwater"
        )
    return ITEM_FORMS[form]


def evidence_rows(items: Iterable[EvidenceItem], *, landed_at: datetime, pull_id: str) -> pa.Table:
    """The rows of `evidence` for items, in the given order, which `landed_at` keeps.

    The last row has the moment itself, each row before it one microsecond less: whatever becomes
    of the files later, of two versions of one subject the one that came later is known.
    """
    batch = tuple(items)
    observed_to = _column(batch, "observed_to")
    made = {
        "form": pa.repeat(FORM, len(batch)),
        "observed_to": observed_to,
        "landed_at": _ending(utc(landed_at, what="landed_at"), len(batch)),
        "payload": _column(batch, "content", pa.binary()).cast(pa.string()),
        "pull_id": pa.repeat(pull_id, len(batch)),
        "month": _months(observed_to),
    }
    columns = [made[name] if name in made else _column(batch, name) for name in EVIDENCE.names]
    return pa.Table.from_arrays(columns, schema=EVIDENCE)


def evidence_steps(
    items: Sequence[EvidenceItem], *, landed_at: datetime, pull_id: str
) -> Iterator[pa.Table]:
    """`evidence_rows`, never more of them at a time than fit well into memory."""
    for start in range(0, len(items), STEP_ROWS):
        step = items[start : start + STEP_ROWS]
        later = timedelta(microseconds=len(items) - start - len(step))
        yield evidence_rows(step, landed_at=landed_at - later, pull_id=pull_id)


def _column(
    batch: Sequence[EvidenceItem], name: str, kind: pa.DataType | None = None
) -> pa.Array[Any]:
    values = list(map(attrgetter(name), batch))
    return pa.array(values, kind or EVIDENCE.field(name).type)


def _ending(last: datetime, count: int) -> pa.Array[Any]:
    """`count` moments, one microsecond apart, the last one being `last`."""
    scalar: Any = pa.scalar(last, TIME)
    end = scalar.value
    return pa.array(range(end - count + 1, end + 1), pa.int64()).cast(TIME)


def _months(observed_to: pa.Array[Any]) -> pa.Array[Any]:
    """`month_of` of each, but worked out once a month."""
    first: Any = pc.floor_temporal(observed_to, unit="month").dictionary_encode()
    names = pa.array([month_of(moment) for moment in first.dictionary.to_pylist()], pa.string())
    return names.take(first.indices)


def item_of(row: Mapping[str, Any]) -> EvidenceItem:
    """The item that a row of `evidence` holds; its id is computed again, not taken from the row.

    Raises InvalidItem or ValueError if the row cannot be an item.
    """
    return EvidenceItem(
        source=row["source"], kind=row["kind"], subject=row["subject"],
        observed_from=row["observed_from"], observed_to=row["observed_to"],
        collected_at=row["collected_at"], payload=json.loads(row["payload"], parse_int=_number),
        nature=Nature(row["nature"]), system=row["system"], title=row["title"],
        change=Change(row["change"]), outcome=Outcome(row["outcome"]),
        actor=row["actor"], locator=row["locator"],
    )  # fmt: skip


def _number(digits: str) -> int | float:
    """Whole numbers beyond 2^53 in canonical JSON were floats: items hold no such integer."""
    value = int(digits)
    return value if abs(value) < 2**53 else float(digits)


def identity_of(row: Mapping[str, Any]) -> bytes:
    """The canonical bytes whose SHA-256 must be the row's `item_id`."""
    return canonical(_plain(row, item_form(row["form"]).identity))


def leaf_data(row: Mapping[str, Any]) -> bytes:
    """The canonical bytes that the ledger seals for a row: its form's columns, not the payload."""
    return canonical(_plain(row, item_form(row["form"]).leaf))


def _plain(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    values = {name: row[name] for name in names}
    return {k: stamp(v) if isinstance(v, datetime) else v for k, v in values.items()}
