"""Catalogue, frameworks and crosswalks as OSCAL 1.2, for tools that speak it.

Trestle and others check the shape of such a document but not its words (a relationship "banana"
passes), so every word comes from an enumeration here. Uuids are made from what they name: the same
mapping gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from evidence.times import stamp
from mappings.controls import Control
from mappings.frameworks import Framework, Row
from mappings.in_force import InForce

OSCAL_VERSION = "1.2.1"
NS = "urn:headwater:oscal"
CATALOG, PROFILE = "catalog.json", "profile.json"
RIGHTS = "Identifiers and short titles are facts; summaries are Headwater's own words (Apache-2.0)."


def catalog(mapping: InForce, at: datetime) -> dict[str, Any]:
    """The clauses and controls of ISO/IEC 42001 as an OSCAL catalog."""
    groups = [
        {"id": _token(controls[0].group), "title": title, "controls": list(map(_control, controls))}
        for title, controls in _grouped(mapping.catalogue.controls)
    ]
    told = _metadata(f"ISO/IEC 42001:2023, {RIGHTS}", mapping, at)
    return {"catalog": {"uuid": _uuid(mapping, "catalog"), "metadata": told, "groups": groups}}


def framework_catalog(mapping: InForce, framework: Framework, at: datetime) -> dict[str, Any]:
    """The requirements of another framework, by their ids alone, as an OSCAL catalog."""
    groups = [
        {
            "id": f"g{number}", "title": title,
            "controls": [
                {"id": requirement_id(name), "title": name, "props": [_prop("label", name)]}
                for name, _ in entries
            ],
        }
        for number, (title, entries) in enumerate(
            groupby(framework.requirements.items(), key=lambda entry: entry[1]), 1
        )
    ]  # fmt: skip
    told = _metadata(f"{framework.title} ({framework.edition}); {framework.rights}", mapping, at)
    uuid = _uuid(mapping, "catalog", framework.id)
    return {"catalog": {"uuid": uuid, "metadata": told, "groups": groups}}


def profile(
    mapping: InForce, decisions: Mapping[str, tuple[bool, str]], at: datetime
) -> dict[str, Any]:
    """The statement of applicability as an OSCAL profile of the catalog.

    `decisions` say of a control's number whether it is included, and why. Clauses cannot be left
    out; a control that nobody decided on is neither included nor excluded, and the remarks say so.
    """
    clauses = [c for c in mapping.catalogue.controls if c.kind == "clause"]
    decided = [
        (control, *decisions[control.number])
        for control in mapping.catalogue.controls
        if control.kind != "clause" and control.number in decisions
    ]
    included = [control_id(c) for c in clauses] + [control_id(c) for c, yes, _ in decided if yes]
    chosen: dict[str, Any] = {"href": CATALOG, "include-controls": [{"with-ids": included}]}
    left_out = {c.number: why for c, yes, why in decided if not yes}
    undecided = [
        c.number for c in mapping.catalogue.controls
        if c.kind != "clause" and c.number not in decisions
    ]  # fmt: skip
    told = _metadata("Statement of applicability, ISO/IEC 42001:2023", mapping, at)
    told["remarks"] = _remarks(left_out, undecided)
    body: dict[str, Any] = {
        "uuid": _uuid(mapping, "profile", stamp(at)), "metadata": told, "imports": [chosen],
    }  # fmt: skip
    alters = [_alter(c, why) for c, yes, why in decided if yes]
    if alters:
        body["modify"] = {"alters": alters}
    return {"profile": body}


def mapping_collection(mapping: InForce, framework: Framework, at: datetime) -> dict[str, Any]:
    """The rows of a framework as an OSCAL mapping collection: control to requirement."""
    uuid = _uuid(mapping, "mapping", framework.id)
    described = (
        f"Judgements with their sources, from ISO/IEC 42001:2023 to {framework.title}. A row "
        "counts in full only where a person of the organisation reviewed it: prop reviewed-by."
    )
    one: dict[str, Any] = {
        "uuid": _uuid(mapping, "mappings", framework.id),
        "source-resource": {"type": "catalog", "href": CATALOG},
        "target-resource": {"type": "catalog", "href": f"{framework.id}.json"},
        "maps": [_map(mapping, framework, row) for row in framework.rows],
    }  # fmt: skip
    provenance = {
        "method": "human", "matching-rationale": "semantic", "status": "draft",
        "mapping-description": described,
    }  # fmt: skip
    told = _metadata(f"ISO/IEC 42001:2023 to {framework.title}", mapping, at)
    body = {"uuid": uuid, "metadata": told, "provenance": provenance, "mappings": [one]}
    return {"mapping-collection": body}


def control_id(control: Control) -> str:
    """OSCAL's token of a control: `cl-6.1.2`, `a.6.2.4`; a token may not begin with a digit."""
    return _token(control.number)


