"""Drafts of registers and documents to begin with, and the schemas by which editors check them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from evidence.errors import ConfigError
from mappings.catalogue import load_catalogue
from mappings.law import load_law
from mappings.read_frameworks import framework_trees, read_frameworks
from mappings.schemas import of_registers

TEMPLATES = Path(__file__).with_name("starter")
SCHEMAS = "schemas"
_HEAD = """\
# Take `draft` out once every FILL IN is replaced: until then the file counts for nothing.
draft: true
register: {name}
owner: FILL IN a name
approved_by: FILL IN a name
reviewed: FILL IN YYYY-MM-DD
records:
"""
_SOA = """\
# yaml-language-server: $schema=../schemas/soa.json
# Statement of Applicability: every control of Annex A with a decision and its reason. Only
# `applicable: false` (no quotes) with a reason leaves a control out; docs/registers.md tells more.
"""
_SOA_ROW = """\
  - id: {number}
    title: {title}
    applicable: FILL IN true or false
    reason: FILL IN why
    implemented: FILL IN yes, partly, planned or no
    owner: FILL IN a name
"""
_CLAUSES = """\
  # The clauses bind everybody: none can be left out. What a note says is shown with the statement.
"""
_CLAUSE_ROW = """\
  - id: {number}
    title: {title}
    applicable: true
    reason: Asked of everybody
    owner: FILL IN a name
    note: FILL IN where it is done, and what is still open
"""
_OBLIGATIONS = """\
# yaml-language-server: $schema=../schemas/obligations.json
# Duties of law and contract, with the days that they set. What follows are the days and the duties
# to tell somebody that Headwater knows of (`headwater law`); whether a law binds you is for your
# people to say: take out what does not, add what your contracts ask. `done` closes a duty.
"""
_DATE_ROW = """\
  - id: {id}
    title: {title}
    source: {source}
    framework: {framework}
    applies_from: "{on}"
    owner: FILL IN a name, or take the record out where it does not bind you
"""
_DUTY_ROW = """\
  - id: {id}
    title: {title}
    source: {source}
    framework: {framework}
    reports_to: {to}
    owner: FILL IN a name, or take the record out where it does not bind you
"""


def starter_set(folder: Path) -> Iterator[str]:
    """Drafts of registers and documents in `folder`, which people keep in git and fill in.

    A draft counts for nothing, nor does a record in which something is left to fill in. What is
    there already stays; yields one line for each file. Raises ConfigError.
    """
    texts = {
        str(file.relative_to(TEMPLATES)): file.read_text(encoding="utf-8")
        for file in sorted(TEMPLATES.rglob("*"))
        if file.is_file()
    }
    made = {"registers/soa.yaml": _soa(), "registers/obligations.yaml": _obligations()}
    for name, text in sorted((texts | made).items()):
        file = folder / name
        if file.exists():
            yield f"kept    {file}"
            continue
        _write(file, text)
        yield f"written {file}"
    yield from write_schemas(folder / SCHEMAS)


def write_schemas(folder: Path) -> Iterator[str]:
    """The JSON Schema of each register in `folder`, of this version of Headwater.

    Yields one line. Raises ConfigError.
    """
    made = of_registers()
    for name, text in made.items():
        _write(folder / f"{name}.json", text)
    yield f"written {folder}: {len(made)} schemas, by which an editor completes and checks"


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error


def _told(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _soa() -> str:
    catalogue = load_catalogue()
    rows = [
        (_CLAUSE_ROW if c.kind == "clause" else _SOA_ROW).format(
            number=_told(c.number) if c.kind == "clause" else c.number, title=_told(c.title)
        )
        for c in sorted(catalogue.controls, key=lambda c: c.kind == "clause")
    ]
    annex = sum(c.kind != "clause" for c in catalogue.controls)
    head = _SOA + _HEAD.format(name="soa")
    return "".join((head, *rows[:annex], _CLAUSES, *rows[annex:]))


def _obligations() -> str:
    frameworks = read_frameworks(framework_trees(), load_catalogue())
    dates = [
        _DATE_ROW.format(
            id=f"{one.id}-{day.on}", title=_told(day.what), framework=one.id, on=day.on,
            source=_told(f"{one.short} {day.articles}"),
        )
        for one in frameworks.values() for day in one.dates
    ]  # fmt: skip
    duties = [
        _DUTY_ROW.format(
            id=f"tell-{number}", title=_told(f"{one.duty}: {one.by} tells, {one.within}"),
            framework=one.framework, to=_told(one.to),
            source=_told(f"{frameworks[one.framework].short} {one.article}"),
        )
        for number, one in enumerate(load_law().deadlines, start=1)
    ]  # fmt: skip
    return "".join((_OBLIGATIONS + _HEAD.format(name="obligations"), *dates, *duties))
