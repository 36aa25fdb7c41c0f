"""A record of any system, made into evidence as the configuration says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from collectors._rest.paths import Reader, Scope, expression, text
from collectors._rest.settings import Endpoint
from collectors._rest.times import read_time, to_mark
from collectors.base import system_of
from collectors.http import clean
from evidence.canonical import canonical_plain
from evidence.errors import InvalidItem
from evidence.model import Change, EvidenceItem, Nature, Outcome

_NOT_GONE = {None, False, "", "false", "False", "0"}


@dataclass(frozen=True)
class Maker:
    """Makes the items of one endpoint. `collected_at` is when this pull began, in UTC."""

    endpoint: Endpoint
    source: str
    url: str
    systems: Mapping[str, str]
    zone: str
    collected_at: datetime
    _read: dict[str, Reader] = field(init=False, repr=False, default_factory=dict)
    _payload: dict[str, Reader] = field(init=False, repr=False, default_factory=dict)
    _system: list[Reader] = field(init=False, repr=False, default_factory=list)
    _nature: Nature = field(init=False, repr=False)
    _system_of: Callable[..., str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        end = self.endpoint
        object.__setattr__(self, "_nature", Nature(end.nature))
        # Many records name few systems, and each of them many globs may have to be tried for.
        kept = lru_cache(maxsize=1024)(partial(system_of, self.systems))
        object.__setattr__(self, "_system_of", kept)
        usual = {"title": end.id, "observed_to": end.since.field if end.since else ""}
        for name in (
            "id",
            "title",
            "actor",
            "outcome",
            "observed_from",
            "observed_to",
            "locator",
            "gone",
        ):
            given = getattr(end, name) or usual.get(name, "")
            if given:
                self._read[name] = expression(given)
        if end.since:
            self._read["since"] = expression(end.since.field)
        self._payload.update({name: expression(value) for name, value in end.payload.items()})
        self._system.extend(map(expression, end.system))

    def id_of(self, scope: Scope) -> str:
        """The record's id within source and kind. Raises InvalidItem where there is none."""
        found = text(self._read["id"](scope))
        if not found.strip():
            raise InvalidItem(f"id: nothing at {self.endpoint.id!r}")
        return found

    def mark_of(self, scope: Scope) -> int:
        """What the record counts for in the order of `since`. Raises InvalidItem."""
        return self.mark(self._read["since"](scope))

    def mark(self, value: Any) -> int:
        """A time (in microseconds since 1970) or number to be read by. Raises InvalidItem."""
        since = self.endpoint.since
        if since is not None and since.counts:
            digits = text(value)
            if not digits.lstrip("-").isdigit():
                raise InvalidItem(f"{since.field} is {clean(repr(value), 40)}, not a number")
            return int(digits)
        return to_mark(self._time("since", value))

    def item(self, scope: Scope, subject: str = "") -> EvidenceItem:
        """The evidence of a record, whose id may be known. Raises InvalidItem naming the field that
        cannot be read."""
        began, ended = self._times(scope)
        subject = subject or self.id_of(scope)
        return EvidenceItem(
            source=self.source, kind=self.endpoint.kind, subject=subject,
            observed_from=began, observed_to=ended, collected_at=self.collected_at,
            payload=self._kept(scope), nature=self._nature,
            system=self._system_of(*[text(read(scope)) for read in self._system]),
            title=clean(self._text("title", scope)) or subject,
            change=Change.GONE if self._lost(scope) else Change.NEW, outcome=self._outcome(scope),
            actor=clean(self._text("actor", scope)),
            locator=self._text("locator", scope) or self.url,
        )  # fmt: skip

    def _lost(self, scope: Scope) -> bool:
        if "gone" not in self._read:
            return False
        gone = self._read["gone"](scope)
        return bool(gone) if isinstance(gone, dict | list) else gone not in _NOT_GONE

    def _text(self, name: str, scope: Scope) -> str:
        read = self._read.get(name)
        return "" if read is None else text(read(scope))

    def _times(self, scope: Scope) -> tuple[datetime, datetime]:
        if self.endpoint.nature == "state" or "observed_to" not in self._read:
            return self.collected_at, self.collected_at
        ended = self._time("observed_to", self._read["observed_to"](scope))
        began = self._read["observed_from"](scope) if "observed_from" in self._read else None
        return (ended if began is None else min(ended, self._time("observed_from", began))), ended

    def _time(self, name: str, value: Any) -> datetime:
        try:
            return read_time(value, self.zone, self.endpoint.times)
        except InvalidItem as error:
            raise InvalidItem(f"{name}: {error}") from error

    def _outcome(self, scope: Scope) -> Outcome:
        if "outcome" not in self._read:
            return Outcome.RECORDED
        value = text(self._read["outcome"](scope))
        try:
            return Outcome(value)
        except ValueError as error:
            known = ", ".join(Outcome)
            raise InvalidItem(
                f"outcome: {clean(value, 40)!r} is none of {known}; map it"
            ) from error

    def _kept(self, scope: Scope) -> dict[str, Any]:
        end, record = self.endpoint, scope.record
        record = record if isinstance(record, dict) else {"value": record}
        if "*" in end.keep:
            kept = record if not (end.drop or end.hash or end.payload) else _copy(record)
        else:
            kept = {}
            for where in end.keep:
                _carry(record, kept, where.split("."))
        for where in end.drop:
            _change(kept, where.split("."), None)
        for where in end.hash:
            _change(kept, where.split("."), _fingerprint)
        for name, read in self._payload.items():
            kept[name] = read(scope)
        return kept


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    return [_copy(v) for v in value] if isinstance(value, list) else value


def _carry(source: Any, into: dict[str, Any], names: list[str]) -> None:
    """Copy one place of `source`, through lists too, into the same place of `into`."""
    head, rest = names[0], names[1:]
    if not isinstance(source, dict) or head not in source:
        return
    value = source[head]
    if not rest:
        into[head] = _copy(value)
    elif isinstance(value, dict):
        _carry(value, into.setdefault(head, {}), rest)
    elif isinstance(value, list):
        held = into.setdefault(head, [{} for _ in value])
        for one, place in zip(value, held, strict=True):
            _carry(one, place, rest)
    else:
        into[head] = value


def _change(value: Any, names: list[str], by: Any) -> None:
    """Take out one place, or put in its place what `by` makes of it; through lists too."""
    if isinstance(value, list):
        for one in value:
            _change(one, names, by)
    elif isinstance(value, dict) and names[0] in value:
        if len(names) > 1:
            _change(value[names[0]], names[1:], by)
        elif by is None:
            del value[names[0]]
        else:
            value[names[0]] = by(value[names[0]])


def _fingerprint(value: Any) -> Any:
    """SHA-256 of what stood there, to show that it changed and nothing else."""
    if value is None:
        return None
    raw = value.encode("utf-8", "replace") if isinstance(value, str) else canonical_plain(value)
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"
