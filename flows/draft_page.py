"""A draft handed over as a file: whose words it is, who decided, and that it is no evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from evidence.errors import LakeError
from evidence.times import stamp
from flows.draft_file import hand_over
from flows.terminal import printable


def page(row: Mapping[str, Any], output: Path | None) -> int:
    """Print a row of the view `drafts`, or write it to a new file; 0.

    Raises LakeError if its text is not the one that its record has the digest of, ConfigError.
    """
    if sha256(row["text"].encode()).hexdigest() != row["text_sha256"]:
        raise LakeError(
            f"the text of draft {row['draft']} is not the one that was "
            "drafted: run `headwater verify`"
        )
    head = "\n".join(("---", *_head(row), "---", "", ""))
    return hand_over(printable(head + row["text"]), output, f"draft {row['draft'][:16]}")


def _head(row: Mapping[str, Any]) -> Iterator[str]:
    """Front matter. `draft: true` tells the collector of registers that it counts for nothing."""
    yield "draft: true  # no evidence; whoever takes this out answers for what is below"
    by = "code alone, no model" if row["model"] == "none" else f"the model {row['model']}"
    yield f"drafted_by: {_text(by)}"
    for name in ("drafted_at", "model_digest", "prompt_digest", "text_sha256"):
        yield f"{name}: {_text(row[name])}"
    yield f"draft_id: {_text(row['draft'])}"
    yield f"state: {_text(row['state'])}"
    if row["decided_by"]:
        for name in ("decided_by", "decided_at", "decided_why", "decision"):
            yield f"{name}: {_text(row[name])}"
    if row["outdated"]:
        yield f"outdated: {_text('what it rests on has changed since')}"
    yield f"evidence: {json.dumps(row['cited'])}"


def _text(value: str | datetime) -> str:
    """As JSON, which is YAML: no text of a stranger ends the line that it stands in."""
    return json.dumps(stamp(value) if isinstance(value, datetime) else value)
