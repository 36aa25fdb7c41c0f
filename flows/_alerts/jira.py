"""A Jira issue for each cause: created once, closed when it is over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

import requests

from collectors.http import Auth, Http, clean
from evidence.errors import SourceBusy, SourceError
from evidence.secret import Secret
from flows._alerts.channel import Channel, Desk
from flows._alerts.post import LONGEST, opened
from flows._alerts.text import closing, headline, plain, sentences
from flows._alerts.words import Answer, Message

_KEY = re.compile(r"[A-Z][A-Z0-9_]*-\d+")
_SUMMARY = 250
"""Jira takes 255 signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jira(Channel):
    """A Jira project. `done` is the status that closes an issue (empty: any that counts as done);
    `deployment` as for the collector."""

    url: str
    project: str
    token: Secret
    email: str = ""
    deployment: Literal["cloud", "data_center"] = "cloud"
    issue_type: str = "Task"
    done: str = ""
    labels: tuple[str, ...] = ("headwater",)
    patience: float = 20.0

    kind: ClassVar[str] = "jira"
    separate: ClassVar[bool] = True

    def mistakes(self) -> list[str]:
        """Also of what Jira asks for."""
        found = Channel.mistakes(self)
        if self.deployment == "cloud" and not self.email:
            found.append("email is missing: Jira Cloud wants it beside the token")
        if any(not re.fullmatch(r"[\w.-]+", label) for label in self.labels):
            found.append("labels: Jira takes no spaces in them")
        return found

    def send(self, message: Message, desk: Desk, now: datetime, to: str = "") -> Answer:  # noqa: ARG002
        """Create, comment or close, whichever the message and the issue ask for."""
        auth = self._auth()
        try:
            with opened(self.url, auth, self.patience) as http:
                return _Tracker(self, http).take(message, desk)
        except SourceError as error:
            wait = error.retry_after if isinstance(error, SourceBusy) else None
            return Answer(False, clean(auth.mask(str(error))), wait=wait and min(wait, LONGEST))

    def where(self, to: str = "") -> str:  # noqa: ARG002
        """The project."""
        return f"Jira project {self.project} at {self.url}"

    def _auth(self) -> Auth:
        if self.deployment == "cloud":
            return Auth.basic(self.email, self.token)
        return Auth.bearer(self.token)


@dataclass(frozen=True, slots=True)
class _Tracker:
    """One conversation about one issue."""

    jira: Jira
    http: Http

    def take(self, message: Message, desk: Desk) -> Answer:
        label = f"headwater-{message.thread}"
        key = message.ref or self._find(label)
        if not key:
            return Answer(True, "no open issue of it") if message.over else self._create(
                message, desk, label
            )  # fmt: skip
        if not message.over:
            self._comment(key, message, desk)
            return Answer(True, f"{key} was told", key)
        return self._close(key, message, desk)

    def _find(self, label: str) -> str:
        """The open issue of this thread, if there is one: a run that died may have made it."""
        asked = {
            "jql": f'project = "{self.jira.project}" AND labels = "{label}" AND statusCategory '
            "!= Done", "fields": "status", "maxResults": "1",
        }  # fmt: skip
        path = "search/jql" if self.jira.deployment == "cloud" else "search"
        found = _object(self.http.get(self._api(path), asked).data).get("issues") or [{}]
        return _key(found[0])

    def _create(self, message: Message, desk: Desk, label: str) -> Answer:
        fields = {
            "project": {"key": self.jira.project},
            "issuetype": {"name": self.jira.issue_type},
            "summary": clean(headline(message, desk), _SUMMARY),
            "description": self._text(message, desk),
            "labels": [*self.jira.labels, label],
        }
        made = self.http.post(self._api("issue"), {"fields": fields}).data
        key = _key(_object(made))
        return Answer(bool(key), f"{key} created" if key else "its answer names no issue", key)

    def _close(self, key: str, message: Message, desk: Desk) -> Answer:
        try:
            status = _object(self.http.get(self._api(f"issue/{key}"), {"fields": "status"}).data)
        except SourceError as error:
            if error.status == requests.codes.not_found:
                return Answer(True, f"{key} is not there any more", key)
            raise
        if _done(_object(status.get("fields")).get("status")):
            return Answer(True, f"somebody closed {key} before", key)
        found = list(self._ways(key))
        if not found:
            wanted = self.jira.done or "a status that counts as done"
            return Answer(False, f"{key} has no transition to {wanted}: set done, or the rights")
        self._comment(key, message, desk)
        self._put(f"issue/{key}/transitions", {"transition": {"id": found[0]}})
        return Answer(True, f"{key} closed", key)

    def _ways(self, key: str) -> Iterator[str]:
        """The transitions that close the issue."""
        told = _object(self.http.get(self._api(f"issue/{key}/transitions")).data)
        for way in told.get("transitions") or []:
            to = _object(_object(way).get("to"))
            if to.get("name") == self.jira.done or (not self.jira.done and _done(to)):
                yield str(way.get("id"))

    def _comment(self, key: str, message: Message, desk: Desk) -> None:
        self._put(f"issue/{key}/comment", {"body": self._text(message, desk)})

    def _put(self, path: str, body: Mapping[str, Any]) -> None:
        self.http.post(self._api(path), body)

    def _api(self, path: str) -> str:
        return f"/rest/api/{3 if self.jira.deployment == 'cloud' else 2}/{path}"

    def _text(self, message: Message, desk: Desk) -> object:
        """Cloud takes a document of plain text nodes; Data Center's markup is kept from being any:
        all stands in one {noformat}, which no text within may end."""
        if self.jira.deployment != "cloud":
            told = re.sub(r"\{(?=noformat)", "{ ", plain(message, desk), flags=re.I)
            return f"{{noformat}}\n{told}{{noformat}}"
        texts = [*sentences(message), closing(desk)]
        paragraphs = [
            {"type": "paragraph", "content": [{"type": "text", "text": text}]} for text in texts
        ]
        return {"type": "doc", "version": 1, "content": paragraphs}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _key(value: object) -> str:
    """The issue's key. A stranger's text is none: it would become part of an address."""
    key = _object(value).get("key")
    return key if isinstance(key, str) and _KEY.fullmatch(key) else ""


def _done(status: object) -> bool:
    return _object(_object(status).get("statusCategory")).get("key") == "done"
