"""What changed between two moments is said by name, and getting worse is an exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.config import load, now
from flows.setup import initialise
from storage.lake import Lake
from storage.views import ask, connect
from tests.flows.conftest import said
from tests.flows.test_docs_registers import FILES, SOURCE, commit
from tests.nursery import headwater

pytestmark = pytest.mark.xdist_group("compared")


@dataclass(frozen=True, slots=True)
class Compared:
    """A home that was collected, and again once a policy and the mapping had changed."""

    folder: Path
    first: str
    second: str

    @property
    def config(self) -> Path:
        return self.folder / "home" / "headwater.toml"

    def pack(self, name: str) -> str:
        return str(self.folder / f"{name}.zip")


def collect(file: Path) -> str:
    """Pull, tag and seal; the moment of that seal."""
    headwater("collect", "--direct", "-c", file)
    with connect(Lake.open(load(file).lake, clock=now)) as connection:
        return f"@{ask(connection, 'SELECT count(*) FROM leaves').rows[0][0]}"


def compare(file: Path, *moments: str, code: int = 0) -> dict[str, Any]:
    told = said("compare", *moments, "--json", "-c", file)
    assert told.returncode == code, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """With a pack of all and of one control of the first moment, and of all of the second."""
    assert SOURCE is not None
    folder: Path = tmp_path_factory.mktemp("compared")
    config = folder / "home" / "headwater.toml"
    commit(folder / "governance", FILES)
    list(initialise(config.parent, "Test House"))
    config.write_text(config.read_text() + f"\n[[source]]\n{SOURCE[1]}\n")
    first = collect(config)
    made = Compared(folder, first, "")
    _pack(made, "all", "--everything")
    _pack(made, "one", "--control", "5.2")
    unsigned = FILES["documents/ai-policy.md"].replace("owner: Lena Holm\n", "")
    commit(folder / "governance", {"documents/ai-policy.md": unsigned})
    rule = config.parent / "rules"
    rule.mkdir()
    (rule / "own.yaml").write_text("kinds: {acme.decision: git.document}\nrules: []\n")
    config.write_text(config.read_text() + '\n[mapping]\nrules = "rules"\n')
    made = Compared(folder, first, collect(config))
    _pack(made, "later", "--everything")
    return made


def _pack(made: Compared, name: str, *words: str) -> None:
    told = said("pack", *words, "-o", made.pack(name), "-c", made.config)
    assert told.returncode == 0, told.stderr


def test_what_came_what_fell_and_what_is_as_it_was(house: Compared) -> None:
    same = compare(house.config, house.first, house.first)
    assert [same[what] for what in ("controls", "verdicts", "items", "mapping")] == [[]] * 4
    found = compare(house.config, house.first, house.second, code=3)
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
    by_packs = compare(house.config, house.pack("all"), house.pack("later"), code=3)
    for what in ("controls", "verdicts", "systems", "mapping"):
        assert by_packs[what] == found[what], what
    told = headwater("compare", house.first, house.second, "-c", house.config)
    assert told.returncode == 3
    assert "proved" in told.stdout
    assert "controls that stand otherwise" in told.stdout


def test_what_cannot_be_compared_is_refused(house: Compared) -> None:
    for moments, why in [
        (("",), "compare needs the earlier moment"),
        (("2020-01-01T00:00:00Z", "2019-01-01T00:00:00Z"), "give the earlier one first"),
        ((house.second, "soon"), "--as-of 'soon'"),
    ]:
        told = said("compare", *moments, "-c", house.config)
        assert told.returncode == 2, told.stdout
        assert why in told.stderr
    before_all = compare(house.config, "2020-01-01T00:00:00Z", house.first)
    assert {row["before"] for row in before_all["controls"]} == {"missing"}
    assert any("nothing had been sealed" in note for note in before_all["notes"])


def test_a_pack_is_compared_with_another_and_with_the_lake(house: Compared, tmp_path: Path) -> None:
    config, pack, one = house.config, house.pack("all"), house.pack("one")
    same = compare(config, pack, pack)
    assert [same[what] for what in ("controls", "verdicts", "items", "notes")] == [[]] * 4
    beside = compare(config, pack, house.first)
    assert [beside[what] for what in ("controls", "verdicts", "mapping", "notes")] == [[]] * 4
    narrow = compare(config, one, house.second, code=3)
    assert [row["what"] for row in narrow["controls"]] == ["iso42001:5.2"]
    assert any("controls are in the scope of one side only" in note for note in narrow["notes"])
    fewer = compare(config, pack, one)
    assert "their scopes differ" in fewer["notes"][-1]
    elsewhere = said("compare", pack, house.pack("later"), "-c", tmp_path / "none.toml",
                     "--key", load(config).key.with_name("ledger.key.pub"))  # fmt: skip
    assert elsewhere.returncode == 3, elsewhere.stderr
    bent = bytearray(Path(pack).read_bytes())
    bent[bent.index(b"policy")] ^= 1
    (tmp_path / "bent.zip").write_bytes(bent)
    refused = said("compare", str(tmp_path / "bent.zip"), house.second, "-c", config)
    assert (refused.returncode, "it was changed" in refused.stderr) == (1, True)
