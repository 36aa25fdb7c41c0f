"""The query page over a real lake: what it answers, to whom, and what it is not talked into."""

from __future__ import annotations

import csv
import html
import http.client
import io
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pyarrow as pa
import pytest

from dashboards.access import digest_of
from dashboards.questions import Asked
from dashboards.server import serving
from evidence.errors import LakeError
from evidence.excerpt import EVERYTHING
from evidence.own import READ_KIND
from evidence.sampling import population_digest
from flows import board_part, query, sample
from flows.access import show
from flows.asks import answered
from flows.config import Config, load, now
from flows.follow import follow
from flows.moment import parse_as_of
from flows.pull import attempt
from flows.read_log import ReadLog, waiting
from flows.setup import initialise
from flows.show import board_app
from storage import apart
from storage.draws import DrawnFrom
from storage.lake import Lake
from storage.pages import all_rows
from storage.views import Answer, connect
from tests.flows.conftest import numbers

TOKENS = {role: f"the token of the {role}, quite long" for role in
          ("reader", "governance", "auditor", "admin", "part")}  # fmt: skip
PART = 'systems = ["elsewhere"]\n'
HOSTILE = "<script>alert(1)</script>"
FORM = "application/x-www-form-urlencoded"


@dataclass
class House:
    """A served lake of five items, and who may ask it."""

    config: Config
    url: str
    log: ReadLog

    def ask(
        self, path: str, role: str = "auditor", *, sql: str | None = None,
        body: bytes | None = None, kind: str = FORM, **headers: str,
    ) -> tuple[int, dict[str, str], str]:  # fmt: skip
        method = "GET" if sql is None and body is None else "POST"
        if sql is not None:
            body = urlencode({"sql": sql, "form": headers.pop("form", "json")}).encode()
        given = {"Authorization": f"Bearer {TOKENS[role]}", **headers}
        if body is not None:
            given["Content-Type"] = kind
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=120)
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            low = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, low, answer.read().decode()
        finally:
            connection.close()

    def reads(self) -> list[dict[str, object]]:
        """What has landed of reads, each with its reader."""
        with connect(Lake.open(self.config.lake, clock=now)) as connection:
            rows = all_rows(connection, "SELECT payload FROM evidence WHERE kind = $kind",
                            {"kind": READ_KIND})  # fmt: skip
        told = [json.loads(row["payload"]) for row in rows]
        return [read | {"grant": one["grant"]} for one in told for read in one["reads"]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    file = tmp_path_factory.mktemp("asked") / "headwater.toml"
    list(initialise(file.parent, "Test House"))
    tables = f"\n[[source]]\n{numbers('one', upto=5)}\n"
    for name, token in TOKENS.items():
        role, more = ("auditor", PART) if name == "part" else (name, "")
        ends = "until = 2126-01-01T00:00:00Z\n" if role == "auditor" else ""
        tables += f'[[access]]\nname = "{name}"\nrole = "{role}"\n{ends}{more}'
        tables += f'token_sha256 = "{digest_of(token)}"\n'
    file.write_text(file.read_text() + tables)
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    attempt(lake, config.sources[0], now)
    follow(lake, config)
    log = ReadLog(config)
    with serving(board_app(config, token=None, note=log.note)) as url:
        yield House(config, url, log)
    log.land()  # which closes its file


def test_the_page_holds_questions_forms_and_the_dictionary(house: House) -> None:
    status, headers, page = house.ask("/query")
    assert status == 200
    assert "form-action 'self'" in headers["content-security-policy"]
    assert "form-action 'self'" in html.unescape(page)
    assert 'action="/query/evidence-of-control"' in page
    assert "when it became durable in the lake" in page
    assert "recorded in the lake" in page
    assert "form-action 'none'" in house.ask("/")[1]["content-security-policy"]


def test_a_saved_question_is_a_link_a_table_a_csv_and_a_json(house: House) -> None:
    since = "since=2020-01-01T00:00:00Z"
    page = house.ask(f"/query/what-landed?{since}")[2]
    assert "<bdi>test.number</bdi>" in page
    assert "/query/what-landed.csv?since=2020-01-01T00%3A00%3A00Z" in page
    told = json.loads(house.ask(f"/query/what-landed.json?{since}")[2])
    assert told["question"] == "what-landed"
    assert told["values"] == {"since": "2020-01-01T00:00:00.000000Z"}
    assert ["one", "test.number", 5] in [row[:3] for row in told["rows"]]
    assert (told["population"]["root"], told["mapping"], told["result"]) != ("", "", "")
    assert not told["truncated"]
    _, headers, text = house.ask(f"/query/what-landed.csv?{since}")
    assert headers["content-disposition"] == 'attachment; filename="answer.csv"'
    lines = list(csv.reader(io.StringIO(text)))
    facts = {line[0]: line[1] for line in lines if line[0].startswith("# ")}
    assert {"# question", "# sql", "# with since", "# as of", "# population"} <= set(facts)
    assert facts["# result"] == told["result"]
    assert ["one", "test.number", "5"] in [line[:3] for line in lines]


def test_the_page_and_the_terminal_give_one_digest(house: House) -> None:
    sql = "SELECT subject FROM evidence WHERE kind = 'test.number' ORDER BY subject"
    with connect(Lake.open(house.config.lake, clock=now)) as connection:
        ((size,),) = connection.execute("SELECT count(*) FROM leaves").fetchall()
    body = urlencode({"sql": sql, "form": "json", "as-of": f"@{size}"}).encode()
    one = json.loads(house.ask("/query", body=body)[2])
    terminal = answered(house.config, Asked(sql=sql, as_of=f"@{size}"), EVERYTHING)
    assert one["result"] == terminal.result
    assert one["as_of"].endswith(f"@{size}")
    assert (one["population"]["sealed"], len(one["rows"])) == (size, 5)
    assert one["items"] is None, "it names no items"


def test_an_answer_has_the_population_digest_of_a_sample_of_it(
    house: House, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sql = "SELECT item_id, title FROM evidence WHERE kind = 'test.number' ORDER BY title DESC"
    with connect(Lake.open(house.config.lake, clock=now)) as connection:
        ((size,),) = connection.execute("SELECT count(*) FROM leaves").fetchall()
        ids = [one for (one, _) in connection.execute(sql).fetchall()]
    past, digest = f"@{size}", population_digest(ids)
    body = urlencode({"sql": sql, "form": "json", "as-of": past}).encode()
    assert json.loads(house.ask("/query", body=body)[2])["items"] == {
        "items": 5, "population_sha256": digest
    }  # fmt: skip
    query.run(house.config.file, query.ToAsk(sql), parse_as_of(past), "csv")
    sample.run(
        house.config.file, sample.Wanted(DrawnFrom(), "7", "Ines Vidal", 2, sql=sql),
        parse_as_of(past), None, print,
    )  # fmt: skip
    told = capfd.readouterr()
    assert f"headwater: 5 items named by item_id · population sha256 {digest}" in told.err
    assert f"population  sha256 {digest}" in told.out


@pytest.mark.parametrize(
    ("names", "columns", "cut", "items"),
    [
        (["item_id"], [["a", "b", "a"]], False, 2),
        (["item_id"], [[]], False, 0),
        (["item_id"], [["a"]], True, None),
        (["item_id"], [["a", None]], False, None),
        (["item_id"], [[7]], False, None),
        (["item_id", "item_id"], [["a"], ["b"]], False, None),
        (["other"], [["a"]], False, None),
    ],
)
def test_what_does_not_name_all_its_items_has_no_population(
    names: list[str], columns: list[list[object]], cut: bool, items: int | None
) -> None:
    named = query.named_items(
        Answer(pa.Table.from_arrays(list(map(pa.array, columns)), names), cut)
    )
    assert (named.items if named else None) == items


def test_what_must_be_filled_in_is_asked_for(house: House) -> None:
    status, _, page = house.ask("/query/evidence-of-control")
    assert (status, 'name="control" value="" required' in page) == (200, True)
    status, _, page = house.ask("/query/what-landed?since=yesterday")
    assert (status, "write a moment with its zone" in page) == (400, True)
    assert house.ask("/query/what-landed?until=x")[0] == 400
    assert house.ask("/query/what-landed?since=2020-01-01T00:00:00Z&since=x")[0] == 400


@pytest.mark.parametrize(
    "path", ["/query/nothing", "/query/..%2f..%2fetc%2fpasswd", "/query/what-landed.exe",
             "/query/%3Cscript%3E", "/query/.csv"]
)  # fmt: skip
def test_what_is_not_there_is_not_there(house: House, path: str) -> None:
    status, _, page = house.ask(path)
    assert (status, "<script" in page) == (404, False)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DROP VIEW evidence", "only one SELECT"),
        ("SELECT * FROM read_text('/etc/passwd')", "not among the tables"),
        ("ATTACH 'http://192.0.2.1/x.db'", "only one SELECT"),
        (f"SELECT '{HOSTILE}' AS \"{HOSTILE}\" FROM nowhere", "nowhere"),
        ("", "write one SELECT"),
    ],
    ids=lambda value: value[:24],
)
def test_sql_does_nothing_but_read_the_views(house: House, sql: str, told: str) -> None:
    status, _, page = house.ask("/query", sql=sql, form="html")
    assert (status, told in page, "<script" in page) == (400, True, False)


