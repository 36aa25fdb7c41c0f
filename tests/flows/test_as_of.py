"""The past stays what it was: judged again after anything that happens later, the same digest."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from evidence.canonical import canonical
from evidence.errors import ConfigError, LakeError, MappingError
from evidence.freshness import Standing, State
from evidence.times import parse, stamp
from flows.moment import Asked, moment, parse_as_of, present
from mappings import in_force
from mappings.catalogue import HERE, catalogue_trees
from mappings.in_force import mapping_in_force, read_document
from mappings.overrides import Override
from mappings.rules import RULES
from storage.compact import compact
from storage.keys import load_key
from storage.ledger import integrate
from storage.rebuild import set_tags_aside
from tests.flows.conftest import Home
from tests.flows.house import RULE, House, make_house
from tests.storage.makers import START


@pytest.fixture
def house(home: Home) -> House:
    return make_house(home())


@pytest.mark.parametrize("seed", range(2, 2 + int(os.environ.get("HEADWATER_PASTS", "1"))))
def test_judged_again_after_everything_else_it_gives_the_same_digest(
    house: House, seed: int
) -> None:
    house.rng = random.Random(seed)
    told: dict[str, tuple[str, dict[str, object]]] = {}
    acts: list[Callable[[], None]] = [
        house.land, house.land, lambda: house.land(late=3, source="slow"), house.new_rules,
        house.new_overrides, house.follow, house.follow, house.pass_time,
    ]  # fmt: skip
    for _ in range(14):
        house.rng.choice(acts)()
        if house.rng.random() < 0.4:
            house.follow()
            house.clock.now += timedelta(seconds=house.rng.choice([0, 1]))
            judged = house.judge(Asked(at=house.clock.now))
            if judged.moment.size:  # else today's mapping judges, and a note says so
                told[judged.moment.token] = (judged.digest, judged.told())
    assert len(told) > 2
    _much_later(house)
    for token, (digest, values) in told.items():
        again = house.judge(parse_as_of(token))
        assert again.told() == values, token
        assert again.digest == digest
        by_time = house.judge(Asked(at=parse(token.partition("@")[0])))
        assert by_time.moment.token == token, "a time resolves to what it resolved to then"


def _much_later(house: House) -> None:
    """What may happen to a past: late rows, other rules, compaction, tags lost and made late."""
    old = house.config
    house.land(late=500, source="slow")
    house.pass_time()
    house.new_rules()
    house.follow()
    lake = house.lake
    for name in ("evidence", "tags"):
        compact(lake.table(name), lake.table("leaves"), sealed=lake.version, now=house.clock.now)
    set_tags_aside(lake)
    rules = old.mapping().rules
    lake.follow_sql("tags", rules.sql(), app=f"tags:{rules.digest}")


def test_a_landing_that_ends_after_the_moment_does_not_enter_it(house: House) -> None:
    house.land()
    house.follow()
    house.clock.now += timedelta(hours=1)
    before = house.judge(Asked(at=house.clock.now))
    house.land(late=0.5, source="slow")  # it read the clock before that hour was over
    house.clock.now += timedelta(hours=1)
    house.follow()
    after = house.judge(Asked(at=before.at))
    assert after.digest == before.digest
    assert after.moment.token == before.moment.token
    assert after.moment.notes == (
        f"4 items had landed by then, but the first {before.moment.size} of the ledger do not "
        "hold them: they are left out",
    )


def test_the_rules_of_that_day_judge_that_day(house: House) -> None:
    house.land()
    house.follow(seconds=1)
    then = house.clock.now
    before = house.judge(Asked(at=then))
    house.clock.now += timedelta(days=1)
    lax = Override("*", "dq_validation", "we need none", applies=False)
    house.config = replace(house.config, overrides=(lax,))
    house.follow()
    after, now_judged = house.judge(Asked(at=then)), house.judge(None)
    assert after.digest == before.digest
    assert any(v.evidence == "dq_validation" for v in after.verdicts)
    assert not any(v.evidence == "dq_validation" for v in now_judged.verdicts)
    assert now_judged.moment.size is None


def test_the_past_is_judged_the_same_under_any_other_mapping_and_code(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules renamed, reordered, reworded and gone, and another Headwater with another catalogue."""
    folder = tmp_path / "own"
    folder.mkdir()
    first, second = (RULE.format(name=f"own-{n}") for n in "ab")
    (folder / "rules.yaml").write_text(first + second.removeprefix("rules:\n"))
    house.config = replace(house.config, own_rules=(folder,))
    house.land()
    house.follow(seconds=1)
    then = Asked(at=house.clock.now)
    before = house.judge(then)
    assert before.moment.size
    for change in (_renamed, _reordered, _reworded, _emptied):
        same = change(folder)
        _forget()
        assert (house.config.mapping().rules.digest == before.mapping_digest) is same, change
        house.clock.now += timedelta(hours=1)
        house.follow(seconds=1)
        again = house.judge(then)
        assert (again.digest, again.told()) == (before.digest, before.told()), change
    _another_headwater(tmp_path / "next", monkeypatch)
    assert house.config.mapping().rules.digest != before.mapping_digest
    house.clock.now += timedelta(hours=1)
    house.follow(seconds=1)
    set_tags_aside(house.lake)
    again = house.judge(then)
    assert (again.digest, again.told()) == (before.digest, before.told())
    assert again.mapping_digest == before.mapping_digest


def _renamed(folder: Path) -> bool:
    (folder / "rules.yaml").rename(folder / "zz.yaml")
    return True


def _reordered(folder: Path) -> bool:
    first, second = (RULE.format(name=f"own-{n}") for n in "ba")
    (folder / "zz.yaml").write_text(f"# other order\n\n{first}\n{second.removeprefix('rules:')}")
    return True


