"""One door to MLflow: a tracking server over HTTP, or a SQLite store read from a private copy."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from evidence.errors import ConfigError, SourceBroken, SourceRefused
from evidence.runs import PullFacts
from evidence.secret import Secret
from evidence.times import from_ms

SQLITE = "sqlite:///"
SYSTEM_TAG = "headwater.system"
# MLflow itself allows 6 000 characters in a param and 8 000 in a tag; bulk is longer.
_LONG = 10_000
_USERINFO = re.compile(r"([a-zA-Z][\w+.-]*://)[^/\s@\"']+@")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in the shape of MLflow's REST API, and the SHA-256 of its bytes."""

    body: Mapping[str, Any]
    sha256: str


class Door(Protocol):
    """Where MLflow is asked. `ask` takes the REST call's name and its body or query."""

    @property
    def api_version(self) -> str:
        """Which MLflow answers."""

    @property
    def identity(self) -> str:
        """As whom it is asked."""

    def ask(self, call: str, body: Mapping[str, Any]) -> Answer:
        """One call. Raises SourceBusy, SourceRefused, Absent or SourceBroken."""

    def sha256(self, run_id: str, path: str, most: int) -> str:
        """The digest of a run's file, empty if it has more than `most` bytes. Raises as `ask`."""


class Absent(SourceRefused):
    """MLflow knows no such run: refused, unless the caller expected that."""


@dataclass(frozen=True, slots=True)
class Keys:
    """How to sign in at a tracking server: user and password, or a token, or nothing."""

    user: str = ""
    password: Secret | None = None
    token: Secret | None = None

    def header(self) -> str:
        """The Authorization header, empty without credentials."""
        if self.user and self.password:
            from requests.auth import _basic_auth_str

            return str(_basic_auth_str(self.user, self.password.reveal()))
        return f"Bearer {self.token.reveal()}" if self.token else ""

    @property
    def who(self) -> str:
        """As whom the server is asked."""
        return self.user or ("bearer of the token" if self.token else "anonymous")


def check_uri(uri: str, keys: Keys, *, setting: str = "tracking_uri") -> None:
    """Refuse an address that cannot work before anything opens. Raises ConfigError.

    The address is not repeated in the message where it may hold a password.
    """
    if uri.startswith(SQLITE) and len(uri) > len(SQLITE) and "?" not in uri:
        return
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            f"{setting}: expected http(s)://HOST… or sqlite:////FILE without '?', "
            f"got scheme {parts.scheme!r}; for another database give its tracking server's address"
        )
    if parts.username or parts.password:
        raise ConfigError(f"{setting}: holds credentials; give user and password as settings")
    if bool(keys.user) != bool(keys.password):
        raise ConfigError("user and password: give both or neither")


@contextmanager
def open_door(uri: str, keys: Keys) -> Iterator[Door]:
    """The door for an address that passed `check_uri`; closed, and its copy removed, at the end."""
    if uri.startswith(SQLITE):
        from collectors._mlflow.file import file_door

        with file_door(uri.removeprefix(SQLITE)) as door:
            yield door
        return
    from collectors._mlflow.http import HttpDoor

    http = HttpDoor(uri.rstrip("/"), keys)
    try:
        yield http
    finally:
        http.close()


def answer_of(raw: bytes) -> Answer:
    """Parse one answer. Raises SourceBroken if it is not a JSON object."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise SourceBroken(f"the answer is not JSON: {error}; is this MLflow?") from error
    if not isinstance(body, dict):
        raise SourceBroken(f"the answer is a JSON {type(body).__name__}, expected an object")
    return Answer(body, hashlib.sha256(raw).hexdigest())


def rows(answer: Answer, key: str) -> list[Mapping[str, Any]]:
    """The records under `key`; MLflow leaves the key out when there are none."""
    found = answer.body.get(key, [])
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise SourceBroken(f"{key}: expected a list of objects", what=key)
    return found


def token(answer: Answer) -> str:
    """The next page's token, empty at the end."""
    return str(answer.body.get("next_page_token") or "")