def test_hostile_text_in_an_answer_is_text(house: House) -> None:
    sql = f"SELECT '{HOSTILE}' AS \"{HOSTILE}\", '=1+1' AS f, chr(8238) AS bidi"
    page = house.ask("/query", sql=sql, form="html")[2]
    assert "<script" not in page
    assert "[U+202E]" in page


def test_a_reader_may_not_ask_and_others_may(house: House) -> None:
    assert house.ask("/query", "reader")[0] == 403
    assert house.ask("/query", "reader", sql="SELECT 1")[0] == 403
    assert house.ask("/query/what-landed", "reader")[0] == 403
    for role in ("governance", "admin"):
        assert house.ask("/query", role)[0] == 200


def test_a_part_is_shown_of_every_question(house: House) -> None:
    counted = ", ".join(
        f"(SELECT count(*) FROM {name}) AS {name}"
        for name in ("evidence", "lake_evidence", "leaves", "lake_placed", "lake_tags")
    )
    told = json.loads(house.ask("/query", "part", sql=f"SELECT {counted}")[2])
    assert told["rows"] == [[0, 0, 0, 0, 0]]
    assert told["population"]["shows"] == "of AI systems only elsewhere"
    page = house.ask("/query", "part")[2]
    assert "Your access shows" in page


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"sql=" + b"x" * 500_000, FORM, 413),
        (b"sql=SELECT+1", "application/json", 415),
        (b"sql=SELECT+1", "multipart/form-data; boundary=x", 415),
        (b"sql=SELECT+1&sql=SELECT+2", FORM, 400),
        (b"sql=%ff%fe", FORM, 400),
        (b"sql=SELECT+1&more=x", FORM, 400),
        (b"sql=SELECT+1&form=exe", FORM, 404),
        (b"&".join(b"a%d=1" % n for n in range(99)), FORM, 400),
        ("sql=SELECT ü".encode(), FORM, 400),
    ],
    ids=range(9),
)
def test_a_form_has_its_bounds(house: House, body: bytes, kind: str, status: int) -> None:
    assert house.ask("/query", body=body, kind=kind)[0] == status


