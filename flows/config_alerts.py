"""What [alerts] and the [[alert]] tables of headwater.toml may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flows.config_sources import NAME, Sources

if TYPE_CHECKING:
    from flows._alerts.channel import Channel
    from flows._alerts.settings import Alerts


class AlertTables(Sources):
    """Whom alerts reach, and how. What sends them is loaded only where there are any."""

    __slots__ = ()

    def alerts(self, raw: Mapping[str, Any]) -> Alerts | None:
        """[alerts], or its defaults; None where nobody is told anything."""
        if not raw.keys() & {"alert", "alerts"}:
            return None
        from flows._alerts.settings import Alerts

        found = self.single(raw, "alerts", Alerts) or Alerts()
        self.cron("[alerts]", found.schedule)
        return found

    def channels(self, raw: Mapping[str, Any]) -> Iterator[Channel]:
        """The [[alert]] tables."""
        tables = raw.get("alert", [])
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.mistakes.append(f"{self.file}: channels of alerts are written as [[alert]] tables")
            return
        names: set[str] = set()
        for number, table in enumerate(tables, 1):
            channel = self._channel(number, table)
            if channel is None:
                continue
            if channel.name in names:
                self.mistakes.append(f"{self.file}: two alerts are named {channel.name!r}")
            if channel.kind == "mail" and "mail" not in raw:
                self.mistakes.append(
                    f"{self.file}: alert {channel.name}: say in [mail] which server takes the mail"
                )
            names.add(channel.name)
            yield channel

    def _channel(self, number: int, table: Mapping[str, Any]) -> Channel | None:
        from flows._alerts.kinds import KINDS

        name, kind = table.get("name"), table.get("kind")
        where = f"alert {name or number}"
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self.mistakes.append(
                f"{self.file}: {where}: name must be of a to z, digits, '.', '_' or '-'"
            )
            return None
        if not isinstance(kind, str) or kind not in KINDS:
            self.mistakes.append(f"{self.file}: {where}: kind must be one of {', '.join(KINDS)}")
            return None
        return self.built(where, KINDS[kind], {k: v for k, v in table.items() if k != "kind"})
