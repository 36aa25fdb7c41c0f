"""The attacks that users can run: all are named on several lakes, and a blind check is noticed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import LakeError
from storage import attack_items, log_packs, trial
from storage.actions import act
from storage.attacks import ATTACKS, Attack
from storage.checkpoints import CHECKPOINT, history_name, history_sizes
from storage.forging import Field, remove, replace_file
from storage.lake import Lake
from storage.ledger import integrate
from storage.maintain import maintain
from storage.place_local import LocalPlace
from storage.rebuild import set_tags_aside
from storage.survey import Finding
from storage.trial import Ending, trials
from storage.trial_lakes import copied, made_up, sampled
from storage.verify import examine
from tests.storage.makers import item
from tests.storage.test_old_lakes import FIXTURES

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


PACKED = "edit a packed entry of the log"


class Ticking:
    """A second later each time it is read."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Field:
    return made_up(tmp_path_factory.mktemp("trial") / "base", Ticking())


def old_lake() -> Lake:
    return Lake.open(FIXTURES / "lake-1" / "lake", clock=Ticking())


def test_every_attack_on_a_made_up_lake_is_named(base: Field) -> None:
    done = list(trials(base))
    rest = [(t.attack, t.ending) for t in done if t.ending is not Ending.DETECTED]
    assert rest == [(PACKED, Ending.NOT_APPLICABLE)]
    assert len(done) == len(ATTACKS) == len({attack.name for attack in ATTACKS})
    assert [p.name for p in base.folder.parent.iterdir()] == ["base"]


