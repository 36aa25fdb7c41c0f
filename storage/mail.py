"""Handing mail to the organisation's server; the standard library alone."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal

from evidence.errors import ConfigError, LakeError
from evidence.secret import Secret

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True)
class MailServer:
    """The SMTP server that takes our mail. `tls` is `starttls` (RFC 3207), `tls` or `none`."""

    host: str
    sender: str
    port: int = 587
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    tls: Literal["starttls", "tls", "none"] = "starttls"
    patience: float = 30.0

    def __post_init__(self) -> None:
        if self.user and self.tls == "none" and self.host not in _LOOPBACK:
            raise ConfigError(
                f'[mail] a password is not sent to {self.host} in the clear: write tls = "starttls"'
            )

    def send(self, message: EmailMessage) -> None:
        """Hand a message over. Raises LakeError if the server does not take it."""
        trust = ssl.create_default_context()
        try:
            with self._connected(trust) as server:
                if self.tls == "starttls":
                    server.starttls(context=trust)
                if self.user:
                    server.login(self.user, self.password.reveal())
                server.send_message(message)
        except (OSError, ValueError) as error:  # smtplib's own errors are OSErrors
            told = " ".join(str(error).split())[:200] or type(error).__name__
            where = f"{self.host}:{self.port}"
            raise LakeError(f"the mail server {where} did not take it: {told}") from error

    def _connected(self, trust: ssl.SSLContext) -> smtplib.SMTP:
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.patience, context=trust)
        return smtplib.SMTP(self.host, self.port, timeout=self.patience)
