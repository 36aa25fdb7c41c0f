"""What documents are rendered from: registers in the lake, and what headwater.toml has running."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from evidence.asked import Expectation
from evidence.documents import Facts
from evidence.duration import Span, told_span
from evidence.errors import InvalidItem
from evidence.fields import TO_FILL_IN
from evidence.times import day_or_time
from flows.config import Config, Source, now
from flows.judgement import INVENTORIES
from flows.law import told as told_deadline
from mappings.catalogue import Catalogue
from mappings.law import load_law
from storage.documents import headers
from storage.pages import Connection, records

_By = dict[str, dict[str, str]]
_REGISTERS: Mapping[str, tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]] = {
    "roles": (
        ("roles", "roles_register"),
        {"role": ("role", "name", "title"), "person": ("person", "holder"), "system": ("system",),
         "duties": ("duties",)},
    ),
    "systems": (
        INVENTORIES,
        {"name": ("name", "title"), "owner": ("owner",), "role": ("role",),
         "risk_class": ("risk_class",), "stage": ("stage",), "purpose": ("purpose",)},
    ),
    "objectives": (
        ("objectives",),
        {"title": ("title", "name"), "measure": ("measure",), "target": ("target",),
         "owner": ("owner",), "due": ("due",)},
    ),
    "suppliers": (
        ("suppliers", "supplier_register"),
        {"name": ("name", "title"), "service": ("service", "supplies"), "owner": ("owner",),
         "theirs": ("their_duties", "duties"), "ours": ("our_duties",), "terms": ("ai_terms",)},
    ),
    "parties": (("interested_parties",), {"name": ("name", "title"), "needs": ("needs",)}),
    "soa": (
        ("soa", "statement_of_applicability"),
        {"applicable": ("applicable",), "reason": ("reason",), "owner": ("owner",)},
    ),
    "audits": (
        ("audits", "audit_programme"),
        {"title": ("title", "controls"), "auditor": ("auditor",), "planned": ("planned",)},
    ),
}  # fmt: skip
"""Group → the registers it is read from, and for each of its fields where registers have it."""
_GATES = (
    "repositories", "branches", "environments", "approved_statuses", "change_types",
    "independent_of", "preapproved_types",
)  # fmt: skip


def facts(connection: Connection, config: Config) -> Facts:
    """All groups, as the registers stand in what the connection shows and as headwater.toml says.

    What is still to be filled in counts as not there. Raises LakeError, MappingError, ConfigError.
    """
    mapping = config.mapping()
    found: dict[str, _By] = {
        group: _of_registers(connection, names, fields)
        for group, (names, fields) in _REGISTERS.items()
    }
    catalogue = mapping.catalogue
    return found | {
        "organisation": {"own": {"name": _text(config.organisation)}},
        "sources": {source.name: _source(source) for source in config.sources},
        "gates": dict(_gates(config)),
        "schedules": _schedules(config),
        "alerts": {channel.name: _alert(channel) for channel in config.channels},
        "evidence": dict(_evidence(config, catalogue)),
        "registers": _registers(connection),
        "retention": {
            one.name: {"kinds": ", ".join(one.kinds), "keep": _span(one.keep),
                       "reason": one.reason}
            for one in config.retention
        },
        "deadlines": {
            f"{known.framework} {known.article}":
                {"told": told_deadline(known, mapping.frameworks[known.framework])}
            for known in load_law().deadlines
        },
    }  # fmt: skip


def _of_registers(
    connection: Connection, names: tuple[str, ...], fields: Mapping[str, tuple[str, ...]]
) -> _By:
    return {
        str(row["id"]): {
            name: next(filter(None, (_text(row.get(key)) for key in keys)), "")
            for name, keys in fields.items()
        }
        for row in map(_of_today, records(connection, *names))
        if not row.get("problems")
    }


def _of_today(row: dict[str, Any]) -> dict[str, Any]:
    """A person who left has no role any more; the record stays."""
    left = _text(row.get("left"))
    try:
        gone = bool(left) and day_or_time(left) <= now()
    except InvalidItem:
        return row  # the record's problems say so
    return row | dict.fromkeys(("person", "holder"), "") if gone else row


def _text(value: object) -> str:
    """As text; what somebody has still to fill in is not there."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    told = "" if value is None else " ".join(str(value).split())
    return "" if TO_FILL_IN in told else told


