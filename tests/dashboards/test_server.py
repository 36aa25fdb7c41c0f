"""The server answers whom it should, reads only, and seals every answer."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from dashboards.access import Grant, Role, digest_of
from dashboards.cut import cut
from dashboards.gate import Gate
from dashboards.model import Board, ItemPage
from dashboards.reading import Read
from dashboards.server import app, serving
from evidence.errors import LakeError
from evidence.excerpt import Excerpt
from evidence.secret import Secret
from tests.dashboards.boards import HOSTILE, cut_reads_of, demo_board, reads_of
from tests.dashboards.page import Page

BOARD = demo_board()
ITEM = next(iter(BOARD.items))
TOKEN = "correct horse battery"
Answer = tuple[int, dict[str, str], str]


def build(token: str | None = None, allow_loopback: bool = True, **more: Any) -> Gate:
    secret = None if token is None else Secret(token)
    reads = reads_of(BOARD)
    given = {name: more.pop(name) for name in ("board", "items") if name in more}
    return app(
        replace(reads, **given),
        token=secret,
        allow_loopback=allow_loopback,
        **more,
    )


def ask(url: str, path: str = "/", method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        low = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, low, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def opened() -> Iterator[str]:
    with serving(build()) as url:
        yield url


@pytest.fixture(scope="module")
def locked() -> Iterator[str]:
    with serving(build(TOKEN, hosts=("Board.Example",))) as url:
        yield url


def test_the_board_the_item_and_the_summary(opened: str) -> None:
    status, headers, page = ask(opened)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"/items/{BOARD.attention[0].item_id}" in page
    assert BOARD.items[ITEM].content_sha256 in ask(opened, f"/items/{ITEM}")[2]
    told = json.loads(ask(opened, "/board.json")[2])
    assert told["form"] == "headwater.board/1"
    assert len(told["controls"]) == 70
    assert ask(opened, "/healthz")[2] == "answering\n"


@pytest.mark.parametrize("path", ["/", f"/items/{ITEM}", "/board.json", "/healthz", "/nowhere"])
def test_every_answer_is_sealed(opened: str, path: str) -> None:
    _, headers, _ = ask(opened, path)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/items/x", "/healthz", "/nowhere"])
def test_nothing_can_be_written(opened: str, method: str, path: str) -> None:
    status, headers, _ = ask(opened, path, method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert "content-security-policy" in headers


def test_head_answers_without_a_body(opened: str) -> None:
    status, headers, body = ask(opened, method="HEAD")
    assert (status, body) == (200, "")
    assert int(headers["content-length"]) > 1000


@pytest.mark.parametrize(
    "path",
    ["/items/x", "/items/" + "0" * 64, "/items/..%2f..%2fetc%2fpasswd", "/static/board.css",
     "/items/" + ITEM.upper() + "x", "/items/%3Cscript%3E", "//evil.example/"],
)  # fmt: skip
def test_what_is_not_there_is_not_there(opened: str, path: str) -> None:
    status, _, page = ask(opened, path)
    assert status == 404
    assert "<script" not in page


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:x", ""])
def test_another_host_name_is_refused(opened: str, locked: str, host: str) -> None:
    """A page elsewhere that makes its name resolve to this machine reads nothing."""
    assert ask(opened, Host=host)[0] == 421
    assert ask(locked, Host=host, Authorization=f"Bearer {TOKEN}")[0] == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "[::1]:8000"])
def test_loopback_names_are_known(opened: str, host: str) -> None:
    assert ask(opened, Host=host)[0] == 200


def test_a_configured_name_is_known(locked: str) -> None:
    assert ask(locked, Host="board.example:443", Authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x",
              f"Bearer {TOKEN[:-1]}", TOKEN, "Bearer \xff"]
)  # fmt: skip
def test_the_token_opens_and_nothing_else(locked: str, given: str) -> None:
    status, headers, page = ask(locked, Authorization=given)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert TOKEN not in page
    assert "Brookside" not in page
    assert ask(locked, "/board.json", Authorization=given)[0] == 401
    assert ask(locked, f"/items/{ITEM}", Authorization=given)[0] == 401


def test_the_right_token_opens(locked: str) -> None:
    assert ask(locked, Authorization=f"Bearer {TOKEN}")[0] == 200
    assert ask(locked, Authorization=f"bearer {TOKEN}")[0] == 200


def test_health_needs_no_token_and_tells_nothing(locked: str) -> None:
    assert ask(locked, "/healthz", Host="10.0.0.7")[::2] == (200, "answering\n")


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_token_is_no_lock(token: str) -> None:
    with pytest.raises(ValueError, match="token is empty"):
        build(token)


def test_the_token_shows_in_no_repr() -> None:
    assert TOKEN not in repr(build(TOKEN))


def test_it_refuses_by_default() -> None:
    with serving(build(allow_loopback=False)) as url:
        status, _, page = ask(url)
    assert status == 403
    assert "Brookside" not in page


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_what_came_through_a_proxy_is_not_loopback(opened: str, name: str) -> None:
    assert ask(opened, **{name: "127.0.0.1"})[0] == 403


def _status(gate: Gate, client: tuple[str, int] | None) -> int:
    """What a peer that is not on this machine gets: the application asked as a server asks it."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"",
        "headers": [(b"host", b"localhost")], "client": client, "server": ("localhost", 80),
        "scheme": "http", "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asyncio.run(gate(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "peer", ["192.0.2.9", "10.1.2.3", "::ffff:192.0.2.9", "2001:db8::1", "unix"]
)
def test_a_far_peer_is_refused_without_a_token(peer: str) -> None:
    assert _status(build(), (peer, 5000)) == 403
    assert _status(build(), None) == 403


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_a_near_peer_is_answered(peer: str) -> None:
    assert _status(build(), (peer, 5000)) == 200


