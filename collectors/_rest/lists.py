"""What a pull is asked, and each of the lists that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from collectors._rest.items import Maker
from collectors._rest.marks import Marks
from collectors._rest.pages import Read
from collectors._rest.paths import Scope
from collectors._rest.settings import Endpoint
from collectors.base import Window
from collectors.http import Http
from evidence.errors import InvalidItem
from evidence.runs import PullFacts
from evidence.secret import Secret


@dataclass(frozen=True, slots=True)
class Question:
    """What a pull is asked: the lists, for which source and systems, and since when."""

    http: Http
    source: str
    endpoints: tuple[Endpoint, ...]
    systems: Mapping[str, str]
    zone: str
    secret: Mapping[str, Secret]
    window: Window | None
    settings: Mapping[str, str]
    before: Marks
    collected_at: datetime
    started: datetime
    opening: PullFacts


@dataclass(frozen=True, slots=True)
class List:
    """One endpoint for one object. `chain` are the keys of this list and those it hangs from."""

    endpoint: Endpoint
    maker: Maker
    scope: Scope
    chain: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.chain[-1]

    @property
    def name(self) -> str:
        return self.key.replace("\x1f", " ")


def around(this: List, raw: Any) -> Scope:
    """One record of a list, with what surrounds it."""
    if this.endpoint.shape == "map":
        return replace(this.scope, record=_record(raw["@value"]), key=raw["@key"])
    return Scope(_record(raw), this.scope.parent, this.scope.each, "", this.scope.url)


def _record(raw: Any) -> Any:
    return {"value": raw} if isinstance(raw, (str, int, float)) else raw


def reader(this: List) -> Read:
    """Tells a record of the list its id ('': it has none) and what surrounds it."""

    def read(raw: Any) -> tuple[str, Scope]:
        scope = around(this, raw)
        try:
            return this.maker.id_of(scope), scope
        except InvalidItem:
            return "", scope

    return read
