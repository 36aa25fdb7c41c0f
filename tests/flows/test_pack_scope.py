"""Packs of many controls, systems and times: what falls into them, and what they say is missing."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey
from trestle.oscal.assessment_results import AssessmentResults

from dashboards.text import tame
from evidence.canonical import canonical
from evidence.errors import ConfigError, LakeError
from evidence.freshness import ControlStanding, Standing
from evidence.model import ControlId, EvidenceItem
from evidence.runs import Gap, Pull, PullFacts, PullOutcome
from evidence.times import parse
from flows.pack import write
from flows.pack_about import Wanted, wanted_of
from flows.pack_missing import missing
from mappings.overrides import Override
from storage import pack as selecting
from storage import pack_file, verify_pack
from storage.views import connect
from tests.flows.test_pack import Packed, alone, archived, check, lines, packed_again, resigned
from tests.storage.makers import START

EVERYTHING: dict[str, Any] = {"controls": ()}
RESULTS: dict[str, Any] = EVERYTHING | {"kinds": ["gx.validation_result"]}  # has no board to draw
pytestmark = pytest.mark.xdist_group("packs")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """A house of three pulls, then a fourth of which only a part came."""
    made = Packed(tmp_path_factory.mktemp("scoped"), pulls=3)
    lake, at = made.house.lake, made.house.clock.now
    pull = Pull(
        "pull-half", "checks", "tests:None", at, at, PullOutcome.PARTIAL,
        PullFacts(1, 3, 9, gaps=(Gap("page 2 of 3", "refused"),)), 0,
    )  # fmt: skip
    lake.land("checks", [], bookmark=lake.bookmark("checks"), cursor=None,
              pull_id=pull.pull_id, pull=pull)  # fmt: skip
    made.house.follow(seconds=60)
    made.path = made.write("whole.zip", **EVERYTHING)
    return made


def held(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def predicate(files: dict[str, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["manifest.json"])["predicate"]
    return found


def test_everything_is_every_sealed_item_and_its_proofs_are_short(packed: Packed) -> None:
    code, told = check(packed, packed.path)
    assert code == 0, told
    files = packed.files()
    rows, proofs = lines(files["items.jsonl"]), lines(files["proofs.jsonl"])
    size = predicate(files)["scope"]["size"]
    assert [row["leaf_index"] for row in rows] == list(range(size))
    assert sum(len(proof["path"]) for proof in proofs) < 2 * size, "no node is said twice"
    assert {row["role"] for row in rows} == {"item"}
    assert any(row["row"]["kind"] == "headwater.mapping" for row in rows)


def test_csv_and_parquet_say_what_the_rows_say(packed: Packed) -> None:
    files = packed.files()
    rows = [row["row"] for row in lines(files["items.jsonl"])]
    csv.field_size_limit(10_000_000)
    sheet = list(csv.DictReader(io.StringIO(files["evidence.csv"].decode(), newline="")))
    table = pq.read_table(io.BytesIO(files["evidence.parquet"])).to_pylist()
    for row, cells, whole in zip(rows, sheet, table, strict=True):
        assert cells["payload"] == whole["payload"] == row["payload"]
        assert cells["item_id"] == whole["item_id"] == row["item_id"]


def test_what_a_spreadsheet_would_run_is_tamed_as_everywhere() -> None:
    for text in ("=1+1", "+1", "-1", "@a", "\tb", "\rc", "\nd", "＝e", "plain", "", "1-2"):
        assert verify_pack.tame(text) == tame(text)


def test_a_csv_that_says_otherwise_shows_even_when_it_is_signed(
    packed: Packed, tmp_path: Path
) -> None:
    files = packed.files()
    bent = files["evidence.csv"].replace(b"failed", b"passed", 1)
    assert bent != files["evidence.csv"]
    for content in (bent, files["evidence.csv"] + b"more\r\n", files["evidence.csv"][:-9]):
        path = packed_again(
            tmp_path / "bent.zip", resigned(files | {"evidence.csv": content}, packed.signer)
        )
        code, told = check(packed, path)
        assert (code, "evidence.csv" in told) == (1, True), told


def test_every_file_that_goes_comes_is_renamed_or_changed_is_named(
    packed: Packed, tmp_path: Path
) -> None:
    files, path = packed.files(), tmp_path / "bent.zip"
    for name, content in files.items():
        path.write_bytes(archived({n: c for n, c in files.items() if n != name}))
        code, told = check(packed, path)
        assert (code, f"{name} is missing" in told) == (1, True), told
        path.write_bytes(archived(files | {name: content + b" "}))
        code, told = check(packed, path)
        assert (code, name in told) == (1, True), told
    others = {n: c for n, c in files.items() if n not in {"vkey.txt", "README.txt"}}
    path.write_bytes(archived(others | {"key.txt": files["vkey.txt"], "extra.txt": b""}))
    told = check(packed, path)[1]
    assert "vkey.txt is missing: it lies there as key.txt" in told
    assert "README.txt is missing" in told
    assert "extra.txt is in the pack, but not in its manifest" in told


def test_a_pack_that_was_cut_says_where(packed: Packed, tmp_path: Path) -> None:
    whole = packed.path.read_bytes()
    at = whole.index(b"\0items.jsonl") + 500
    for size, says in [(at, "in the middle of items.jsonl"), (len(whole) - 9, "cut after")]:
        (tmp_path / "cut.zip").write_bytes(whole[:size])
        code, told = check(packed, tmp_path / "cut.zip")
        assert (code, says in told) == (1, True), told


def test_another_library_takes_the_envelope_and_no_other_key(packed: Packed) -> None:
    files = packed.files()
    private = packed.signer._key
    name = f"{packed.signer.origin}+{packed.signer.verifier.key_id.hex()}"
    key = SSlibKey.from_crypto(private.public_key(), keyid=name)
    envelope = Envelope.from_dict(json.loads(files["manifest.dsse"]))
    assert name in envelope.verify([key], 1)
    assert envelope.payload == files["manifest.json"]
    statement = json.loads(envelope.payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert {one["name"] for one in statement["subject"]} == set(files) - verify_pack.UNLISTED
    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify([key], 1)


def test_nobody_else_signs_and_no_other_kind_of_payload(packed: Packed, tmp_path: Path) -> None:
    files = packed.files()
    told = json.loads(files["manifest.dsse"])
    more = told | {"signatures": told["signatures"] * 2}
    other = packed.signer.envelope("text/plain", files["manifest.json"])
    for envelope, says in [(more, "is no DSSE envelope"), (other, "signs a 'text/plain'")]:
        path = tmp_path / "bent.zip"
        path.write_bytes(archived(files | {"manifest.dsse": canonical(envelope)}))
        code, said = check(packed, path)
        assert (code, says in said) == (1, True), said


@pytest.mark.parametrize("at", ["items.jsonl", "whole"])
def test_a_pack_that_is_killed_is_none_or_whole(packed: Packed, tmp_path: Path, at: str) -> None:
    """At no moment does a name that looks like a pack stand for less than the whole."""
    path = tmp_path / "killed.zip"
    command = [sys.executable, "-m", "flows.cli", "pack", "--everything", "-o", str(path),
               "-c", str(packed.house.config.file)]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob(f".killed.zip.*/{at}")):
        time.sleep(0.001)
    process.kill()
    process.wait()
    other = tmp_path / ".killed.zip.making-others"
    other.mkdir()
    held = os.open(other, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    looks = [one for one in tmp_path.rglob("*.zip") if one.is_file()]
    assert looks == ([path] if path.exists() else [])
    if path.exists():
        assert check(packed, path)[0] == 0, "it was linked before it was killed"
    else:
        assert process.returncode == -signal.SIGKILL
        write(packed.house.config.file, Wanted(), path, None, lambda _: None)
        assert check(packed, path)[0] == 0, "what was left stands in nobody's way"
        left = {one.name for one in tmp_path.iterdir()}
        assert left == {path.name, other.name}, "and is gone, but for what another is making"
    os.close(held)


def test_trestle_reads_the_results_and_the_words_are_those_of_oscal(packed: Packed) -> None:
    told = json.loads(packed.files()["assessment_results.json"])["assessment-results"]
    AssessmentResults.model_validate(told)
    (result,) = told["results"]
    uuids = {one["uuid"] for one in result["observations"]}
    assert len(uuids) == len(result["observations"])
    for finding in result["findings"]:
        status = finding["target"]["status"]
        assert status["state"] in {"satisfied", "not-satisfied"}
        assert status["reason"] in {"pass", "fail", "other"}
        assert (status["state"] == "satisfied") == (status["reason"] == "pass")
        assert {r["observation-uuid"] for r in finding.get("related-observations", [])} <= uuids
    fresh = [one for one in result["observations"] if one["props"][0]["value"] == "fresh"]
    assert all(one["collected"] < one["expires"] for one in fresh)


def test_what_is_missing_is_said_with_its_reason(packed: Packed) -> None:
    files = packed.files()
    lacks = json.loads(files["missing.json"])
    found = {what: [one for one in lacks if one["what"] == what] for what in
             ("control", "evidence", "pull", "untagged")}  # fmt: skip
    (half,) = found["pull"]
    assert half["why"] == "partial; page 2 of 3: refused"
    missing = {one["about"] for one in found["control"]}
    standings = json.loads(files["standings.json"])
    good = {"proved", "attested", "not applicable"}
    assert missing == {row["control"] for row in standings if row["standing"] not in good}
    assert found["evidence"]
    text = files["MISSING.md"].decode()
    assert "page 2 of 3: refused" in text
    assert predicate(files)["missing"] == len(lacks)
    code, told = check(packed, packed.path)
    assert (code, f"{len(lacks)} entries in MISSING.md" in told) == (0, True)


def test_what_is_asked_for_less_is_said_with_its_reason(packed: Packed) -> None:
    scope = selecting.Scope(1, START, systems=("triage",))
    proved = ControlStanding(ControlId("iso42001:A.6.2.4"), Standing.PROVED, "all", 1, 1)
    left_out = ControlStanding(ControlId("iso42001:A.8.3"), Standing.NOT_APPLICABLE, "nobody", 0, 0)
    changes = [
        Override("iso42001:A.6.2.4", "mlflow_evaluation", "peace", applies=False),
        Override("iso42001:A.6.2.4", "code_review", "ours", applies=False, system="triage"),
        Override("iso42001:A.6.2.4", "code_review", "a secret", applies=False, system="theirs"),
        Override("iso42001:A.7.4", "dq_validation", "elsewhere", applies=False),
    ]
    with connect(packed.house.lake) as connection:
        found = [
            (one.about, one.why)
            for one in missing(connection, scope, [proved, left_out], [], changes, [], {})
            if one.what == "otherwise"
        ]
    assert found == [
        ("iso42001:A.8.3", "not applicable: nobody"),
        ("iso42001:A.6.2.4 mlflow_evaluation", "not asked, because peace"),
        ("iso42001:A.6.2.4 code_review · triage", "not asked of triage, because ours"),
    ]


def test_a_period_holds_what_tells_of_it_and_what_stood_at_its_beginning(packed: Packed) -> None:
    rows = [row["row"] for row in lines(packed.files()["items.jsonl"])]
    results = sorted(r["observed_to"] for r in rows if r["kind"] == "gx.validation_result")
    begin = parse(results[-1])
    files = held(packed.write("period.zip", begin=begin, **EVERYTHING))
    kept = [r["row"] for r in lines(files["items.jsonl"]) if r["role"] == "item"]
    older = [row for row in kept if parse(row["observed_to"]) < begin]
    told = predicate(files)
    assert told["counts"]["earlier"] == len(older)
    judged = {one["item_id"] for one in json.loads(files["verdicts.json"])}
    assert all(row["nature"] == "state" or row["item_id"] in judged for row in older)
    before = packed.write("before.zip", end=begin, **EVERYTHING)
    early = [r["row"] for r in lines(held(before)["items.jsonl"]) if r["role"] == "item"]
    assert early
    assert all(parse(row["observed_from"]) < begin for row in early)
    left = "items_of_these_controls_of_other_systems_kinds_or_times"
    assert told["left_out"][left] == len(rows) - len(kept)
    for path in (packed.folder / "period.zip", before):
        assert check(packed, path)[0] == 0


def test_a_framework_stands_for_the_controls_that_speak_to_it(packed: Packed) -> None:
    path = packed.write("framework.zip", controls=(), framework="iso27001")
    scope = predicate(held(path))["scope"]
    assert scope["framework"].startswith("iso27001")
    assert 3 < len(scope["controls"]) < 70
    assert check(packed, path)[0] == 0
    with pytest.raises(ConfigError, match="known: "):
        packed.write("none.zip", controls=(), framework="iso9")


def test_a_board_of_one_system_shows_nothing_of_another(packed: Packed) -> None:
    path = packed.write("churn.zip", systems=["churn"], **EVERYTHING)
    files = held(path)
    rows = [row["row"] for row in lines(files["items.jsonl"]) if row["role"] == "item"]
    assert {row["system"] for row in rows} == {"churn"}
    assert check(packed, path)[0] == 0
    board = files["board.html"].decode()
    strange = [r["row"] for r in lines(packed.files()["items.jsonl"])
               if r["row"]["system"] == "credit-scoring"]  # fmt: skip
    assert strange
    assert not [row["item_id"] for row in strange if row["item_id"] in board]


def test_steps_make_no_difference_and_nothing_is_left_of_a_pack_that_fails(
    packed: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "STEP", 3)
    again = held(packed.write("steps.zip", **EVERYTHING))
    for name, content in packed.files().items():
        if not name.startswith("manifest") and name != "evidence.parquet":
            assert again[name] == content, name
    monkeypatch.setattr(
        pack_file, "_archive", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(LakeError, match="cannot be written: full"):
        packed.write("full.zip", **RESULTS)
    assert not [p.name for p in packed.folder.iterdir() if "full" in p.name]


def test_what_is_too_large_for_zip_is_written_in_zip64(
    packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of zip is set low: what it takes to reach it truly would not fit a test."""
    monkeypatch.setattr(verify_pack, "WIDE", 2_000)
    name = verify_pack.Entry("items.jsonl", 2_000, 0)
    assert len(verify_pack.local_header(name)) == 30 + len(name.name) + 20
    path = packed.write("wide.zip", **RESULTS)
    code, told = check(packed, path)
    assert code == 0, told
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_a_moment_and_a_period_that_hold_nothing_are_refused_or_told(packed: Packed) -> None:
    with pytest.raises(ConfigError, match="is not before"):
        packed.write("x.zip", begin=packed.house.clock.now,
                     end=packed.house.clock.now - timedelta(days=1), **EVERYTHING)  # fmt: skip
    with pytest.raises(ConfigError, match="say what to pack"):
        wanted_of(None, "", None, None, "", "", everything=False)
    with pytest.raises(ConfigError, match="want a day"):
        wanted_of(["5.2"], "", None, None, "soon", "", everything=False)


