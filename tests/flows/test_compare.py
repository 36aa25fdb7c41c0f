"""What changed between two moments is said by name, and getting worse is an exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.config import load, now
from storage.lake import Lake
from storage.views import ask, connect
from tests.flows.conftest import Home
from tests.flows.test_docs_registers import FILES, SOURCE, commit
from tests.nursery import headwater


def collect(file: Path) -> str:
    """Pull, tag and seal; the moment of that seal."""
    headwater("collect", "--direct", "-c", file)
    with connect(Lake.open(load(file).lake, clock=now)) as connection:
        return f"@{ask(connection, 'SELECT count(*) FROM leaves').rows[0][0]}"


def compare(file: Path, *moments: str, code: int = 0) -> dict[str, Any]:
    told = headwater("compare", *moments, "--json", "-c", file)
    assert told.returncode == code, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@pytest.fixture
def config(home: Home, tmp_path: Path) -> Path:
    assert SOURCE is not None
    commit(tmp_path / "governance", FILES)
    return home(SOURCE[1])


def test_what_came_what_fell_and_what_is_as_it_was(config: Path, tmp_path: Path) -> None:
    first = collect(config)
    same = compare(config, first, first)
    assert [same[what] for what in ("controls", "verdicts", "items", "mapping")] == [[]] * 4
    unsigned = FILES["documents/ai-policy.md"].replace("owner: Lena Holm\n", "")
    commit(tmp_path / "governance", {"documents/ai-policy.md": unsigned})
    rule = config.parent / "rules"
    rule.mkdir()
    (rule / "own.yaml").write_text("kinds: {acme.decision: git.document}\nrules: []\n")
    config.write_text(config.read_text() + '\n[mapping]\nrules = "rules"\n')
    second = collect(config)
    found = compare(config, first, second, code=3)
    fell = {row["what"]: (row["before"], row["after"]) for row in found["controls"] if row["worse"]}
    assert fell["iso42001:5.2"] == ("proved", "failed")
    assert "owner is missing" in next(
        row["why"] for row in found["controls"] if row["what"] == "iso42001:5.2"
    )
    policy = next(row for row in found["verdicts"] if row["what"].startswith("iso42001:5.2 "))
    assert policy["after"].startswith("failed, ")
    assert policy["worse"]
    kinds = {row["kind"]: row for row in found["items"]}
    assert kinds["git.document"]["of_them_failing"] == 1
    assert found["mapping"][0].startswith("mapping ")
    said = headwater("compare", first, second, "-c", config)
    assert said.returncode == 3
    assert "proved" in said.stdout
    assert "controls that stand otherwise" in said.stdout


def test_what_cannot_be_compared_is_refused(config: Path) -> None:
    last = collect(config)
    for moments, why in [
        (("",), "compare needs the earlier moment"),
        (("2020-01-01T00:00:00Z", "2019-01-01T00:00:00Z"), "give the earlier one first"),
        ((last, "soon"), "--as-of 'soon'"),
    ]:
        told = headwater("compare", *moments, "-c", config)
        assert told.returncode == 2, told.stdout
        assert why in told.stderr
    before_all = compare(config, "2020-01-01T00:00:00Z", last)
    assert {row["before"] for row in before_all["controls"]} == {"missing"}
    assert any("nothing had been sealed" in note for note in before_all["notes"])


def test_a_pack_is_compared_with_another_and_with_the_lake(config: Path, tmp_path: Path) -> None:
    first = collect(config)
    for name, words in {"all": ("--everything",), "one": ("--control", "5.2")}.items():
        told = headwater("pack", *words, "-o", tmp_path / f"{name}.zip", "-c", config)
        assert told.returncode == 0, told.stderr
    pack, one = str(tmp_path / "all.zip"), str(tmp_path / "one.zip")
    same = compare(config, pack, pack)
    assert [same[what] for what in ("controls", "verdicts", "items", "notes")] == [[]] * 4
    beside = compare(config, pack, first)
    assert [beside[what] for what in ("controls", "verdicts", "mapping", "notes")] == [[]] * 4
    unsigned = FILES["documents/ai-policy.md"].replace("owner: Lena Holm\n", "")
    commit(tmp_path / "governance", {"documents/ai-policy.md": unsigned})
    second = collect(config)
    later = str(tmp_path / "later.zip")
    headwater("pack", "--everything", "-o", later, "-c", config)
    by_moment, by_packs = (
        compare(config, first, second, code=3),
        compare(config, pack, later, code=3),
    )
    for what in ("controls", "verdicts", "systems", "mapping"):
        assert by_packs[what] == by_moment[what], what
    narrow = compare(config, one, second, code=3)
    assert [row["what"] for row in narrow["controls"]] == ["iso42001:5.2"]
    assert "controls are in the scope of one side only" in narrow["notes"][0]
    fewer = compare(config, pack, one)
    assert "their scopes differ" in fewer["notes"][-1]
    elsewhere = headwater("compare", pack, later, "-c", tmp_path / "none.toml",
                          "--key", load(config).key.with_name("ledger.key.pub"))  # fmt: skip
    assert elsewhere.returncode == 3, elsewhere.stderr
    bent = bytearray((tmp_path / "all.zip").read_bytes())
    bent[bent.index(b"policy")] ^= 1
    (tmp_path / "bent.zip").write_bytes(bent)
    refused = headwater("compare", str(tmp_path / "bent.zip"), second, "-c", config)
    assert (refused.returncode, "it was changed" in refused.stderr) == (1, True)