def _reworded(folder: Path) -> bool:
    text = (folder / "zz.yaml").read_text().replace("Our own label", "Our label")
    (folder / "zz.yaml").write_text(text)
    return False


def _emptied(folder: Path) -> bool:
    (folder / "zz.yaml").write_text("rules: []\nkinds: {acme.decision: git.document}\n")
    return False


def _another_headwater(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next release: another kind is known, evidence is asked for more often."""
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for name, old, new in (
        ("aliases.yaml", "aliases:\n", "aliases:\n  acme.note: git.document\n"),
        ("iso42001/evidence_kinds.yaml", "max_age: P7D", "max_age: P3D"),
    ):
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    monkeypatch.setattr(in_force, "catalogue_trees", lambda: catalogue_trees(folder))
    _forget()


def _forget() -> None:
    """Each verb is a process of its own."""
    in_force.mapping_in_force.cache_clear()
    in_force.read_document.cache_clear()


def test_a_mapping_that_weighed_no_strength_judges_its_time_without(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    rule = RULE.format(name="own").replace(
        "    rationale:", "    strength: supporting\n    rationale:"
    )
    (folder / "own.yaml").write_text(rule)
    house.config = replace(house.config, own_rules=(folder,))
    before = tmp_path / "before"
    shutil.copytree(HERE, before, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    path = before / "expectations.yaml"
    path.write_text(path.read_text().replace("\naside: [supporting]\n", "\n"))
    with monkeypatch.context() as patched:
        patched.setattr(in_force, "catalogue_trees", lambda: catalogue_trees(before))
        _forget()
        house.land()
        house.follow(seconds=1)
        then = Asked(at=house.clock.now)
        was = house.judge(then)
    _forget()
    house.clock.now += timedelta(minutes=1)
    house.follow(seconds=1)
    again, now_judged = house.judge(then), house.judge(None)
    assert (again.digest, again.told()) == (was.digest, was.told())
    old, new = (
        [v for v in one.verdicts if v.evidence == "change_request" and v.count]
        for one in (was, now_judged)
    )
    assert {v.state for v in old} == {State.FRESH}
    assert {v.state for v in new} == {State.UNKNOWN}
    assert {v.item_id for v in new} == {v.item_id for v in old}
    assert all(v.why.startswith("only supporting evidence: “jira.issue 1” of") for v in new)


def test_every_change_of_the_mapping_is_one_item_and_one_act(house: House) -> None:
    for _ in range(2):
        house.follow(seconds=1)
    house.new_overrides()
    house.follow(seconds=1)
    house.follow()
    sql = "SELECT kind, change, content_sha256 FROM evidence ORDER BY kind, change DESC"
    with present(house.lake, house.config).connect(house.lake) as connection:
        rows = connection.execute(sql).fetchall()
    assert [row[:2] for row in rows] == [
        ("headwater.action", "new"), ("headwater.action", "new"), ("headwater.mapping", "new"),
        ("headwater.mapping", "changed"),
    ]  # fmt: skip
    assert rows[-1][2] == house.config.mapping().digest


def test_before_the_first_seal_nothing_is_shown_and_it_says_so(house: House) -> None:
    house.land()
    judged = house.judge(Asked(at=house.clock.now))
    assert judged.moment.size == 0
    assert "nothing had been sealed by then" in judged.moment.notes[0]
    assert {s.standing for s in judged.standings.values()} == {Standing.MISSING}
    with pytest.raises(LakeError, match="5 items are not sealed yet"):
        house.judge(Asked(size=5))


def test_a_lake_without_a_mapping_says_that_todays_judged(house: House) -> None:
    house.land()
    integrate(house.lake, load_key(house.config.key))
    judged = house.judge(Asked(size=2))
    assert judged.moment.notes[-1].startswith("no mapping had landed by then")


def test_a_part_of_a_seal_is_exactly_that_part(house: House) -> None:
    house.land()
    house.land()
    house.follow()
    shown = moment(house.lake, house.config, Asked(size=3))
    with shown.connect(house.lake) as connection:
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM evidence), (SELECT max(leaf_index) FROM leaves)"
        ).fetchall()
    assert counts == [(3, 2)]


def test_a_clock_that_goes_back_sets_no_seal_back(house: House) -> None:
    house.follow(seconds=1)
    first = moment(house.lake, house.config, Asked(at=house.clock.now))
    house.clock.now -= timedelta(days=2)
    house.land()
    house.follow()
    assert moment(house.lake, house.config, Asked(at=house.clock.now)).size == 0
    back = moment(house.lake, house.config, Asked(at=house.clock.now + timedelta(days=2)))
    assert back.size is not None
    assert first.size is not None
    assert back.size > first.size


@pytest.mark.parametrize("text", ["yesterday", "@0", "@-1", "size:", "2026-11-01", "@1@2", "@9e9"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="such as @12345"):
        parse_as_of(text)


def test_both_forms_of_a_size_mean_the_same() -> None:
    assert parse_as_of("@12") == parse_as_of("size:12") == Asked(size=12)
    both = f"{stamp(START)}@12"
    assert parse_as_of(both) == Asked(START, 12)
    assert parse_as_of("") is None


def test_a_mapping_document_that_says_another_digest_is_refused() -> None:
    good = mapping_in_force()
    assert read_document(canonical(good.document).decode()).digest == good.digest
    bent = dict(good.document) | {"mapping_digest": "0" * 64}
    with pytest.raises(MappingError, match="use the version of Headwater that wrote it"):
        read_document(canonical(bent).decode())


def test_where_rules_lie_does_not_change_the_digest(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.yaml").write_text(RULE.format(name="own"))
        digests.add(mapping_in_force((RULES, tmp_path / name)).digest)
    assert len(digests) == 1
