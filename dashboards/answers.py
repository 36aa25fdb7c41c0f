"""An answer to a question, with all that it takes to ask it again: as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dashboards.text import tame
from evidence.excerpt import EVERYTHING, Excerpt

FORM = "headwater.answer/1"


@dataclass(frozen=True, slots=True)
class Named:
    """How many items the rows name, and the digest over their ids as a sample has it of what it is
    drawn from: SHA-256 over the sorted ids as a JSON list."""

    items: int
    population_sha256: str

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.items} items named by item_id · population sha256 {self.population_sha256}"


@dataclass(frozen=True, slots=True)
class Answered:
    """Rows of JSON-like values, and of what they were asked.

    `as_of` is what to give to `--as-of` to ask it of the same items; `sealed` of them are under the
    checkpoint with this `root`, `version` is the evidence version. `result` is the digest of the
    rows, whatever their order; empty where they were cut off (`truncated`). `named` are the items
    that the rows name; None where not each names one, or not all are here.
    """

    sql: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool
    as_of: str
    version: int
    sealed: int
    root: str
    mapping: str
    result: str
    name: str = ""
    title: str = ""
    empty: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    excerpt: Excerpt = EVERYTHING
    named: Named | None = None

    def facts(self) -> Iterator[tuple[str, str]]:
        """What it was asked of, for people: name and value."""
        if self.name:
            yield "question", f"{self.name}: {self.title}"
        yield "sql", self.sql
        for name, value in self.values.items():
            yield f"with {name}", str(value)
        yield "as of", self.as_of
        yield (
            "population",
            (
                f"evidence version {self.version}; {self.sealed} items sealed under root "
                f"{self.root or 'none'}"
            ),
        )
        yield "mapping", self.mapping
        yield "shows", self.excerpt.sentence
        cut = f"the first {len(self.rows)} rows; there are more" if self.truncated else ""
        yield "rows", cut or f"{len(self.rows)}, all of them"
        if self.named:
            yield "items", self.named.sentence
        yield "result", self.result or "has no digest: it was cut off"
        for note in self.notes:
            yield "note", note


def text(value: Any) -> str:
    """A value as it stands in a cell."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_csv(answer: Answered) -> str:
    """For spreadsheets: what was asked, in lines that begin with `#`, then rows; nothing is run."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows((f"# {name}", tame(" ".join(value.split()))) for name, value in answer.facts())
    writer.writerow([tame(name) for name in answer.columns])
    writer.writerows([tame(text(value)) for value in row] for row in answer.rows)
    return out.getvalue()


def as_json(answer: Answered) -> str:
    """For programs: rows as lists, since SQL allows two columns of one name."""
    told = {
        "form": FORM, "question": answer.name, "sql": answer.sql, "values": dict(answer.values),
        "as_of": answer.as_of,
        "population": {
            "version": answer.version, "sealed": answer.sealed, "root": answer.root,
            "shows": answer.excerpt.sentence,
        },
        "items": asdict(answer.named) if answer.named else None,
        "mapping": answer.mapping, "result": answer.result, "truncated": answer.truncated,
        "notes": list(answer.notes), "columns": list(answer.columns),
        "rows": [list(row) for row in answer.rows],
    }  # fmt: skip
    return json.dumps(told, indent=1, ensure_ascii=False, default=str)