def requirement_id(name: str) -> str:
    """OSCAL's token of a requirement: `Art. 10` is `art-10`, clause 7.2 is `cl-7.2`."""
    return _token(name.replace(". ", "-").replace(" ", "-"))


def _token(number: str) -> str:
    return f"cl-{number}" if number[:1].isdigit() else number.lower()


def _grouped(controls: Iterable[Control]) -> Iterator[tuple[str, list[Control]]]:
    for _, members in groupby(controls, key=lambda control: (control.kind, control.group)):
        found = list(members)
        yield found[0].group_title, found


def _control(control: Control) -> dict[str, Any]:
    part = {"id": f"{control_id(control)}_ovw", "name": "overview", "prose": control.summary}
    return {
        "id": control_id(control), "title": control.title,
        "props": [_prop("label", control.number)], "parts": [part],
    }  # fmt: skip


def _alter(control: Control, why: str) -> dict[str, Any]:
    props = [own_prop("applicability", "included")]
    return {
        "control-id": control_id(control),
        "adds": [{"props": [props[0] | ({"remarks": why} if why else {})]}],
    }


def _remarks(left_out: Mapping[str, str], undecided: Iterable[str]) -> str:
    lines = [f"Left out: {number}: {why or 'no reason given'}" for number, why in left_out.items()]
    lines += [f"Not decided yet: {', '.join(numbers)}"] if (numbers := list(undecided)) else []
    return "\n\n".join(lines) or "Every control is included."


def _map(mapping: InForce, framework: Framework, row: Row) -> dict[str, Any]:
    judged = row.review or row
    props = [own_prop("source", source) for source in row.sources]
    if row.review:
        props += [
            own_prop("reviewed-by", row.review.by),
            own_prop("reviewed-on", str(row.review.on)),
        ]
    made: dict[str, Any] = {
        "uuid": _uuid(mapping, "map", framework.id, row.control, row.requirement),
        "matching-rationale": row.rationale, "relationship": judged.relation.value,
        "sources": [{"type": "control", "id-ref": _token(row.control.partition(":")[2])}],
        "targets": [{"type": "control", "id-ref": requirement_id(row.requirement)}],
        "confidence-score": {"category": row.confidence}, "props": props,
    }  # fmt: skip
    return made | ({"remarks": row.note} if row.note else {})


def _metadata(title: str, mapping: InForce, at: datetime) -> dict[str, Any]:
    return {
        "title": title, "last-modified": stamp(at), "version": mapping.digest[:16],
        "oscal-version": OSCAL_VERSION, "props": [own_prop("mapping-sha256", mapping.digest)],
    }  # fmt: skip


def _prop(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def own_prop(name: str, value: str) -> dict[str, str]:
    """A property in Headwater's own namespace."""
    return {"name": name, "ns": NS, "value": " ".join(value.split())}


def _uuid(mapping: InForce, *what: str) -> str:
    """Version 5, which every OSCAL tool takes: of the mapping's digest and what it names."""
    return str(uuid5(NAMESPACE_URL, "\n".join((NS, mapping.digest, *what))))
