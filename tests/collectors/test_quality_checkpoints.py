"""Checkpoints run by a pull: they end, they publish nothing, and what did not run is no pass."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors._checks import gx_checkpoints
from collectors.quality_checks import QualityChecks
from demo.quality import _context, _library
from evidence.errors import ConfigError, SourceRefused
from evidence.model import Cursor, EvidenceItem
from evidence.runs import PullFacts

pytestmark = pytest.mark.xdist_group("quality")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`nightly` checks a file and would publish; `frames` wants a table; `torn` misses its file."""
    folder = tmp_path_factory.mktemp("checkpoints")
    (folder / "loans.csv").write_text("id,amount\n1,100\n2,-5\n")
    gx, context = _library(), _context(folder)
    source = context.data_sources.add_pandas("files")
    assets = {
        "nightly": source.add_csv_asset("loans", filepath_or_buffer="loans.csv"),
        "torn": source.add_csv_asset("scores", filepath_or_buffer="scores of Jane Doe.csv"),
        "frames": source.add_dataframe_asset("frames"),
    }
    for name, asset in assets.items():
        kind = "whole_dataframe" if name == "frames" else ""
        batch = getattr(asset, f"add_batch_definition_{kind}" if kind else "add_batch_definition")
        suite = context.suites.add(gx.ExpectationSuite(name=f"{asset.name}.quality"))
        suite.add_expectation(gx.expectations.ExpectColumnValuesToNotBeNull(column="id"))
        definition = gx.ValidationDefinition(name=name, data=batch("whole"), suite=suite)
        publish = gx.checkpoint.UpdateDataDocsAction(name="publish")
        context.checkpoints.add(gx.Checkpoint(
            name=name, validation_definitions=[context.validation_definitions.add(definition)],
            actions=[publish],
        ))  # fmt: skip
    return folder


def pull(
    collector: QualityChecks, cursor: Cursor | None = None
) -> tuple[dict[str, EvidenceItem], Cursor, PullFacts]:
    batches = list(collector.collect(cursor))
    facts = PullFacts()
    for batch in batches:
        facts = facts + batch.facts
    items = (item for batch in batches for item in batch.items)
    results = {i.subject: i for i in items if i.kind == "gx.validation_result"}
    return results, batches[-1].cursor, facts


def stands_in(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> Path:
    """Another program in place of the one that runs checkpoints, to see what is made of it."""
    script = folder / "stand_in.py"
    head = "import json, os, sys, time\nroot, seconds, report, *names = sys.argv[1:]\n"
    says = "def say(**fact): open(report, 'a').write(json.dumps(fact) + '\\n')\n"
    script.write_text(head + says + text)
    monkeypatch.setattr(gx_checkpoints, "SCRIPT", script)
    return script


def test_a_checkpoint_is_run_and_its_result_read(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = QualityChecks(
        "dq", built, {"loans*": "credit"}, checkpoints=("nightly", "torn", "frames", "nosuch")
    )
    results, cursor, facts = pull(asked)
    told = {subject: (str(i.outcome), i.title.partition(": ")[2]) for subject, i in results.items()}
    assert told["loans.quality/loans"] == ("passed", "1 checks passed")
    loans = results["loans.quality/loans"]
    assert (loans.system, json.loads(loans.content)["run_name"]) == ("credit", "headwater")
    for subject in ("scores.quality/scores", "frames.quality/frames"):
        assert told[subject][0] == "error"
        assert told[subject][1].startswith("could not be run (")
    assert told["checkpoint nosuch"] == (
        "error", "the project has no such checkpoint; it has frames, nightly, torn",
    )  # fmt: skip
    assert b"Doe" not in b"".join(i.content + i.title.encode() for i in results.values())
    assert facts.gaps == ()
    assert not list(built.rglob("*.html"))

    stands_in(monkeypatch, built, "raise SystemExit('must not run')")
    nightly = replace(asked, checkpoints=("nightly",))
    assert pull(nightly, cursor)[0] == {}
    again, _, _ = pull(replace(nightly, run_every=timedelta(0)), cursor)
    assert str(again["checkpoint nightly"].outcome) == "error"
    assert "broke" in again["checkpoint nightly"].title
    again, _, _ = pull(replace(asked, checkpoints=("torn",)), cursor)
    assert set(again) == {"checkpoint torn"}


PLAN = "what = dict(checkpoint='n', definition='d', suite='s', asset='a')\nsay(**what)\n"
WHOLE = "say(checkpoint='n', planned=1)\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PLAN + WHOLE, "its process said nothing of it"),
        (PLAN + WHOLE + "os.abort()", "was ended from outside or broke"),
        (PLAN + WHOLE + "open(report, 'a').write('{\"checkp')", "said nothing of it"),
        (PLAN + WHOLE + "say(**what, at='2026-11-26T07:00:00Z', raised='')", "left no result"),
        (PLAN + WHOLE + "say(**what, at='yesterday', raised='')", "said nothing of it"),
    ],
    ids=["silent", "aborted", "half a line", "no result", "no time"],
)
def test_what_did_not_leave_a_result_is_an_error(
    built: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, why: str
) -> None:
    stands_in(monkeypatch, tmp_path, text)
    results, cursor, _ = pull(QualityChecks("dq", built, checkpoints=("n",)))
    assert str(results["s/a"].outcome) == "error"
    assert why in results["s/a"].title
    again, _, _ = pull(QualityChecks("dq", built, checkpoints=("n",)), cursor)
    assert "s/a" in again


def test_a_checkpoint_that_validates_nothing_is_an_error(
    built: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stands_in(monkeypatch, tmp_path, "say(checkpoint='n', planned=0)")
    results, _, _ = pull(QualityChecks("dq", built, checkpoints=("n",)))
    assert results["checkpoint n"].title.endswith("the checkpoint validates nothing")


def test_one_that_does_not_end_is_ended_with_all_it_started(
    built: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    stands_in(
        monkeypatch, tmp_path,
        PLAN + WHOLE + "child = os.fork()\n"
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(600)\n",
    )  # fmt: skip
    limited = QualityChecks("dq", built, checkpoints=("n",), run_for=timedelta(seconds=2))
    results, _, _ = pull(limited)
    assert "was ended after 2 seconds" in results["s/a"].title
    for pid in map(int, pids.read_text().split()):
        assert _ended(pid)


def _ended(pid: int) -> bool:
    for _ in range(600):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_the_project_s_folder_is_where_it_runs(
    built: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stands_in(
        monkeypatch, tmp_path,
        "say(checkpoint='n', known=[os.getcwd(), root, seconds, sys.path[0]])",
    )  # fmt: skip
    results, _, _ = pull(QualityChecks("dq", built, checkpoints=("n",)))
    title = results["checkpoint n"].title
    assert f"it has {built}, {built / 'gx'}, 900, " in title
    assert str(tmp_path) not in title.rpartition("900, ")[2]


@pytest.mark.parametrize(
    "given",
    [{"checkpoints": "nightly"}, {"run_for": timedelta(0)}, {"run_every": timedelta(-1)}],
    ids=["no list", "no time", "negative"],
)
def test_settings_that_cannot_be_are_told(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^dq: "):
        QualityChecks("dq", tmp_path, **given)


def test_checkpoints_need_a_project(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text("{}")
    with pytest.raises(SourceRefused, match="no checkpoints to run"):
        pull(QualityChecks("dq", tmp_path, checkpoints=("nightly",)))
    with pytest.raises(ConfigError, match="the project they belong to"):
        QualityChecks("dq", results="s3://b/p", checkpoints=("nightly",))
