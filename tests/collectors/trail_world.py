"""A small CloudTrail bucket to be tampered with, and an S3 that refuses on demand."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from collectors.cloudtrail import CloudTrail
from demo.cloud import CloudStore, DemoCloud
from evidence.model import Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts
from evidence.secret import Secret

NOW = datetime(2026, 11, 20, 12, 40, tzinfo=UTC)
HOUR = timedelta(hours=1)
SYSTEMS = {"credit-*": "credit-scoring", "*ticket-triage*": "ticket-triage"}


@dataclass
class Pulled:
    """What one pull brought."""

    items: list[EvidenceItem]
    cursor: Cursor
    facts: PullFacts

    @property
    def events(self) -> list[EvidenceItem]:
        return [item for item in self.items if item.kind == "aws.cloudtrail"]

    @property
    def digests(self) -> list[EvidenceItem]:
        return [item for item in self.items if item.kind == "aws.cloudtrail.digest"]

    def bad(self) -> list[EvidenceItem]:
        return [i for i in self.items if i.outcome in {Outcome.FAILED, Outcome.ERROR}]

    def problems(self) -> list[tuple[str, str]]:
        """(name, what) of every problem, in order."""
        found = [p for item in self.items for p in payload(item).get("problems", [])]
        return [(p["name"], p["what"]) for p in found]

    def outcomes(self) -> Counter[str]:
        return Counter(item.outcome.value for item in self.digests)


def payload(item: EvidenceItem) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(item.content)
    return told


def pull(collector: CloudTrail, cursor: Cursor | None = None) -> Pulled:
    items: list[EvidenceItem] = []
    facts = PullFacts()
    for batch in collector.collect(cursor):
        items += batch.items
        facts = facts + batch.facts
        cursor = batch.cursor
    assert cursor is not None
    return Pulled(items, cursor, facts)


@dataclass
class Trail:
    """The cloud on disk, the store that serves it, and a collector that reads it."""

    cloud: DemoCloud
    store: CloudStore
    url: str = ""

    def collector(self, **changed: Any) -> CloudTrail:
        plain = CloudTrail(
            source="cloud-logs",
            bucket=self.cloud.bucket,
            accounts=(self.cloud.account,),
            regions=(self.cloud.region,),
            endpoint_url=self.url or self.store.endpoint_url,
            access_key=Secret("AKIADEMO"),
            secret_key=Secret("demo-secret-key"),
            public_keys=str(self.cloud.public_keys),
            systems=SYSTEMS,
        )
        return replace(plain, **changed)

    def pull(self, cursor: Cursor | None = None, **changed: Any) -> Pulled:
        self.store.refresh()
        return pull(self.collector(**changed), cursor)

    @property
    def root(self) -> Path:
        return self.cloud.folder / "bucket"

    def logs(self) -> list[str]:
        return [key for key in self._keys() if "/CloudTrail/" in key]

    def digests(self) -> list[str]:
        return [key for key in self._keys() if "/CloudTrail-Digest/" in key]

    def _keys(self) -> list[str]:
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*.gz"))

    def read(self, key: str) -> Any:
        return json.loads(gzip.decompress((self.root / key).read_bytes()))

    def write(self, key: str, raw: bytes, at: datetime | None = None) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        if at:
            self.manifest(key, {"modified": at.isoformat(), "metadata": {}})

    def delete(self, *keys: str) -> None:
        for key in keys:
            (self.root / key).unlink()

    def manifest(self, key: str, entry: dict[str, Any] | None = None) -> dict[str, Any]:
        """The stored metadata of an object; with `entry`, replaced by it."""
        path = self.cloud.folder / "cloud.json"
        told = json.loads(path.read_text())
        if entry is not None:
            told["objects"][key] = entry
            path.write_text(json.dumps(told))
        found: dict[str, Any] = told["objects"][key]
        return found

    def naming(self, log: str) -> str:
        """The digest that names a log file."""
        return next(
            key
            for key in self.digests()
            if log in {entry["s3Object"] for entry in self.read(key)["logFiles"]}
        )

    def extra_log(self, at: datetime, records: Iterable[Any], name: str = "x" * 16) -> str:
        """A log file that looks genuine, delivered at `at`, and that no digest knows."""
        account, region = self.cloud.account, self.cloud.region
        stem = f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%MZ}_{name}.json.gz"
        key = f"AWSLogs/{account}/CloudTrail/{region}/{at:%Y/%m/%d}/{stem}"
        self.write(key, packed({"Records": list(records)}), at)
        return key

    def sign(self, key: str, told: dict[str, Any], signer: rsa.RSAPrivateKey | None = None) -> None:
        """Write a digest at `key`, signed by CloudTrail's own key unless another is given."""
        if signer is None:
            pem = (self.cloud.folder / "signing_key.pem").read_bytes()
            loaded = serialization.load_pem_private_key(pem, None)
            assert isinstance(loaded, rsa.RSAPrivateKey)
            signer = loaded
        inner = json.dumps(told).encode()
        lines = (
            told["digestEndTime"],
            f"{told['digestS3Bucket']}/{told['digestS3Object']}",
            hashlib.sha256(inner).hexdigest(),
            told["previousDigestSignature"] or "null",
        )
        signature = signer.sign("\n".join(lines).encode(), padding.PKCS1v15(), SHA256()).hex()
        self.write(key, gzip.compress(inner, mtime=0))
        at = datetime.fromisoformat(told["digestEndTime"]).isoformat()
        self.manifest(key, {"modified": at, "metadata": {"signature": signature}})


