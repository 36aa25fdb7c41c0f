"""The HTTP layer against a real server on loopback that misbehaves as it is told."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors._login import Login
from collectors.base import Step, listener
from collectors.http import Auth, Http, Reply, clean, pages, wait_of
from evidence.errors import SourceBroken, SourceBusy, SourceRefused
from evidence.secret import Secret

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = "s3cr3t-key-of-mira"


@dataclass
class Answer:
    """What the server says next; `cut` sends that many bytes of a longer announced body."""

    body: bytes | str | Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None

    def raw(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


class Quiet(ThreadingHTTPServer):
    """A client that hangs up early is what some cases are about, not news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent."""


class Script:
    """A running server with a list of answers, the last one repeated, and what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [Answer()]
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(size)
                script.asked.append((self.command, self.path, dict(self.headers), body))
                answers = script.answers
                self.say(answers.pop(0) if len(answers) > 1 else answers[0])

            do_POST = do_GET  # noqa: N815 the library's name

            def say(self, answer: Answer) -> None:
                raw = answer.raw()
                self.send_response_only(answer.status)
                headers = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
                for name, value in (headers | answer.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw[: answer.cut])
                self.close_connection = answer.cut is not None

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def script() -> Iterator[Script]:
    made = Script()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Script]:
    made = Script()
    yield made
    made.close()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def http(script: Script, slept: list[float]) -> Iterator[Http]:
    with make(script.url, slept) as made:
        yield made


def make(url: str, slept: list[float], **settings: Any) -> Http:
    auth = Auth.basic("mira@brookside.example", Secret(KEY))
    clock: Callable[[], datetime] = lambda: NOW  # noqa: E731 one line says it
    fixed: dict[str, Any] = {"sleep": slept.append, "jitter": lambda: 0.5, "clock": clock}
    return Http(url, auth=auth, **(fixed | settings))


def test_a_good_answer_carries_its_digest_and_is_counted(script: Script, http: Http) -> None:
    script.answers = [Answer('{"a": [1, "ü"]}')]
    reply = http.get("/x", {"q": "1 2"})
    assert reply.data == {"a": [1, "ü"]}
    assert reply.sha256 == hashlib.sha256('{"a": [1, "ü"]}'.encode()).hexdigest()
    assert http.post("/y", {"b": 1}).status == 200
    facts = http.taken()
    assert (facts.pages, facts.raw_sha256) == (2, (reply.sha256, reply.sha256))
    assert http.taken().pages == 0
    method, path, headers, body = script.asked[1]
    assert (method, path, json.loads(body)) == ("POST", "/y", {"b": 1})
    assert headers["User-Agent"] == "headwater"
    assert script.asked[0][1] == "/x?q=1+2"


def test_compressed_answers_are_hashed_as_read(script: Script, http: Http) -> None:
    raw = json.dumps({"a": "b" * 1000}).encode()
    script.answers = [Answer(gzip.compress(raw), headers={"Content-Encoding": "gzip"})]
    assert http.get("/x").sha256 == hashlib.sha256(raw).hexdigest()


def test_a_compression_bomb_stops_at_the_cap(script: Script, slept: list[float]) -> None:
    bomb = gzip.compress(b'"' + b"x" * 30_000_000 + b'"')
    script.answers = [Answer(bomb, headers={"Content-Encoding": "gzip"})]
    with make(script.url, slept, max_bytes=100_000) as http, pytest.raises(SourceBroken) as told:
        http.get("/x")
    assert "over 100000 bytes" in str(told.value)


