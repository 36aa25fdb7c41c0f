"""Alerts by mail over TLS: the password goes to a server that shows who it is, and to no other."""

from __future__ import annotations

import ipaddress
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence.secret import Secret
from flows._alerts.channel import Desk
from flows._alerts.letter import Mail
from flows._alerts.words import Answer, Cause, Message, Notice, What
from storage.mail import MailServer

NOW = datetime.now(UTC)
ANSWERS = {
    b"EHLO": b"250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN", b"STAR": b"220 go on",
    b"AUTH": b"235 ok", b"DATA": b"354 go on", b"QUIT": b"221 bye",
}  # fmt: skip
Tls = Literal["starttls", "tls"]


@dataclass
class Post:
    """What a server was told: whether over TLS, and the line."""

    port: int = 0
    heard: list[tuple[bool, bytes]] = field(default_factory=list)


def certificate(folder: Path) -> Path:
    """One file with the key and the certificate of 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(7).not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1)).add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "mail.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def served(post: Post, pem: Path, tls: Tls) -> socketserver.ThreadingTCPServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    class Session(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                if tls == "tls" or self._talk(self.request, secure=False):
                    with context.wrap_socket(self.request, server_side=True) as secured:
                        self._talk(secured, secure=True)
            except OSError:
                return  # who does not trust us hangs up

        def _talk(self, connection: socket.socket, *, secure: bool) -> bool:
            """Until the end, or until TLS is asked for."""
            with connection.makefile("rwb", buffering=0) as stream:
                if secure == (tls == "tls"):
                    stream.write(b"220 here\r\n")
                while line := stream.readline():
                    post.heard.append((secure, line))
                    verb = line[:4].upper()
                    stream.write(ANSWERS.get(verb, b"250 ok") + b"\r\n")
                    if verb in {b"STAR", b"QUIT"}:
                        return verb == b"STAR"
                    if verb == b"DATA":
                        while stream.readline() not in {b".\r\n", b""}:
                            continue
                        stream.write(b"250 taken\r\n")
            return False

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    post.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("mail"))


@pytest.fixture(params=["starttls", "tls"])
def posted(request: pytest.FixtureRequest, pem: Path) -> Iterator[tuple[Post, Tls]]:
    post = Post()
    server = served(post, pem, request.param)
    yield post, request.param
    server.shutdown()
    server.server_close()


def sent(post: Post, tls: Tls) -> Answer:
    server = MailServer(
        "127.0.0.1", "h@example.org", post.port, "headwater", Secret("sesame-open"), tls, 10.0
    )
    notice = Notice(What.NEW, Cause("a", "failed", "it failed"), NOW)
    desk = Desk("Example", mail=server)
    return Mail(name="m", to="gov@example.org").send(Message("m", (notice,)), desk, NOW)


def test_the_password_and_the_mail_go_over_tls(
    posted: tuple[Post, Tls], pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    post, tls = posted
    assert sent(post, tls).taken
    told = {line[:4].upper(): secure for secure, line in post.heard}
    assert (told[b"AUTH"], told[b"MAIL"], told[b"DATA"]) == (True, True, True)


def test_a_server_that_nobody_vouches_for_hears_nothing(posted: tuple[Post, Tls]) -> None:
    post, tls = posted
    answer = sent(post, tls)
    assert not answer.taken
    assert "certificate" in answer.told.lower()
    assert not {b"AUTH", b"MAIL"} & {line[:4].upper() for _, line in post.heard}
