"""Lists, keys and times as other systems have them: read whole, or told as what they are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors._rest.paths import Scope, expression, spoken_of
from collectors._rest.settings import AuthBy, Endpoint, Paging, Since
from collectors._rest.times import read_time, to_mark, write_end
from collectors.rest_api import RestApi
from evidence.errors import ConfigError, SourceBroken, SourceRefused
from evidence.model import Change, Cursor, EvidenceItem
from evidence.runs import PullFacts, Total
from evidence.secret import Secret
from tests.collectors.rest_server import Answer, Asked, Refused, RestServer

KEY = "key-of-the-reader"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
Serve = Callable[[Callable[[Asked], Any]], RestServer]


@pytest.fixture(scope="module")
def server() -> Iterator[RestServer]:
    running = RestServer(lambda _: None, lambda: NOW)
    yield running
    running.close()


@pytest.fixture
def serve(server: RestServer) -> Serve:
    def say(answer: Callable[[Asked], Any]) -> RestServer:
        server.say = answer
        server.asked.clear()
        return server

    return say


def listed(**settings: Any) -> Endpoint:
    usual: dict[str, Any] = {
        "name": "list", "path": "/list", "id": "id", "kind": "acme.thing", "observed_to": "at",
        "keep": ("*",),
    }  # fmt: skip
    return Endpoint(**(usual | settings))


def api(server: RestServer, *lists: Endpoint, **settings: Any) -> RestApi:
    usual: dict[str, Any] = {"source": "acme", "url": server.url, "attempts": 1}
    return RestApi(endpoint=lists, clock=lambda: NOW, **(usual | settings))


def pull(
    collector: RestApi, cursor: Cursor | None = None
) -> tuple[list[EvidenceItem], Cursor, PullFacts]:
    items, facts = list[EvidenceItem](), PullFacts()
    for batch in collector.collect(cursor):
        items += batch.items
        facts, cursor = facts + batch.facts, batch.cursor
    assert cursor is not None
    return items, cursor, facts


def thing(n: int, at: datetime = NOW) -> dict[str, Any]:
    return {"id": n, "at": at.isoformat()}


def test_several_keys_go_together_and_are_repeated_nowhere(serve: Serve) -> None:
    def say(asked: Asked) -> Any:
        if asked.headers.get("X-Key") == "one-key" and asked.headers.get("X-App") == "two-key":
            return [thing(1)]
        if asked.query.get("key") == "one-key" and asked.query.get("token") == "two-key":
            return [thing(2)]
        raise Refused(403, {"said": f"{asked.query} {dict(asked.headers)}"})

    server, further = serve(say), Secret("two-key")
    by = AuthBy("header", Secret("one-key"), name="X-Key", keys={"X-App": further})
    assert pull(api(server, listed(), auth=by))[0][0].subject == "1"
    by = AuthBy("query", Secret("one-key"), name="key", keys={"token": further})
    assert pull(api(server, listed(), auth=by))[0][0].subject == "2"
    by = AuthBy("query", Secret("1-key"), name="key", keys={"token": further})
    with pytest.raises(SourceRefused) as refused:
        pull(api(server, listed(), auth=by))
    assert "two-key" not in str(refused.value)
    assert "two-key" not in repr(by)


def test_a_token_is_asked_for_with_the_keys_in_the_form_and_renewed_when_it_is_refused(
    serve: Serve,
) -> None:
    given = []

    def say(asked: Asked) -> Any:
        if asked.path == "/token":
            assert "Authorization" not in asked.headers
            expected = {"grant_type": "refresh_token", "client_id": "me", "client_secret": "s&=1",
                        "refresh_token": "long-lived"}  # fmt: skip
            if asked.body != expected:
                raise Refused(400, {"error": "invalid_grant"})
            given.append(f"t{len(given)}")
            return {"access_token": given[-1], "expires_in": 3600}
        if asked.headers["Authorization"] != f"Bearer {given[-1]}" or len(given) < 2:
            raise Refused(401)
        assert asked.headers["X-Plan"] == "sub-key"
        return [thing(1)]

    by = AuthBy(
        "oauth2", Secret("s&=1"), user="me", url="/token",
        keys={"refresh": Secret("long-lived"), "X-Plan": Secret("sub-key")},
        fields={"grant_type": "refresh_token", "client_id": "{user}", "client_secret": "{key}",
                "refresh_token": "{refresh}"},
    )  # fmt: skip
    server = serve(say)
    assert [item.subject for item in pull(api(server, listed(), auth=by))[0]] == ["1"]
    assert given == ["t0", "t1"]


def test_a_login_may_be_a_form_and_its_token_a_header(serve: Serve) -> None:
    def say(asked: Asked) -> Any:
        if asked.path == "/login":
            assert asked.body == {"u": "ada", "p": KEY}
            return Answer({}, headers={"X-Subject-Token": "tok"})
        return [thing(1)] if asked.headers.get("X-Auth-Token") == "tok" else Answer(status=403)

    by = AuthBy(
        "login", Secret(KEY), user="ada", url="/login", form=True, name="X-Auth-Token", prefix="",
        fields={"u": "{user}", "p": "{key}"}, token="header:X-Subject-Token",
    )  # fmt: skip
    assert len(pull(api(serve(say), listed(), auth=by))[0]) == 1


def test_a_session_is_a_cookie_that_is_sent_back(serve: Serve) -> None:
    def say(asked: Asked) -> Any:
        if asked.path == "/login":
            return Answer({}, headers={"Set-Cookie": "JSESSIONID=s-1; Path=/; HttpOnly"})
        return [thing(1)] if asked.headers.get("Cookie") == "JSESSIONID=s-1" else Answer(status=401)

    by = AuthBy(
        "login", Secret(KEY), user="ada", url="/login", name="Cookie", prefix="JSESSIONID=",
        token="cookie:JSESSIONID",
    )  # fmt: skip
    assert len(pull(api(serve(say), listed(), auth=by))[0]) == 1


def test_lines_of_json_and_tables_of_text_are_lists(serve: Serve) -> None:
    sent = {
        "application/x-ndjson": b'{"id": 1, "at": "2026-11-01T00:00:00Z"}\n'
        b'{"id": 2, "at": "2026-11-01T00:00:00Z"}\n',
        "text/csv": b'id,at,said\r\n1,2026-11-01T00:00:00Z,"a, ""b""\r\nc"\r\n'
        b"2,2026-11-01T00:00:00Z,\r\n",
    }

    def say(asked: Asked) -> Any:
        kind = asked.headers["Accept"]
        return Answer(raw=sent[kind], headers={"Content-Type": f"{kind}; charset=utf-8"})

    server = serve(say)
    for kind in sent:
        items, _, _ = pull(api(server, listed(), headers={"Accept": kind}))
        assert [item.subject for item in items] == ["1", "2"]
    assert b'\\"b\\"' in items[0].content
    sent["text/csv"] = sent["text/csv"][:-3]
    with pytest.raises(SourceBroken, match="row 3 has 2 columns, its head 3"):
        pull(api(server, listed(), headers={"Accept": "text/csv"}))
    sent["application/x-ndjson"] = sent["application/x-ndjson"][:-9]
    with pytest.raises(SourceBroken, match="not application/x-ndjson"):
        pull(api(server, listed(), headers={"Accept": "application/x-ndjson"}))


def test_a_key_may_be_the_user(serve: Serve) -> None:
    def say(asked: Asked) -> Any:
        asked_with.append(asked.headers.get("Authorization"))
        return []

    asked_with: list[str | None] = []
    pull(api(serve(say), listed(), auth=AuthBy("basic", Secret("abc"), user="{key}:X")))
    assert asked_with == ["Basic YWJjOlg="]


def test_what_is_new_is_asked_for_in_pieces_of_time(serve: Serve) -> None:
    rows = [thing(n, NOW - timedelta(days=n)) for n in range(40)]

    def say(asked: Asked) -> Any:
        since, until = asked.query["since"], asked.query["until"]
        assert datetime.fromisoformat(until) - datetime.fromisoformat(since) <= WEEK
        return [row for row in rows if since <= row["at"].replace("+00:00", "Z") <= until]

    since = Since("at", "since", until="until", slice=WEEK, first="2026-10-01T00:00:00Z")
    server = serve(say)
    collector = api(server, listed(since=since))
    items, cursor, _ = pull(collector)
    assert {item.subject for item in items} == {str(n) for n in range(40)}
    assert len(server.asked) == 8
    assert server.asked[-1].query["until"] == "2026-11-20T12:00:00Z"
    rows.append(thing(99, NOW - timedelta(minutes=1)))
    more, _, _ = pull(collector, cursor)
    assert {item.subject for item in more} == {"0", "99"}
    assert server.asked[-1].query["since"] == "2026-11-20T11:45:00Z"


def test_a_piece_that_breaks_is_asked_for_again_and_those_before_are_not(serve: Serve) -> None:
    broken = True

    def say(asked: Asked) -> Any:
        if broken and asked.query["since"] > "2026-11-08":
            return {"oops": 1}
        return []

    since = Since("at", "since", until="until", slice=WEEK, first="2026-10-01T00:00:00Z")
    server = serve(say)
    collector = api(server, listed(since=since))
    batches = collector.collect(None)
    cursor = next(batches).cursor
    with pytest.raises(SourceBroken):
        next(batches)
    broken = False
    server.asked.clear()
    pull(collector, cursor)
    assert server.asked[0].query["since"] == "2026-11-11T23:45:00Z"


def test_the_end_of_a_piece_is_never_written_too_early() -> None:
    mark = to_mark(datetime(2026, 11, 20, 12, 0, 30, 1, tzinfo=UTC))
    assert write_end(mark, "iso", "") == "2026-11-20T12:00:31Z"
    assert write_end(mark, "epoch_ms", "") == "1795176030001"
    assert write_end(mark, "minute", "") == "2026-11-20 12:01"
    assert write_end(mark, "date", "Europe/Berlin") == "2026-11-21"
    assert write_end(mark, "%d.%m.%Y", "") == "21.11.2026"


def test_records_lie_in_records_and_what_was_cut_off_there_is_a_gap(serve: Serve) -> None:
    def say(asked: Asked) -> Any:
        if asked.path == "/list":
            return [{"id": 1}, {"id": 2}]
        n = int(asked.path.split("/")[2])
        steps = [{"id": k, "at": NOW.isoformat()} for k in range(n)]
        return {"ticket": {"id": n, "steps": {"rows": steps, "count": 3 * n - 3, "more": n > 1}}}

    lead = listed(kind="none", keep=(), observed_to="")
    detail = listed(
        name="detail", path="/t/{parent.id}", parent="list", records="ticket", shape="one",
        kind="none", keep=(), observed_to="",
    )  # fmt: skip
    steps = listed(
        name="steps", path="@parent", parent="detail", records="steps.rows",
        id="{@parent.id}/{id}", paging=Paging(more="steps.more", total="steps.count"),
    )  # fmt: skip
    collector = api(serve(say), lead, detail, steps)
    assert collector.kinds == ("acme.thing",)
    items, _, facts = pull(collector)
    assert [item.subject for item in items] == ["1/0", "2/0", "2/1"]
    told = {gap.why for gap in facts.gaps}
    assert told == {
        "the source holds more than it shows here",
        "3 were promised, 2 came: all are asked for again",
    }


def test_a_table_a_map_and_bare_values_are_records_too(serve: Serve) -> None:
    table = {"columns": [{"name": "id"}, {"name": "at"}], "rows": [[1, NOW.isoformat()], [2, "x"]]}
    shapes: dict[str, Any] = {"/table": table, "/flags": {"credit": True}, "/names": ["a", "b"]}
    lists = (
        listed(
            name="table", path="/table", records="rows", shape="table", columns="columns[*].name"
        ),
        listed(name="flags", path="/flags", shape="map", id="@key", nature="state", observed_to=""),
        listed(name="names", path="/names", id="value", nature="state", observed_to=""),
    )  # fmt: skip
    collector = api(serve(lambda asked: shapes[asked.path]), *lists)
    items, _, facts = pull(collector)
    assert {item.subject for item in items} == {"1", "credit", "a", "b"}
    assert [gap.what for gap in facts.gaps] == ["table: 2"]
    table["rows"].append([3])
    with pytest.raises(SourceBroken, match="does not have 2 columns"):
        pull(collector)


def test_the_number_of_pages_and_a_page_that_does_not_exist_are_ends(serve: Serve) -> None:
    def say(asked: Asked) -> Any:
        page = int(asked.query["page"])
        if page > 3:
            raise Refused(404, {"detail": "Invalid page."})
        return {"rows": [thing(page)], "of": 3}

    server = serve(say)
    for paging in (
                   Paging("page", "page", pages="of", confirm="none"),
                   Paging("page", "page", end="404", confirm="none")):  # fmt: skip
        items, _, facts = pull(api(server, listed(records="rows", paging=paging)))
        assert len(items) == 3
        assert facts.gaps == ()


def test_the_place_may_stand_in_the_path(serve: Serve) -> None:
    pages = {"/list/1": [thing(1)], "/list/2": [thing(2)], "/list/3": []}
    paging = Paging("page", "", confirm="none")
    end = listed(path="/list/{page}", paging=paging)
    items, _, facts = pull(api(serve(lambda asked: pages[asked.path]), end))
    assert ([item.subject for item in items], facts.query) == (["1", "2"], "GET /list/1")


def test_a_list_that_goes_away_while_it_is_read_is_not_the_end(serve: Serve) -> None:
    state = listed(
        nature="state", observed_to="", none_if=("404",), paging=Paging("page", "page", size=2),
    )  # fmt: skip
    lost = False

    def say(asked: Asked) -> Any:
        page = int(asked.query["page"])
        if lost and page == 2:
            raise Refused(404)
        return [thing(2 * page), thing(2 * page + 1)] if page < 3 else []

    collector = api(serve(say), state)
    _, cursor, _ = pull(collector)
    lost = True
    with pytest.raises(SourceRefused, match="404"):
        pull(collector, cursor)
    serve(lambda _: Answer(status=404))
    items, _, _ = pull(collector, cursor)
    assert {item.change for item in items} == {Change.GONE}


def test_a_source_that_gives_smaller_pages_than_asked_for_is_read_on(serve: Serve) -> None:
    rows = [thing(n) for n in range(45)]

    def say(asked: Asked) -> Any:
        start = int(asked.query.get("start", 0))
        return rows[start : start + min(int(asked.query["n"]), 20)]

    paging = Paging("offset", "start", size=100, size_param="n", end="short", confirm="none")
    items, _, _ = pull(api(serve(say), listed(paging=paging)))
    assert len(items) == 45


def test_large_records_land_few_at_a_time(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [thing(n) | {"text": "x" * 400} for n in range(10)]
    paging = Paging("offset", "start", size=2, size_param="n", end="short", confirm="none")
    server = serve(lambda asked: rows[int(asked.query["start"]) :][:2])
    monkeypatch.setattr("collectors._rest.pull._BYTES", 1_500)
    batches = list(api(server, listed(paging=paging)).collect(None))
    assert [len(batch.items) for batch in batches] == [4, 4, 2]
    assert len({item.item_id for batch in batches for item in batch.items}) == 10


def test_more_of_one_second_than_a_capped_page_holds_is_told(serve: Serve) -> None:
    rows = [thing(n) for n in range(30)]
    server = serve(lambda asked: rows[:20])
    keyset = Paging("keyset", "since", size=100, last="at")
    with pytest.raises(SourceBroken, match="20 records, as many as a page holds, lead no further"):
        pull(api(server, listed(paging=keyset, since=Since("at", "since", order="asc"))))


def test_what_lies_in_one_second_on_both_sides_of_a_page_is_read_whole(serve: Serve) -> None:
    rows = [thing(n, NOW - timedelta(hours=1)) for n in range(5)]
    rows += [thing(n, NOW - timedelta(minutes=1)) for n in range(5, 13)]

    def say(asked: Asked) -> Any:
        since = asked.query.get("since", "").replace("Z", "+00:00")
        return [row for row in rows if row["at"] >= since][: int(asked.query["n"])]

    keyset = Paging("keyset", "since", size=10, size_param="n", last="at")
    end = listed(paging=keyset, since=Since("at", "since", order="asc"))
    items, _, facts = pull(api(serve(say), end))
    assert (len(items), facts.gaps) == (13, ())
    rows += [thing(n, NOW - timedelta(minutes=1)) for n in range(13, 16)]
    with pytest.raises(SourceBroken, match="10 records, as many as a page holds"):
        pull(api(serve(say), end))


def test_what_is_asked_and_told_may_be_headers(serve: Serve) -> None:
    def say(asked: Asked) -> Any:
        if asked.headers.get("If-Modified-Since") == "Fri, 20 Nov 2026 11:45:00 GMT":
            return Answer(status=304)
        first = int(asked.headers.get("X-From", "0"))
        more = {"X-Next": str(first + 2)} if first < 2 else {}
        return Answer([thing(first), thing(first + 1)],
                      headers={"Content-Range": "items 0-1/4", **more})  # fmt: skip

    collector = api(serve(say), listed(
        paging=Paging("token", "header:X-From", next="header:X-Next", total="header:Content-Range"),
        since=Since("at", "header:If-Modified-Since", send="http"), none_if=("304",),
    ))  # fmt: skip
    items, cursor, facts = pull(collector)
    assert (len(items), facts.totals, facts.gaps) == (4, (Total("list", 4, 4),), ())
    items, _, facts = pull(collector, cursor)
    assert (items, facts.gaps) == ([], ())


@pytest.mark.parametrize(
    ("said", "doubted"),
    [
        ({}, True),
        ({"page": {}}, True),
        ({"page": {"next": None}}, False),
        ({"page": None}, False),
        ({"page": {"other": "t2"}}, True),
    ],
)
def test_a_full_page_whose_next_is_nowhere_is_not_believed_to_be_all(
    serve: Serve, said: dict[str, Any], doubted: bool
) -> None:
    server = serve(lambda _: {"rows": [thing(1), thing(2)], **said})
    paging = Paging("token", "after", next="page.next", size=2)
    _, _, facts = pull(api(server, listed(records="rows", paging=paging)))
    assert ["says that it is the last" in gap.why for gap in facts.gaps] == [True] * doubted


def test_a_total_that_is_not_told_is_a_gap(serve: Serve) -> None:
    server = serve(lambda _: {"rows": [thing(1)], "totl": 1})
    _, _, facts = pull(api(server, listed(records="rows", paging=Paging(total="total"))))
    assert "no number of all records at 'total'" in facts.gaps[0].why


def test_a_feed_ends_where_nothing_is_new(serve: Serve) -> None:
    feed = {"": ([thing(1)], "a"), "a": ([thing(2)], "b"), "b": ([], "b")}
    server = serve(lambda asked: dict(zip(("rows", "next"), feed[asked.query.get("after", "")],
                                          strict=True)))  # fmt: skip
    paging = Paging("token", "after", next="next", end="known")
    items, _, _ = pull(api(server, listed(records="rows", paging=paging)))
    assert len(items) == 2


def test_each_may_stand_anywhere_in_the_request_and_a_number_is_one(serve: Serve) -> None:
    bodies: list[Any] = []

    def say(asked: Asked) -> Any:
        bodies.append(asked.body)
        return [thing(1)]

    since = Since("at", send="epoch_ms", first="1700000000000")
    end = listed(
        method="POST", each=("b1",), since=since, body={"board": "{each}", "from": "{since}"}
    )
    pull(api(serve(say), end))
    assert bodies == [{"board": "b1", "from": 1700000000000}]
    with pytest.raises(ConfigError, match="belong together"):
        listed(each=("b1",))


def test_a_line_before_the_json_is_no_json(serve: Serve) -> None:
    server = serve(lambda _: Answer(raw=b")]}'\n[" + b'{"id": 1, "at": "2026-11-01T00:00:00Z"}]'))
    assert len(pull(api(server, listed()))[0]) == 1


def test_names_and_times_as_others_write_them() -> None:
    odata = Scope({"@odata.nextLink": "u", "a": {"@type": "t"}}, Scope({"x": 1}))
    assert expression("['@odata.nextLink']")(odata) == "u"
    assert expression("a.@type")(odata) == "t"
    assert spoken_of(odata.record, "['@odata.nextLink']")
    assert not spoken_of(odata.record, "['@odata.next']")
    assert expression("@parent.x")(odata) == 1
    with pytest.raises(ValueError, match="is none of"):
        expression("@odata.nextLink")
    second = datetime(2026, 11, 20, tzinfo=UTC)
    for unit in (1, 10**3, 10**6, 10**9):
        assert read_time(int(second.timestamp()) * unit, "") == second


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"path": "@parent"}, "needs a parent"),
        ({"path": "/x/{since}"}, "needs since.first"),
        ({"shape": "table"}, "belong together"),
        ({"since": Since("at", slice=WEEK, first="2026-11-01T00:00:00Z")}, "needs since.until"),
        ({"kind": "thing"}, "nor none"),
    ],
)
def test_mistakes_are_told(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        listed(**wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"slice": timedelta(days=1)}, "slice needs first"),
        ({"slice": timedelta(days=1), "order": "desc"}, "leave one out"),
        ({"until": "u", "send": "number"}, "need a since with a time"),
    ],
)
def test_mistakes_of_pieces_are_told(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Since("at", **wrong)


def test_a_list_that_promises_is_counted_by_itself_beside_one_that_does_not(serve: Serve) -> None:
    def say(asked: Asked) -> Any:
        if asked.path == "/list":
            return {"rows": [thing(1), thing(2)], "count": 5}
        return [thing(n) for n in range(9)]

    counts = listed(records="rows", paging=Paging(total="count"))
    _, _, facts = pull(api(serve(say), counts, listed(name="more", path="/more", id="m{id}")))
    assert (facts.received, facts.promised, facts.totals) == (11, None, (Total("list", 5, 2),))
    assert facts.shortfall() == 3


def test_a_time_that_a_state_would_not_get_is_refused() -> None:
    with pytest.raises(ConfigError, match="a state is of the moment at which it is read"):
        listed(nature="state")
    with pytest.raises(ConfigError, match="keep such a time in the payload"):
        listed(nature="state", observed_to="", observed_from="created")


def test_a_broken_list_is_named_once(serve: Serve) -> None:
    collector = api(serve(lambda asked: {"fault": 1}), listed(), listed(name="two", path="/two"))
    batches = collector.collect(None)
    facts = next(iter(batches)).facts
    assert facts.gaps[0].what == "list"
    assert facts.gaps[0].why.startswith("at 'the top' of the answer stands an object with fault")


def test_a_zone_that_nobody_knows_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(ConfigError, match="zone 'IST' is not known; write one such as"):
        RestApi(source="acme", url="http://127.0.0.1:9", endpoint=(listed(),), zone="IST")