def test_no_netrc_replaces_the_key(
    script: Script, http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password eve\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    http.get("/x")
    assert script.asked[0][2]["Authorization"] == requests_basic()
    with Http(script.url) as nobody:
        nobody.get("/x")
    assert "Authorization" not in script.asked[1][2]


def test_the_proxy_of_the_environment_is_asked_and_left_out_where_it_says(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", script.url)
    with Http("http://tracker.example") as through:
        through.get("/x")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        through.get("/y")
    assert [asked[1] for asked in script.asked] == [
        "http://tracker.example/x", "http://tracker.example/y",
    ]  # fmt: skip
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Http(script.url) as past:
        assert past.get("/x").status == 200


def requests_basic() -> str:
    return Auth.basic("mira@brookside.example", Secret(KEY)).headers["Authorization"].reveal()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_busy_is_tried_again_with_growing_waits(
    script: Script, http: Http, slept: list[float], status: int
) -> None:
    script.answers = [Answer(status=status), Answer(status=status), Answer({"ok": 1})]
    assert http.get("/x").data == {"ok": 1}
    assert slept == [0.5, 1.0]
    assert http.taken().pages == 1


def test_the_wait_that_is_asked_for_is_kept(script: Script, http: Http, slept: list[float]) -> None:
    script.answers = [Answer(status=429, headers={"Retry-After": "7"}), Answer()]
    http.post("/search", {}, safe=True)
    assert slept == [7.5]


def test_answers_and_waits_are_told_while_the_pull_is_under_way(script: Script, http: Http) -> None:
    script.answers = [Answer(status=429, headers={"Retry-After": "7"}), Answer()]
    steps = list[Step]()
    before = listener.set(steps.append)
    try:
        http.get("/rest/items?key=secret")
    finally:
        listener.reset(before)
    told = "GET /rest/items"
    assert steps == [Step(told, timedelta(seconds=7.5)), Step(told)], "without the query"


def test_a_long_wait_is_left_to_the_task(script: Script, http: Http, slept: list[float]) -> None:
    script.answers = [Answer(status=503, headers={"Retry-After": "900"})]
    with pytest.raises(SourceBusy) as busy:
        http.get("/x")
    assert busy.value.retry_after == timedelta(minutes=15)
    assert (slept, len(script.asked)) == ([], 1)


def test_the_tries_end(script: Script, http: Http, slept: list[float]) -> None:
    script.answers = [Answer(status=500)]
    with pytest.raises(SourceBusy):
        http.get("/x")
    assert len(script.asked) == 4
    assert slept == [0.5, 1.0, 2.0]


def test_a_call_that_may_write_is_never_repeated(
    script: Script, http: Http, slept: list[float]
) -> None:
    script.answers = [Answer(status=503)]
    with pytest.raises(SourceBusy):
        http.post("/x", {})
    assert (slept, len(script.asked)) == ([], 1)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 410, 451])
def test_refused_names_status_and_path_only(script: Script, http: Http, status: int) -> None:
    script.answers = [Answer(f"no: {KEY} {requests_basic()}\n\x1b[31m", status=status)]
    with pytest.raises(SourceRefused) as refused:
        http.get("/rest/thing", {"hidden": "query"})
    told = "".join(traceback.format_exception(refused.value))
    assert f"GET /rest/thing: HTTP {status}" in str(refused.value)
    assert "query" not in str(refused.value)
    assert KEY not in told
    assert requests_basic() not in told
    assert "\x1b" not in told
    assert len(script.asked) == 1


@pytest.mark.parametrize("status", [400, 409, 422, 501])
def test_other_refusals_mean_that_the_collector_must_change(
    script: Script, http: Http, status: int
) -> None:
    script.answers = [Answer({"errorMessages": ["no such field"]}, status=status)]
    with pytest.raises(SourceBroken, match="no such field"):
        http.get("/x")


