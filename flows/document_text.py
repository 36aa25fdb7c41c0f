"""Whether the text of a rendered document says what it was rendered from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evidence.documents import UNBOUND, Drift, Rendered
from evidence.errors import MappingError
from evidence.fields import TO_FILL_IN
from evidence.people import folded
from evidence.written import Told, rewritten
from mappings.documents import Template
from mappings.rendering import Document, lines_then

_WHOSE = (("owner", "owner"), ("approver", "approved_by"))


def text_drifts(
    row: Mapping[str, Any], template: Template, now: Document, system: str
) -> Iterator[Drift]:
    """Where a document (of `storage.documents`) whose facts are those of today says otherwise:
    who owns and approves it, and each line from facts."""
    fields = row["fields"]
    made = Rendered.read(fields.get("rendered"))
    if made is None or not made.text_sha256:
        why = "to be made again: the text was bound to no facts"
        yield Drift(UNBOUND, "by an earlier version of Headwater", why)
        return
    if not isinstance(fields.get("written"), list):
        why = "one whose text was not collected: it is too long, or hidden at landing"
        yield Drift(UNBOUND, "of a text", why)
        return
    for name, also in _WHOSE:
        said, is_now = str(fields.get(name) or fields.get(also) or ""), now.front[name]
        if TO_FILL_IN not in is_now and folded(said) != folded(is_now):
            yield Drift(name, said, is_now)
    if _copied(row, made):
        yield Drift(UNBOUND, "of another text", "of this one, and the text stayed as it was")
    before = _lines_before(row, template, system)
    yield from rewritten([str(line) for line in fields["written"]], now.lines, before)


def _copied(row: Mapping[str, Any], made: Rendered) -> bool:
    """Whether this very text landed before, as made by another template that says something else.

    What facts alone change is seen in their lines.
    """
    then = [
        Rendered.read(one["rendered"])
        for one in row["versions"]
        if one["body"] == row["fields"]["body_sha256"]
    ]
    return any(
        one is not None
        and one.template_sha256 != made.template_sha256
        and one.text_sha256 not in ("", made.text_sha256)
        for one in then
    )


def _lines_before(row: Mapping[str, Any], template: Template, system: str) -> Iterator[Told]:
    """What this template told in earlier versions of the document."""
    seen = set[str]()
    for one in row["versions"]:
        then = Rendered.read(one["rendered"])
        if then is None or then.template_sha256 != template.sha256 or then.seal in seen:
            continue
        seen.add(then.seal)
        try:
            yield from lines_then(template, then, system)
        except MappingError:
            continue  # facts that this template cannot have been given: `its facts` tells it
