"""What [collect] and the [[source]] tables of headwater.toml may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from evidence.errors import ConfigError
from evidence.own import OWN_SOURCE
from flows.config import Source
from flows.config_values import SOURCE, Values, resolve

COLLECT = ("patience", "wait", "at_once", "hosts", "time_limit", "run_limit")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
OWN = ("name", "uses", "schedule", "time_limit", "timezone")


class Sources(Values):
    """The sources, and how many of them are asked at once and for how long."""

    __slots__ = ()

    def cron(self, where: str, text: str) -> str:
        """A schedule as it stands, and a mistake if it is none."""
        # Prefect's own parser is the judge, and it comes with a heavy import: only check the shape.
        if len(text.split()) != 5 or not re.fullmatch(r"[\d*/,\-\sA-Za-z]+", text):
            self.mistakes.append(
                f"{self.file}: {where} schedule {text!r} is not a cron line of five fields"
            )
        return text

    def sources(self, tables: object, limit: timedelta) -> Iterator[Source]:
        """The [[source]] tables; `limit` is the time limit of those without one of their own."""
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.mistakes.append(f"{self.file}: sources are written as [[source]] tables")
            return
        names: set[str] = set()
        for number, table in enumerate(tables, 1):
            source = self._source(number, table, limit)
            if source is None:
                continue
            if source.name in names:
                self.mistakes.append(f"{self.file}: two sources are named {source.name!r}")
            names.add(source.name)
            yield source

    def _source(self, number: int, table: Mapping[str, Any], limit: timedelta) -> Source | None:
        name, uses = table.get("name"), table.get("uses")
        where, before = f"{SOURCE}{name or number}", len(self.lacking)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self.mistakes.append(
                f"{self.file}: {where}: name must be of a to z, digits, '.', '_' or '-'"
            )
            return None
        if name == OWN_SOURCE:
            self.mistakes.append(
                f"{self.file}: {where}: that name is Headwater's own; take another"
            )
            return None
        if not isinstance(uses, str):
            self.mistakes.append(f'{self.file}: {where}: needs uses = "collectors.module:Class"')
            return None
        try:
            collector = resolve(uses)
        except ConfigError as error:
            self.mistakes.append(f"{self.file}: {where}: {error}")
            return None
        schedule = self.cron(where, str(table.get("schedule", "0 * * * *")))
        given = {key: value for key, value in table.items() if key not in OWN}
        return Source(
            name, uses, schedule, self.settings(where, collector, given),
            self.limit(f"{where}:", table, limit),
            self.timezone(where, table.get("timezone", "UTC")), tuple(self.lacking[before:]),
        )  # fmt: skip

    def timezone(self, where: str, name: object) -> str:
        """A time zone by its name, and a mistake if there is none of that name."""
        try:
            return ZoneInfo(name if isinstance(name, str) else "").key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.mistakes.append(
                f"{self.file}: {where}: timezone {name!r} is none: write one such as Europe/Berlin"
            )
            return "UTC"

    def limit(
        self, where: str, table: Mapping[str, Any], default: timedelta, key: str = "time_limit"
    ) -> timedelta:
        """The time limit of this table, or the default."""
        if key not in table:
            return default
        limit = self.typed(f"{where} {key}", timedelta, table[key])
        if isinstance(limit, timedelta) and limit <= timedelta(0):
            self.mistakes.append(f"{self.file}: {where} {key} must be longer than nothing")
        return limit if isinstance(limit, timedelta) else default

    def hosts(self, table: Mapping[str, Any]) -> dict[str, int]:
        """Host → how many sources may ask it at once, where it is not one."""
        given = self.given(table, "collect", "hosts", Mapping[str, int], {})
        return {host.lower(): self.some(f"hosts: {host}", n) for host, n in given.items()}

    def some(self, key: str, number: int) -> int:
        """A number of [collect] as it stands, and a mistake if it is less than 1."""
        if number < 1:
            self.mistakes.append(f"{self.file}: [collect] {key} must be 1 at least, not {number}")
        return number