def test_a_lake_that_cannot_be_read_is_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    def load(as_of: str) -> Board:
        raise LakeError(f"the lake at lake/ has no table {HOSTILE}")

    with serving(build(board=load)) as url:
        status, headers, page = ask(url)
    assert status == 500
    assert "the lake at lake/ has no table &lt;script&gt;" in page
    assert "Traceback" not in page
    assert "[U+001B]" in caplog.text, "the log shows the sentence, and obeys none of it"
    assert "\x1b" not in caplog.text
    assert "content-security-policy" in headers


def test_a_fault_tells_the_reader_nothing_and_the_log_everything(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def load(as_of: str) -> Board:
        raise RuntimeError("inner words")

    with serving(build(board=load)) as url:
        status, headers, page = ask(url)
    assert status == 500
    assert "inner words" not in page
    assert "content-security-policy" in headers
    assert "inner words" in capfd.readouterr().err


def test_an_item_that_cannot_be_read_is_one_sentence() -> None:
    def items(ids: Collection[str], as_of: str) -> Mapping[str, ItemPage]:
        raise LakeError("the lake is gone")

    with serving(build(items=items)) as url:
        status, _, page = ask(url, f"/items/{ITEM}")
    assert (status, "the lake is gone" in page) == (500, True)


def test_two_servers_take_two_free_ports() -> None:
    with serving(build()) as one, serving(build()) as two:
        assert one != two
        assert ask(one, "/healthz")[0] == ask(two, "/healthz")[0] == 200


TOKENS = {name: f"the token of {name}, quite long" for name in (*Role, "over", "early", "part")}
PAST, AHEAD = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
LIMITS: dict[str, dict[str, Any]] = {
    "over": {"until": PAST}, "early": {"since": AHEAD},
    "part": {"excerpt": Excerpt(systems=("credit-scoring",))},
}  # fmt: skip
GRANTS = [
    Grant(name, Role(name) if name in list(Role) else Role.AUDITOR, digest_of(token),
          **LIMITS.get(name, {}))
    for name, token in TOKENS.items()
]  # fmt: skip


NOTED: list[Read] = []


@pytest.fixture(scope="module")
def granted() -> Iterator[str]:
    gate = build(None, allow_loopback=False, grants=lambda: GRANTS, note=NOTED.append)
    with serving(gate) as url:
        yield url


@pytest.mark.parametrize("name", list(Role))
def test_each_role_reads_the_board(granted: str, name: str) -> None:
    assert ask(granted, Authorization=f"Bearer {TOKENS[name]}")[0] == 200


@pytest.mark.parametrize(
    ("name", "told"), [("over", "ended at 2020-01-01"), ("early", "begins at 2120-01-01")]
)
def test_an_access_holds_in_its_time_only_and_says_so(granted: str, name: str, told: str) -> None:
    for path in ("/", "/board.json", f"/items/{ITEM}", "/nowhere"):
        status, _, page = ask(granted, path, Authorization=f"Bearer {TOKENS[name]}")
        assert (status, told in page, "Brookside" in page) == (403, True, False)


def test_a_part_is_not_answered_where_nothing_is_left_out(granted: str) -> None:
    for path in ("/nowhere", "/metrics"):
        status, _, page = ask(granted, path, Authorization=f"Bearer {TOKENS['part']}")
        assert (status, "cannot be cut to that" in page) == (403, True)
    for path in ("/", "/board.json", f"/items/{ITEM}"):
        status, _, page = ask(granted, path, Authorization=f"Bearer {TOKENS['part']}")
        assert (status, "Brookside" in page) == (403, False)


def test_what_an_auditor_alone_reads_is_noted(granted: str) -> None:
    NOTED.clear()
    for role in Role:
        ask(granted, f"/items/{ITEM}?as-of=", Authorization=f"Bearer {TOKENS[role]}")
    (read,) = NOTED
    assert (read.reader.grant, read.method, read.status) == ("auditor", "GET", 200)
    assert read.address == f"/items/{ITEM}?as-of="


def test_a_reader_asks_no_questions(granted: str) -> None:
    status, _, page = ask(granted, "/query", Authorization=f"Bearer {TOKENS['reader']}")
    assert (status, "asks no questions" in page) == (403, True)


@pytest.mark.parametrize(
    "path", ["/healthz%3F/../board.json", "/healthz%23", "/healthz/", "//healthz"]
)
@pytest.mark.parametrize("host", ["localhost", "x/healthz?", "x/healthz#", "localhost/healthz?"])
def test_no_address_is_taken_for_an_open_one(granted: str, path: str, host: str) -> None:
    """What decides who is answered and what decides which page read the same path."""
    assert ask(granted, path, Host=host)[0] in {401, 421}
    assert ask(granted, "/metrics", Host=host)[0] in {401, 421}


def test_two_tokens_at_once_are_none(granted: str) -> None:
    both = f"Bearer {TOKENS['admin']}, Bearer {TOKENS['reader']}"
    assert ask(granted, Authorization=both)[0] == 401
    assert ask(granted)[0] == 401


def test_no_link_leads_a_reader_where_they_are_refused() -> None:
    board = cut(BOARD, LIMITS["part"]["excerpt"], evidence={}, items={}, totals={}, number=1)
    gate = build(
        None, allow_loopback=False, grants=lambda: GRANTS, note=NOTED.append,
        part=lambda _excerpt: cut_reads_of(board),
    )  # fmt: skip
    with serving(gate) as url:
        for path in ("/", "/controls/A.6.2.5", "/systems/credit-scoring", "/due"):
            status, _, page = ask(url, path, Authorization=f"Bearer {TOKENS['part']}")
            assert status == 200
            kinds = {link.split("/")[1] for link in Page.read(page).links() if link[:1] == "/"}
            assert {"controls", "due"} <= kinds
            whole = {"documents", "sources", "queue", "frameworks", "changes", "review"}
            assert not kinds & whole
