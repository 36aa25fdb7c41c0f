"""Clocks of law from a register in git and from tickets: on the board, in status, in alerts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboards.asked import Asked as Shown
from dashboards.pages.due import due
from evidence.model import Change, EvidenceItem, Nature
from flows._alerts.causes import seen
from flows.board import assemble
from flows.board_reads import reads
from flows.config import Binding, load, now
from flows.follow import follow
from flows.judgement import judge_lake
from flows.moment import present
from flows.notification import notifications
from flows.notification_told import pressing
from storage.lake import Lake
from storage.views import connect
from tests.flows.conftest import Home, said
from tests.flows.test_docs_registers import commit

SOURCE = """name = "registers"
uses = "collectors.git_registers:GitRegisters"
repository = "../governance"
documents = ""
"""
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


def ago(hours: float) -> str:
    return (NOW - hours * HOUR).isoformat()


RECORDS: dict[str, dict[str, Any]] = {
    "running": {"kind": ["personal_data_breach"], "became_aware": ago(50), "system": "triage"},
    "over": {"kind": ["personal_data_breach"], "became_aware": ago(80)},
    "unknown": {"kind": ["death"]},
    "told": {"kind": ["death"], "became_aware": ago(60), "told": [
        {"to": "market_surveillance_authority", "at": ago(50), "evidence": "0" * 64},
        {"to": "provider", "at": ago(50)}]},
    "late": {"kind": ["personal_data_breach"], "became_aware": ago(200), "told": [
        {"to": "data_protection_authority", "at": ago(100), "why": "found by a supplier"},
        {"to": "controller", "at": ago(100)}]},
    "decided": {"kind": ["personal_data_breach_high_risk"], "became_aware": ago(200),
                "not_told": [{"to": "controller", "by": "Ben Cole", "why": "that is us"},
                             {"to": "all", "by": "Ann Lee", "why": "all of it was encrypted"}]},
    "plain": {"kind": ["none"]},
    "bare": {"title": "Nobody said"},
}  # fmt: skip


def register(records: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The register of incidents, as a file."""
    rows = [{"id": name, **record} for name, record in records.items()]
    return {"registers/incidents.yaml": json.dumps({"register": "incidents", "records": rows})}


@pytest.fixture
def config(home: Home, tmp_path: Path) -> Path:
    commit(tmp_path / "governance", register(RECORDS))
    file = home(SOURCE)
    assert said("collect", "--direct", "-c", file).returncode == 0
    return file


def clocks(file: Path) -> tuple[int, dict[str, Any]]:
    done = said("law", "clocks", "--json", "-c", file)
    return done.returncode, json.loads(done.stdout)


def states(told: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(c["incident"], c["law"]): c["state"] for c in told["clocks"]}


def test_each_is_told_as_it_stands(config: Path, tmp_path: Path) -> None:
    code, told = clocks(config)
    assert code == 3
    assert states(told) == {
        ("running", "GDPR Art. 33(1)"): "running",
        ("running", "GDPR Art. 33(2)"): "without undue delay",
        ("over", "GDPR Art. 33(1)"): "over",
        ("over", "GDPR Art. 33(2)"): "without undue delay",
        ("unknown", "EU AI Act Art. 73(4)"): "unknown",
        ("unknown", "EU AI Act Art. 26(5)"): "unknown",
        ("told", "EU AI Act Art. 73(4)"): "told in time",
        ("told", "EU AI Act Art. 26(5)"): "told",
        ("late", "GDPR Art. 33(1)"): "told late",
        ("late", "GDPR Art. 33(2)"): "told",
        **{("decided", f"GDPR Art. {article}"): "decided not to tell"
           for article in ("33(1)", "33(2)", "34(1)")},
    }  # fmt: skip
    running = next(c for c in told["clocks"] if c["incident"] == "running" and c["due"])
    assert running["due"] == (NOW + 22 * HOUR).isoformat().replace("+00:00", ".000000Z")
    assert "if GDPR binds you" in running["why"]
    assert "Less than a day is left" in running["why"]
    by_hand = next(c for c in told["clocks"] if c["state"] == "told in time")
    assert "by an item that the lake does not hold" in by_hand["why"]
    decided = {c["law"]: c["why"] for c in told["clocks"] if c["incident"] == "decided"}
    assert "Ann Lee decided not to tell: all of it was" in decided["GDPR Art. 33(1)"]
    assert "Ben Cole decided not to tell: that is us" in decided["GDPR Art. 33(2)"]
    assert told["unclassified"] == ["bare"]
    assert told["wrong"] == [
        {"incident": "told", "problem": f"names the item {'0' * 20}, which the lake does not hold"}
    ]
    shown = said("law", "clocks", "-c", config)
    assert shown.returncode == 3
    assert "Which laws bind you is not said" in shown.stdout
    # A record that is taken out while somebody is to be told does not end its clock.
    commit(tmp_path / "governance", register({"plain": RECORDS["plain"]}))
    assert said("collect", "--direct", "-c", config).returncode == 0
    code, told = clocks(config)
    assert (code, {c["incident"] for c in told["clocks"]}) == (3, {"running", "over", "unknown"})
    assert all("gone at its source" in one["problem"] for one in told["wrong"])