@pytest.mark.parametrize(
    "answer",
    [
        Answer("You have exceeded a secondary rate limit.", status=403),
        Answer(status=403, headers={"Retry-After": "60"}),
        Answer(status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99"}),
    ],
)
def test_a_limit_dressed_as_forbidden_is_busy(script: Script, http: Http, answer: Answer) -> None:
    script.answers = [answer]
    with pytest.raises(SourceBusy):
        http.get("/x")


@pytest.mark.parametrize("cut", [0, 1, 9, 17])
def test_an_answer_cut_on_the_wire_is_read_again(script: Script, http: Http, cut: int) -> None:
    script.answers = [Answer({"a": [1, 2, {"b": 3}]}, cut=cut), Answer({"whole": True})]
    assert http.get("/x").data == {"whole": True}


@pytest.mark.parametrize("body", ["", '{"a": [1, {"b": 2}', '{"a": "tex', '[{"a": 1},'])
def test_truncated_json_with_200_is_read_again_then_busy(
    script: Script, http: Http, body: str
) -> None:
    script.answers = [Answer(body), Answer({"whole": True})]
    assert http.get("/x").data == {"whole": True}
    script.answers = [Answer(body)]
    with pytest.raises(SourceBusy, match="too early"):
        http.get("/x")


@pytest.mark.parametrize(
    "body", ["{'a': 1}", '{"a": NaN}', '{"a" 1}', "[" * 200_000 + "]" * 200_000]
)
def test_what_is_no_json_is_broken_at_once(script: Script, http: Http, body: str) -> None:
    script.answers = [Answer(body)]
    with pytest.raises(SourceBroken, match="not JSON"):
        http.get("/x")
    assert len(script.asked) == 1


def test_a_byte_order_mark_and_bad_utf8_are_survived(script: Script, http: Http) -> None:
    script.answers = [Answer(b'\xef\xbb\xbf{"a": "r\xe9gister"}')]
    assert http.get("/x").data == {"a": "r\ufffdgister"}


def test_a_login_page_with_200_is_refused_by_its_name(script: Script, http: Http) -> None:
    page = "<!doctype html><title>Log in to\n Brookside</title><form>"
    script.answers = [Answer(page, headers={"Content-Type": "text/html"})]
    with pytest.raises(SourceRefused, match="Log in to"):
        http.get("/x")


def test_the_key_never_leaves_its_origin(script: Script, http: Http, other: Script) -> None:
    for status in (301, 302, 303, 307, 308):
        script.answers = [Answer(status=status, headers={"Location": f"{other.url}/x"})]
        with pytest.raises(SourceRefused, match="redirects to"):
            http.get("/x")
    with pytest.raises(SourceBroken, match="another origin"):
        http.get(f"{other.url}/next?page=2")
    with pytest.raises(SourceBroken):
        http.get(f"{script.url.replace('//', '//x@evil.example:1#')}/next")
    assert other.asked == []


def test_moves_within_the_origin_are_followed_with_the_key(script: Script, http: Http) -> None:
    script.answers = [Answer(status=301, headers={"Location": "/new?a=1"}), Answer({"new": 1})]
    assert http.get("/old").data == {"new": 1}
    assert script.asked[1][1] == "/new?a=1"
    assert script.asked[1][2]["Authorization"] == requests_basic()
    assert http.get(f"{script.url}/absolute").data == {"new": 1}


def test_redirects_in_a_circle_end(script: Script, http: Http) -> None:
    script.answers = [Answer(status=302, headers={"Location": "/again"})]
    with pytest.raises(SourceBroken, match="redirects"):
        http.get("/x")


def test_a_post_is_not_turned_into_a_get(script: Script, http: Http) -> None:
    script.answers = [Answer(status=302, headers={"Location": "/login"})]
    with pytest.raises(SourceRefused, match="/login"):
        http.post("/x", {}, safe=True)


def test_nobody_there_is_busy(slept: list[float]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with make(url, slept) as http, pytest.raises(SourceBusy, match="ConnectionError") as told:
            http.get("/x", {"hidden": "query"})
    assert "query" not in str(told.value)
    assert len(slept) == 3


def test_silence_is_busy(slept: list[float]) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        settings = {"read_timeout": 0.05, "attempts": 1}
        with make(url, slept, **settings) as http, pytest.raises(SourceBusy, match="Timeout"):
            http.get("/x")


def test_a_trickle_does_not_last_for_ever(script: Script, slept: list[float]) -> None:
    ticks = iter(range(0, 10_000, 200))
    script.answers = [Answer(json.dumps("x" * 200_000))]
    settings: dict[str, Any] = {"timer": lambda: float(next(ticks)), "attempts": 1}
    with make(script.url, slept, **settings) as http, pytest.raises(SourceBusy, match="not whole"):
        http.get("/x")


@pytest.mark.parametrize(
    "url", ["", "jira", "ftp://x", "http://", "https://u:p@x", "http://x:99999"]
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(SourceRefused):
        Http(url)


def test_a_key_is_not_sent_in_the_clear() -> None:
    with pytest.raises(SourceRefused, match="https"):
        Http("http://jira.brookside.example", auth=Auth.bearer(Secret(KEY)))


def test_a_key_with_a_line_break_is_refused_without_showing_it() -> None:
    with pytest.raises(SourceRefused) as refused:
        Auth.header("PRIVATE-TOKEN", Secret(KEY + "\n"))
    assert KEY not in str(refused.value)


def test_keys_do_not_show(http: Http) -> None:
    assert KEY not in repr(http)
    assert KEY not in repr(http.auth)
    with pytest.raises(TypeError):
        pickle.dumps(http.auth)


WAITS = {
    "30": 30.0,
    "0": 0.0,
    "-5": 0.0,
    "12.75": 12.75,
    "Mon, 23 Nov 2026 12:01:00 GMT": 60.0,
    "Monday, 23-Nov-26 12:01:00 GMT": 60.0,
    "Mon Nov 23 12:01:00 2026": 60.0,
    "2026-11-23T12:03Z": 180.0,
    "2026-11-23T13:03+01:00": 180.0,
    str(int(NOW.timestamp()) + 45): 45.0,
    str((int(NOW.timestamp()) + 45) * 1000): 45.0,
    "2026-11-23T11:00Z": 0.0,
    "99999999": 86400.0,
}


@pytest.mark.parametrize(("text", "seconds"), WAITS.items())
@pytest.mark.parametrize("name", ["Retry-After", "x-ratelimit-reset", "RateLimit-Reset"])
def test_every_way_to_ask_for_patience(name: str, text: str, seconds: float) -> None:
    assert wait_of({name: text}, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "1e300", "-1e300", "2026-13-01"])
def test_what_says_nothing_is_none(text: str) -> None:
    assert wait_of({"Retry-After": text}, NOW) is None


def test_a_reset_counts_only_when_the_budget_is_spent() -> None:
    headers = {"X-RateLimit-Reset": "60", "X-RateLimit-Remaining": "4000"}
    assert wait_of(headers, NOW) is None
    spent = headers | {"X-RateLimit-Remaining": "0"}
    assert wait_of(spent, NOW) == timedelta(seconds=60)


def test_both_sides_of_a_wait_are_the_sources_clock() -> None:
    headers = {
        "Retry-After": "Mon, 23 Nov 2026 09:00:20 GMT",
        "Date": "Mon, 23 Nov 2026 09:00:00 GMT",
    }
    assert wait_of(headers, NOW) == timedelta(seconds=20)


@given(st.text(max_size=40))
def test_no_header_breaks_the_parser(text: str) -> None:
    wait = wait_of({"Retry-After": text, "X-RateLimit-Reset": text}, NOW)
    assert wait is None or timedelta(0) <= wait <= timedelta(days=1)


def reply(data: Any) -> Reply:
    return Reply(data, 200, {}, "")


def token(data: Any) -> str:
    return str(data)


def test_pages_end_where_no_token_comes() -> None:
    chain = {"": "a", "a": "b", "b": ""}
    walked = pages(lambda t: reply(chain[t]), token, what="search")
    assert [page.data for page in walked] == ["a", "b", ""]


@pytest.mark.parametrize("chain", [{"": "a", "a": "a"}, {"": "a", "a": "b", "b": "a"}])
def test_a_repeated_token_is_broken(chain: dict[str, str]) -> None:
    with pytest.raises(SourceBroken, match="repeats"):
        list(pages(lambda t: reply(chain[t]), token, what="search"))


def test_pages_without_end_are_capped() -> None:
    with pytest.raises(SourceBroken, match="after 5 pages"):
        list(pages(lambda t: reply(t + "x"), token, what="search", cap=5))


def test_strangers_text_is_one_harmless_line() -> None:
    assert clean("a\x1b[31mb\nc\u202ed\x00") == "a [31mb c d"
    assert len(clean("x" * 900)) == 200


def test_no_body_is_no_data(script: Script, http: Http) -> None:
    script.answers = [Answer(b"", status=204)]
    reply = http.get("/x")
    assert (reply.data, reply.status) == (None, 204)


def test_a_limit_without_headers_lasts_a_minute(script: Script, http: Http) -> None:
    script.answers = [Answer("You have exceeded a secondary rate limit.", status=403)]
    with pytest.raises(SourceBusy) as busy:
        http.get("/x")
    assert (busy.value.retry_after, busy.value.status) == (timedelta(minutes=1), 403)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("limit=10, remaining=0, reset=7", 7),
        ('"minute";r=0;t=7, "day";r=0;t=90, "hour";r=5;t=600', 90),
        ("limit=10, remaining=3, reset=7", None),
        ("default;r=1;t=7", None),
        ("nonsense", None),
    ],
)
def test_the_one_header_of_the_drafts(text: str, seconds: int | None) -> None:
    wait = None if seconds is None else timedelta(seconds=seconds)
    assert wait_of({"RateLimit": text}, NOW) == wait


