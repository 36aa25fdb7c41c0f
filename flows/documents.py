"""`headwater documents`: policies and procedures that say what registers and headwater.toml say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape
from rich.table import Column

from evidence.documents import Facts
from evidence.errors import ConfigError, LakeError, MappingError
from evidence.fields import TO_FILL_IN
from flows.config import load
from flows.document_drift import Drifted, rendered_documents
from flows.document_facts import facts
from flows.hold import open_lake
from flows.terminal import Screen, Table, for_machines, printable
from mappings.documents import Template, load_templates
from mappings.rendering import render
from storage.place_local import LocalPlace
from storage.views import connect

Say = Callable[[str], None]
NEXT = (
    "next    read them, fill in what is left, take `draft` out, and let their approvers commit "
    "them where documents are collected"
)


def show_templates(file: Path, *, as_json: bool) -> int:
    """Print which documents there are templates for, and which clauses and controls they serve."""
    templates = load_templates(load(file).own_documents)
    if as_json:
        told = [{"name": one.name, "title": one.title, "doc_type": one.doc_type,
                 "serves": list(one.serves), "each": one.each, "quorum": one.quorum}
                for one in templates.values()]  # fmt: skip
        print(for_machines(told))
        return 0
    table = Table(Column("template", no_wrap=True), "title", "serves", Column("of", no_wrap=True))
    for one in templates.values():
        of = "each system" if one.each else "organisation"
        cells = (one.name, one.title, ", ".join(one.serves), of)
        table.add_row(*(escape(printable(cell)) for cell in cells))
    Screen(highlight=False).print(table)
    return 0


def write(file: Path, folder: Path, only: Sequence[str], say: Say, *, again: bool) -> int:
    """Render into `folder`; what is there stays unless `again`. 0, or 3 if one cannot be named.

    Raises ConfigError, LakeError, MappingError.
    """
    config = load(file)
    chosen = _chosen(load_templates(config.own_documents), only)
    with connect(open_lake(config)) as connection:
        known = facts(connection, config)
    skipped, place = 0, LocalPlace(folder)
    for template in chosen:
        for system in systems_of(template, known):
            try:
                path = template.path(system)
            except MappingError as error:
                say(printable(f"left out {template.name}: {error}"))
                skipped += 1
                continue
            if (folder / path).exists() and not again:
                say(printable(f"kept    {folder / path}"))
                continue
            text = render(template, known, system).text
            _put(place, path, text)
            say(printable(f"written {folder / path}{_left(text)}"))
    say(NEXT)
    return 3 if skipped else 0


def show_drift(file: Path, *, as_json: bool) -> int:
    """Print what each rendered document says that is not so now; 3 if there is any.

    Raises ConfigError, LakeError.
    """
    config = load(file)
    with connect(open_lake(config)) as connection:
        found = rendered_documents(connection, config)
    if as_json:
        told = [{"document": one.path, "source": one.source, "item_id": one.item_id,
                 "system": one.system, "template": one.template,
                 "drifts": [asdict(drift) for drift in one.drifts]} for one in found]  # fmt: skip
        print(for_machines(told))
    else:
        _print_drift(found)
    return 3 if any(one.drifts for one in found) else 0


def _print_drift(found: Sequence[Drifted]) -> None:
    old = [one for one in found if one.drifts]
    print(f"{len(found)} rendered documents are collected; {len(old)} of them are outdated.")
    for one in old:
        print(printable(f"{one.path} ({one.source}, template {one.template})"))
        for drift in one.drifts:
            print(printable(f"  {drift.sentence}"))


def systems_of(template: Template, known: Facts) -> Iterator[str]:
    """Whose documents a template makes: each AI system's, or the organisation's one ('')."""
    yield from known["systems"] if template.each else ("",)


def _chosen(templates: dict[str, Template], only: Sequence[str]) -> list[Template]:
    if strange := [name for name in only if name not in templates]:
        raise ConfigError(
            f"there is no template {strange[0]!r}; known: {', '.join(sorted(templates))}"
        )
    return [one for name, one in templates.items() if not only or name in only]


def _put(place: LocalPlace, path: str, text: str) -> None:
    try:
        place.replace(path, text.encode())
    except LakeError as error:
        raise ConfigError(str(error)) from error


def _left(text: str) -> str:
    """How many things people have to say; three of them stand in each document's front matter."""
    left = text.partition("\n---\n")
    many = left[0].count(f": {TO_FILL_IN}") + left[2].count(TO_FILL_IN)
    return f" ({many} to fill in)" if many else ""