def test_what_binds_is_shown_and_what_does_not_is_counted(config: Path, tmp_path: Path) -> None:
    text = config.read_text()
    config.write_text(text + '\n[law]\nbinds = ["gdpr-2016-679"]\nroles = ["controller"]\n')
    _, told = clocks(config)
    assert {c["law"] for c in told["clocks"]} == {"GDPR Art. 33(1)", "GDPR Art. 34(1)"}
    assert told["left_out"] == ["EU AI Act"]
    assert not any("binds you" in c["why"] for c in told["clocks"])
    config.write_text(text + '\n[law]\nroles = ["provider"]\nbinds = ["gdpr-2016-679"]\n')
    none = said("law", "clocks", "-c", config)
    assert "must be told of by the laws and roles that are said to bind here." in none.stdout
    config.write_text(text)
    duty = {"register": "obligations",
            "records": [{"id": "OB-1", "framework": "eu-ai-act-2024-1689"}]}  # fmt: skip
    commit(tmp_path / "governance", {"registers/obligations.yaml": json.dumps(duty)})
    assert said("collect", "--direct", "-c", config).returncode == 0
    _, told = clocks(config)
    assert (told["binds"], told["left_out"]) == (["eu-ai-act-2024-1689"], ["GDPR"])
    config.write_text(text + '\n[law]\nbinds = ["gdpr"]\nzone = "Mars/One"\nroles = ["boss"]\n')
    refused = said("law", "clocks", "-c", config)
    assert refused.returncode == 2
    for line in ("[law] binds: 'gdpr' has no deadline here; known: gdpr-2016-679",
                 "[law] roles: 'boss'", "[law] zone, country: "):  # fmt: skip
        assert line in refused.stderr


def test_the_board_and_status_say_it_first(config: Path) -> None:
    settings = load(config)
    lake = Lake.open(settings.lake, clock=now)
    board = assemble(lake, settings, judge_lake(lake, present(lake, settings)), past=False)
    assert board.clocks[0].state == "over"
    assert {clock.item_id for clock in board.clocks} <= set(board.items), "a link leads there"
    assert {one.item_id for one in board.attention if one.item_id} <= set(board.items)
    law = [one for one in board.attention if one.severity == "law"]
    assert {one.cause for one in law} == {
        "notify over GDPR Art. 33(1)", "notify over GDPR Art. 33(2)",
        "notify running GDPR Art. 33(1)", "notify running GDPR Art. 33(2)",
    }  # fmt: skip
    judgement = {one.cause for one in board.attention if one.severity == "judgement"}
    assert {"notify unknown EU AI Act Art. 73(4)", "incidents of no kind"} <= judgement
    assert not any(cause.startswith("notify late") for cause in judgement)  # it says why
    page = due(reads(settings), "", Shown())
    (table,) = [table for table in page.tables if table.name == "clocks"]
    assert table.plain[0][1] == "over"
    machine = json.loads(said("status", "--json", "-c", config).stdout)
    assert {c["state"] for c in machine["clocks"]} >= {"over", "running", "told late"}


def test_an_edit_that_makes_it_look_in_time_is_said(config: Path, tmp_path: Path) -> None:
    later = {**RECORDS, "over": {**RECORDS["over"], "became_aware": ago(20)},
             "running": {**RECORDS["running"], "kind": ["none"]},
             "told": {**RECORDS["told"], "became_aware": ago(61)}}  # fmt: skip
    commit(tmp_path / "governance", register(later))
    assert said("collect", "--direct", "-c", config).returncode == 0
    _, told = clocks(config)
    assert states(told)["over", "GDPR Art. 33(1)"] == "running"
    wrong = {(one["incident"], one["problem"]) for one in told["wrong"]}
    assert any(name == "over" and "by an earlier version, by which GDPR Art. 33(1) is over" in why
               for name, why in wrong)  # fmt: skip
    assert any(name == "running" and "was told as personal_data_breach before" in why
               for name, why in wrong)  # fmt: skip
    assert not any(name == "told" and "earlier version" in why for name, why in wrong)


def ticket(key: str, *labels: str) -> EvidenceItem:
    at = NOW - 90 * HOUR
    return EvidenceItem(
        source="jira", kind="jira.issue", subject=key, nature=Nature.STATE, title=f"About {key}",
        payload={"key": key, "labels": ["ai-incident", *labels]}, system="triage",
        observed_from=at, observed_to=at + HOUR, collected_at=at + HOUR,
    )  # fmt: skip


