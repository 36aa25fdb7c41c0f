"""A real time authority on the loopback interface: openssl behind a small HTTP server."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIG = """\
[tsa]
default_tsa = here
[here]
serial = serial
default_policy = 1.2.3.4.1
digests = {digests}
signer_digest = sha256
accuracy = millisecs:1
clock_precision_digits = 6
ess_cert_id_alg = sha256
"""
OTHER = "00" * 32


@dataclass
class Authority:
    """Its folder, its address, and how it misbehaves: one word an answer, the last repeated."""

    folder: Path
    url: str = ""
    moods: list[str] = field(default_factory=lambda: ["honest"])
    asked: int = 0

    @property
    def roots(self) -> Path:
        return self.folder / "ca.pem"

    def answer(self, query: bytes) -> tuple[int, str, bytes, dict[str, str]]:
        """Status, media type, body and headers for one query."""
        self.asked += 1
        mood = self.moods.pop(0) if len(self.moods) > 1 else self.moods[0]
        if mood == "busy":
            return 503, "text/plain", b"later", {"Retry-After": "0"}
        if mood == "away":
            return 503, "text/plain", b"tomorrow", {"Retry-After": "86400"}
        if mood == "html":
            return 200, "text/html", b"<title>Sign in</title>", {}
        if mood == "noise":
            return 200, "application/timestamp-reply", b"0\x03\x02\x01", {}
        return 200, "application/timestamp-reply", self.reply(query, mood), {}

    def reply(self, query: bytes, mood: str = "honest") -> bytes:
        """openssl's answer; `nonce` and `imprint` answer another question, `reject` refuses."""
        (self.folder / "query").write_bytes(query)
        digests = "sha512" if mood == "reject" else "sha256"
        (self.folder / "tsa.cnf").write_text(CONFIG.format(digests=digests))
        if mood in {"nonce", "imprint"}:
            asked = self._openssl("ts", "-query", "-in", "query", "-text").splitlines()
            dump = [line.split("-", 1)[1] for line in asked if line.startswith("    00")]
            digest = "".join("".join(c for c in part[:50] if c.isalnum()) for part in dump)
            given = OTHER if mood == "imprint" else digest
            self._openssl("ts", "-query", "-digest", given, "-sha256", "-cert", "-out", "query")
        self._openssl(
            "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-inkey", "tsa.key",
            "-signer", "tsa.pem", "-out", "reply",
        )  # fmt: skip
        return (self.folder / "reply").read_bytes()

    def _openssl(self, *words: str) -> str:
        done = subprocess.run(
            ["openssl", *words], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stderr
        return done.stdout


def certify(folder: Path, *, valid: timedelta = timedelta(days=30)) -> None:
    """A root and the authority's certificate, valid from yesterday for `valid`."""
    folder.mkdir(exist_ok=True)
    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = _name("Root of tests")
    ca = _builder(name, name, root, timedelta(days=60)).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    leaf = _builder(_name("Time authority of tests"), name, key, valid).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
    )
    for file, builder in (("ca.pem", ca), ("tsa.pem", leaf)):
        signed = builder.sign(root, hashes.SHA256())
        (folder / file).write_bytes(signed.public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tsa.key").write_bytes(pem)
    (folder / "serial").write_text("01\n")


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid: timedelta
) -> x509.CertificateBuilder:
    start = datetime.now(UTC) - timedelta(days=1)
    return x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), start, start + valid
    )


@contextmanager
def serve(folder: Path, **given: timedelta) -> Iterator[Authority]:
    certify(folder, **given)
    authority, one_at_a_time = Authority(folder), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            with one_at_a_time:
                status, kind, body, headers = authority.answer(query)
            self.send_response(status)
            headers = headers | {"Content-Type": kind, "Content-Length": str(len(body))}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        authority.url = f"http://127.0.0.1:{server.server_address[1]}/tsr"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield authority
        finally:
            server.shutdown()