def test_a_reset_header_may_be_named(script: Script, slept: list[float]) -> None:
    script.answers = [Answer(status=429, headers={"X-Acme-Reset": "5"}), Answer()]
    with make(script.url, slept, resets=("X-Acme-Reset",)) as http:
        http.get("/x")
    assert slept == [5.5]


def test_the_pace_is_kept_between_calls_and_tries(script: Script, slept: list[float]) -> None:
    now = [100.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    settings: dict[str, Any] = {"pace": timedelta(seconds=2), "timer": lambda: now[0]}
    with make(script.url, slept, **(settings | {"sleep": sleep})) as http:
        http.get("/x")
        now[0] += 0.5
        http.get("/x")
        now[0] += 10
        http.get("/x")
        script.answers = [Answer(status=429, headers={"Retry-After": "0"}), Answer()]
        http.get("/x")
    assert slept == [1.5, 2.0, 0.5, 1.5]


def test_headers_go_with_every_call(script: Script, slept: list[float]) -> None:
    with make(script.url, slept, headers={"Accept": "application/vnd.acme+json"}) as http:
        http.get("/x")
    assert script.asked[0][2]["Accept"] == "application/vnd.acme+json"


def test_a_key_in_the_address_is_told_nowhere(script: Script, slept: list[float]) -> None:
    auth = Auth.query("api_key", Secret("s3cr3t/of mira"))
    echo = "no: s3cr3t/of mira, s3cr3t%2Fof%20mira, s3cr3t%2Fof+mira"
    script.answers = [Answer(echo, status=403)]
    with Http(script.url, auth=auth) as http:
        with pytest.raises(SourceRefused) as refused:
            http.get("/x?api_key=old&a=1", {"b": "ü"})
        assert script.asked[0][1] == "/x?a=1&b=%C3%BC&api_key=s3cr3t%2Fof+mira"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Http(url, auth=auth, attempts=1) as http, pytest.raises(SourceBusy) as busy:
            http.get("/x")
    for error in (refused.value, busy.value):
        assert "s3cr3t" not in "".join(traceback.format_exception(error))
    assert (busy.value.__cause__, busy.value.__context__) == (None, None)
    with pytest.raises(SourceRefused, match="https"):
        Http("http://jira.brookside.example", auth=auth)


class Tokens:
    """Gives numbered tokens with a life of 100 s."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self) -> tuple[Secret, float | None]:
        self.given += 1
        return Secret(f"token-{self.given}-xyz"), 100.0


def test_a_token_that_was_refused_is_renewed_once(script: Script, slept: list[float]) -> None:
    tokens = Tokens()
    login = Login(fetch=tokens)
    script.answers = [Answer({"n": 1}), Answer(status=401), Answer({"n": 2})]
    with Http(script.url, auth=login) as http:
        assert [http.get("/x").data["n"] for _ in range(2)] == [1, 2]
        sent = [headers["Authorization"] for _, _, headers, _ in script.asked]
        assert sent == [f"Bearer token-{n}-xyz" for n in (1, 1, 2)]
        script.answers = [Answer("bad token-2-xyz and token-3-xyz", status=401)]
        with pytest.raises(SourceRefused) as refused:
            http.get("/x")
    assert "xyz" not in str(refused.value)
    assert (tokens.given, len(script.asked)) == (3, 5)


def test_a_token_is_renewed_before_its_end(script: Script) -> None:
    tokens, now = Tokens(), [0.0]
    login = Login(fetch=tokens, timer=lambda: now[0])
    with Http(script.url, auth=login) as http:
        for now[0] in (0.0, 69.0, 71.0, 140.0):
            http.get("/x")
    assert tokens.given == 2
    assert "xyz" not in repr(login)


def test_a_form_asks_for_a_token(script: Script, http: Http) -> None:
    script.answers = [Answer({"access_token": "t"})]
    assert (
        http.post_form("/token", {"grant_type": "client_credentials"}).data["access_token"] == "t"
    )
    method, _, headers, body = script.asked[0]
    assert (method, headers["Content-Type"]) == ("POST", "application/x-www-form-urlencoded")
    assert body == b"grant_type=client_credentials"
