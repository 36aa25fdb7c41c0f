"""A ticket in any tracker with a JSON API: one call opens it, another closes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import orjson

from collectors.http import Reply, clean
from evidence.errors import ConfigError
from evidence.secret import Secret
from flows._alerts.channel import Channel, Desk
from flows._alerts.post import JSON, asked, no_page, opened, secret_headers
from flows._alerts.text import headline, plain
from flows._alerts.words import Answer, Message

_PLACE = re.compile(r"\{(title|text|thread|ref)\}")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tracker's API. `{title}`, `{text}`, `{thread}` and, once it is open, `{ref}`
    stand for themselves in `path` and in the texts of `body`."""

    path: str
    body: Mapping[str, Any]
    method: Literal["POST", "PUT", "PATCH"] = "POST"

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise ConfigError(f"path {self.path!r} must begin with / and lie below url")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket(Channel):
    """A tracker below `url`.

    `ref` is where the answer to `open` has the ticket's own name, with dots (`issue.id`); `headers`
    hold the key. Where the tracker reads `markdown`, the text stands in a code block that nothing
    in it may end: it calls nobody and shows no pictures.
    """

    url: str
    open: Call
    close: Call
    ref: str
    markup: Literal["markdown", "none"] = "markdown"
    headers: Mapping[str, Secret] = field(default_factory=dict)
    patience: float = 20.0

    kind: ClassVar[str] = "ticket"
    separate: ClassVar[bool] = True

    def mistakes(self) -> list[str]:
        """Also of the calls."""
        found = Channel.mistakes(self)
        if "{ref}" not in f"{self.close.path} {self.close.body}":
            found.append("close: {ref} stands nowhere: which ticket is to be closed?")
        if "{ref}" in f"{self.open.path} {self.open.body}":
            found.append("open: there is no {ref} before the ticket is open")
        return found

    def send(self, message: Message, desk: Desk, now: datetime, to: str = "") -> Answer:  # noqa: ARG002
        """Open it or close it; what is open already stands."""
        if message.ref and not message.over:
            return Answer(True, f"ticket {message.ref} is open", message.ref)
        if message.over and not message.ref:
            return Answer(True, "no ticket is known to close: look for one that was left open")
        call = self.close if message.over else self.open
        answer, reply = self._ask(call, message, desk)
        if not answer.taken or message.over:
            return answer
        ref = _found(reply, self.ref)
        if not ref:
            return Answer(True, f"opened, but its answer has no {self.ref}: close it by hand")
        return Answer(True, f"ticket {ref} opened", ref)

    def where(self, to: str = "") -> str:  # noqa: ARG002
        """The address."""
        return f"tickets at {self.url}"

    def _ask(self, call: Call, message: Message, desk: Desk) -> tuple[Answer, Reply | None]:
        words = {
            "title": headline(message, desk), "text": self._text(message, desk),
            "thread": message.thread, "ref": message.ref,
        }  # fmt: skip
        path = _PLACE.sub(lambda place: quote(words[place[1]], safe=""), call.path)
        content, replies = orjson.dumps(_filled(call.body, words)), list[Reply]()
        auth = secret_headers(self.headers)

        def ask() -> Reply:
            with opened(self.url, auth, self.patience) as http:
                replies.append(http.send(call.method, path, content, sent=JSON, safe=message.over))
            return replies[0]

        return asked(auth, ask, _refused), replies[0] if replies else None

    def _text(self, message: Message, desk: Desk) -> str:
        told = plain(message, desk)
        return told if self.markup == "none" else f"```text\n{told.replace('`', chr(39))}```\n"


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    """The body with its places filled: in texts only, so that no text becomes structure."""
    if isinstance(value, str):
        return _PLACE.sub(lambda place: words[place[1]], value)
    if isinstance(value, Mapping):
        return {key: _filled(one, words) for key, one in value.items()}
    return [_filled(one, words) for one in value] if isinstance(value, list) else value


_ERRORS = ("error", "errors", "errorMessages", "error_description")


def _refused(reply: Reply) -> str:
    """What is wrong with an answer of good status: a page, or the errors that it tells of, as
    GraphQL and some gateways do."""
    told = _read(reply)
    errors = [told[key] for key in _ERRORS if told.get(key)] if isinstance(told, Mapping) else []
    return no_page(reply) or (clean(f"an error all the same: {errors[0]}", 200) if errors else "")


def _read(reply: Reply | None) -> Any:
    try:
        return orjson.loads(reply.data) if reply else None
    except ValueError:
        return None


def _found(reply: Reply | None, path: str) -> str:
    """The ticket's name in the answer: a number or a short text, else empty."""
    value = _read(reply)
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    named = isinstance(value, str | int) and not isinstance(value, bool)
    return clean(str(value), 100) if named else ""
