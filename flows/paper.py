"""`headwater documents print`: a document in Markdown as HTML or PDF, with what it is and lacks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from collectors._git.register_files import parts, read_document
from collectors._safe_yaml import Unreadable
from dashboards.paper import Paper, paper_html, paper_pdf
from evidence.approval import TEXT
from evidence.errors import ConfigError

_FORMS: Mapping[str, Callable[[Paper], bytes]] = {
    ".html": lambda paper: paper_html(paper).encode(), ".pdf": paper_pdf,
}  # fmt: skip
_TOLD = (
    "doc_type", "system", "controls", "owner", "approver", "approved_by", "approvers", "quorum",
    "version", "reviewed", "approved", "next_review",
)  # fmt: skip
DRAFT = "Draft: it counts for nothing."


def write(file: Path, output: Path) -> int:
    """Write the document as the ending of `output` says, into a new file; 0.

    Raises ConfigError for another ending, a file that is there, or no readable document.
    """
    make = _FORMS.get(output.suffix.lower())
    if make is None:
        raise ConfigError(f"{output}: the name must end in {' or '.join(_FORMS)}")
    content = make(_paper(file))
    try:
        with output.open("xb") as out:
            out.write(content)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    print(f"written {output}")
    return 0


def _paper(file: Path) -> Paper:
    try:
        raw = file.read_bytes()
        fields, body = parts(raw)
        (declared,) = read_document(file.name, raw)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except Unreadable as error:
        raise ConfigError(f"{file}: {error}") from error
    draft = declared.payload.get("level") == "draft"
    flaws = (DRAFT,) if draft else tuple(f"It counts for nothing: {p}." for p in declared.problems)
    return Paper(
        title=str(fields.get("title") or file.stem), facts=tuple(_facts(fields, declared.payload)),
        flaws=flaws, body=body, sha256=hashlib.sha256(body.encode()).hexdigest(),
        file=file.name,
    )  # fmt: skip


def _facts(fields: Mapping[str, Any], payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _TOLD:
        if (value := fields.get(name)) not in (None, "", []):
            told = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield name.replace("_", " "), told
    if TEXT in payload:
        yield "to approve", f"the text with digest {payload[TEXT]}"
