"""Addresses answer what they ask: filters, moments, tables; and refuse what they do not know."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from dashboards.detail import Changes
from dashboards.model import Board, SystemRow, TagRow
from dashboards.server import app, serving
from dashboards.text import coded
from evidence.errors import ConfigError
from tests.dashboards.boards import HOSTILE, demo_board, hostile_board, reads_of
from tests.dashboards.page import Page

BOARD = demo_board()
MOMENT = "2026-11-23T19:43:00.000000Z@1921"


Ask = Callable[..., requests.Response]


@contextlib.contextmanager
def served(shown: Board, **given: Any) -> Iterator[Ask]:
    """The pages of a board at a real server, asked by path and query."""
    gate = app(replace(reads_of(shown), **given), token=None, allow_loopback=True)
    with serving(gate) as url:
        yield lambda path, **query: requests.get(url + path, params=query, timeout=60)


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with served(BOARD) as asked:
        yield asked


def rows(answer: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer)))


def test_a_filter_shows_what_has_it_and_says_of_how_many(ask: Ask) -> None:
    page = Page.read(ask("/controls?state=failed").text).text
    failed = [row for row in BOARD.controls if row.standing.standing == "failed"]
    assert f"Controls {len(failed)} of 70" in page
    told = ask("/controls.json?state=failed&system=churn-predictor").json()
    assert (told["whole"], told["filters"]["system"]) == (70, "churn-predictor")
    assert {row["standing"] for row in told["rows"]} == {"failed"}
    assert 0 < told["shown"] <= len(failed)
    assert ask("/controls.json?owner=nobody").json()["shown"] > 0


@pytest.mark.parametrize(
    "query", ["states=stale", "state=green", "state=stale&state=failed", "system=nobody",
              "as-of=1&as-of=2", "page=2"]
)  # fmt: skip
def test_what_a_page_does_not_know_is_refused_not_passed_over(ask: Ask, query: str) -> None:
    for path in ("/controls", "/controls.csv"):
        answer = ask(f"{path}?{query}")
        assert answer.status_code == 400
        assert "known: " in answer.text or "twice" in answer.text


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e3", "٣", "9" * 30])
def test_a_page_is_a_number(ask: Ask, page: str) -> None:
    assert ask("/controls/A.6.2.5", page=page).status_code == 400


def test_every_link_keeps_the_moment() -> None:
    asked: list[str] = []

    def board(as_of: str) -> Board:
        asked.append(as_of)
        return BOARD

    paths = ("/", "/controls", "/controls/iso42001:A.6.2.5", "/systems", "/due", "/review")
    with served(BOARD, board=board) as ask:
        for path in paths:
            drawn = Page.read(ask(path, **{"as-of": MOMENT}).text)
            now = [tag[1]["href"] for tag in drawn.tags if tag[0] == "a"
                   and tag[1]["href"] == path]  # fmt: skip
            inner = [link for link in drawn.links() if link.startswith("/") and link not in now]
            assert (len(now), len(inner) > 10) == (1, True), "one way back to now"
            moments = {tuple(parse_qs(urlsplit(link).query)["as-of"]) for link in inner}
            assert moments == {(MOMENT,)}
    assert {*asked} == {MOMENT}


def test_a_view_names_its_moment_as_a_link_with_its_filters() -> None:
    shown = replace(BOARD, lake=replace(BOARD.lake, shown=MOMENT))
    with served(shown) as ask:
        links = Page.read(ask("/controls?state=failed").text).links()
        (fixed,) = [link for link in links if "state=failed" in link and "as-of" in link
                    and "csv" not in link and "json" not in link]  # fmt: skip
        again = Page.read(ask(fixed).text)
    assert "/controls?state=failed" in again.links(), "and leads back to now"


def test_the_evidence_of_a_control_has_pages_that_end() -> None:
    total = {"iso42001:A.6.2.5": 120}
    with served(replace(BOARD, evidence_total=total)) as ask:
        first, third = (Page.read(ask(f"/controls/A.6.2.5?page={n}").text) for n in (1, 3))
        assert ask("/controls/A.6.2.5?page=4").status_code == 404
        told = ask("/controls/A.6.2.5.json?table=evidence&page=3").json()
        last = ask(next(link for link in first.links() if link.endswith("page=2")))
    assert "Page 1 of 3" in first.text
    assert "Evidence, newest first 20 of 120" in third.text
    assert (told["shown"], told["whole"]) == (20, 120)
    assert last.status_code == 200
    assert [link for link in third.links() if link.endswith("?page=2")], "back"
    assert {"page=3" in link for link in third.links() if ".csv" in link} == {True}


def test_changes_are_since_the_moment_that_is_asked() -> None:
    asked: list[tuple[str, str]] = []
    made = reads_of(BOARD).changes

    def changes(since: str, as_of: str) -> Changes:
        asked.append((since, as_of))
        return made(since, as_of)

    with served(BOARD, changes=changes) as ask:
        page = Page.read(ask("/changes?since=@4").text)
        assert {one for one in page.links() if ".csv" in one} == {
            one for one in page.links() if ".csv" in one and "since=%404" in one
        }, "data is since the same moment"
        ask("/changes.csv?since=@4&as-of=@9")
        ask("/changes")
    assert asked == [("@4", ""), ("@4", "@9"), ("", "")]


def test_a_moment_that_cannot_be_read_is_told_as_such() -> None:
    def board(as_of: str) -> Board:
        raise ConfigError(f"--as-of {as_of!r}: write a moment with its zone")

    with served(BOARD, board=board) as ask:
        for path in ("/", "/controls", "/board.json", "/board.html", "/due.csv"):
            answer = ask(path, **{"as-of": "yesterday"})
            assert answer.status_code == 400
            assert "write a moment with its zone" in answer.text


def test_every_table_is_given_as_csv_and_json(ask: Ask) -> None:
    seen = 0
    for path in ("/", "/controls", "/controls/A.6.2.5", "/systems", "/systems/churn-predictor",
                 "/sources/cloudtrail", "/documents", "/due", "/queue", "/frameworks",
                 "/review"):  # fmt: skip
        for link in Page.read(ask(path).text).links():
            if ".csv" in link:
                table = rows(ask(link).text)
                told = ask(link.replace(".csv", ".json")).json()
                assert [[*row] for row in table] == [[*row] for row in told["rows"]]
                assert len(table) == told["shown"]
                seen += 1
    assert seen > 15


def test_no_header_is_made_of_a_name_from_a_source() -> None:
    """The file of a table is named after a thing: quotes and line breaks would end the header."""
    name = 'x"; filename="evil.html"\r\nX-Evil: yes'
    with served(replace(BOARD, systems=(*BOARD.systems, SystemRow(name, name)))) as ask:
        (there,) = {a for a in Page.read(ask("/systems").text).links() if "evil" in a}
        answer = ask(f"{there}.csv")
    assert answer.status_code == 200
    assert "x-evil" not in answer.headers
    told = answer.headers["content-disposition"]
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9_.-]+\.csv"', told), told


def test_a_table_that_is_not_there_is_named(ask: Ask) -> None:
    answer = ask("/controls/A.6.2.5.csv?table=secrets")
    assert answer.status_code == 400
    assert "known: verdicts, evidence, continuity, gaps, periods" in answer.text


def test_no_cell_of_a_spreadsheet_is_a_formula() -> None:
    board = hostile_board()
    (first, *rest) = board.controls
    bad = ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1")
    changed = tuple(
        replace(row, title=title) for row, title in zip((first, *rest), bad, strict=False)
    )
    with served(replace(board, controls=(*changed, *rest[7:]))) as ask:
        answer = ask("/controls.csv")
    titles = [row["title"] for row in rows(answer.content.decode())][: len(bad)]
    assert titles == [f"'{title}" for title in bad]
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_names_that_attack_are_found_under_their_address() -> None:
    board = hostile_board()
    with served(board) as ask:
        for kind in ("systems", "sources", "frameworks"):
            links = Page.read(ask(f"/{kind}").text).links()
            (link,) = {one for one in links if one.startswith(f"/{kind}/%3Cscript")}
            answer = ask(link)
            assert answer.status_code == 200
            assert "<script>alert" not in answer.text
            assert ask(link + ".csv").status_code == 200


@pytest.mark.parametrize("name", ["a/b", "a//b", "x.csv", "x.json", "%2F", "?as-of=1", "#", " a"])
def test_a_system_of_any_name_has_its_page(name: str) -> None:
    other = BOARD.systems[0]
    with served(replace(BOARD, systems=(other, SystemRow(name, "Odd")))) as ask:
        drawn = ask("/systems").text
        (link,) = {
            a["href"]
            for tag, a in Page.read(drawn).tags
            if tag == "a" and ">Odd<" in drawn.partition(f'"{a["href"]}"')[2][:40]
        }
        assert "<h1><bdi>Odd</bdi></h1>" in ask(link).text
        assert ask(link + ".csv").headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize("path", ["/nowhere", "/controls/", "/controls/A.99", "/systems/nobody",
                                  "/sources/x", "/frameworks/x", "/controls.exe",
                                  "/items", "/items/x.csv", "/controls/A.6.2.5.pdf"])  # fmt: skip
def test_what_is_no_page_is_not_there(ask: Ask, path: str) -> None:
    assert ask(path).status_code == 404


def test_the_json_of_a_table_says_what_it_is_of(ask: Ask) -> None:
    told = json.loads(ask("/due.json?system=credit-scoring").text)
    assert told["form"] == "headwater.table/1"
    assert (told["page"], told["table"]) == ("/due", "due")
    assert HOSTILE not in json.dumps(told)


def test_documents_say_what_is_in_force_and_what_is_not(ask: Ask) -> None:
    told = ask("/documents.json").json()
    assert [(row["document"], row["state"]) for row in told["rows"]] == [
        ("Roles 1.2", "error"), ("Use of AI 1.2", "waiting"), ("Logging 1.2", "outdated"),
        ("AI policy 1.2", "declared"), ("Scope 1.2", "declared"), ("Terms 1.2", "approved"),
    ]  # fmt: skip
    assert [row["why"] for row in told["rows"]][-3:-1] == ["as rendered", None]
    waiting = ask("/documents.json?state=waiting").json()
    assert (waiting["shown"], waiting["whole"]) == (1, 6)
    assert "it waits for Ben Lindqvist" in waiting["rows"][0]["why"]
    assert ask("/documents?state=green").status_code == 400


def test_where_nothing_was_judged_a_week_ago_no_control_seems_to_have_moved() -> None:
    past = replace(reads_of(BOARD).past(""), stood={})
    with served(BOARD, past=lambda _: past) as asked:
        page = Page.read(asked("/").text).text
        told = asked("/overview.json?table=changed").json()
    assert "A week ago nothing had been judged here: there is nothing to compare with." in page
    assert (told["rows"], told["whole"]) == ([], 0)


def test_a_page_of_one_thing_leads_up_only_to_a_page_that_is_there(ask: Ask) -> None:
    item = next(iter(BOARD.items))
    for address in (f"/items/{item}", f"/controls/{BOARD.controls[0].control}"):
        links = set(Page.read(ask(address).text).links())
        up = {link for link in links if link.count("/") == 1 and link != "/"}
        assert {ask(link).status_code for link in up} == {200}


def test_a_sentence_of_ours_shows_code_and_a_strange_one_stays_text() -> None:
    assert coded("say `told` <b>") == "say <code>told</code> &lt;b&gt;"
    assert coded("one ` alone") == "one ` alone"
    assert coded("`<script>`") == "<code>&lt;script&gt;</code>"


def test_a_review_of_a_day_is_shown_as_a_day(ask: Ask) -> None:
    shown = {row["where"]: row["reviewed"] for row in rows(ask("/documents.csv").text)}
    for row in BOARD.documents:
        at = row.reviewed
        assert at is None or (len(shown[row.path]) == 10) == (at.time() == time())


def test_what_has_no_page_is_no_link() -> None:
    key, known = next(iter(BOARD.items.items()))
    tag = TagRow("event:incident_major", "incident", "incident-major", "full", "It outdates.")
    shown = replace(
        BOARD, items={**BOARD.items, key: replace(known, source="headwater", tags=(tag,))}
    )
    with served(shown) as asked:
        page = Page.read(asked(f"/items/{key}").text)
        inside = {link for link in page.links() if link.startswith(("/sources/", "/controls/"))}
    assert inside == set()
    assert "event:incident_major" in page.text
