"""Four eyes on the mapping: a change by one person alone is said until a second one looked."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import follow as following
from flows.board import build
from flows.config import load, now
from flows.follow import follow
from mappings.in_force import mapping_in_force
from storage.lake import Lake
from storage.views import connect
from tests.collectors.test_git_registers import Repo
from tests.flows.conftest import Home
from tests.flows.house import RULE

BEN = {"GIT_AUTHOR_NAME": "Ben Lind", "GIT_AUTHOR_EMAIL": "ben@example.org"}


class House:
    """A governance repository: headwater.toml and a folder of own rules."""

    def __init__(self, file: Path, repo: Repo) -> None:
        self.file, self.repo, self.number = file, repo, 0

    def rules(self, message: str = "work", text: str = "", **who: str) -> str:
        """A commit of new rules, or of this text."""
        self.number += 1
        text = text or RULE.format(name=f"own-{self.number}")
        return self.repo.commit({"rules/own.yaml": text}, message, **who)

    def findings(self) -> list[str]:
        mapping_in_force.cache_clear()
        config = load(self.file)
        lake = Lake.open(config.lake, clock=now)
        follow(lake, config)
        told = build(lake, config).attention
        return [n.sentence for n in told if "a part of the mapping" in n.sentence]

    def acts(self) -> int:
        with connect(Lake.open(load(self.file).lake, clock=now)) as connection:
            sql = "SELECT count(*) FROM evidence WHERE subject = 'mapping' AND kind LIKE '%.action'"
            return int(connection.execute(sql).fetchall()[0][0])


@pytest.fixture
def house(home: Home) -> House:
    file = home()
    (file.parent / "rules").mkdir()
    (file.parent / "rules" / "own.yaml").write_text(RULE.format(name="own-0"))
    file.write_text(file.read_text() + '\n[mapping]\nrules = "rules"\n')
    return House(file, _inside(file.parent))


def _inside(folder: Path) -> Repo:
    made = Repo.__new__(Repo)
    made.path, made.day = folder, 0
    return made


def test_a_change_by_one_person_is_said_until_another_has_looked(house: House) -> None:
    assert house.findings() == [
        "rules, a part of the mapping, lies in no git repository: nobody can tell who changed it."
    ]
    house.repo.git("init", "-q", "-b", "main")
    first = house.rules()
    assert house.findings() == [
        f"rules, a part of the mapping, was changed by Ann without a second person ({first[:12]})."
    ]
    acts = house.acts()
    assert house.findings()
    assert house.acts() == acts, "what is known is not landed again"
    house.rules(text=RULE.format(name="own-1") + "# Ann had another look\n")
    assert house.findings(), "the same person again is no second one"
    house.rules(text=RULE.format(name="own-1") + "# looked at by Ben\n", **BEN)
    assert house.findings() == []
    assert house.acts() == acts + 1
    assert house.findings() == []


def test_who_is_named_as_reviewer_counts_but_not_the_author(house: House) -> None:
    house.repo.git("init", "-q", "-b", "main")
    house.rules("rules\n\nReviewed-by: Ben Lind <ben@example.org>")
    assert house.findings() == []
    alone = house.rules("rules\n\nReviewed-by: ann <ann@example.org>")
    (told,) = house.findings()
    assert f"changed by Ann without a second person ({alone[:12]})" in told
    second = house.rules("rules\n\nApproved-by: Ben Lind <ben@example.org>")
    third = house.rules()
    (told,) = house.findings()
    assert third[:12] in told
    assert second[:12] not in told


def test_what_is_not_committed_is_said(house: House) -> None:
    house.repo.git("init", "-q", "-b", "main")
    house.rules("rules\n\nReviewed-by: Ben Lind <ben@example.org>")
    assert house.findings() == []
    (house.file.parent / "rules" / "more.yaml").write_text(RULE.format(name="own-more"))
    (told,) = house.findings()
    assert "is not committed as it is: rules/more.yaml: nobody can tell who changed it" in told


def test_overrides_are_a_part_and_a_house_without_any_has_no_finding(
    house: House, home: Home
) -> None:
    change = '[[override]]\ncontrol = "*"\nevidence = "dq_validation"\napplies = false\n'
    house.file.write_text(house.file.read_text() + f'\n{change}reason = "we have none"\n')
    assert [told.partition(",")[0] for told in house.findings()] == ["headwater.toml", "rules"]
    plain = home(folder="plain")
    assert House(plain, house.repo).findings() == []


def test_a_repository_that_cannot_be_read_stops_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (house.file.parent / ".git").write_text("gitdir: nowhere")
    (told,) = house.findings()
    assert "is in a git repository that cannot be read" in told
    monkeypatch.setattr(following, "reviewed_since", lambda *_: {})
    assert house.findings()
