"""A mailbox as witness: each checkpoint is sent there, and nobody here can take it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from storage.mail import MailServer
from storage.note import Checkpoint
from storage.witness import Kept

_TEXT = """\
The evidence ledger {origin} now seals {size} items (root {root}).

Keep the attached file where the ledger's administrator cannot reach it. With it and the ledger's
public key anybody can check later that nothing before it was changed or removed:

  headwater verify --lake LAKE --key LEDGER.pub --checkpoint {file}
"""


@dataclass(frozen=True, slots=True)
class MailWitness:
    """A mailbox. It cannot be read back: a person compares its notes with `verify --checkpoint`."""

    to: str
    server: MailServer
    every: timedelta = timedelta()
    readable: bool = False

    @property
    def where(self) -> str:
        """The address as it is configured."""
        return f"mailto:{self.to}"

    @property
    def name(self) -> str:
        """For people."""
        return f"the witness {self.where}"

    def publish(self, head: Checkpoint, mark: str) -> str:
        """Send the note as an attachment, byte for byte."""
        self.server.send(self._message(head))
        return mark

    def kept(self, mark: str, *, whole: bool) -> Sequence[Kept]:  # noqa: ARG002
        """Nothing: mail goes one way."""
        return ()

    def _message(self, head: Checkpoint) -> EmailMessage:
        message, file = EmailMessage(), f"checkpoint-{head.size}.note"
        message["From"], message["To"] = self.server.sender, self.to
        message["Subject"] = f"{head.origin}: {head.size} items sealed"
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self.server.sender.rpartition("@")[2] or None)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        root = head.root.hex()
        message.set_content(_TEXT.format(origin=head.origin, size=head.size, root=root, file=file))
        # As bytes: a mail server may change the line ends of text, and the signature with them.
        message.add_attachment(
            head.text.encode(), maintype="application", subtype="octet-stream", filename=file
        )
        return message
