"""docs/start.md is gone through from an empty folder, each command and file as it stands there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import nursery

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/start.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|yaml)(?: (\S+))?\n(.*?)```", PAGE, re.S)
WRITTEN_ON = "2026-11-24"
PLACES = ("aims", "board", "governance")
LENA = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Lena Holm"), ("EMAIL", "lena@acme.example"))
}
pytestmark = pytest.mark.xdist_group("start")


def run(line: str, home: Path) -> str:
    """One line of the page, in `home`; Prefect's own part is tried elsewhere."""
    words = [str(home / w) if w.split("/")[0] in PLACES else w for w in shlex.split(line)]
    if words[0] == "headwater":
        direct = ["--direct"] if words[1] == "collect" else []
        done = nursery.headwater(*words[1:], *direct)
    else:
        done = subprocess.run(
            words, text=True, capture_output=True, check=False, env=os.environ | LENA
        )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("start")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    for kind, name, text in BLOCKS:
        if kind == "sh":
            for line in text.splitlines():
                run(line, home)
        else:
            assert (home / name).exists(), f"{name} is filled in, not invented"
            (home / name).write_text(text.replace(WRITTEN_ON, yesterday), encoding="utf-8")
    return home


def test_the_first_board_is_honest(folder: Path) -> None:
    told = json.loads(run("headwater status --json -c aims/headwater.toml", folder))
    assert set(told["sources"].values()) == {"complete"}
    assert told["standings"]["proved"] == told["standings"]["attested"] == 0
    assert 0 < told["expectations"]["in_date"] < told["expectations"]["asked"]
    assert told["untagged"] == 0, "drafts are context, not a riddle"
    assert "Acme Lending" in (folder / "board/index.html").read_text(encoding="utf-8")
    explained = run("headwater explain 5.3 -c aims/headwater.toml", folder)
    assert re.search(r"fresh +roles_register", explained)


def test_the_policies_name_people_and_say_what_nobody_does(folder: Path) -> None:
    roles = (folder / "governance/documents/roles.md").read_text(encoding="utf-8")
    assert "Lena Holm" in roles
    assert "**no source has it**" in roles
    assert "draft: true" in roles
