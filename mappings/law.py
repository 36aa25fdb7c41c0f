"""What law and advice say of time: how long to keep, by when to tell, how soon sources forget.

From when a law applies stands with its requirements (`frameworks/*.yaml`, `dates`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from evidence.duration import longest
from evidence.errors import MappingError
from evidence.model import ControlId
from mappings.catalogue import HERE, Catalogue, load_catalogue
from mappings.frameworks import Framework
from mappings.nodes import Node, read
from mappings.read_frameworks import framework_trees, read_frameworks

LAW = "law"
FORCES = ("law", "advice")
_DEADLINE = (
    "duty by to counted_from framework requirement paragraph controls source incidents role "
    "recipient"
)


@dataclass(frozen=True, slots=True)
class Floor:
    """That items of `kinds` (globs) should be kept for `least`, as `article` says.

    `force` is law or advice; whether a law binds an organisation is for its people to say.
    """

    what: str
    article: str
    least: timedelta
    force: str
    kinds: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Forgets:
    """How long a source keeps what was not copied."""

    what: str
    keeps: timedelta
    source: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when `by` must tell `to` of something; `limit` is None where the law gives no number.

    `within` is the limit in the law's own unit, `in_hours` whether that is hours. `controls` are
    those whose evidence shows that it was done in time. `incidents` are the kinds of incident that
    begin it; `role` and `recipient` are who tells and who is told, in one word each.
    """

    duty: str
    by: str
    to: str
    limit: timedelta | None
    within: str
    counted_from: str
    framework: str
    requirement: str
    paragraph: str
    controls: tuple[ControlId, ...]
    source: str
    in_hours: bool
    incidents: tuple[str, ...]
    role: str
    recipient: str

    @property
    def article(self) -> str:
        """Such as `Art. 33(1)`."""
        return f"{self.requirement}({self.paragraph})"


@dataclass(frozen=True, slots=True)
class Law:
    """All of it, in the order of the files."""

    floors: tuple[Floor, ...]
    forgets: tuple[Forgets, ...]
    deadlines: tuple[Deadline, ...]

    def deadlines_of(self, control: ControlId) -> tuple[Deadline, ...]:
        """Those that the control's evidence speaks to."""
        return tuple(one for one in self.deadlines if control in one.controls)


@cache
def load_law(folder: Path = HERE) -> Law:
    """The shipped files, read once. Raises MappingError naming file and line."""
    catalogue = load_catalogue()
    frameworks = read_frameworks(framework_trees(), catalogue)
    kept = read(folder / LAW / "retention.yaml", root=folder).record("the file", "floors forgets")
    told = read(folder / LAW / "deadlines.yaml", root=folder).record("the file", "deadlines")
    return Law(
        tuple(_floors(kept["floors"])), tuple(_forgets(kept["forgets"])),
        tuple(_deadlines(told["deadlines"], catalogue, frameworks)),
    )  # fmt: skip


def _floors(node: Node) -> Iterator[Floor]:
    for entry in node.list("floors"):
        fields = entry.record("a floor", "what article least force kinds source")
        yield Floor(
            fields["what"].text("what"), fields["article"].text("article"),
            _span(fields["least"]), _among(fields["force"], "force", FORCES),
            fields["kinds"].texts("kinds"), fields["source"].text("source"),
        )  # fmt: skip


def _forgets(node: Node) -> Iterator[Forgets]:
    for entry in node.list("forgets"):
        fields = entry.record("what forgets", "what keeps source")
        yield Forgets(
            fields["what"].text("what"), _span(fields["keeps"]), fields["source"].text("source")
        )


def _deadlines(
    node: Node, catalogue: Catalogue, frameworks: Mapping[str, Framework]
) -> Iterator[Deadline]:
    for entry in node.list("deadlines"):
        fields = entry.record("a deadline", _DEADLINE, "limit")
        framework = _among(fields["framework"], "framework", frameworks)
        known = frameworks[framework].requirements
        limit, within, in_hours = _limit(fields.get("limit"))
        yield Deadline(
            duty=fields["duty"].text("duty"), by=fields["by"].text("by"),
            to=fields["to"].text("to"), limit=limit, within=within, framework=framework,
            counted_from=fields["counted_from"].text("counted_from"),
            requirement=_among(fields["requirement"], "requirement", known),
            paragraph=fields["paragraph"].text("paragraph"),
            controls=tuple(_controls(fields["controls"], catalogue)),
            source=fields["source"].text("source"), in_hours=in_hours,
            incidents=fields["incidents"].texts("incidents"), role=fields["role"].text("role"),
            recipient=fields["recipient"].text("recipient"),
        )  # fmt: skip


def _limit(node: Node | None) -> tuple[timedelta | None, str, bool]:
    """Hours run through the night, days end with a day: one is not written as the other."""
    if node is None:
        return None, "without undue delay", False
    limit, in_hours = _span(node), node.text("a duration").startswith("PT")
    unit = "hours" if in_hours else "days"
    return limit, f"within {limit / timedelta(**{unit: 1}):.0f} {unit}", in_hours


def _controls(node: Node, catalogue: Catalogue) -> Iterator[ControlId]:
    for entry in node.list("controls"):
        try:
            yield catalogue.numbered(entry.text("a control")).id
        except MappingError as error:
            raise entry.error(str(error)) from error


def _among(node: Node, what: str, known: Iterable[str]) -> str:
    text = node.text(what)
    if text not in known:
        raise node.error(f"{what} {text!r} is none of {', '.join(known)}")
    return text


def _span(node: Node) -> timedelta:
    try:
        return longest(node.text("a duration"))
    except ValueError as error:
        raise node.error(str(error)) from error
