"""PagerDuty, by its Events API v2: an incident is triggered, and resolved under the same key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import orjson

from collectors.http import Reply, clean
from evidence.secret import Secret
from flows._alerts.channel import Channel, Desk
from flows._alerts.post import Post, no_page
from flows._alerts.text import headline, sentences
from flows._alerts.words import Answer, Message

EVENTS = "https://events.pagerduty.com/v2/enqueue"
_LEVELS = {
    "failed": "critical", "health": "error", "source": "error", "stale": "warning",
    "missing": "warning",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDuty(Channel):
    """A PagerDuty service with an Events API v2 integration; `key` is its integration key."""

    key: Secret
    url: str = EVENTS
    patience: float = 20.0

    kind: ClassVar[str] = "pagerduty"
    separate: ClassVar[bool] = True

    def send(self, message: Message, desk: Desk, now: datetime, to: str = "") -> Answer:  # noqa: ARG002
        """Trigger or resolve: the same thread twice is one incident for PagerDuty."""
        body = pager_body(message, desk) | {"routing_key": self.key.reveal()}
        answer = Post(Secret(self.url), self.patience).json(body, _took)
        return Answer(answer.taken, answer.told.replace(self.key.reveal(), "…"), wait=answer.wait)

    def where(self, to: str = "") -> str:  # noqa: ARG002
        """No word of the key."""
        return "PagerDuty"


def pager_body(message: Message, desk: Desk) -> dict[str, Any]:
    """The event, without the key of the service."""
    event: dict[str, Any] = {
        "event_action": "resolve" if message.over else "trigger",
        "dedup_key": f"headwater-{message.thread}",
        "client": "Headwater",
        "payload": {
            "summary": headline(message, desk),
            "source": message.all[0].cause.system or desk.organisation,
            "severity": _LEVELS.get(message.severity, "info"),
            "group": message.all[0].cause.source or message.all[0].cause.system,
            "class": message.severity,
            "custom_details": {"told": sentences(message)},
        },
    }
    return event | ({"client_url": desk.board} if desk.board else {})


def _took(reply: Reply) -> str:
    if wrong := no_page(reply):
        return wrong
    try:
        told = orjson.loads(reply.data)
    except ValueError:
        return "its answer is no JSON"
    if isinstance(told, Mapping) and told.get("status") == "success":
        return ""
    return f"not a success: {clean(str(told))}"
