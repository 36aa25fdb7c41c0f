"""What single pages show is what the lake holds as of their moment, proofs and pasts included."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dashboards.asked import Asked
from dashboards.links import Served
from dashboards.model import Board
from dashboards.pages import ONE, WHOLE
from dashboards.reads import Reads
from dashboards.render import render_page
from evidence.errors import ConfigError
from flows.board_reads import held_reads, reads
from flows.moment import parse_as_of
from flows.setup import initialise
from storage.checkpoints import checkpoint_of
from storage.pages import item_rows
from storage.proof import InclusionProof, check_inclusion
from storage.verdicts import append_verdicts
from storage.views import connect
from tests.flows.house import House, make_house

CONTROL = "iso42001:A.7.4"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Three weeks of landings, judged and sealed after each."""
    folder: Path = tmp_path_factory.mktemp("house")
    list(initialise(folder, "Test House"))
    made = make_house(folder / "headwater.toml")
    for _ in range(4):
        made.land()
        made.follow()
        judged = made.judge(None)
        at = made.clock.now
        append_verdicts(made.lake, judged.verdicts, [*judged.standings.values()], at)
        made.clock.now += timedelta(days=5)
    return made


@pytest.fixture(scope="module")
def at(house: House) -> str:
    """The moment of the last seal, a day later."""
    day = house.clock.now + timedelta(days=1)
    return f"{day:%Y-%m-%dT%H:%M:%SZ}@{checkpoint_of(house.lake, None).size}"


@pytest.fixture(scope="module")
def asked(house: House) -> Reads:
    return reads(house.config)


@pytest.fixture(scope="module")
def board(asked: Reads, at: str) -> Board:
    return asked.board(at)


def test_pages_of_evidence_hold_all_of_it_once(asked: Reads, at: str, board: Board) -> None:
    whole = board.evidence_total[CONTROL]
    assert whole >= 4
    first, rest = asked.found(CONTROL, 0, 3, at), asked.found(CONTROL, 3, 1000, at)
    found = [row.item_id for row in (*first, *rest)]
    assert (len(found), len({*found})) == (whole, whole)
    assert found[:3] == list(board.evidence[CONTROL][:3]), "newest first, as the board has it"
    assert all("dq_validation" in row.taken for row in first if row.kind.startswith("gx.val"))


def test_an_item_shows_every_version_of_its_subject(
    asked: Reads, house: House, at: str, board: Board
) -> None:
    some = next(i for i in board.items.values() if i.kind == "gx.expectation_suite")
    shown = asked.versions([some.item_id], at)[some.item_id]
    with connect(house.lake) as connection:
        rows = connection.execute(
            "SELECT item_id FROM evidence WHERE kind = ? AND subject = ? AND system = ? "
            "ORDER BY landed_at DESC", [some.kind, some.subject, some.system],
        ).fetchall()  # fmt: skip
    assert [one.item_id for one in shown] == [row[0] for row in rows]


def test_the_proof_on_the_page_holds_without_the_lake(
    asked: Reads, house: House, at: str, board: Board
) -> None:
    item_id = next(iter(board.items))
    text, why = asked.proof(item_id, at)
    assert why == ""
    vkey = house.config.key.with_suffix(house.config.key.suffix + ".pub").read_text().strip()
    with connect(house.lake) as connection:
        (row,) = item_rows(connection, [item_id])
    head = check_inclusion(InclusionProof.parse(text), vkey, payload=row["payload"].encode())
    assert head.size == checkpoint_of(house.lake, None).size


def test_an_item_that_is_not_sealed_says_so(
    asked: Reads, house: House, at: str, board: Board
) -> None:
    last = max(board.items.values(), key=lambda item: item.leaf_index or 0)
    text, why = asked.proof(last.item_id, "@1")
    assert (text, bool(why)) == ("", True)
    assert asked.items(["0" * 64], at) == {}


