"""Any other receiver: JSON, signed as Standard Webhooks has it, so that libraries check it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import orjson

from collectors.http import clean
from evidence.canonical import plain
from evidence.secret import Secret
from evidence.times import stamp
from flows._alerts.channel import Channel, Desk
from flows._alerts.post import Post, host, no_page
from flows._alerts.text import LIMIT, headline
from flows._alerts.words import Answer, Message, Notice

FORM = "headwater.alert/1"
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Channel):
    """A receiver of JSON. `secret` signs it (`whsec_` and base64, or any text of 24 signs at
    least); `headers` go with it, for gateways that want a key of their own."""

    url: Secret
    secret: Secret
    headers: Mapping[str, Secret] = field(default_factory=dict)
    patience: float = 20.0

    kind: ClassVar[str] = "webhook"

    def mistakes(self) -> list[str]:
        """Also of the secret: a short one can be found by trying."""
        found = Channel.mistakes(self)
        try:
            if len(signing_key(self.secret)) < 24:
                found.append("secret is too short: 24 bytes at least (openssl rand -base64 32)")
        except ValueError as error:
            found.append(str(error))
        return found

    def send(self, message: Message, desk: Desk, now: datetime, to: str = "") -> Answer:  # noqa: ARG002
        """The same message has the same id again, so that a receiver can drop what came twice."""
        content = orjson.dumps(webhook_body(message, desk))
        signed = signature(self.secret, message.id, now, content)
        return Post(self.url, self.patience, self.headers).raw(content, no_page, signed)

    def where(self, to: str = "") -> str:  # noqa: ARG002
        """The host."""
        return f"webhook at {host(self.url)}"


def webhook_body(message: Message, desk: Desk) -> dict[str, Any]:
    """The message as JSON-like values."""
    body: dict[str, Any] = plain({
        "form": FORM, "id": message.id, "organisation": desk.organisation, "board": desk.board,
        "title": headline(message, desk), "severity": message.severity, "over": message.over,
        "digest": message.digest, "notices": [_notice(n) for n in message.notices],
        "more": len(message.more),
    })  # fmt: skip
    return body


def _notice(notice: Notice) -> dict[str, Any]:
    cause = notice.cause
    return {
        "what": notice.what.value, "cause": cause.key, "severity": cause.severity,
        "sentence": clean(cause.sentence, LIMIT), "action": clean(cause.action, LIMIT),
        "controls": list(cause.controls), "system": cause.system, "source": cause.source,
        "owners": list(cause.owners), "item_id": cause.about, "since": stamp(notice.since),
        "ended": stamp(notice.ended) if notice.ended else None, "now": clean(notice.now, LIMIT),
    }  # fmt: skip


def signature(secret: Secret, id_: str, at: datetime, content: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0: id, time, and HMAC-SHA256 over both and the body."""
    told = f"{id_}.{int(at.timestamp())}.".encode() + content
    code = base64.b64encode(hmac.digest(signing_key(secret), told, hashlib.sha256)).decode()
    return {
        "webhook-id": id_, "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": f"v1,{code}",
    }  # fmt: skip


def signing_key(secret: Secret) -> bytes:
    """The bytes that sign. Raises ValueError, without them."""
    text = secret.reveal()
    if not text.startswith(_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("secret: after whsec_ there must be base64") from None
