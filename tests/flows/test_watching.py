"""Headwater watches itself: each trouble is seen, lands as a gap, ends, and shows outside."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from evidence.errors import LakeError, VerificationFailed
from evidence.model import Outcome
from flows.board import build
from flows.config import Config, load, now
from flows.outlook import TOKEN, answering, pulse
from flows.run import collect_direct
from flows.setup import initialise
from flows.status import show
from flows.troubles import KINDS
from flows.verify import run as verify
from flows.watching import watch_now
from storage.actions import act
from storage.beats import beat
from storage.lake import Lake
from storage.views import ask, connect
from tests.flows.conftest import Home, numbers

CALM = "\n[watch]\nask_clocks = false\nfree_gb = 0.0\n"
pytestmark = pytest.mark.xdist_group("watched")
KEPT = """select subject, outcome, observed_from, observed_to from evidence
    where kind = 'headwater.health' order by landed_at, subject"""


class Days:
    """A clock that starts now and that only the test moves."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a house that collected."""
    file = tmp_path_factory.mktemp("watched") / "home" / "headwater.toml"
    list(initialise(file.parent, "Test House"))
    source = numbers("good")
    file.write_text(f"{file.read_text()}\n[[source]]\n{source}\n{CALM}")
    collect_direct(load(file))
    return file.parent


@pytest.fixture
def config(collected: Path, tmp_path: Path) -> Config:
    """A house that collected, and judged just now."""
    made = load(Path(shutil.copytree(collected, tmp_path / "home"), "headwater.toml"))
    beat(made.lake, "freshness", now())
    return made


def health(config: Config) -> list[tuple[object, ...]]:
    with connect(Lake.open(config.lake, clock=now)) as connection:
        return [tuple(row) for row in ask(connection, KEPT).rows]


def kinds(config: Config, clock: Days) -> set[str]:
    return {trouble.what for trouble in watch_now(config, clock).troubles}


def test_a_house_in_order_leaves_a_heartbeat_and_no_evidence(config: Config, days: Days) -> None:
    watched = watch_now(config, days)
    assert watched.troubles == ()
    assert health(config) == []
    told = json.loads((config.watch.folder / "heartbeat.json").read_text())
    assert told["well"] is True
    assert told["late_after"] > told["at"]


def test_a_day_without_a_scheduler_is_a_gap_that_stays_on_record(
    config: Config, days: Days
) -> None:
    watch_now(config, days)
    days.pass_by(hours=26)
    watched = watch_now(config, days)
    assert {"scheduler", "freshness", "verification"} == {t.what for t in watched.troubles}
    assert "good" in watched.sentence
    began = {row[0]: row for row in health(config)}
    assert began["scheduler"][1] == began["freshness"][1] == Outcome.FAILED
    assert began["watch"][1] == Outcome.PASSED, "nobody looked for a day, and now somebody does"
    assert days.at - began["watch"][2] > timedelta(hours=24)
    assert days.at - began["scheduler"][2] > timedelta(hours=24)
    assert not watch_now(config, days).begun, "what goes on lands once"
    lake = Lake.open(config.lake, clock=days)
    beat(lake.place, "freshness", days.at)
    act(lake, "verify", outcome=Outcome.PASSED)
    assert {one.what for one in watch_now(config, days).ended} == {"freshness", "verification"}
    ended = [row for row in health(config) if row[:2] == ("freshness", Outcome.PASSED)]
    assert ended[0][3] - ended[0][2] > timedelta(hours=24), "the gap is told from its beginning"


def test_a_source_that_was_never_pulled_is_not_overlooked(home: Home, days: Days) -> None:
    config = load(home(numbers("new"), extra=CALM))
    assert "scheduler" not in kinds(config, days)
    days.pass_by(hours=2)
    assert "scheduler" in kinds(config, days)


def test_a_failed_verification_shows_until_one_is_whole(config: Config, days: Days) -> None:
    file = next((config.lake.derived("evidence")).rglob("*.parquet"))
    kept = file.read_bytes()
    file.write_bytes(kept[:-60] + bytes(60))
    with pytest.raises(VerificationFailed):
        verify(config.file, lambda _: None)
    file.write_bytes(kept)
    assert "verification" in kinds(config, days)
    board = build(Lake.open(config.lake, clock=now), config)
    (line,) = [note for note in board.attention if note.severity == "health"]
    assert "failed" in line.sentence
    verify(config.file, lambda _: None)
    assert "verification" not in kinds(config, days)


def test_a_full_disk_is_told_before_nothing_lands(config: Config, days: Days) -> None:
    short = replace(config, watch=replace(config.watch, free_gb=1e9))
    assert kinds(short, days) == {"disk"}
    board = build(Lake.open(config.lake, clock=now), short)
    assert any("are free" in note.sentence for note in board.attention)
    assert kinds(config, days) == set()


