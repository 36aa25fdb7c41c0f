"""How frameworks and the reviews of their rows are read from YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from evidence.errors import MappingError
from evidence.model import ControlId
from mappings.catalogue import HERE, Catalogue
from mappings.files import yaml_files
from mappings.frameworks import (
    CONFIDENCES,
    COVERAGES,
    RATIONALES,
    Framework,
    Gap,
    LegalDate,
    Relation,
    Review,
    Row,
)
from mappings.nodes import Node, read

FRAMEWORKS = HERE / "frameworks"
_FRAMEWORK = "framework title short edition rights requirements rows"
_ROW, _ROW_MAY = "from to relation rationale confidence sources", "note"
_REVIEW = "framework from to relation by on why"


def framework_trees(folders: Sequence[Path] = ()) -> list[Node]:
    """The tree of every file of the shipped frameworks and of these folders, by name.

    Raises MappingError, also for a folder without a file.
    """
    what = "framework and no review"
    paths = [path for folder in (FRAMEWORKS, *folders) for path in yaml_files(folder, what)]
    return [read(path, root=HERE if path.is_relative_to(HERE) else None) for path in paths]


def read_frameworks(trees: Sequence[Node], catalogue: Catalogue) -> dict[str, Framework]:
    """Each framework by its id, with the reviews that the files hold.

    Raises MappingError naming file and line: unknown keys, controls or requirements, a requirement
    or a row twice, a review of no row.
    """
    pages = [tree.items("the file") for tree in trees]
    found: dict[str, Framework] = {}
    for tree, page in zip(trees, pages, strict=True):
        if "reviews" in page:
            continue
        made = _Reading(tree, catalogue).framework()
        if made.id in found:
            raise tree.error(f"the framework {made.id!r} is there already; name another edition")
        found[made.id] = made
    for tree, page in zip(trees, pages, strict=True):
        if "reviews" in page:
            _review(tree, found, catalogue)
    return found


@dataclass(frozen=True, slots=True)
class _Reading:
    tree: Node
    catalogue: Catalogue

    def framework(self) -> Framework:
        fields = self.tree.record("the file", _FRAMEWORK, "dates outside gaps")
        texts = {n: fields[n].text(n) for n in ("title", "short", "edition", "rights")}
        known = dict(self._requirements(fields["requirements"]))
        return Framework(
            id=fields["framework"].text("framework"), **texts, requirements=known,
            rows=tuple(self._rows(fields["rows"], known)),
            outside=dict(self._outside(fields, known)), gaps=tuple(self._gaps(fields)),
            dates=tuple(_dates(fields)),
        )  # fmt: skip

    def _requirements(self, node: Node) -> Iterator[tuple[str, str]]:
        seen = set[str]()
        for group in node.list("requirements"):
            fields = group.record("a group of requirements", "title ids")
            for entry in fields["ids"].list("ids"):
                if (name := entry.text("an id")) in seen:
                    raise entry.error(f"the requirement {name!r} is there twice")
                seen.add(name)
                yield name, fields["title"].text("title")

    def _rows(self, node: Node, known: Mapping[str, str]) -> Iterator[Row]:
        seen = set[tuple[str, str]]()
        for entry in node.list("rows"):
            fields = entry.record("a row", _ROW, _ROW_MAY)
            control = _control(fields["from"], self.catalogue)
            for target in fields["to"].list("to", one=True):
                name = _requirement(target, known)
                if (control, name) in seen:
                    raise target.error(f"{control} and {name} are in two rows; keep one")
                seen.add((control, name))
                yield Row(
                    control, name, _relation(fields["relation"]),
                    _one_of(fields["rationale"], "rationale", RATIONALES),
                    _one_of(fields["confidence"], "confidence", CONFIDENCES),
                    fields["sources"].texts("sources"),
                    fields["note"].text("note") if "note" in fields else "",
                )  # fmt: skip

    def _outside(
        self, fields: Mapping[str, Node], known: Mapping[str, str]
    ) -> Iterator[tuple[str, str]]:
        for entry in fields["outside"].list("outside") if "outside" in fields else ():
            told = entry.record("what lies outside", "ids note")
            for target in told["ids"].list("ids"):
                yield _requirement(target, known), told["note"].text("note")

    def _gaps(self, fields: Mapping[str, Node]) -> Iterator[Gap]:
        for entry in fields["gaps"].list("gaps") if "gaps" in fields else ():
            told = entry.record("a gap", "from coverage note")
            yield Gap(
                _control(told["from"], self.catalogue),
                _one_of(told["coverage"], "coverage", COVERAGES), told["note"].text("note"),
            )  # fmt: skip


def _dates(fields: Mapping[str, Node]) -> Iterator[LegalDate]:
    for entry in fields["dates"].list("dates") if "dates" in fields else ():
        told = entry.record("a date", "on what articles source", "moved_from")
        texts = {name: told[name].text(name) for name in ("what", "articles", "source")}
        moved = _day(told["moved_from"]) if "moved_from" in told else None
        yield LegalDate(_day(told["on"]), **texts, moved_from=moved)


def _review(tree: Node, found: dict[str, Framework], catalogue: Catalogue) -> None:
    """Put the reviews of one file beside their rows; of two of one row the later holds."""
    rows = {key: {(r.control, r.requirement): r for r in f.rows} for key, f in found.items()}
    for entry in tree.record("the file", "reviews")["reviews"].list("reviews"):
        fields = entry.record("a review", _REVIEW)
        framework = found.get(fields["framework"].text("framework"))
        if framework is None:
            known = ", ".join(found)
            raise fields["framework"].error(f"there is no such framework; known: {known}")
        about = (
            _control(fields["from"], catalogue),
            _requirement(fields["to"], framework.requirements),
        )
        row = rows[framework.id].get(about)
        if row is None:
            raise entry.error(f"no row of {framework.id} says that {about[0]} speaks to {about[1]}")
        made = Review(
            fields["by"].text("by"), _day(fields["on"]), _relation(fields["relation"]),
            fields["why"].text("why"),
        )  # fmt: skip
        if row.review is None or row.review.on <= made.on:
            rows[framework.id][about] = replace(row, review=made)
    for key, framework in found.items():
        found[key] = replace(framework, rows=tuple(rows[key].values()))


def _control(node: Node, catalogue: Catalogue) -> ControlId:
    try:
        return catalogue.numbered(node.text("a control")).id
    except MappingError as error:
        raise node.error(str(error)) from error


def _requirement(node: Node, known: Mapping[str, str]) -> str:
    name = node.text("a requirement")
    if name not in known:
        raise node.error(f"{name!r} is none of the framework's requirements")
    return name


def _relation(node: Node) -> Relation:
    return Relation(_one_of(node, "relation", tuple(Relation)))


def _one_of(node: Node, what: str, known: Sequence[str]) -> str:
    text = node.text(what)
    if text not in known:
        raise node.error(f"{what} {text!r} is none of {', '.join(known)}")
    return text


def _day(node: Node) -> date:
    try:
        return date.fromisoformat(node.text("a day"))
    except ValueError as error:
        raise node.error("a day is written as 2026-11-26") from error
