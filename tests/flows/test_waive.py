"""Waivers, from the command line to where the control stands: never green, never for ever."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evidence.errors import ConfigError
from evidence.freshness import Attestation, Standing, State, Verdict, stand
from evidence.model import ControlId
from evidence.waiver import Waiver
from flows.cli import app
from flows.config import load
from flows.judgement import judge_lake
from flows.moment import Asked, moment
from flows.setup import initialise
from flows.waivers import waived
from storage.lake import Lake
from storage.views import connect
from tests.flows.conftest import Home
from tests.flows.test_docs_registers import FILES, SOURCE, commit

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
CONTROL = ControlId("iso42001:A.2.2")


def day(number: int) -> str:
    return (NOW + timedelta(days=number)).date().isoformat()


def told(config: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "-c", str(config)], env={"COLUMNS": "300"})
    if isinstance(done.exception, ConfigError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def standing(config: Path, control: str) -> str:
    found = re.search(r"^stands: (.*)$", told(config, "explain", control), re.M)
    assert found is not None
    return found[1]


def judged(
    state: State, evidence: str = "policy", system: str = "", *, failed: bool = False
) -> Verdict:
    return Verdict(CONTROL, evidence, system, state, failed, "why", NOW)


def waiver(evidence: str = "", system: str = "", *, until: int = 30, **more: str) -> Waiver:
    return Waiver("A.2.2", "Ann", "it is being written", NOW - 3 * DAY, NOW + until * DAY,
                  evidence, system, **more)  # fmt: skip


BAD, GOOD = judged(State.STALE), judged(State.FRESH)


@pytest.mark.parametrize(
    ("verdicts", "held", "expected"),
    [
        ([BAD, GOOD], [waiver()], Standing.WAIVED),
        ([BAD, GOOD], [waiver("policy")], Standing.WAIVED),
        ([judged(State.UNKNOWN)], [waiver()], Standing.WAIVED),
        ([BAD, GOOD], [waiver("soa")], Standing.STALE),
        ([BAD, GOOD], [waiver(until=0)], Standing.STALE),
        ([BAD, GOOD], [waiver(withdrawn="2026-01-01")], Standing.STALE),
        ([BAD, judged(State.STALE, system="chat")], [waiver(system="chat")], Standing.STALE),
        ([BAD, judged(State.STALE, "soa")], [waiver("soa")], Standing.STALE),
        ([judged(State.UNKNOWN), judged(State.STALE, "soa")], [waiver("soa")], Standing.MISSING),
        ([judged(State.STALE, failed=True)], [waiver()], Standing.FAILED),
        ([GOOD], [waiver()], Standing.PROVED),
        ([], [waiver()], Standing.WAIVED),
        ([], [waiver("policy")], Standing.MISSING),
    ],
)
def test_a_waiver_covers_what_it_names_and_no_failure(
    verdicts: list[Verdict], held: list[Waiver], expected: Standing
) -> None:
    found = stand(CONTROL, verdicts, NOW, waivers=held)
    assert found.standing is expected
    if expected is Standing.WAIVED:
        assert "by Ann: it is being written" in found.why
        assert found.in_date == sum(v.in_date for v in verdicts), "what is waived is not in date"


def test_a_missing_signature_waits_only_by_a_waiver_of_the_whole_control() -> None:
    for held, expected in (
        (waiver(), Standing.WAIVED),
        (waiver("policy"), Standing.NEEDS_JUDGEMENT),
    ):
        found = stand(CONTROL, [GOOD], NOW, attestation_needed=True, waivers=[held])
        assert found.standing is expected
    signed = Attestation(CONTROL, "Bea", NOW - DAY, NOW + DAY)
    found = stand(CONTROL, [BAD], NOW, attestation=signed, waivers=[waiver()])
    assert found.standing is Standing.WAIVED


def test_waived_until_it_is_over_or_taken_back(home: Home, tmp_path: Path) -> None:
    config = home()
    words = ("--by", "Ann", "--why", "it is being written")
    before = standing(config, "A.2.2")
    said = told(config, "waive", "A.2.2", *words, "--until", day(20))
    assert "→ waived (waived until" in said
    notes = json.loads(told(config, "status", "--json"))["attention"]
    about = [n["severity"] for n in notes if n["control"] == CONTROL and "Ann" in n["sentence"]]
    assert about == ["waived"]
    lake = Lake.open(load(config).lake, clock=lambda: NOW + 40 * DAY)
    late = judge_lake(lake, moment(lake, load(config), Asked(at=NOW + 40 * DAY)))
    assert late.standings[CONTROL].standing is Standing.MISSING, "it is over"
    with connect(lake) as connection:
        (over,) = waived(connection, late.catalogue, late.at)
    assert (over.severity, over.control) == ("stale", CONTROL)
    item = re.search(r"item (\w{16})", said)
    assert item is not None
    told(config, "waive", "withdraw", item[1], "--by", "Ben", "--why", "Not so")
    assert standing(config, "A.2.2") == before
    assert "withdrawn: Not so" in told(config, "waive", "list")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("A.99",), "none of the catalogue"),
        (("A.2.2", "--evidence", "sbom"), "does not ask for 'sbom'"),
        (("A.2.2", "--system", "x"), "no registered AI system"),
        (("A.2.2", "--until", "2999-01-01"), "nothing is waived for longer"),
        (("A.2.2", "--until", day(-1)), "does not lie after"),
        (("A.2.2", "--until", "soon"), "soon"),
        (("A.2.2", "--why", " "), "reason is missing"),
        (("A.2.2", "--by", "\u200b"), "owner"),
    ],
)
def test_what_is_no_waiver_is_refused(config: Path, given: tuple[str, ...], why: str) -> None:
    asked = {"--by": "Ann", "--why": "so", "--until": day(9)}
    asked |= dict(zip(given[1::2], given[2::2], strict=True))
    with pytest.raises(ConfigError, match=why):
        told(config, "waive", given[0], *(word for pair in asked.items() for word in pair))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home without a source, shared: what is refused changes nothing."""
    folder = tmp_path_factory.mktemp("home")
    list(initialise(folder, "Test House"))
    return folder / "headwater.toml"


WAIVERS = """register: waivers
records:
  - id: W-1
    control: A.6.2.4
    evidence: mlflow_evaluation
    owner: Ann
    reason: The test bench is being moved.
    at: {at}
    until: {until}
  - id: W-2
    control: A.99
    owner: Ann
    reason: No such control.
    at: {at}
    until: {until}
"""


def test_a_register_of_waivers_says_the_same(home: Home, tmp_path: Path) -> None:
    assert SOURCE is not None
    text = WAIVERS.format(at=day(-2), until=day(30))
    commit(tmp_path / "governance", FILES | {"registers/waivers.yaml": text})
    config = home(SOURCE[1])
    told(config, "collect", "--direct")
    notes = json.loads(told(config, "status", "--json"))["attention"]
    assert any("A.6.2.4 mlflow_evaluation is waived until" in n["sentence"] for n in notes)
    assert any("W-2 counts for nothing: control 'A.99'" in n["sentence"] for n in notes)