def test_what_landed_and_is_not_sealed_is_told(config: Config, days: Days) -> None:
    act(Lake.open(config.lake, clock=now), "init")
    assert "following" not in kinds(config, days)
    days.pass_by(hours=1)
    assert "following" in kinds(config, days)


def test_another_act_that_ended_badly_is_told(config: Config, days: Days) -> None:
    act(Lake.open(config.lake, clock=now), "maintain", outcome=Outcome.ERROR)
    assert kinds(config, days) == {"upkeep"}


def test_a_clock_that_was_set_back_is_told(config: Config, days: Days) -> None:
    watch_now(config, days)
    days.pass_by(hours=-2)
    assert "clock" in kinds(config, days)


@contextmanager
def server(ahead: timedelta) -> Iterator[str]:
    """A server whose clock is as far ahead of ours."""

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            assert "authorization" not in {name.lower() for name in self.headers}
            self.send_response_only(401)
            self.send_header("Date", format_datetime(now() + ahead, usegmt=True))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def test_the_servers_of_the_sources_say_what_time_it_is(config: Config) -> None:
    with server(timedelta()) as right, server(timedelta(minutes=9)) as wrong:
        asked = replace(config, watch=replace(config.watch, ask_clocks=True), sources=tuple(
            replace(config.sources[0], settings={"url": f"{url}/path?key=x"})
            for url in (right, right, wrong, "http://127.0.0.1:1", "https://[")
        ))  # fmt: skip
        (trouble,) = watch_now(asked).troubles
    assert trouble.what == "servers_clock"
    assert trouble.sentence.startswith("By 1 of 2 servers")
    assert trouble.about == (f"{wrong}/",)
    board = build(Lake.open(config.lake, clock=now), config)
    assert [note.sentence for note in board.attention if note.severity == "health"] == [
        trouble.sentence
    ]


def test_a_lake_that_cannot_be_read_is_no_silent_heartbeat(config: Config, days: Days) -> None:
    watch_now(config, days)
    shutil.rmtree(config.lake.derived("evidence"))
    with pytest.raises(LakeError):
        watch_now(config, days)
    told = json.loads((config.watch.folder / "heartbeat.json").read_text())
    assert told["well"] is False
    assert "evidence" in told["error"]


def figures(text: str) -> dict[str, float]:
    families = text_string_to_metric_families(text)
    return {
        ",".join((sample.name, *sample.labels.values())): sample.value
        for family in families for sample in family.samples
    }  # fmt: skip


def test_the_figures_say_what_never_came(home: Home, days: Days) -> None:
    config = load(home(numbers("good"), numbers("dead", trouble="refused"), extra=CALM))
    collect_direct(config)
    days.pass_by(minutes=1)
    watch_now(config, days)
    told = figures((config.watch.folder / "headwater.prom").read_text())
    assert told["headwater_source_since_complete_seconds,dead"] == float("inf")
    assert 0 <= told["headwater_source_since_complete_seconds,good"] < 3600
    assert told["headwater_source_well,good"] == 1
    assert told["headwater_source_well,dead"] == 0
    assert told["headwater_source_items,good"] == 10
    assert told["headwater_ledger_size"] == told["headwater_items"] > 20
    assert told["headwater_verified_timestamp_seconds"] == 0, "never is no time at all"
    assert {f"headwater_trouble,{kind}" for kind in KINDS} <= told.keys()


def test_whether_the_watch_runs_is_told_over_http(
    config: Config, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    open_ = replace(config, watch=replace(config.watch, listen="127.0.0.1:0"))
    with answering(open_) as url:
        assert requests.get(f"{url}/healthz", timeout=30).status_code == 200
        assert requests.get(f"{url}/heartbeat", timeout=30).status_code == 503, "it never looked"
        watch_now(config)
        assert requests.get(f"{url}/heartbeat", timeout=30).json()["beats"] is True
        assert figures(requests.get(f"{url}/metrics", timeout=30).text)["headwater_items"] > 10
    monkeypatch.setenv(TOKEN, "s3cret")
    with answering(open_) as url:
        assert requests.get(f"{url}/metrics", timeout=30).status_code == 401
        assert requests.get(f"{url}/heartbeat", timeout=30).status_code == 200
    days.pass_by(hours=1)
    assert not pulse(config, days).beats


def test_the_status_says_it(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    act(Lake.open(config.lake, clock=now), "anchor", outcome=Outcome.ERROR, title="no answer")
    show(config.file, None, fail_on="", as_json=True)
    told = json.loads(capsys.readouterr().out)["attention"]
    assert [a["severity"] for a in told if "no answer" in a["sentence"]] == ["health"]
