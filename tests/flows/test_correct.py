"""`headwater correct`, from the command line to where people look."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboards.asked import Asked
from dashboards.links import Served
from dashboards.machine import as_json
from dashboards.pages.items import item as item_page
from dashboards.render import render, render_page
from evidence.correction import Act
from evidence.model import EvidenceItem, Outcome
from evidence.runs import Pull, PullFacts, PullOutcome
from flows.board import build
from flows.cli import main
from flows.config import load, now
from flows.correct import answer, correct
from flows.dispose import rests_on
from flows.follow import follow
from flows.pack import write
from flows.pack_about import Wanted
from storage import verify_pack
from storage.actions import act
from storage.keys import load_key
from storage.lake import Lake
from storage.views import connect
from tests.dashboards.boards import reads_of
from tests.flows.conftest import Home, numbers
from tests.flows.test_pack import archived

CONTROL = "A.7.4"
NOW = datetime.now(UTC).replace(microsecond=0)
Run = Callable[..., str]
WHY = ("--why", "looked at the run")


def check(number: int, outcome: Outcome = Outcome.PASSED, system: str = "scoring") -> EvidenceItem:
    at = NOW - timedelta(hours=10 - number)
    return EvidenceItem(
        source="checks", kind="gx.validation_result", subject=f"suite {number}", system=system,
        observed_from=at, observed_to=at, collected_at=at, outcome=outcome,
        title=f"Check {number}", payload={"n": number, "expectation_count": 3},
    )  # fmt: skip


def collected(file: Path, *items: EvidenceItem) -> None:
    """What a whole pull brings, tagged and sealed."""
    config = load(file)
    lake = Lake.open(config.lake, clock=lambda: NOW)
    pull = Pull(f"pull-{lake.version}", "checks", "tests:None", NOW, NOW, PullOutcome.COMPLETE,
                PullFacts(1, len(items), len(items)), len(items))  # fmt: skip
    lake.land("checks", items, bookmark=lake.bookmark("checks"), cursor=None,
              pull_id=pull.pull_id, pull=pull)  # fmt: skip
    follow(lake, config)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: what it says, having ended as it should."""

    def headwater(*words: object, ends: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["headwater", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert (end.value.code or 0) == ends, out + err
        return err if ends else out

    return headwater


def test_a_false_alarm_is_overridden_by_two_and_never_silently(home: Home, run: Run) -> None:
    config = home(numbers("good"))
    good, bad = check(1), check(2, Outcome.FAILED)
    collected(config, good, bad)
    c = ("-c", config)
    before = run("status", "--json", *c)
    first = run("correct", bad.item_id[:12], "--wrong", "outcome", "--holds", "passed",
                 "--by", "Ann", *WHY, *c)  # fmt: skip
    assert "counts as a failure" in first
    assert "a second person confirms" in first
    again = run("correct", bad.item_id, "--wrong", "outcome", "--holds", "passed",
                    "--by", "Ben", *WHY, *c, ends=2)  # fmt: skip
    assert "that is said already, in force" in again
    confirm = re.search(r"correct confirm ([0-9a-f]{16})", first)
    assert confirm is not None
    assert "a second person must confirm" in run(
        "correct", "confirm", confirm[1], "--by", " ann", *c, ends=2
    )
    second = run("correct", "confirm", bad.item_id[:12], "--by", "Ben", *c)
    assert "overridden by two people, counts against nothing" in second
    assert re.search(rf"iso42001:{CONTROL}: failed .*→.*1 failure overridden by two", second)
    explained = run("explain", CONTROL, *c)
    assert "overridden by Ann and Ben because looked at the run" in explained
    assert "overriding: has the wrong outcome: passed holds" in run("explain", bad.item_id, *c)
    assert "overriding" in run("correct", "list", *c)
    assert "overridden" in run("status", *c)
    past = json.loads(before)["shown"]
    seen = json.loads(run("status", "--json", "--as-of", past, *c))
    assert seen["standings"] == json.loads(before)["standings"]
    asked = run("correct", "withdraw", bad.item_id, "--by", "Cid", "--why", "it was real", *c)
    assert "counts as a failure" in asked, "one person ends an override"
    assert run("verify", *c)


def test_one_person_takes_proof_away_and_the_author_gives_it_back(home: Home, run: Run) -> None:
    config = home(numbers("good"))
    collected(config, check(1))
    c = ("-c", config)
    explained = run("explain", CONTROL, *c)
    assert "fresh" in explained
    run("correct", check(1).item_id, "--wrong", "system", "--holds", "", "--by", "Ann", *WHY, *c)
    explained = run("explain", CONTROL, *c)
    assert "nothing that counts: 1 items landed and were corrected" in explained
    rows = json.loads(run("query", "SELECT item_id, wrong, state FROM corrections", *c,
                           "--format", "json"))  # fmt: skip
    assert rows == [{"item_id": check(1).item_id, "wrong": "system", "state": "in force"}]
    back = run("correct", "withdraw", check(1).item_id, "--by", "Ann", "--why", "no", *c)
    assert "it counts as it was collected" in back
    assert run("explain", CONTROL, *c).count("  fresh ") == 1
    assert "nor has such an item one that stands" in run(
        "correct", "confirm", check(1).item_id, "--by", "Ben", *c, ends=1
    )


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one passed item, corrected to failed by Ann."""
    from flows.setup import initialise

    config = tmp_path_factory.mktemp("corrected") / "home" / "headwater.toml"
    list(initialise(config.parent, "Test House"))
    collected(config, check(1), check(2))
    correct(config, check(1).item_id, "outcome", "failed", "Ann", "saw it fail", str)
    return config


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("f" * 64, "outcome", "failed"), "no item's id begins with"),
        (("abc", "outcome", "failed"), "needs at least 6 signs"),
        (("ITEM", "colour", "blue"), "choose one of outcome, system"),
        (("ITEM", "outcome", "good"), "choose one of passed, failed"),
        (("ITEM", "outcome", "passed"), "that is what the item says already"),
        (("ITEM", "outcome", "failed"), "that is said already"),
        (("ITEM", "outcome", None), "--holds is missing"),
        (("ITEM", "subject", " "), "--holds is empty"),
        (("ITEM", "duplicate", "ITEM"), "that is what the item says already"),
        (("ITEM", "duplicate", "f" * 64), "no item's id begins with"),
        (("ITEM", "mistake", "x"), "nothing holds instead"),
        (("ACT", "mistake", None), "Headwater's own record (headwater.action)"),
        (("PULL", "mistake", None), "Headwater's own record (headwater.pull)"),
        (("CORRECTION", "mistake", None), "is a correction itself"),
    ],
    ids=lambda words: str(words[:2]) if isinstance(words, tuple) else "",
)
def test_what_cannot_be_corrected_is_one_message(
    corrected: Path, words: tuple[str, str, str | None], says: str
) -> None:
    ids = _ids(corrected)
    what, wrong, holds = (ids.get(word or "", word) for word in words)
    with pytest.raises(Exception, match=re.escape(says)):
        correct(corrected, str(what), str(wrong), holds, "Ben", "because", str)


def _ids(file: Path) -> dict[str, str]:
    sql = "SELECT arg_max(item_id, landed_at) FROM evidence WHERE kind = "
    lake = Lake.open(load(file).lake, clock=lambda: NOW)
    act(lake, "look")
    kinds = {"ACT": "headwater.action", "PULL": "headwater.pull"}
    kinds |= {"CORRECTION": "headwater.correction"}
    with connect(lake) as connection:
        found = {name: connection.execute(f"{sql}'{kind}'").fetchall()[0][0]
                 for name, kind in kinds.items()}  # fmt: skip
    return found | {"ITEM": check(1).item_id}


def test_the_board_shows_it_where_the_item_is_shown(home: Home) -> None:
    config = home(numbers("good"))
    collected(config, check(1), check(2, Outcome.FAILED))
    bad = check(2, Outcome.FAILED).item_id
    correct(config, bad, "outcome", "passed", "Ann", "wrong table <b>\u202e", str)
    answer(config, Act.CONFIRM, bad, "Ben", "", str)
    board = build(Lake.open(load(config).lake, clock=lambda: NOW), load(config))
    (told,) = (a for a in board.attention if a.severity == "overridden")
    assert told.item_id == bad
    assert "is overridden by Ann and Ben because wrong table" in told.sentence
    assert board.items[bad].corrected == "overridden"
    page = render_page(item_page(reads_of(board), bad, Asked()), Served())
    assert "overriding: has the wrong outcome: passed holds, says Ann" in page
    assert "wrong table &lt;b&gt;[U+202E]" in page
    whole = render(board)
    assert "1 failure overridden" in whole
    assert "have a failure overridden by two people" in whole
    drawn = as_json(board)
    found = [row for row in drawn["controls"] if row["number"] == CONTROL]
    assert found[0]["overridden"] == 1


def test_a_pack_holds_the_corrections_beside_the_items(corrected: Path, tmp_path: Path) -> None:
    path, said = tmp_path / "pack.zip", list[str]()
    write(corrected, Wanted([CONTROL]), path, None, said.append)
    assert "2 items, 1 pull records, 1 acts of correction" in said[0]
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    (row,) = json.loads(files["corrections.json"])
    assert (row["item_id"], row["corrected_by"]) == (check(1).item_id, "Ann")
    key = load_key(load(corrected).key).vkey
    checked = verified(path, key)
    assert checked.returncode == 0, checked.stderr
    assert "corrected by people: 1 of these items" in checked.stdout
    without = [line for line in files["items.jsonl"].splitlines() if b'"correction"' not in line]
    assert len(without) == len(files["items.jsonl"].splitlines()) - 1
    path.write_bytes(archived(files | {"items.jsonl": b"\n".join(without) + b"\n"}))
    assert verified(path, key).returncode == 1


def verified(path: Path, key: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", verify_pack.__file__, str(path), "--key", key]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_overridden_failure_is_still_needed(home: Home) -> None:
    config = home(numbers("good"))
    bad = check(2, Outcome.FAILED)
    collected(config, bad)
    correct(config, bad.item_id, "outcome", "passed", "Ann", "because", str)
    answer(config, Act.CONFIRM, bad.item_id, "Ben", "", str)
    with connect(Lake.open(load(config).lake, clock=lambda: NOW)) as connection:
        assert bad.item_id in rests_on(connection, now())


def test_of_two_people_at_once_the_second_sees_what_the_first_said(home: Home) -> None:
    """Both withdraw one correction at the same moment: one of them is told that it is done."""
    config = home(numbers("good"))
    collected(config, check(1))
    correct(config, check(1).item_id, "mistake", None, "Ann", "because", str)
    with ThreadPoolExecutor() as pool:
        both = [
            pool.submit(answer, config, Act.WITHDRAW, check(1).item_id, "Ann", "no", str)
            for _ in range(2)
        ]
    (told,) = (str(one.exception()) for one in both if one.exception())
    assert "nor has such an item one that stands" in told
    with connect(Lake.open(load(config).lake, clock=lambda: NOW)) as connection:
        acts = connection.execute(
            "SELECT count(*) FROM evidence WHERE kind = 'headwater.correction'"
        ).fetchall()
    assert acts == [(2,)]