def _registers(connection: Connection) -> _By:
    """Who keeps which register that is collected."""
    return {
        name: {key: _text(header.get(key)) for key in ("owner", "approved_by")}
        for name, header in headers(connection).items()
        if not header.get("problems")
    }


def _source(source: Source) -> dict[str, str]:
    return {
        "collector": source.uses.rpartition(":")[2], "schedule": source.schedule,
        "timezone": source.timezone,
    }  # fmt: skip


def _gates(config: Config) -> Iterator[tuple[str, dict[str, str]]]:
    """By what each source tells whether somebody approved; without its address and keys."""
    for source in config.sources:
        collector = source.collector(now)
        told = {name: _texts(getattr(collector, name, ())) for name in _GATES}
        signers = getattr(collector, "signers", {})
        told["signers"] = _texts(sorted(set(signers.values())))
        if any(told.values()):
            yield source.name, told


def _texts(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else ""


def _schedules(config: Config) -> _By:
    told = {
        "judging": config.freshness_schedule, "verifying": config.verify.schedule,
        "watching": config.watch.schedule,
        "alerting": config.alerts.schedule if config.alerts else "",
        "anchoring": config.anchor.schedule if config.anchor else "",
    }  # fmt: skip
    return {name: {"schedule": text} for name, text in told.items()}


def _alert(channel: Any) -> dict[str, str]:
    """Whom it tells of what, without its address."""
    return {
        "kind": channel.kind, "severities": ", ".join(channel.severities),
        "systems": ", ".join(channel.systems),
        "after": _span(channel.after) if channel.after else "at once",
        "repeat": _span(channel.repeat) if channel.repeat else "", "digest": channel.digest,
    }  # fmt: skip


def _span(length: Span) -> str:
    """`90 days`, `6 hours`; else as ISO 8601 has it."""
    if not isinstance(length, timedelta):
        return told_span(length)
    for word, unit in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        many, rest = divmod(length, unit)
        if many and not rest:
            return f"{many} {word}{'s' if many > 1 else ''}"
    return told_span(length)


def _evidence(config: Config, catalogue: Catalogue) -> Iterator[tuple[str, dict[str, str]]]:
    """What each clause or control is judged by: until when in date, who brings it."""
    brings = {
        source.name: {catalogue.source_type(kind) for kind in source.collector(now).kinds}
        for source in config.sources
    }
    changed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for change in catalogue.changes(config.overrides):
        changed[change.control, change.evidence].append(change.told)
    asked = {(one.control, one.evidence): one for one in catalogue.expectations(config.overrides)}
    for control in catalogue.controls:
        for need in control.needs:
            key = control.id, need.evidence
            names = [n for n, kinds in brings.items() if kinds & set(need.source_types)]
            yield f"{control.number} {need.evidence}", {
                "control": control.number, "kind": need.evidence.replace("_", " "),
                **_until(asked.get(key)), "changed": "; ".join(changed[key]),
                "sources": ", ".join(names),
            }  # fmt: skip


def _until(one: Expectation | None) -> dict[str, str]:
    """Empty where the organisation asks it of nobody."""
    if one is None:
        return dict.fromkeys(("of", "max_age", "deadline", "warn_before", "stale_on"), "")
    return {
        "of": one.scope.value,
        "max_age": "" if one.max_age is None else _span(one.max_age),
        "deadline": str(one.deadline or ""),
        "warn_before": _span(one.warn_before),
        "stale_on": ", ".join(word.replace("_", " ") for word in one.stale_on),
    }