def told_of(lake: Lake, file: Path, at: datetime) -> Any:
    """Causes of clocks at a moment."""
    settings = load(file)
    judged = judge_lake(lake, present(lake, settings, at))
    with connect(lake) as connection:
        found = notifications(connection, judged.moment, Binding(), at)
        causes = seen(judged, list(pressing(found)), []).causes
    return {one.key: one for one in causes if one.key.startswith("notify")}


def record(team: str, key: str, change: Change = Change.NEW, **fields: Any) -> EvidenceItem:
    at = NOW - (80 if change is Change.NEW else 1) * HOUR
    payload = {"register": "incidents", "level": "record", "id": key, **fields}
    return EvidenceItem(
        source=team, kind="git.register", subject=f"register/incidents/{key}", title=f"Of {team}",
        payload=payload, system=team, observed_from=at, observed_to=at, collected_at=at,
        change=change,
    )  # fmt: skip


def test_a_namesake_carries_no_clock_of_what_is_gone(home: Home) -> None:
    """Each team counts its incidents from 1; one is taken out, and is a ticket that a record names
    and calls `none`."""
    file = home()
    lake = Lake.open(load(file).lake, clock=now)
    breach = {"kind": ["personal_data_breach"], "became_aware": ago(80)}
    ticket_ = ticket("OPS-7", "personal-data-breach", f"aware:{ago(80)}")
    for team, items in {
        "north": [record("north", "INC-1", **breach), record("north", "INC-1", Change.GONE)],
        "south": [record("south", "INC-1", kind=["none"])],
        "west": [record("west", "INC-2", kind=["none"], ticket="OPS-7")],
        "jira": [ticket_, replace(ticket_, change=Change.GONE, payload={"key": "OPS-7"},
                                  collected_at=NOW)],
    }.items():  # fmt: skip
        lake.land(team, items, bookmark=lake.bookmark(team), cursor=None, pull_id=team)
    follow(lake, load(file))
    found = told_of(lake, file, now())
    for key in ("INC-1", "OPS-7"):
        assert found[f"notify {key} GDPR Art. 33(1)"].severity == "law"
    items = [record("east", "INC-1", kind=["personal_data_breach"], became_aware=ago(60))]
    lake.land("east", items, bookmark=lake.bookmark("east"), cursor=None, pull_id="east")
    follow(lake, load(file))
    found = told_of(lake, file, now())
    steps = {team: found[f"notify INC-1 of {team} GDPR Art. 33(1)"].step
             for team in ("north", "east")}  # fmt: skip
    assert steps == {"north": 4, "east": 2}, "what was told of one does not keep the other quiet"


def test_a_misspelt_law_narrows_no_law_down(home: Home) -> None:
    file = home()
    lake = Lake.open(load(file).lake, clock=now)
    incident = record("north", "INC-1", kind=["serious_incident"], became_aware=ago(10))
    slips = ("gdpr-2016-679", "eu-ai-act-2024-1698")
    laws = [replace(record("north", f"OB-{n}"), subject=f"register/obligations/OB-{n}",
                    payload={"register": "obligations", "level": "record", "id": f"OB-{n}",
                             "framework": name}) for n, name in enumerate(slips)]  # fmt: skip
    lake.land("north", [incident, *laws], bookmark=lake.bookmark("north"), cursor=None,
              pull_id="north")  # fmt: skip
    follow(lake, load(file))
    found = told_of(lake, file, NOW)
    assert "notify INC-1 EU AI Act Art. 73(2)" in found
    told = json.loads(said("consistency", "--json", "-c", file).stdout)["findings"]
    assert any(one["why"].endswith("is eu-ai-act-2024-1689 meant?") for one in told)


def test_tickets_by_their_labels_press_more_as_time_runs(home: Home) -> None:
    file = home()
    lake = Lake.open(load(file).lake, clock=now)
    aware = f"aware:{ago(2)}"
    items = [ticket("OPS-1", "personal-data-breach", aware), ticket("OPS-2", "serious-incident"),
             ticket("OPS-3", "kind:none"),
             ticket("OPS-4", "death", aware,
                    f"told:market-surveillance-authority:{ago(1)}")]  # fmt: skip
    lake.land("jira", items, bookmark=lake.bookmark("jira"), cursor=None, pull_id="p1")
    follow(lake, load(file))
    key = "notify OPS-1 GDPR Art. 33(1)"
    steps = [told_of(lake, file, NOW + hours * HOUR)[key].step for hours in (0, 36, 50, 66, 72)]
    assert steps == [0, 1, 2, 3, 4]
    found = told_of(lake, file, NOW)
    unknown = found["notify OPS-2 EU AI Act Art. 73(2)"]
    assert unknown.severity == "judgement"
    assert "at the latest, counted from when its record began" in unknown.sentence
    assert not any(key.startswith("notify OPS-3") for key in found)
    assert "notify OPS-4 EU AI Act Art. 73(4)" not in found
    much_later = told_of(lake, file, NOW + timedelta(days=20))
    assert much_later["notify OPS-2 EU AI Act Art. 73(2)"].severity == "law"
