"""An SMTP server on the loopback interface that keeps what it is sent."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from storage.mail import MailServer


@dataclass
class Mailbox:
    """What arrived; `refuse` is answered to every recipient if it is set."""

    port: int = 0
    messages: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuse: bytes = b""

    def server(self) -> MailServer:
        return MailServer("127.0.0.1", "headwater@example.org", port=self.port, tls="none")


@contextmanager
def serve() -> Iterator[Mailbox]:
    box = Mailbox()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                self.wfile.write(self._answer(line))
                if line[:4].upper() == b"QUIT":
                    return

        def _answer(self, line: bytes) -> bytes:
            verb = line[:4].upper()
            if verb == b"RCPT":
                box.recipients.append(line.decode().partition(":")[2].split()[0])
                return box.refuse or b"250 ok\r\n"
            if verb != b"DATA":
                return b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n"
            self.wfile.write(b"354 go on\r\n")
            lines = list(iter(self.rfile.readline, b".\r\n"))
            box.messages.append(b"".join(part.removeprefix(b".") for part in lines))
            return b"250 taken\r\n"

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        box.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield box
        finally:
            server.shutdown()