@pytest.mark.parametrize(
    "kind", sorted({kind for attack in ATTACKS if len(attack.kinds) == 1 for kind in attack.kinds})
)
def test_a_check_that_went_blind_is_noticed(
    base: Field, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verification that no longer finds one kind: each attack that only it names is missed."""
    concerned = [attack for attack in ATTACKS if attack.kinds == {kind}][:2]

    def blind(*given: Any, **words: Any) -> tuple[Finding, ...]:
        return tuple(f for f in examine(*given, **words) if f.kind != kind)

    monkeypatch.setattr(trial, "examine", blind)
    assert [t.ending for t in trials(base, concerned)] == [Ending.MISSED] * len(concerned)


@pytest.mark.parametrize(
    ("check", "attack"),
    [
        ("storage.verify.examine_followers", "turn a verdict to fresh"),
        ("storage.verify.wrong_clocks", "back-date: an item that claims to have landed long ago"),
    ],
)
def test_a_check_taken_out_of_verify_is_noticed(
    base: Field, check: str, attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, lambda *_: ())
    (done,) = trials(base, [one for one in ATTACKS if one.name == attack])
    assert done.ending is Ending.MISSED


def test_a_finding_about_something_else_is_no_detection(base: Field) -> None:
    """Named means: the right kind, and the item or file that was altered."""

    def plant(field: Field) -> str:
        attack_items.title(field)
        return field.ids[0]

    (done,) = trials(base, [Attack("edit one, accuse another", frozenset({"edited"}), plant)])
    assert done.ending is Ending.MISSED
    assert "was edited" in done.said


def test_a_base_that_does_not_hold_is_refused(base: Field, tmp_path: Path) -> None:
    shutil.copytree(base.folder, tmp_path / "spoilt")
    spoilt = Field(tmp_path / "spoilt", base.signer, base.clock)
    attack_items.title(spoilt)
    with pytest.raises(LakeError, match="does not verify before any attack"):
        next(trials(spoilt))


def test_an_attack_that_reaches_the_shared_copy_is_noticed(base: Field, tmp_path: Path) -> None:
    shutil.copytree(base.folder, tmp_path / "base")
    own = Field(tmp_path / "base", base.signer, base.clock)

    def careless(field: Field) -> str:
        with field.file_of(field.middle).open("r+b") as file:
            file.write(b"PAR2")
        return ""

    with pytest.raises(LakeError, match="reached the copy that all share"):
        list(trials(own, [Attack("write into a file", frozenset({"file"}), careless)]))


def test_the_whole_of_an_old_lake_is_copied_and_attacked(tmp_path: Path) -> None:
    field = copied(old_lake(), tmp_path / "base", Ticking())
    names = {
        "edit a title", "drop the first item", "swap two files", "delete a file of verdicts",
        "replay an older copy of the whole lake", "edit a source's cursor in the log",
    }  # fmt: skip
    done = list(trials(field, [attack for attack in ATTACKS if attack.name in names]))
    assert [(t.attack, t.ending) for t in done if t.ending is not Ending.DETECTED] == []
    assert len(field.ids) == 78


def test_a_sample_holds_the_newest_items_with_what_was_said_of_them(tmp_path: Path) -> None:
    field = sampled(old_lake(), tmp_path / "base", Ticking(), 30)
    assert len(field.ids) == 30
    assert all(field.files(table) for table in ("tags", "verdicts", "standings"))
    done = list(trials(field, ATTACKS[:3]))
    assert [t.ending for t in done] == [Ending.DETECTED] * 3


def test_what_a_lake_does_not_have_is_told_as_such(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake", clock=Ticking())
    items = [item(number) for number in range(3)]
    lake.land("jira", items, bookmark=lake.bookmark("jira"), cursor=None, pull_id="p")
    field = copied(lake, tmp_path / "base", Ticking())
    (done,) = trials(field, [one for one in ATTACKS if one.name == "turn a verdict to fresh"])
    assert (done.ending, done.said) == (Ending.NOT_APPLICABLE, "the table verdicts is empty")


@pytest.fixture(scope="module")
def tended(base: Field, tmp_path_factory: pytest.TempPathFactory) -> Field:
    """The same lake months later: files replaced, log packed, sealed over."""
    folder = tmp_path_factory.mktemp("tended") / "base"
    shutil.copytree(base.folder, folder)
    clock = Ticking()
    clock.now += timedelta(days=90)
    field = Field(folder, base.signer, clock)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(log_packs, "ENTRIES", 5)
        maintain(field.lake, field.signer.verifier, keep=timedelta(days=1))
    act(field.lake, "maintain")  # what lands after it brings the rewritten files under the seal
    integrate(field.lake, field.signer, witness=field.witness)
    return field


def test_every_attack_on_a_lake_with_replaced_files_and_packed_log_is_named(tended: Field) -> None:
    assert log_packs.packs(LocalPlace(tended.path / "evidence"))
    done = list(trials(tended))
    assert [(t.attack, t.said) for t in done if t.ending is not Ending.DETECTED] == []
    assert len(done) == len(ATTACKS)


def _land(field: Field) -> None:
    bookmark = field.lake.bookmark("jira")
    field.lake.land("jira", [item(7)], bookmark=bookmark, cursor=None, pull_id="p")


def _seal(field: Field) -> None:
    integrate(field.lake, field.signer, witness=field.witness)


def _maintain(field: Field) -> None:
    maintain(field.lake, field.signer.verifier, keep=timedelta(days=1))


def _crash(field: Field) -> None:
    """A seal that died before it kept and showed its checkpoint: the leaves are ahead."""
    note, shown = (path.read_bytes() for path in (field.path / CHECKPOINT, field.witness))
    _land(field)
    _seal(field)
    replace_file(field.path / CHECKPOINT, note)
    replace_file(field.witness, shown)
    remove(field.path / history_name(history_sizes(LocalPlace(field.path))[-1]))
    remove(field.path / "log" / "witnesses.json")
    remove(field.path / "log" / "tile")


def _lag(field: Field) -> None:
    """The last word of two integrators: the checkpoint is older than what was kept."""
    note = (field.path / CHECKPOINT).read_bytes()
    _land(field)
    _seal(field)
    replace_file(field.path / CHECKPOINT, note)


def _rebuild(field: Field) -> None:
    set_tags_aside(field.lake)
    integrate(field.lake, field.signer, witness=field.witness, anew=("tags",))


def _unindexed(field: Field) -> None:
    remove(field.path / "index")
    _land(field)


HONEST: dict[str, tuple[Callable[[Field], None], ...]] = {
    "nothing": (), "landed, not sealed": (_land,), "sealed": (_land, _seal),
    "sealed twice": (_seal, _seal),
    "maintained": (_maintain,), "landed and maintained": (_land, _seal, _maintain, _land, _seal),
    "a seal that died": (_crash,), "died and went on": (_crash, _land, _seal),
    "a late seal": (_lag,),
    "no index": (_unindexed, _seal), "tags made again": (_rebuild,),
}  # fmt: skip


@pytest.mark.parametrize("done", HONEST)
@pytest.mark.parametrize("lake", ["base", "tended"])
def test_what_nobody_attacked_is_not_accused(
    request: pytest.FixtureRequest, tmp_path: Path, lake: str, done: str
) -> None:
    told: Field = request.getfixturevalue(lake)
    shutil.copytree(told.folder, tmp_path / "own")
    field = Field(tmp_path / "own", told.signer, told.clock)
    for act_of in HONEST[done]:
        act_of(field)
    found = examine(field.path, field.signer.vkey, field.witness, now=field.clock())
    assert [finding for finding in found if finding.fatal or finding.kind == "clock"] == []
