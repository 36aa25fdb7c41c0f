"""What the [[override]] tables of headwater.toml may hold, and by which days [freshness] counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from evidence.deadline import Clock
from evidence.duration import Span, span
from flows.config_sources import Sources
from mappings.catalogue import EVERYWHERE
from mappings.controls import NAMESPACE
from mappings.deadlines import CronDeadline, workdays_of
from mappings.overrides import Override

DAYS = ("zone", "country", "subdivision", "days_off")
FRESHNESS = ("schedule", *DAYS)
NEEDED = ("control", "evidence", "reason")
DEADLINE = ("cron", "grace", "since", "clock", *DAYS)


class Overrides(Sources):
    """What the organisation changes about what is expected of it."""

    __slots__ = ()

    def overrides(self, tables: object, days: Mapping[str, Any]) -> Iterator[Override]:
        """The [[override]] tables; `days` are the zone and the days off of [freshness]."""
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.mistakes.append(f"{self.file}: overrides are written as [[override]] tables")
            return
        for number, table in enumerate(tables, 1):
            where, before = f"override {number}", len(self.mistakes)
            self.unknown(f"{where}: ", table, tuple(f.name for f in dataclasses.fields(Override)))
            missing = [k for k in NEEDED if not str(table.get(k, "")).strip()]
            if missing:
                self.mistakes.append(f"{self.file}: {where}: {', '.join(missing)} missing")
                continue
            made = self._override(where, table, days)
            if len(self.mistakes) == before:
                yield made

    def _override(self, where: str, table: Mapping[str, Any], days: Mapping[str, Any]) -> Override:
        warn = self._given(where, table, "warn_before", timedelta)
        control, evidence, reason = (self._given(where, table, key, str) or "" for key in NEEDED)
        applies = self._given(where, table, "applies", bool) if "applies" in table else True
        return Override(
            _control(control), evidence, reason, applies is True,
            self._span(where, table, "max_age"),
            self._deadline(f"{where}: deadline", table.get("deadline"), days),
            warn, *(self._given(where, table, key, str) or "" for key in ("system", "risk_class")),
        )  # fmt: skip

    def _given(self, where: str, table: Mapping[str, Any], key: str, hint: Any) -> Any:
        return self.typed(f"{where}: {key}", hint, table[key]) if key in table else None

    def _span(self, where: str, table: Mapping[str, Any], key: str) -> Span | None:
        text = self._given(where, table, key, str)
        try:
            return None if text is None else span(text)
        except ValueError as error:
            self.mistakes.append(f"{self.file}: {where}: {key}: {error}")
            return None

    def _deadline(self, where: str, table: object, days: Mapping[str, Any]) -> CronDeadline | None:
        if table is None:
            return None
        if not isinstance(table, dict):
            self.mistakes.append(f'{self.file}: {where} must be a table: {{ cron = "…" }}')
            return None
        self.unknown(f"{where}: ", table, DEADLINE)
        # A deadline with a country of its own takes no days off of another country's.
        kept = ("zone",) if "country" in table else DAYS
        given = {key: days[key] for key in kept if key in days} | table
        before = len(self.mistakes)
        texts = {
            key: self._given(where, given, key, str) or ""
            for key in ("cron", "zone", "country", "subdivision")
        }
        off = self._given(where, given, "days_off", tuple[date, ...]) or ()
        grace = self._span(where, given, "grace") or timedelta(0)
        since, clock = self._since(where, given), self._clock(where, given)
        if len(self.mistakes) > before:
            return None
        try:
            made = CronDeadline(
                texts["cron"], texts["zone"] or "UTC",
                workdays_of(texts["country"], texts["subdivision"], off), grace, None, clock,
            )  # fmt: skip
            return dataclasses.replace(made, since=_begin(since, made.zone))
        except ValueError as error:
            self.mistakes.append(f"{self.file}: {where}: {error}")
            return None

    def _since(self, where: str, table: Mapping[str, Any]) -> date | None:
        value = table.get("since")
        if isinstance(value, date) and (not isinstance(value, datetime) or value.tzinfo):
            return value
        if value is not None:
            self.mistakes.append(
                f"{self.file}: {where}: since must be a date or a time with a zone, not {value!r}"
            )
        return None

    def _clock(self, where: str, table: Mapping[str, Any]) -> Clock:
        value = table.get("clock", Clock.OBSERVED.value)
        if value in set(Clock):
            return Clock(value)
        told = ", ".join(Clock)
        self.mistakes.append(f"{self.file}: {where}: clock must be one of {told}, not {value!r}")
        return Clock.OBSERVED


def _begin(since: date | None, zone: str) -> datetime | None:
    """A day begins where the deadline falls: by UTC a due of the day itself could be left out."""
    if since is None or isinstance(since, datetime):
        return since
    return datetime.combine(since, time.min, ZoneInfo(zone)).astimezone(UTC)


def _control(text: str) -> str:
    """`A.6.2.4` and `5.2` are the standard's own; another framework's id says which it is."""
    return text if ":" in text or text == EVERYWHERE else f"{NAMESPACE}:{text}"
