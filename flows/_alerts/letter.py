"""E-mail: one address, or each owner's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import ClassVar

from collectors.http import clean
from evidence.errors import LakeError
from flows._alerts.channel import Channel, Desk, Recipient
from flows._alerts.text import headline, plain
from flows._alerts.words import Answer, Message

OWNERS = "owners"
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253})")


def is_address(text: str) -> bool:
    """Is it one plain address? Names, lists and line breaks are none."""
    return bool(_ADDRESS.fullmatch(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail(Channel):
    """Mail by the server of [mail]. `to` is an address, or `owners`: each owner of a cause gets
    theirs, and `unowned` what has no owner with an address."""

    to: str
    unowned: str = ""

    kind: ClassVar[str] = "mail"

    def mistakes(self) -> list[str]:
        """Also of the addresses."""
        found = Channel.mistakes(self)
        if self.to != OWNERS and not is_address(self.to):
            found.append(f"to: {self.to!r} is neither one address nor {OWNERS!r}")
        if self.to == OWNERS and not is_address(self.unowned):
            found.append("unowned must be an address: who is told of what nobody owns?")
        return found

    def lines(self, people: Mapping[str, str]) -> tuple[Recipient, ...]:
        """One for each owner with an address, and one for the rest."""
        if self.to != OWNERS:
            return (Recipient(self.name, self, self.to),)
        own = [
            Recipient(f"{self.name}/{name}", self, address, owner=name)
            for name, address in people.items()
            if is_address(address)
        ]
        rest = Recipient(self.name, self, self.unowned, others=frozenset(r.owner for r in own))
        return (*own, rest)

    def send(self, message: Message, desk: Desk, now: datetime, to: str = "") -> Answer:
        """Hand it to the server. The same message has the same Message-ID again."""
        if desk.mail is None:
            return Answer(False, "say in [mail] which server takes the mail")
        try:
            desk.mail.send(letter(message, desk, to or self.to, now))
        except LakeError as error:
            secret = desk.mail.password.reveal()
            told = str(error).replace(secret, "…") if secret else str(error)
            return Answer(False, clean(told))
        return Answer(True, f"taken by {desk.mail.host}")

    def where(self, to: str = "") -> str:
        """The address."""
        return f"mail to {to or self.to}"


def letter(message: Message, desk: Desk, to: str, now: datetime) -> EmailMessage:
    """Plain text only: there is no HTML for anybody's text to break out of."""
    mail, sender = EmailMessage(), desk.mail.sender if desk.mail else ""
    mail["From"], mail["To"] = sender, to
    mail["Subject"] = headline(message, desk)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2] or 'headwater.invalid'}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail.set_content(plain(message, desk))
    return mail
