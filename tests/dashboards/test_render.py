"""The page says what the board holds, worst first, and nothing that a source wrote can act."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import summary, text
from dashboards.asked import Asked
from dashboards.links import Address, Served
from dashboards.machine import as_json
from dashboards.model import Attention, Board, SystemRow
from dashboards.pages import ONE, WHOLE
from dashboards.render import policy, render, render_message, render_page
from dashboards.static_site import addresses
from evidence.freshness import Expectation, Scope, Standing, judge
from evidence.model import ControlId
from tests.dashboards.boards import HOSTILE, NOW, demo_board, empty_board, hostile_board, reads_of
from tests.dashboards.page import Page

DEMO = demo_board()
BOARDS = {"demo": DEMO, "empty": empty_board(), "hostile": hostile_board()}


def every_document() -> dict[str, str]:
    documents = {f"{name} file": render(board) for name, board in BOARDS.items()}
    for name, board in BOARDS.items():
        first = {(a.kind, bool(a.key)): a for a in reversed(list(addresses(board)))}
        for (kind, one), address in sorted(first.items()):
            documents[f"{name} {'one of ' if one else ''}{kind}"] = served(board, address)
    return documents | {"message": render_message(HOSTILE, HOSTILE)}


def served(board: Board, address: Address) -> str:
    """A page as the server gives it."""
    kind = (ONE if address.key else WHOLE)[address.kind]
    return render_page(kind.make(reads_of(board), address.key, Asked()), Served(address))


DOCUMENTS = every_document()


@pytest.fixture(params=DOCUMENTS, name="document")
def _document(request: pytest.FixtureRequest) -> str:
    return DOCUMENTS[request.param]


def test_nothing_on_a_page_can_run_or_load(document: str) -> None:
    page = Page.read(document)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "img", "form", "base", "audio"}
    for tag, attributes in page.tags:
        assert not [a for a in attributes if a.startswith("on") or a in {"style", "src"}], tag
        address = attributes.get("href", "#")
        assert re.match(r"#|/($|[a-z]+($|[/?.]))|https?://|data:,$", address), address
        assert tag == "a" or not address.startswith("http"), "only a reader's click leaves"


def test_ids_are_unique_and_every_reference_is_kept(document: str) -> None:
    page = Page.read(document)
    assert len(page.ids) == len(set(page.ids))
    assert page.broken() == []


def test_no_hidden_character_reaches_the_page(document: str) -> None:
    hidden = {c for c in document if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert hidden <= {"\n", "\u00ad"}, "a line break and the soft hyphen of our own heading"
    assert not re.search("[\u0300-\u036f]{5}", document)


def test_the_policy_names_the_style_sheet_by_its_hash(document: str) -> None:
    page = Page.read(document)
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    declared = [a["content"] for tag, a in page.tags if a.get("http-equiv")]
    assert declared == [policy()]
    assert f"style-src 'sha256-{digest}'" in policy()
    assert "unsafe" not in policy()
    assert not re.search(r"url\((?!#[a-z]+\))", page.style), "patterns of the page itself only"
    assert "@import" not in page.style


def test_nobody_is_called_compliant(document: str) -> None:
    # A certification that is planned or was is a word; that somebody is certified is not ours.
    assert not re.search(
        r"\b(complian|certif(?!ication\b)|conform)", Page.read(document).text, re.IGNORECASE
    )


def test_hostile_text_is_shown_as_text() -> None:
    shown = Page.read(DOCUMENTS["hostile file"]).text
    assert "<script>alert(1)</script>[U+202E]gnp.exe[U+001B][31m red[U+000A]new line" in shown
    assert "[U+D800]" in shown
    assert "[more marks]" in shown


@given(st.text())
def test_what_is_visible_hides_nothing(raw: str) -> None:
    shown = text.visible(raw)
    assert not [c for c in shown if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"]
    assert text.visible(shown) == shown


@given(st.text())
def test_a_block_keeps_its_lines_and_opens_no_tag(raw: str) -> None:
    shown = text.block(raw)
    assert shown.count("\n") == raw.count("\n")
    assert "<" not in shown


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JAVASCRIPT:alert(1)", " javascript:alert(1)", "data:text/html,x",
        "s3://bucket/key", "file:///etc/passwd", "//host/path", "http:///path", "https://",
        "https://host/\u202egnp", "https://host/a b", "http://[::1",
        "https://host:port/", 'https://host/"onload=x', "https://host/\n", "arn:aws:s3:::b", "",
    ],
)  # fmt: skip
def test_only_a_plain_web_address_becomes_a_link(address: str) -> None:
    assert text.web_address(address) == ""


def test_an_address_with_a_user_becomes_no_link() -> None:
    assert text.web_address("https://user:pass@host/") == ""


def test_a_web_address_stays_as_it_is() -> None:
    for address in ("https://ci.example/run/7?a=b&c=d#e", "http://127.0.0.1:5000/#/x", "HTTP://h/"):
        assert text.web_address(address) == address


def test_the_headline_counts_what_is_wrong() -> None:
    counts = summary.count(DEMO.controls)
    assert sum(counts.values()) == 70
    words = (
        f"Of 70 clauses and controls, {counts[Standing.FAILED]} failed, "
        f"{counts[Standing.STALE]} are stale and {counts[Standing.MISSING]} lack evidence."
    )
    assert summary.headline(DEMO) == words
    assert f"<h1>{words}</h1>" in DOCUMENTS["demo file"]


def test_one_of_a_kind_is_said_in_the_singular() -> None:
    failed = next(r for r in DEMO.controls if r.standing.standing is Standing.FAILED)
    stale = next(r for r in DEMO.controls if r.standing.standing is Standing.STALE)
    board = dataclasses.replace(DEMO, controls=(failed, stale))
    assert summary.headline(board) == "Of 2 clauses and controls, 1 failed and 1 is stale."


def test_an_empty_board_reassures_nobody() -> None:
    page = Page.read(DOCUMENTS["empty file"]).text
    assert "No clause or control is loaded, so nothing can be said." in page
    assert "No source is configured" in page
    assert "not sealed yet: nothing here can be proved unchanged" in page


def test_counts_carry_their_denominators() -> None:
    clauses, annex = summary.parts(DEMO)
    assert (clauses.total, annex.total) == (32, 38)
    page = Page.read(DOCUMENTS["demo file"]).text
    for words in ("of 32", "of 38", "of 70", "32 clauses", "38 Annex A controls"):
        assert words in page


def test_failures_and_dead_sources_come_first() -> None:
    order = [urgency.severity for urgency in summary.urgencies(DEMO)]
    assert order == ["failed", "source", "stale", "missing", "judgement", "due"]
    page = Page.read(DOCUMENTS["demo file"]).text
    failed = page.index("Churn predictor version 7 was deployed without an approved change.")
    dead = page.index("CloudTrail has refused us for 4 days")
    assert failed < dead < page.index("The AI policy was last approved 14 months ago.")


def test_an_unknown_severity_is_shown_first() -> None:
    alarm = Attention("catastrophe", "Something new.", "Look.")
    board = dataclasses.replace(DEMO, attention=(*DEMO.attention, alarm))
    assert summary.urgencies(board)[0].severity == "catastrophe"
    assert "Something new." in Page.read(render(board)).text


def test_each_cell_says_its_worst_and_its_share() -> None:
    row = next(r for r in DEMO.controls if r.number == "A.6.2.5")
    assert summary.cell(row, "churn-predictor") == summary.Cell(
        "failed",
        next(f"{v.evidence}: {v.why}" for v in row.standing.verdicts if v.failed),
        in_date=1,
        expected=2,
    )
    assert summary.cell(row, "credit-scoring").word == "unknown", "its source is silent"
    assert summary.cell(row, "nobody").word == ""


def test_a_control_that_is_left_out_is_never_green() -> None:
    row = next(r for r in DEMO.controls if r.number == "A.10.4")
    assert summary.cell(row, "").word == "n/a"
    assert "no customer receives an AI system" in summary.cell(row, "").why


def test_a_system_outside_the_inventory_still_has_its_column() -> None:
    board = dataclasses.replace(DEMO, systems=(SystemRow("churn-predictor", "Churn"),))
    names = [column.name for column in summary.columns(board)]
    assert names == ["Organisation", "Churn", "credit-scoring", "ticket-triage"]


def test_every_control_says_why_it_stands_there() -> None:
    page = Page.read(DOCUMENTS["demo file"])
    for row in DEMO.controls:
        assert f"control-{row.control}" in page.ids
        assert " ".join(row.standing.why.split()) in page.text


def test_a_failure_is_named_before_its_freshness() -> None:
    row = next(r for r in DEMO.controls if r.number == "A.6.1.3")
    verdict = next(v for v in row.standing.verdicts if v.failed)
    assert verdict.in_date
    assert summary.word(verdict) == "failed"


def test_items_say_their_clocks_and_what_is_left_out() -> None:
    page = Page.read(DOCUMENTS["demo file"])
    left_out = DEMO.lake.items - len(DEMO.items)
    assert f"{left_out:,} more items landed and are left out here" in page.text
    for item_id, item in DEMO.items.items():
        assert f"item-{item_id}" in page.ids
        assert item.content_sha256 in page.text
    assert page.text.count("2026-11-23 18:43:00.000000 UTC") >= len(DEMO.items)


def test_a_bucket_is_text_and_a_web_page_is_a_link() -> None:
    page = Page.read(DOCUMENTS["demo file"])
    assert "s3://brookside-trail/" in page.text
    assert not [link for link in page.links() if link.startswith("s3:")]
    out = [a for tag, a in page.tags if tag == "a" and a["href"].startswith("https://")]
    assert out
    assert all(a["rel"] == "noreferrer noopener nofollow" for a in out)


def test_served_pages_lead_to_item_pages_and_the_file_to_itself() -> None:
    overview, file = Page.read(DOCUMENTS["demo overview"]), Page.read(DOCUMENTS["demo file"])
    assert [link for link in overview.links() if link.startswith("/items/")]
    assert not [link for link in file.links() if link.startswith("/")]
    assert len(DOCUMENTS["demo overview"]) < len(DOCUMENTS["demo file"])


def test_an_item_that_is_not_in_the_file_is_named_without_a_link() -> None:
    bare = Page.read(render(dataclasses.replace(DEMO, items={}))).text
    some = next(a.item_id for a in DEMO.attention if a.item_id)
    assert f"the evidence {some[:12]}, not in this file" in bare


def test_times_are_utc_and_the_page_says_when_it_expires() -> None:
    page = Page.read(DOCUMENTS["demo file"]).text
    assert "As of 23 November 2026, 19:43 UTC." in page
    expiry = summary.next_expiry(DEMO)
    assert expiry is not None
    assert expiry > NOW
    assert f"Out of date from {expiry:%Y-%m-%d %H:%M} UTC" in page
    assert "This file does not update itself." in page


def test_sources_show_their_trouble() -> None:
    page = Page.read(DOCUMENTS["demo file"]).text
    assert "AccessDenied: the role headwater-reader" in page
    assert "Gap: run 8f21" in page
    assert "2 of 6 sources did not bring everything at the last pull" in page


def test_a_source_shows_both_clocks_its_attempts_and_what_it_promised() -> None:
    page = Page.read(DOCUMENTS["demo file"])
    assert "health-cloudtrail" in page.ids
    runs = Page.read(served(DEMO, Address("sources", "mlflow"))).text
    trail = Page.read(served(DEMO, Address("sources", "cloudtrail"))).text
    for shown in (page.text, trail):
        for told in (
            "9 attempts since the last whole pull did not end whole.",
            "The last new item landed 2026-11-12 19:43 UTC; the newest fact is of 2026-11-11",
            "Not allowed, as far as the source says so",
            "Next run2026-11-23 20:00 UTC",
            "2026-11-23 15:42 UTC refusedbackfill 84 s 28 388 397",
        ):
            assert told in shown, told
    for shown in (page.text, runs):
        assert "experiment credit" in shown
    assert "experiment credit 380 371 9" in runs


def test_the_collectors_clock_is_worst_first() -> None:
    well = next(source for source in DEMO.sources if source.source == "jira")
    say = summary.collector_clock
    assert say(well) == "The last pull was whole."
    missed = dataclasses.replace(well, missed_run=NOW)
    assert say(missed).startswith("It is not run any more")
    assert say(dataclasses.replace(missed, last_attempt=None)) == "It was never pulled."
    never = dataclasses.replace(well, outcome="busy", last_complete=None, streak=3)
    assert say(never) == "No pull was ever whole; 3 attempts so far."


def test_the_judged_verdicts_are_the_ones_drawn() -> None:
    """A board of nothing but unseen evidence is drawn as unknown throughout, never as fresh."""
    blind = [
        dataclasses.replace(
            row,
            standing=dataclasses.replace(
                row.standing, standing=Standing.MISSING, verdicts=tuple(
                    judge(expectation, v.system, None, NOW)
                    for v in row.standing.verdicts
                    for expectation in [_expectation(v.evidence, row.control)]
                ),
            ),
        )
        for row in DEMO.controls
    ]  # fmt: skip
    board: Board = dataclasses.replace(DEMO, controls=tuple(blind))
    words = {summary.cell(row, c.system).word for row in blind for c in summary.columns(board)}
    assert words == {"", "unknown"}
    cells = [a for tag, a in Page.read(render(board)).tags if tag == "td" and "cellbox" in str(a)]
    assert {a["class"] for a in cells} == {"cellbox t-none", "cellbox not-asked"}


def _expectation(evidence: str, control: str) -> Expectation:
    day = timedelta(days=1)
    return Expectation(ControlId(control), evidence, Scope.SYSTEM, 9 * day, day)


def test_programs_read_the_same_counts() -> None:
    told = as_json(DEMO)
    assert told["headline"] == summary.headline(DEMO)
    assert [part["total"] for part in told["parts"]] == [32, 38]
    assert len(told["controls"]) == 70
    assert told["as_of"] == "2026-11-23T19:43:00.000000Z"
    assert told["attention"][0]["severity"] == "failed"
    (trail,) = (source for source in told["sources"] if source["source"] == "cloudtrail")
    assert trail["attempts"][0]["started_at"] == "2026-11-23T19:42:00.000000Z"
    assert (trail["attempts"][0]["took"], trail["usual"]) == (48.0, 180.0)
    json.dumps(told)


def test_what_waits_for_a_rule_is_counted_and_named() -> None:
    shown = Page.read(DOCUMENTS["demo file"]).text
    assert (
        "96 items of 1,939 speak to no control: no rule takes them, so they prove nothing" in shown
    )
    assert "3 items are taken for several kinds of evidence of one control" in shown
    assert "taken for capa_ticket, risk_ticket by jira-capa, jira-risk" in shown
    assert as_json(DEMO)["queue"][2]["items"] == 3
    assert "90 items are context only, by 1 declaration: they speak to no control" in shown
    assert as_json(DEMO)["context"][0]["declaration"] == "register-row"


def test_what_is_carried_elsewhere_is_told_with_its_denominator() -> None:
    page = Page.read(DOCUMENTS["demo file"])
    assert "whole 1 of 3, part 1 of 3, open 1 of 3" in page.text
    assert "4 of 57 rows reviewed" in page.text
    assert "open with failures nothing in date failed: A.6.2.5" in page.text
    assert as_json(DEMO)["frameworks"][0]["counts"] == {"whole": 1, "part": 1, "open": 1}
    assert "The mapping in force holds no other framework." in DOCUMENTS["empty file"]


def test_a_name_may_break_after_its_parts_and_stays_text() -> None:
    assert text.parted("dq_validation") == "dq_<wbr>validation"
    assert text.parted("a:<b>.c_") == "a:&lt;b&gt;.<wbr>c_"


def test_no_two_standings_are_drawn_alike() -> None:
    document = render(DEMO)
    page = Page.read(document)
    rows = re.search(r'<table class="counts".*?</table>', document, re.DOTALL)
    assert rows
    tones = re.findall(r'class="state (t-[a-z]+)"', rows[0])
    fills = [re.search(rf"\.{tone} {{[^}}]*--bar: ([^;]+);", page.style) for tone in tones]
    drawn = [fill[1] for fill in fills if fill]
    assert len(set(drawn)) == len(drawn) == len(Standing)
    patterns = {fill.removeprefix("url(#").removesuffix(")") for fill in drawn if "url" in fill}
    assert len(patterns) == len(Standing) - 1, "one is plain; told apart also where all is grey"
    shapes = [re.search(rf'<pattern id="{name}".*?</pattern>', document, re.DOTALL)
              for name in patterns]  # fmt: skip
    lines = {re.sub(r'<pattern id="\w+"|<rect class="\w+-ground"', "", one[0])
             for one in shapes if one}  # fmt: skip
    assert len(lines) == len(patterns), "by their lines, not their grounds alone"
    glyphs = re.findall(r'href="#(g-[a-z]+)"', rows[0])
    assert len(set(glyphs)) == len(Standing)