def test_the_past_is_as_it_was_judged_then(asked: Reads, house: House, at: str) -> None:
    past = asked.past(at)
    assert past.step == timedelta(days=7)
    assert [p.at for p in past.points] == sorted(p.at for p in past.points)
    assert all(sum(p.counts.values()) + p.unjudged == p.of == 70 for p in past.points)
    assert past.points[-1].unjudged == 0
    with connect(house.lake) as connection:
        rows = connection.execute(
            "SELECT control, arg_max(standing, judged_at) FROM lake_standings WHERE judged_at <= ? "
            "GROUP BY control", [past.since],
        ).fetchall()  # fmt: skip
    assert dict(rows) == dict(past.stood)


def test_nothing_was_judged_before_the_lake_began(asked: Reads, house: House) -> None:
    past = asked.past("2020-01-01T00:00:00Z")
    assert (past.points, dict(past.stood)) == ((), {})


def test_what_changed_is_counted_between_two_seals(asked: Reads, at: str, board: Board) -> None:
    found = asked.changes("@4", at)
    assert (found.since.endswith("@4"), found.until) == (True, board.lake.shown)
    landed = sum(row.landed for row in found.landed)
    assert landed == board.lake.items - 4
    with pytest.raises(ConfigError, match="later than the one that is shown"):
        asked.changes(at, "@4")


def test_a_control_tells_what_it_asks_and_who_says_what_it_speaks_to(
    asked: Reads, at: str, board: Board
) -> None:
    facts = asked.control("iso42001:A.7.4", at)
    asks = {one.evidence: one for one in facts.asks}
    assert asks["dq_validation"].rules
    assert asks["dq_validation"].counts.startswith("counts for 7 days")
    assert facts.guidance
    assert all(row.sources for row in facts.crosswalk)
    assert {row.framework for row in facts.crosswalk} <= {
        known.framework for known in board.frameworks
    }
    assert any("days" in line for line in facts.kept)
    assert [line for line in asked.control("iso42001:A.8.4", at).laws if "GDPR" in line]


def test_laws_to_come_stand_in_the_calendar_of_their_day(asked: Reads, house: House) -> None:
    on = [row.on for row in asked.ends("2026-11-26T00:00:00Z@4") if row.what == "law"]
    assert on
    assert on == sorted(on)
    assert min(on).isoformat() > "2026-11-26"
    assert not [row for row in asked.ends("2090-01-01T00:00:00Z@4") if row.what == "law"]


def test_the_life_of_a_system_is_what_trace_tells(asked: Reads, at: str) -> None:
    lives = asked.lives(at)
    life = lives["churn"]
    assert life.stages["data check"] >= 1
    assert all(row.stage in life.stages for row in life.nodes)
    assert {row.missing for row in life.broken} <= {*life.stages}


@pytest.mark.parametrize("wrong", ["yesterday", "@", "freeze:nobody"])
def test_a_wrong_moment_is_refused(asked: Reads, wrong: str, board: Board) -> None:
    for read in (asked.board, asked.past, asked.lives, asked.ends):
        with pytest.raises(ConfigError):
            read(wrong)


def test_every_page_of_a_real_lake_can_be_drawn(asked: Reads, at: str, board: Board) -> None:
    once = replace(asked, board=lambda _as_of: board)
    for kind, page in WHOLE.items():
        assert render_page(page.make(once, "", Asked(at)), Served(as_of=at)), kind
    item = next(iter(board.items))
    keys = {"controls": CONTROL, "systems": "churn", "items": item,
            "frameworks": board.frameworks[0].framework}  # fmt: skip
    for kind, key in keys.items():
        drawn = render_page(ONE[kind].make(once, key, Asked(at)), Served(as_of=at))
        assert "Traceback" not in drawn
    assert "The SHA-256 of these bytes is the content SHA-256 above." in render_page(
        ONE["items"].make(once, item, Asked(at)), Served(as_of=at)
    )


def test_what_is_held_open_says_the_same(asked: Reads, house: House, at: str, board: Board) -> None:
    ids = [*board.items][:5]
    with held_reads(house.config, parse_as_of(at)) as held:
        assert held.control(CONTROL, "") == asked.control(CONTROL, at)
        assert held.found(CONTROL, 1, 4, "") == asked.found(CONTROL, 1, 4, at)
        assert held.items(ids, "") == asked.items(ids, at)
        assert held.versions(ids, "") == asked.versions(ids, at)
        assert held.past("") == asked.past(at)