def every(
    door: Door, call: str, key: str, body: Mapping[str, Any], heard: list[str]
) -> list[Mapping[str, Any]]:
    """All pages of one search, for lists that fit in memory; the digest of each answer is added to
    `heard`: the answers themselves would be held until the next batch.

    Raises SourceBroken when a page token repeats: it would never end.
    """
    found: list[Mapping[str, Any]] = []
    at, used = "", set()
    while True:
        answer = door.ask(call, {**body, **({"page_token": at} if at else {})})
        heard.append(answer.sha256)
        found.extend(rows(answer, key))
        at = token(answer)
        if not at:
            return found
        if at in used:
            raise SourceBroken(f"{call} repeats a page token", what=call)
        used.add(at)


def chosen_experiments(door: Door, names: tuple[str, ...], heard: list[str]) -> dict[str, str]:
    """Id to name of the experiments to read, deleted ones too. Raises SourceRefused."""
    body = {"max_results": 1000, "view_type": "ALL"}
    found = every(door, "experiments/search", "experiments", body, heard)
    named = {need(e, "experiment_id", "an experiment"): str(e.get("name", "")) for e in found}
    if absent := sorted(set(names) - set(named.values())):
        raise SourceRefused(
            f"experiments: {', '.join(absent)} not found as {door.identity}; "
            "correct the name or give the permission"
        )
    return {key: name for key, name in named.items() if not names or name in names}


def facts_of(door: Door, heard: list[str], *, received: int, query: str, **more: Any) -> PullFacts:
    """What was asked and answered, for one batch."""
    return PullFacts(
        pages=len(heard), received=received, query=query, api_version=door.api_version,
        identity=door.identity, raw_sha256=tuple(heard), **more,
    )  # fmt: skip


def need(record: Mapping[str, Any], key: str, what: str) -> str:
    """A text field that must be there. Raises SourceBroken naming the record."""
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise SourceBroken(f"{what}: {key} is {value!r}, expected text", what=what)
    return value


def whole(value: object, what: str) -> int | None:
    """An integer, or None where MLflow left it out. Raises SourceBroken for anything else."""
    if value is None or value == "":
        return None
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError) as error:
        raise SourceBroken(f"{what}: {value!r} is no integer", what=what) from error


def moment(milliseconds: int | None) -> datetime | None:
    """The time, or None where a client wrote one that no calendar holds."""
    try:
        return None if milliseconds is None else from_ms(milliseconds)
    except OverflowError:
        return None


def pairs(records: object, what: str) -> dict[str, Any]:
    """MLflow's `[{key, value}]` as a dict. Raises SourceBroken."""
    try:
        return {str(r["key"]): r.get("value", "") for r in records or ()}  # type: ignore[attr-defined]
    except (TypeError, KeyError, AttributeError) as error:
        raise SourceBroken(f"{what}: expected a list of key and value", what=what) from error


def tags_of(records: object, what: str) -> dict[str, str]:
    """Tags and params as text that may be kept (see `clean`)."""
    return {key: clean(str(value)) for key, value in pairs(records, what).items()}


def clean(text: str) -> str:
    """The text without credentials in addresses; over 10 000 characters its head and digest.

    An edit far behind the head still changes the digest.
    """
    text = _USERINFO.sub(r"\1…@", text)
    if len(text) <= _LONG:
        return text
    return f"{text[:500]}… {sealed(text)}"


def sealed(text: str) -> str:
    """In place of a text that is not kept: its length and digest."""
    sha = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"[{len(text)} characters, sha256 {sha}]"


def line(text: str, limit: int = 120) -> str:
    """One line for a title: line breaks and tabs become spaces, the rest is cut at `limit`."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def utc_ms(value: datetime) -> int:
    """Milliseconds since 1970."""
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