OTHERS = {"of-framework", "of-items", "of-none"}


def test_packs_of_each_scope_are_checked_where_nothing_of_ours_is(
    packed: Packed, tmp_path: Path
) -> None:
    rows = [row["row"] for row in lines(packed.files()["items.jsonl"])]
    begin = parse(max(row["observed_to"] for row in rows if row["kind"] == "gx.validation_result"))
    scopes: dict[str, dict[str, Any]] = {
        "framework": {"controls": (), "framework": "iso27001"},
        "kinds": RESULTS, "systems": EVERYTHING | {"systems": ["churn"]},
        "period": EVERYTHING | {"begin": begin}, "items": {"items": [rows[0]["item_id"]]},
        "none": {"items": [], "controls": ()},
    }  # fmt: skip
    paths = [packed.path, *(packed.write(f"of-{name}.zip", **scopes[name]) for name in scopes)]
    for path, (code, told) in zip(paths, alone(packed, paths, tmp_path), strict=True):
        assert (code, "the items are the population" in told) == (0, True), f"{path.name}: {told}"
        assert told.startswith("pack    everything") == (path.stem not in OTHERS)


def test_gaps_are_those_of_the_evidence_and_context_waits_for_no_rule(packed: Packed) -> None:
    """What nobody judged in between is a gap all the same; what speaks to nothing is told apart."""
    house = packed.house
    first = house.clock.now
    house.clock.now += timedelta(days=40)
    house.rng.seed(1)
    house.land()
    at = house.clock.now
    told = {"tag": "v3-rc", "early": True}
    early = EvidenceItem(
        source="checks", kind="review.release", subject="v3-rc", observed_from=at, observed_to=at,
        collected_at=at, payload=told, system="churn", title="v3-rc",
    )  # fmt: skip
    odd = replace(early, kind="odd.kind", payload={"n": 1})
    house.lake.land("checks", [early, odd], bookmark=house.lake.bookmark("checks"), cursor=None,
                    pull_id="pull-early")  # fmt: skip
    house.follow(seconds=60)
    path = packed.write("gaps.zip", **EVERYTHING)
    assert check(packed, path)[0] == 0
    lacks = json.loads(held(path)["missing.json"])
    (gap, *_) = [one for one in lacks if one["what"] == "gap" and "dq_validation" in one["about"]
                 and "out of date for 33 days" in one["why"]]  # fmt: skip
    assert gap["why"].endswith("0 of 1 months without a gap")
    assert first < parse(gap["since"]) < parse(gap["until"]) <= house.clock.now
    untagged = {one["about"] for one in lacks if one["what"] == "untagged"}
    assert "odd.kind of checks" in untagged
    assert "review.release of checks" not in untagged
    (context,) = [one for one in lacks if one["what"] == "context"]
    assert context["about"] == "review-release-early"
    assert context["why"].startswith("1 items: A version that its makers call early")
    before = packed.write("gapless.zip", end=first, **EVERYTHING)
    assert not [one for one in json.loads(held(before)["missing.json"]) if one["what"] == "gap"]
    year = packed.write("year.zip", begin=first - timedelta(days=90), **EVERYTHING)
    known = [one for one in json.loads(held(year)["missing.json"]) if one["what"] == "gap"]
    assert any("nothing was known" in one["why"] for one in known), "no silence before the first"
