"""Slack and Microsoft Teams, by the addresses that they give out for incoming messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from collectors.http import Reply, clean
from evidence.secret import Secret
from flows._alerts.channel import Channel, Desk
from flows._alerts.post import Post, host, no_page
from flows._alerts.text import closing, headline, sentences
from flows._alerts.words import Answer, Message

_BLOCKS = 45
"""Slack takes 50 blocks a message, with up to 3,000 characters each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack(Channel):
    """A Slack incoming webhook. `patience` is in seconds."""

    url: Secret
    patience: float = 20.0

    kind: ClassVar[str] = "slack"

    def send(self, message: Message, desk: Desk, now: datetime, to: str = "") -> Answer:  # noqa: ARG002
        """As plain text, which Slack shows as it stands: nobody is called, nothing is linked."""
        return Post(self.url, self.patience).json(slack_body(message, desk), _slack_took)

    def where(self, to: str = "") -> str:  # noqa: ARG002
        """The host: the rest of the address is the key."""
        return f"Slack at {host(self.url)}"


def slack_body(message: Message, desk: Desk) -> Mapping[str, Any]:
    """The message in Slack's blocks; `text` is what a notification shows."""
    texts = [*sentences(message)[:_BLOCKS], closing(desk)]
    return {
        "text": _no_markup(headline(message, desk)),
        "mrkdwn": False,
        "unfurl_links": False,
        "blocks": [
            {"type": "header", "text": _slack_text(headline(message, desk))},
            *({"type": "section", "text": _slack_text(text)} for text in texts),
        ],
    }


def _slack_text(text: str) -> Mapping[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _no_markup(text: str) -> str:
    """The three signs by which Slack's text calls people and links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack_took(reply: Reply) -> str:
    told = bytes(reply.data).strip()
    return "" if told == b"ok" else no_page(reply) or f"not ok: {_words(told)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Teams(Channel):
    """A Teams workflow that posts what its webhook receives. `patience` is in seconds."""

    url: Secret
    patience: float = 20.0

    kind: ClassVar[str] = "teams"

    def send(self, message: Message, desk: Desk, now: datetime, to: str = "") -> Answer:  # noqa: ARG002
        """As text runs of an Adaptive Card, which know no Markdown."""
        return Post(self.url, self.patience).json(teams_body(message, desk), _teams_took)

    def where(self, to: str = "") -> str:  # noqa: ARG002
        """The host: the rest of the address is the key."""
        return f"Teams at {host(self.url)}"


def teams_body(message: Message, desk: Desk) -> Mapping[str, Any]:
    """The message as an Adaptive Card in a message, which is what workflows take."""
    told = headline(message, desk)
    texts = [*sentences(message)[:_BLOCKS], closing(desk)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": _no_function(told),
        "body": [_run(told, weight="Bolder"), *(_run(text) for text in texts)],
    }
    attached = {
        "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None,
        "content": card,
    }  # fmt: skip
    return {"type": "message", "attachments": [attached]}


def _run(text: str, **style: str) -> Mapping[str, Any]:
    run = {"type": "TextRun", "text": _no_function(text), **style}
    return {"type": "RichTextBlock", "inlines": [run]}


def _no_function(text: str) -> str:
    """Cards know functions such as {{DATE(…)}}; a stranger's text has none."""
    return text.replace("{{", "{ {").replace("${", "$ {")


def _teams_took(reply: Reply) -> str:
    """Its older webhooks answer 200 also to what they did not post, and say so in words."""
    told = bytes(reply.data).strip()
    if told in {b"", b"1"} or told[:1] in b"{[":
        return ""
    return no_page(reply) or f"not taken: {_words(told)}"


def _words(told: bytes) -> str:
    return clean(told.decode("utf-8", "replace")) or "no words"
