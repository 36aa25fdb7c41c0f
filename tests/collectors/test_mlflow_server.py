"""A real tracking server gives what its file gives; servers that misbehave are named."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from collectors.mlflow_registry import MlflowRegistry
from collectors.mlflow_runs import MlflowRuns
from collectors.mlflow_traces import MlflowTraces
from evidence.errors import SourceBroken, SourceBusy, SourceError, SourceRefused
from evidence.secret import Secret
from tests.collectors.mlflow_stores import SYSTEMS, Store
from tests.ports import free_port

pytestmark = pytest.mark.xdist_group("mlflow-server")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("served"))
    for hours in (9, 5, 5, 1):
        run_id = made.run(
            ago=timedelta(hours=hours), dataset="loans", metrics={"a": float("nan"), "b": 0.1}
        )
        made.client.log_text(run_id, f"<b>{hours}", "deep/plot ü.html")
        made.version("credit-risk", run_id, approved_by="jonas.frey")
    made.client.delete_run(made.run("churn", name="<script>\u202e"))
    made.run(status="RUNNING")
    made.client.set_registered_model_alias("credit-risk", "champion", "4")
    made.client.create_prompt("greeting")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", made.uri)
        logged = made.client.create_logged_model(made.experiment("credit-risk"), name="scorer")
        made.client.create_model_version("credit-risk", f"models:/{logged.model_id}")
    for hours in (80, 80, 55):
        at = datetime.now(UTC) - timedelta(hours=hours)
        made.feedback(made.trace(at=at), "correct", value=hours > 60, rationale="seen")
    return made


@pytest.fixture(scope="module")
def server(store: Store) -> Iterator[str]:
    port = free_port()
    log = store.folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
             "--backend-store-uri", store.uri, "--workers", "1",
             "--artifacts-destination", str(store.folder / "artifacts")],
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                 "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
            stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        try:
            yield _ready(f"http://127.0.0.1:{port}", process, log)
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


def _ready(uri: str, process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            if requests.get(f"{uri}/health", timeout=5).status_code == 200:
                return uri
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def _items(collector: MlflowRuns | MlflowRegistry | MlflowTraces) -> list[tuple[str, ...]]:
    found = [item for batch in collector.collect(None) for item in batch.items]
    states = collector.states
    return sorted(
        (i.kind, i.subject, i.content_sha256, i.change, i.title, "" if states else i.item_id)
        for i in found
    )


@pytest.mark.parametrize("size", [1, 2, 500])
def test_the_server_and_its_file_give_the_same_runs(store: Store, server: str, size: int) -> None:
    more: Any = {"systems": SYSTEMS, "metric_history": True, "artifacts": ("*",)}
    by_file = _items(MlflowRuns("m", store.uri, **more))
    by_http = _items(MlflowRuns("m", server, page_size=size, **more))
    assert len(by_file) == 9
    assert by_http == by_file


@pytest.mark.parametrize("size", [1, 500])
def test_the_server_and_its_file_give_the_same_registry(
    store: Store, server: str, size: int
) -> None:
    by_file = _items(MlflowRegistry("m", store.uri, systems=SYSTEMS))
    by_http = _items(MlflowRegistry("m", server, systems=SYSTEMS, page_size=size))
    assert len(by_file) == 10
    assert by_http == by_file


@pytest.mark.parametrize("size", [1, 500])
def test_the_server_and_its_file_give_the_same_traces(store: Store, server: str, size: int) -> None:
    by_file = _items(MlflowTraces("m", store.uri, systems=SYSTEMS))
    by_http = _items(MlflowTraces("m", server, systems=SYSTEMS, page_size=size))
    assert len(by_file) == 5
    assert by_http == by_file


def test_what_was_asked_of_the_server_is_told(server: str) -> None:
    (batch,) = MlflowRegistry("m", server).collect(None)
    assert batch.facts.api_version.startswith("mlflow 3.")
    assert batch.facts.identity == "anonymous"
    assert len(batch.facts.raw_sha256) == batch.facts.pages
    assert "1 of them prompts" in batch.facts.query
    assert "experiments" in MlflowRuns("m", server).probe()


def test_a_bookmark_from_the_file_holds_at_the_server(store: Store, server: str) -> None:
    *_, last = MlflowRuns("m", store.uri, systems=SYSTEMS).collect(None)
    batches = MlflowRuns("m", server, systems=SYSTEMS).collect(last.cursor)
    assert [item for batch in batches for item in batch.items] == []


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def _speaking(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer(self)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=listener.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def _say(status: int, body: str, *, length: int | None = None, **headers: str) -> Answer:
    def answer(to: BaseHTTPRequestHandler) -> None:
        raw = body.encode()
        to.send_response(status)
        for name, value in headers.items():
            to.send_header(name.replace("_", "-"), value)
        to.send_header("Content-Length", str(len(raw) if length is None else length))
        to.end_headers()
        to.wfile.write(raw)

    return answer


DENIED = '{"error_code": "PERMISSION_DENIED", "message": "no"}'
ENDLESS = '{"experiments": [], "registered_models": [], "next_page_token": "x"}'


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_say(500, '{"error_code": "INTERNAL_ERROR"}'), SourceBusy),
        (_say(503, "<html>upgrading"), SourceBusy),
        (_say(200, '{"experiments": [', length=9000), SourceBusy),
        (_say(401, "who?"), SourceRefused),
        (_say(403, DENIED), SourceRefused),
        (_say(404, "no such page"), SourceRefused),
        (_say(302, "", Location="https://login.example.org/"), SourceRefused),
        (_say(200, "<html>please sign in"), SourceBroken),
        (_say(200, '{"experiments": ['), SourceBroken),
        (_say(200, "[]"), SourceBroken),
        (_say(200, '{"experiments": 3, "registered_models": 3}'), SourceBroken),
        (_say(200, '{"experiments": [{}], "registered_models": [{}]}'), SourceBroken),
        (_say(400, '{"error_code": "INVALID_PARAMETER_VALUE"}'), SourceBroken),
        (_say(200, ENDLESS), SourceBroken),
    ],
)
def test_a_server_that_misbehaves_is_named(answer: Answer, error: type[SourceError]) -> None:
    with _speaking(answer) as uri:
        for collector in (MlflowRuns("m", uri), MlflowRegistry("m", uri)):
            with pytest.raises(error):
                list(collector.collect(None))


def test_patience_is_passed_on() -> None:
    for after, least in (("7", 7), ("Fri, 31 Dec 2100 23:59:59 GMT", 1000)):
        with (
            _speaking(_say(429, "{}", Retry_After=after)) as uri,
            pytest.raises(SourceBusy) as busy,
        ):
            MlflowRuns("m", uri).probe()
        assert busy.value.retry_after is not None
        assert busy.value.retry_after >= timedelta(seconds=least)


def test_the_key_goes_to_the_server_and_nowhere_else() -> None:
    heard: list[str | None] = []

    def answer(to: BaseHTTPRequestHandler) -> None:
        heard.append(to.headers.get("Authorization"))
        _say(401, '{"message": "bad key"}')(to)

    with _speaking(answer) as uri:
        for keys in ({"token": Secret("t0ken")}, {"user": "hw", "password": Secret("pa55")}):
            with pytest.raises(SourceRefused) as refused:
                MlflowRuns("m", uri, **keys).probe()
            assert "t0ken" not in str(refused.value)
            assert "pa55" not in str(refused.value)
    assert heard == ["Bearer t0ken", "Basic aHc6cGE1NQ=="]
