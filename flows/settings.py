"""What headwater.toml decides of what is seen, kept, asked and told: every change of it lands."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from collectors._git.authorship import authorship
from dashboards.model import Attention
from evidence.canonical import digest, plain
from evidence.duration import Duration, told_span
from evidence.errors import InvalidItem
from evidence.own import ACTION_KIND, OWN_SOURCE
from evidence.secret import Secret
from flows.config import Config
from mappings.overrides import Override
from storage.lake import Lake
from storage.pages import Connection, all_rows
from storage.views import connect

ACT = "settings"
LOOK = "See that nothing is left out by it that should count: `headwater compare` tells what moved."
TOLD_FOR = timedelta(days=30)
SHOWN = 20
_VALUE = 120
_LEFT_OUT = {"source", "clock", "name", "reason", "basis"}

Settings = Mapping[str, Mapping[str, Any]]
"""`source jira` → its keys and values, without secrets."""


class How(StrEnum):
    """What became of a table of headwater.toml."""

    ADDED = "added"
    CHANGED = "changed"
    OUT = "taken out"


@dataclass(frozen=True, slots=True)
class Change:
    """One table that is another than before: since when, under which account, by whom as git tells
    (`by`; else `flaw` says why nobody can tell), and which values."""

    what: str
    how: How
    told: str
    at: datetime
    account: str
    by: tuple[str, ...] = ()
    alone: bool = False
    flaw: str = ""
    item_id: str = ""

    @property
    def sentence(self) -> str:
        """For people: what, how, since when and by whom."""
        return f"{self.what} {self.how.value}{f': {self.told}' if self.told else ''}; {self._who}"

    @property
    def _who(self) -> str:
        since = f"since {self.at:%Y-%m-%d}"
        if not self.by:
            why = f"headwater.toml {self.flaw}" if self.flaw else "git names nobody"
            return f"{since}, first run by the account {self.account} ({why})"
        seen = ", seen by nobody else" if self.alone else ""
        return f"{since}, by {' and '.join(self.by)}{seen}"

    @property
    def looser(self) -> bool:
        """Whether less may be seen, kept, asked or told by it."""
        return _looser(self.what, self.how)


def settings(config: Config) -> dict[str, dict[str, Any]]:
    """What it says today. Keys, addresses of the lake and who may read are no part of it."""
    made: dict[str, dict[str, Any]] = {}
    for source in config.sources:
        named = {"uses": source.uses, "schedule": source.schedule, "timezone": source.timezone}
        made[f"source {source.name}"] = named | dict(source.settings)
    made |= {f"alert {one.name}": {"kind": one.kind} | _fields(one) for one in config.channels}
    made |= {f"retention {one.name}": _fields(one) for one in config.retention}
    made |= {f"redact {one.name}": _fields(one) for one in config.redact}
    made |= {f"witness {one.to}": {"every": one.every} for one in config.witnesses}
    for change in config.overrides:
        words = ("override", change.control, change.evidence, change.system, change.risk_class)
        made[" ".join(filter(None, words))] = {"says": said_of(change)}
    if config.alerts is not None:
        made["alerts"] = {"schedule": config.alerts.schedule, "settle": config.alerts.settle}
    made["law"] = _fields(config.law)
    made["redaction"] = {"detect": config.detect}
    made["schedules"] = {"freshness": config.freshness_schedule, "verify": config.verify.schedule}
    return {name: _plain(table, config.folder) for name, table in made.items()}


def said_of(change: Override) -> str:
    """What an exception says, with the days off that may put its deadline off: of these its own
    words say no number."""
    days = change.deadline.workdays.off if change.deadline else frozenset()
    if not days:
        return change.told
    held = digest(sorted(day.isoformat() for day in days))
    return f"{change.told} ({len(days)} days off, {held[:8]})"


def settings_digest(config: Config) -> str:
    """SHA-256 of the settings: other ones have another."""
    return digest(settings(config))


def settings_facts(lake: Lake, config: Config) -> dict[str, Any]:
    """The settings as facts of an act: as they are, what changed since the last act that held them
    and who did it. Raises LakeError."""
    with connect(lake) as connection:
        before = _last(connection)
    told = settings(config)
    # What lands may be redacted: whether it is the same is asked of digests.
    held = {what: digest(table) for what, table in told.items()}
    changed = list(_changed(before, told, held)) if before else []
    by = authorship(config.file, str(before.get("by", {}).get("commit", "")) if before else "")
    return {
        "settings": told, "digests": held, "changed": changed, "by": dataclasses.asdict(by),
    }  # fmt: skip


def changes(connection: Connection, since: datetime | None) -> list[Change]:
    """What changed after a moment (None: ever), the newest first. Raises LakeError."""
    rows = all_rows(
        connection,
        """SELECT item_id, observed_to, actor, payload->'$.facts.changed' AS changed,
            payload->'$.facts.by' AS by
        FROM evidence WHERE source = $own AND kind = $kind AND subject IN ('mapping', 'settings')
            AND ($since::TIMESTAMPTZ IS NULL OR landed_at > $since::TIMESTAMPTZ)
            AND json_array_length(payload, '$.facts.changed') > 0
        ORDER BY landed_at DESC, item_id""",
        {"own": OWN_SOURCE, "kind": ACTION_KIND, "since": since},
    )
    return [one for row in rows for one in _read(row)]


def changed_settings(connection: Connection, at: datetime) -> Iterator[Attention]:
    """A sentence for each change of late by which less may be seen, kept, asked or told."""
    found = [one for one in changes(connection, at - TOLD_FOR) if one.looser]
    for one in found[:SHOWN]:
        yield Attention(
            "mapping", f"headwater.toml: {one.sentence}.", LOOK, item_id=one.item_id,
            cause=f"setting {one.what}",
        )  # fmt: skip
    if len(found) > SHOWN:
        yield Attention("mapping", f"headwater.toml: {len(found) - SHOWN} more changes.", LOOK)


def unlanded_settings(connection: Connection, config: Config) -> Iterator[Attention]:
    """A sentence for each such change that is judged by here and of which there is no record yet:
    a file could be edited, shown and put back. Raises LakeError."""
    if not (before := _last(connection)):
        return
    told = settings(config)
    held = {what: digest(table) for what, table in told.items()}
    for one in _changed(before, told, held):
        if _looser(one["what"], How(one["how"])):
            says = f": {one['told']}" if one["told"] else ""
            yield Attention(
                "mapping", f"headwater.toml: {one['what']} {one['how']}{says}; nothing is on "
                "record of that before the next collection.", LOOK, cause=f"setting {one['what']}",
            )  # fmt: skip


def _looser(what: str, how: How) -> bool:
    return how is not How.ADDED or what.partition(" ")[0] in {"override", "retention", "redact"}


def _last(connection: Connection) -> Mapping[str, Any]:
    rows = all_rows(
        connection,
        """SELECT payload->'$.facts' AS facts FROM evidence
        WHERE source = $own AND kind = $kind AND subject IN ('mapping', 'settings')
            AND json_exists(payload, '$.facts.digests')
        ORDER BY landed_at DESC, item_id LIMIT 1""",
        {"own": OWN_SOURCE, "kind": ACTION_KIND},
    )
    facts: Mapping[str, Any] = json.loads(rows[0]["facts"]) if rows else {}
    return facts


def _changed(
    before: Mapping[str, Any], now: Settings, held: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    was: Settings = before["settings"]
    for what in sorted(was.keys() | now.keys()):
        if what not in now:
            yield {"what": what, "how": How.OUT, "told": ""}
        elif what not in was:
            yield {"what": what, "how": How.ADDED, "told": str(now[what].get("says", ""))}
        elif before["digests"].get(what) != held[what]:
            yield {"what": what, "how": How.CHANGED, "told": _values(was[what], now[what])}


def _values(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name} {_short(before.get(name))} → {_short(now.get(name))}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )


def _short(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 1]}…"


def _read(row: Mapping[str, Any]) -> Iterator[Change]:
    by = json.loads(row["by"] or "{}")
    for one in json.loads(row["changed"]):
        yield Change(
            one["what"], How(one["how"]), one["told"], row["observed_to"], row["actor"],
            tuple(by.get("authors", ())), bool(by.get("alone")), by.get("flaw", ""),
            row["item_id"],
        )  # fmt: skip


def _fields(one: Any) -> dict[str, Any]:
    return {
        f.name: getattr(one, f.name) for f in dataclasses.fields(one) if f.name not in _LEFT_OUT
    }


def _plain(value: Any, folder: Path) -> Any:
    """As JSON-like values; no secret, and no path that would be another on another machine."""
    if isinstance(value, Secret):
        return "(secret)"
    if isinstance(value, Mapping):
        return {str(name): _plain(one, folder) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        many = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [_plain(one, folder) for one in many]
    if isinstance(value, timedelta | Duration):
        return told_span(value)
    if isinstance(value, Path):
        inside = value.is_relative_to(folder)
        return value.relative_to(folder).as_posix() if inside else value.as_posix()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, folder)
    try:
        return plain(value)
    except InvalidItem:
        return str(value)