def test_a_question_too_long_is_one_sentence(house: House) -> None:
    status, _, page = house.ask("/query", sql="SELECT " + "1," * 60_000 + "1", form="html")
    assert (status, "longer than 100000 characters" in page) == (400, True)


@pytest.mark.parametrize("inserted", ["%0d%0aSet-Cookie:%20a=b", "%0aX-Evil:%20yes"])
def test_no_header_is_made_of_what_is_asked(house: House, inserted: str) -> None:
    for path in (f"/query/what-landed{inserted}", f"/query/what-landed.csv?since={inserted}",
                 f"/query/what-landed?as-of={inserted}"):  # fmt: skip
        status, headers, _ = house.ask(path)
        assert status in {400, 404}
        assert not {"set-cookie", "x-evil"} & set(headers)


def test_a_form_from_elsewhere_asks_nothing(house: House) -> None:
    assert house.ask("/query", sql="SELECT 1", **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert house.ask("/query", sql="SELECT 1", **{"Sec-Fetch-Site": "same-site"})[0] == 403


def test_without_a_token_a_form_needs_what_its_page_held(house: House) -> None:
    """A page elsewhere can send a form to this machine; it cannot read ours first."""
    alone = house.config.file.with_name("alone.toml")
    alone.write_text(house.config.file.read_text().partition("[[access]]")[0])

    def ask(url: str, **fields: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        try:
            if fields:
                given = urlencode({"sql": "SELECT 41 + 1", **fields}).encode()
                connection.request("POST", "/query", given, {"Content-Type": FORM})
            else:
                connection.request("GET", "/query")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    with serving(board_app(load(alone), token=None, open_loopback=True)) as url:
        held = re.findall('name="csrf" value="([^"]{40,})"', ask(url)[1])
        assert [ask(url, form="json")[0], ask(url, csrf="x" * 43)[0]] == [403, 403]
        assert json.loads(ask(url, csrf=held[0], form="json")[1])["rows"] == [[42]]
    with serving(board_app(house.config, token=None, open_loopback=True)) as url:
        assert ask(url)[0] == 401, "[[access]] says who may ask: nobody is in for being here"


def test_what_an_auditor_reads_lands_once_and_sealed(house: House) -> None:
    house.log.land()
    before = house.reads()
    sql = f"SELECT subject FROM evidence WHERE kind = 'test.number' -- {HOSTILE}"
    house.ask("/query", sql=sql)
    house.ask("/")
    house.ask("/items/" + "0" * 64)
    house.ask("/query", "governance")
    assert waiting(house.config) == 3
    assert house.log.land() == 3
    assert waiting(house.config) == house.log.land() == 0
    new = [read for read in house.reads() if read not in before]
    assert {read["grant"] for read in new} == {"auditor"}
    asked = next(read for read in new if read["question"])
    assert (asked["question"], asked["rows"], asked["status"]) == (sql, 5, 200)
    assert {read["address"]: read["status"] for read in new}["/items/" + "0" * 64] == 404
    lake = Lake.open(house.config.lake, clock=now)
    with connect(lake) as connection:
        rows = all_rows(connection, "SELECT leaf_index FROM evidence LEFT JOIN leaves USING "
                        "(item_id) WHERE kind = $kind", {"kind": READ_KIND})  # fmt: skip
    assert all(row["leaf_index"] is not None for row in rows), "sealed at once"
    digest = house.config.mapping().rules.digest
    assert lake.followed("tags", f"tags:{digest}") == lake.version, "or the board says: not judged"


def test_who_read_what_is_listed(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.ask("/query/what-landed.json")
    house.log.land()
    assert show(house.config.file) == 0
    out = capsys.readouterr().out
    assert "auditor" in out
    told = json.loads(house.ask("/query/read-by-auditors.json", "admin")[2])
    assert "what-landed" in str(told["rows"])


def test_who_may_look_is_told_to_an_admin_alone(house: House) -> None:
    for path in ("/access", "/access.json", "/access.csv?table=reads", "/access/x", "/access.x"):
        for role in TOKENS.keys() - {"admin"}:
            assert house.ask(path, role)[0] == 403, (path, role)
    assert 'href="/access"' not in house.ask("/", "governance")[2]
    page = house.ask("/access", "admin")[2]
    assert 'href="/access"' in house.ask("/", "admin")[2]
    assert "Accesses" in page
    assert "Signed in" not in page, "nobody signs in here"
    for token in TOKENS.values():
        assert digest_of(token) not in page, "no more of a digest than tells it apart"
    told = json.loads(house.ask("/access.json", "admin")[2])
    assert {row["access"]: row["now"] for row in told["rows"]} == dict.fromkeys(TOKENS, "holds")
    assert next(row for row in told["rows"] if row["access"] == "part")["shows"].endswith("where")
    house.ask("/query/what-landed.json")
    assert "wait on this machine" in house.ask("/access", "admin")[2]
    house.log.land()
    reads = json.loads(house.ask("/access.json?table=reads", "admin")[2])["rows"]
    assert any(row["access"] == "auditor" and row["questions"] > 0 for row in reads)
    assert house.ask("/access.csv", "admin")[2].startswith("access,role,by,")
    for wrong, status in (("?as-of=@1", 400), (".csv?table=x", 400), (".xml", 404), ("?a=b", 400)):
        assert house.ask(f"/access{wrong}", "admin")[0] == status


def test_what_a_dead_server_noted_is_landed_by_the_next(house: House) -> None:
    house.ask("/query/standings.json?as-of=")
    left = next(ReadLog(house.config).folder.glob("*.jsonl"))
    assert ReadLog(house.config).land() == 0, "its process lives: it lands it itself"
    content = left.read_bytes()
    house.log.land()
    number = len(house.reads())
    left.write_bytes(content + b'{"torn')
    poison = left.with_name("0.jsonl")
    poison.write_bytes(b'{"grant": "x"}\n')
    with pytest.raises(LakeError, match=r"0\.jsonl"):
        ReadLog(house.config).land()
    assert (poison.exists(), left.exists()) == (True, False), "it keeps no other from landing"
    poison.unlink()
    left.write_bytes(content + b'{"torn')
    assert ReadLog(house.config).land() == content.count(b"\n")
    assert len(house.reads()) == number, "the same lines land once"
    assert not left.exists()


def test_what_cannot_be_noted_is_not_answered(house: House, tmp_path: Path) -> None:
    def full(_read: object) -> None:
        raise OSError("No space left on device")

    for note in (full, None):
        with serving(board_app(house.config, token=None, note=note)) as url:
            other = House(house.config, url, house.log)
            status, headers, page = other.ask("/query")
            assert (status, "nothing is shown" in page, "Test House" in page) == (503, True, False)
            assert "content-security-policy" in headers
            assert other.ask("/query", "governance")[0] == 200


def test_a_question_ends_when_its_reader_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    real = apart._await

    def watched(*given: object) -> None:
        try:
            real(*given)  # type: ignore[arg-type]
        except Exception as error:
            if "nobody waits" in str(error):
                ended.set()
            raise

    monkeypatch.setattr(apart, "_await", watched)
    endless = (
        "SELECT count(*) FROM range(100000) a, range(100000) b WHERE hash(a.range*b.range) = 7"
    )
    body = urlencode({"sql": endless}).encode()
    parts = urlsplit(house.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as peer:
        head = (
            f"POST /query HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: {FORM}\r\n"
            f"Authorization: Bearer {TOKENS['admin']}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        peer.sendall(head.encode() + body)
        time.sleep(0.5)
    assert ended.wait(25)


def test_the_pages_of_a_part_hold_that_part_only(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts: list[object] = []
    real = board_part.cut_board

    def counted(*given: object) -> object:
        cuts.append(given[1])
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(board_part, "cut_board", counted)
    with connect(Lake.open(house.config.lake, clock=now)) as connection:
        (row,) = all_rows(connection, "SELECT item_id, title FROM evidence "
                          "WHERE kind = 'test.number' LIMIT 1")  # fmt: skip
    assert house.ask(f"/items/{row['item_id']}", "admin")[0] == 200
    assert house.ask(f"/items/{row['item_id']}", "part")[0] == 404
    told = json.loads(house.ask("/board.json", "part")[2])
    assert (told["lake"]["items"], told["sources"]) == (0, [])
    status, _, page = house.ask("/", "part")
    assert (status, "Your access shows <bdi>of AI systems only elsewhere" in page) == (200, True)
    assert "one" not in re.findall(r"source <[^>]*>(\w+)<", page)
    assert house.ask("/sources", "part")[0] == 403
    assert house.ask("/sources", "auditor")[0] == 200
    assert len(cuts) == len({id(board) for board in cuts}), "one board is cut once"