def packed(told: Any) -> bytes:
    return gzip.compress(json.dumps(told).encode(), mtime=0)


def event(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    """A small record of its own."""
    return {
        "eventVersion": "1.11",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutObject",
        "userIdentity": {"type": "IAMUser", "userName": "mira.osei"},
        **more,
    }


@dataclass
class Refusal:
    """What a path that holds `part` is answered with, `times` times."""

    part: str
    status: str
    code: str
    times: int = 10**6


_ROLE = """<AssumeRoleResponse><AssumeRoleResult><Credentials>
<AccessKeyId>ASIADEMO</AccessKeyId><SecretAccessKey>demo</SecretAccessKey>
<SessionToken>demo</SessionToken><Expiration>{:%Y-%m-%dT%H:%M:%SZ}</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""


@dataclass
class Moody:
    """The same S3 behind a door that refuses by path, lends roles and lists public keys.

    A role `lasts` so long; `assumed` counts how often it was asked for.
    """

    refusals: list[Refusal] = field(default_factory=list)
    keys: dict[str, Any] | None = None
    asked: list[str] = field(default_factory=list)
    lasts: timedelta = HOUR
    assumed: int = 0
    url: str = ""

    def __enter__(self) -> Moody:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Silent(WSGIRequestHandler):
            def log(self, type: str, message: str, *args: object) -> None:
                """Nothing."""

        inner = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._door(inner), threaded=True, request_handler=Silent
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _body(self, environ: dict[str, Any]) -> bytes:
        """What a POST says; it can be read again."""
        if environ["REQUEST_METHOD"] != "POST":
            return b""
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(raw)
        return bytes(raw)

    def _door(self, inner: Any) -> Any:
        def app(environ: dict[str, Any], start: Any) -> Any:
            target = environ.get("HTTP_X_AMZ_TARGET", "")
            path = environ["PATH_INFO"] + "?" + environ.get("QUERY_STRING", "") + target
            self.asked.append(path)
            for refusal in self.refusals:
                if refusal.part in path and refusal.times > 0:
                    refusal.times -= 1
                    return _refuse(start, refusal, as_json=bool(target))
            if b"Action=AssumeRole" in self._body(environ):
                self.assumed += 1
                start("200 OK", [("Content-Type", "text/xml")])
                return [_ROLE.format(datetime.now(UTC) + self.lasts).encode()]
            if target.endswith("ListPublicKeys"):
                start("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
                return [json.dumps(self.keys).encode()]
            return inner(environ, start)

        return app


def _refuse(start: Any, refusal: Refusal, *, as_json: bool) -> list[bytes]:
    start(refusal.status, [("Content-Type", "application/xml")])
    if as_json:
        return [json.dumps({"__type": refusal.code, "message": "no"}).encode()]
    if refusal.code.startswith("<"):
        return [refusal.code.encode()]
    return [f"<Error><Code>{refusal.code}</Code><Message>no</Message></Error>".encode()]
