"""A lake that this account may only read: looking and proving work, the rest refuses in a line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.config import load, now
from flows.follow import follow
from flows.pull import attempt
from flows.setup import initialise
from storage.lake import Lake
from tests.flows.conftest import numbers

# Root without its capabilities is held to the modes of files as everybody is.
HELD = [] if os.geteuid() else ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
PROGRAM = """
import json, sys
from flows.cli import main
for words in json.loads(sys.argv.pop()):
    sys.argv = ["headwater", *words]
    print("begin")
    try:
        main()
    except SystemExit as end:
        print("ends", end.code or 0)
    sys.stdout.flush()
"""
pytestmark = [
    pytest.mark.skipif(bool(HELD) and not shutil.which(HELD[0]), reason="needs setpriv"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("read only") / "headwater.toml"
    list(initialise(file.parent, "Test House"))
    file.write_text(f"{file.read_text()}\n[[source]]\n{numbers('n')}\n")
    settings = load(file)
    lake = Lake.open(settings.lake, clock=now)
    attempt(lake, settings.sources[0], now)
    follow(lake, settings)
    return file


def told(config: Path, *verbs: list[str]) -> list[str]:
    """What each verb says and how it ends, all in one process that may only read the lake."""
    words = json.dumps([[*verb, "-c", str(config)] for verb in verbs])
    lake = config.parent / "lake"
    folders = [lake, *(path for path in lake.rglob("*") if path.is_dir())]
    modes = {folder: folder.stat().st_mode for folder in folders}
    for folder in folders:
        folder.chmod(modes[folder] & 0o555)
    try:
        done = subprocess.run(
            [*HELD, sys.executable, "-c", PROGRAM, words], check=True, text=True, timeout=500,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)
    return done.stdout.split("begin\n")[1:]


def test_what_only_reads_works_and_what_writes_is_one_sentence(config: Path) -> None:
    pack = config.parent / "a.zip"
    count = "SELECT 'counted ' || count(*) FROM evidence WHERE kind = 'test.number'"
    query, verify, packed, attest, maintain = told(
        config, ["query", count], ["verify"],
        ["pack", "--control", "A.2.2", "-o", str(pack)],
        ["attest", "A.2.2", "--by", "Ada", "--statement", "ok", "--until", "2027-01-01"],
        ["maintain"],
    )  # fmt: skip
    assert "counted 10" in query
    assert "every payload, id and leaf recomputed" in verify
    assert "that verify was run is not recorded in the lake: cannot write" in verify
    assert "ends 0" in packed
    assert pack.exists()
    for refused in (attest, maintain):
        lines = [line for line in refused.splitlines() if line.startswith("headwater: ")]
        assert len(lines) == 1, refused
        assert "Permission denied" in lines[0]
        assert "ends 1" in refused
        assert "Traceback" not in refused


def test_a_folder_that_may_not_be_listed_is_not_called_gone_alone(config: Path) -> None:
    closed = config.parent / "lake/evidence/_delta_log"
    closed.chmod(0)
    try:
        verify, status = told(config, ["verify"], ["status"])
    finally:
        closed.chmod(0o755)
    assert f"{closed} cannot be listed, so what lies there is not known" in verify
    assert "ends 1" in verify
    assert "cannot be listed" in status
    assert "ends 1" in status
