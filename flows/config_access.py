"""What the [[access]] tables of headwater.toml may hold: who may read what, until when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboards.access import Grant, Role, digest_of
from dashboards.provider import Provider
from evidence.errors import ConfigError
from evidence.excerpt import Excerpt
from evidence.secret import Secret
from flows.config_alerts import AlertTables
from flows.config_sources import NAME

SHORTEST = 24
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FROM = "from"  # a word of the language, so no name of a field
_ROLES = ", ".join(Role)


@dataclass(frozen=True, slots=True)
class Span:
    """From (included) until (not); both need a zone."""

    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        for key, moment in ((_FROM, self.since), ("until", self.until)):
            if moment is not None and moment.tzinfo is None:
                raise ConfigError(f"{key} has no zone: write 2026-12-31T00:00:00Z")
        if self.since and self.until and self.since >= self.until:
            raise ConfigError("until must be later than from")


@dataclass(frozen=True, slots=True)
class AccessTable:
    """One [[access]] as it is written; `from` is `since` here."""

    name: str
    role: str
    token: Secret | None = None
    token_sha256: str = ""
    subject: str = ""
    group: str = ""
    since: datetime | None = None
    until: datetime | None = None
    systems: tuple[str, ...] | None = None
    controls: tuple[str, ...] | None = None
    period: Span | None = None

    def __post_init__(self) -> None:
        if wrong := list(self._wrong()):
            raise ConfigError(*(f"access {self.name}: {sentence}" for sentence in wrong))

    def _wrong(self) -> Iterator[str]:
        if self.role not in list(Role):
            yield f"role must be one of {_ROLES}, not {self.role!r}"
        keys = (self.token, self.token_sha256, self.subject, self.group)
        if sum(map(bool, keys)) != 1:
            yield "needs exactly one of token, token_sha256, subject and group"
        if self.token and len(self.token.reveal()) < SHORTEST:
            yield (
                f"its token is shorter than {SHORTEST} characters: `headwater access token` "
                "makes one"
            )
        if self.token_sha256 and not _DIGEST.fullmatch(self.token_sha256):
            yield "token_sha256 must be 64 hexadecimal digits: `headwater access token` makes it"
        if self.role == Role.AUDITOR and self.until is None:
            yield "an auditor's access needs an until"
        try:
            Span(self.since, self.until)
        except ConfigError as error:
            yield str(error)

    def grant(self) -> Grant:
        """What it grants."""
        span = self.period or Span()
        controls = self.controls
        whole = None if controls is None else tuple(map(_whole_id, controls))
        return Grant(
            self.name, Role(self.role),
            digest_of(self.token.reveal()) if self.token else self.token_sha256,
            self.subject, self.group, self.since, self.until,
            Excerpt(self.systems, whole, span.since, span.until),
        )  # fmt: skip


class AccessTables(AlertTables):
    """Who may read the board, as they stand in the file."""

    __slots__ = ()

    def grants(self, raw: Mapping[str, Any]) -> Iterator[Grant]:
        """The [[access]] tables."""
        tables = raw.get("access", [])
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.mistakes.append(f"{self.file}: access is written as [[access]] tables")
            return
        seen: dict[tuple[str, str], str] = {}
        for number, table in enumerate(tables, 1):
            grant = self._grant(number, table)
            if grant is None:
                continue
            keys = (("name", grant.name), ("token", grant.token_sha256))
            for key in (*keys, ("subject", grant.subject)):
                if key[1] and key in seen:
                    self.mistakes.append(
                        f"{self.file}: access {grant.name}: {seen[key]} has the same {key[0]}"
                    )
                seen[key] = f"access {grant.name}"
            yield grant

    def login(self, raw: Mapping[str, Any]) -> Provider | None:
        """[login], which who is named by subject or group needs."""
        found = self.single(raw, "login", Provider)
        tables = raw.get("access", [])
        named = isinstance(tables, list) and any(
            isinstance(table, dict) and (table.get("subject") or table.get("group"))
            for table in tables
        )
        if named and "login" not in raw:
            self.mistakes.append(
                f"{self.file}: [[access]] names a subject or group: say in [login] which identity "
                "provider knows them"
            )
        return found

    def _grant(self, number: int, table: Mapping[str, Any]) -> Grant | None:
        where = f"access {table.get('name') or number}"
        if not NAME.fullmatch(str(table.get("name", ""))):
            self.mistakes.append(
                f"{self.file}: {where}: name must be of a to z, digits, '.', '_' or '-'"
            )
            return None
        for inner in (table, table.get("period", {})):
            if isinstance(inner, dict) and "since" in inner:
                self.mistakes.append(f"{self.file}: {where}: unknown key 'since'; write from")
        period = table.get("period")
        given = _since(table) | ({"period": _since(period)} if isinstance(period, dict) else {})
        made = self.built(where, AccessTable, given)
        return made.grant() if made else None


def _since(table: Mapping[str, Any]) -> dict[str, Any]:
    return {("since" if key == _FROM else key): value for key, value in table.items()}


def _whole_id(control: str) -> str:
    return control if ":" in control else f"iso42001:{control}"
