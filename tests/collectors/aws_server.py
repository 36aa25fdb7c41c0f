"""AWS on loopback: moto behind a door that denies by region, and answers what moto does not know.

Answers of our own are checked against botocore's model of the service before they go out, so that
no test passes on a shape that AWS never sends. The door notes every call that came.
"""

from __future__ import annotations

import io
import json
import re
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.validate import validate_parameters

from evidence.secret import Secret

ACCOUNT = "123456789012"
_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
# Services that sign by another name.
_SIGNED = {"monitoring": "cloudwatch", "access-analyzer": "accessanalyzer"}
# Calls that policies allow by another name.
_ALLOWED = {"accessanalyzer:ListFindingsV2": "access-analyzer:ListFindings",
            "accessanalyzer:ListAnalyzers": "access-analyzer:ListAnalyzers"}  # fmt: skip

Answer = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class Denied(Exception):
    """What an answer raises to be a refusal of AWS: a code, an HTTP status, a sentence."""

    def __init__(self, code: str, status: int = 400, words: str = "refused by the test") -> None:
        super().__init__(code)
        self.code, self.status, self.words = code, status, words


@cache
def model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@dataclass
class Aws:
    """`answers` stand in for moto by operation; `denied` maps (region, operation) to a code.

    `objects` are the ARNs of what was asked of S3; a list is told as the prefix that it was of.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    denied: dict[tuple[str, str], str] = field(default_factory=dict)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    objects: set[str] = field(default_factory=set)
    url: str = ""

    def __enter__(self) -> Aws:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Silent(WSGIRequestHandler):
            def log(self, type: str, message: str, *args: object) -> None:
                """Nothing."""

        inner = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._door(inner), threaded=True, request_handler=Silent
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def keys(self) -> dict[str, Any]:
        """The settings that lead a collector here."""
        return {
            "endpoint_url": self.url,
            "access_key": Secret("AKIADEMO"),
            "secret_key": Secret("demo-secret-key"),
        }

    def client(self, service: str, region: str) -> Any:
        import boto3

        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id="AKIADEMO",
            aws_secret_access_key="demo-secret-key",
        )

    def actions(self) -> set[str]:
        """The calls that came, as IAM policies write them."""
        called = {f"{service}:{operation}" for _, service, operation in self.calls}
        return {_ALLOWED.get(call, call) for call in called}

    def _note(self, region: str, environ: Mapping[str, Any]) -> None:
        bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        self.calls.append((region, "s3", "GetObject" if key else "ListBucket"))
        self.objects.add(f"arn:aws:s3:::{bucket}/{key or _listed(environ)}")

    def _door(self, inner: Any) -> Any:
        def app(environ: dict[str, Any], start: Any) -> Any:
            scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
            region, signed = scope.groups() if scope else ("", "")
            service = _SIGNED.get(signed, signed)
            operation = _operation(environ, service)
            if service == "s3":
                self._note(region, environ)
            if not operation:
                return inner(environ, start)
            self.calls.append((region, service, operation.name))
            try:
                if code := self.denied.get((region, operation.name)):
                    raise Denied(code)
                if operation.name in self.answers:
                    return _answered(
                        start, operation, self.answers[operation.name](region, _asked(environ))
                    )
            except Denied as denied:
                return _refused(start, operation, denied)
            return inner(environ, start)

        return app


def _listed(environ: Mapping[str, Any]) -> str:
    return parse_qs(environ.get("QUERY_STRING", "")).get("prefix", [""])[0]


def _body(environ: dict[str, Any]) -> bytes:
    """What was sent, left there to be read again."""
    raw: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(raw)
    return raw


def _operation(environ: dict[str, Any], service: str) -> OperationModel | None:
    """Which operation a request is, by header (JSON), body (query) or path (REST)."""
    if service in {"", "sts", "s3"}:
        return None
    described = model(service)
    if described.metadata["protocol"] == "query":
        asked = parse_qs(_body(environ).decode())
        return described.operation_model(asked["Action"][0])
    if "/operation/" in environ["PATH_INFO"]:  # the CBOR protocol of CloudWatch
        return described.operation_model(environ["PATH_INFO"].rpartition("/")[2])
    if target := environ.get("HTTP_X_AMZ_TARGET", ""):
        return described.operation_model(target.rpartition(".")[2])
    for name in described.operation_names:
        told = described.operation_model(name).http
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", told["requestUri"].split("?")[0])
        if told["method"] == environ["REQUEST_METHOD"] and re.fullmatch(
            pattern, environ["PATH_INFO"]
        ):
            return described.operation_model(name)
    return None


def _asked(environ: dict[str, Any]) -> dict[str, Any]:
    raw = _body(environ)
    query = dict(p.partition("=")[::2] for p in environ.get("QUERY_STRING", "").split("&") if p)
    path = {"path": environ["PATH_INFO"]}
    formed = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    told = dict(parse_qs(raw.decode())) if formed else json.loads(raw) if raw else {}
    return {**query, **path, **told}


def _answered(start: Any, operation: OperationModel, told: Mapping[str, Any]) -> list[bytes]:
    validate_parameters(told, operation.output_shape)
    if operation.service_model.metadata["protocol"] == "query":
        start("200 OK", [("Content-Type", "text/xml")])
        body = _xml(f"{operation.name}Result", told)
        return [f"<{operation.name}Response>{body}</{operation.name}Response>".encode()]
    start("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
    return [json.dumps(_wire(operation.output_shape, told), default=_json).encode()]


def _wire(shape: Any, value: Any) -> Any:
    """By the names that go over the wire, which some services write otherwise than in Python."""
    if shape.type_name == "structure":
        members = shape.members
        return {
            members[name].serialization.get("name", name): _wire(members[name], one)
            for name, one in value.items()
        }
    return [_wire(shape.member, one) for one in value] if shape.type_name == "list" else value


def _xml(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inside = "".join(_xml(key, one) for key, one in value.items())
    else:
        inside = b64encode(value).decode() if isinstance(value, bytes) else escape(str(value))
    return f"<{name}>{inside}</{name}>"


def _json(value: Any) -> Any:
    """Times as the JSON protocols write them."""
    assert isinstance(value, datetime), value
    return value.timestamp()


def _refused(start: Any, operation: OperationModel, denied: Denied) -> list[bytes]:
    if operation.service_model.metadata["protocol"] == "query":
        start(f"{denied.status} Refused", [("Content-Type", "text/xml")])
        told = {"Code": denied.code, "Message": denied.words}
        return [f"<ErrorResponse>{_xml('Error', told)}</ErrorResponse>".encode()]
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", denied.code)]
    start(f"{denied.status} Refused", headers)
    return [json.dumps({"__type": denied.code, "message": denied.words}).encode()]
