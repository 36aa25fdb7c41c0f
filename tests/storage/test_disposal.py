"""What is disposed of is gone and accounted for; what is missing otherwise is still named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence.errors import LakeError
from evidence.model import Change, EvidenceItem, Nature
from evidence.own import DISPOSAL_KIND, OWN_SOURCE
from evidence.runs import PullOutcome
from evidence.times import stamp
from storage import disposal, living
from storage.actions import act, land_own
from storage.checkpoints import read_checkpoint
from storage.disposal import Done, dispose, finish, unfinished
from storage.disposed import Disposal, absent, disposal_of, rows_of_kind
from storage.holds import HOLD, RELEASE, Hold
from storage.keys import Signer, load_key, make_key
from storage.ledger import integrate
from storage.maintain import maintain
from storage.retention import Plan, RetentionClass, plan
from storage.survey import Finding
from storage.verify import examine
from storage.views import ask, connect, connect_files
from tests.storage.makers import START, Clock, World, days, item

YEAR = RetentionClass("tickets", ("jira.*",), timedelta(days=365), "no longer needed")
PULLS = RetentionClass("pulls", ("headwater.pull",), timedelta(days=365), "no longer needed")


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Six old tickets in two months and two pulls, then a year, then two new tickets; sealed."""
    folder = tmp_path_factory.mktemp("sealed") / "house"
    world = World(folder / "lake")
    make_key(folder / "key", origin="test.example/lake")
    world.land(*(item(n, at=START + days(4 * n)) for n in range(6)), cursor="1",
               outcome=PullOutcome.COMPLETE)  # fmt: skip
    world.clock.now += days(400)
    world.land(item(100, at=world.clock.now), item(101, at=world.clock.now), cursor="2",
               outcome=PullOutcome.COMPLETE)  # fmt: skip
    world.tag("iso42001:5.2", "tickets")
    seal(world)
    return world


@pytest.fixture
def world(sealed: World, tmp_path: Path) -> World:
    """A copy of it for each test, which goes on at the same moment."""
    house = Path(shutil.copytree(sealed.path.parent, tmp_path / "house"))
    return World(house / "lake", Clock(sealed.clock.now), pulls=sealed.pulls)


def signer(world: World) -> Signer:
    return load_key(world.path.parent / "key")


def seal(world: World) -> None:
    integrate(world.lake, signer(world), witness=world.path.parent / "witness")


def planned(world: World, *classes: RetentionClass, needed: Sequence[str] = ()) -> Plan:
    size = read_checkpoint(world.lake).size
    with connect(world.lake) as connection:
        return plan(connection, classes or (YEAR,), now=world.clock.now, sealed=size,
                    needed=frozenset(needed))  # fmt: skip


def go(world: World, *classes: RetentionClass) -> Done:
    return dispose(world.lake, signer(world), lambda: planned(world, *classes), by="Ann",
                   reason="yearly", seal=lambda: seal(world))  # fmt: skip


def hold(world: World, name: str = "case-1", **given: Any) -> str:
    """Set a hold and seal it; the act's item id."""
    wanted = Hold(name, "Counsel", world.clock.now, "litigation", **given)
    done = act(world.lake, HOLD, who="Counsel", facts=wanted.facts())
    seal(world)
    return done.item_id


def lift(world: World, held: str) -> None:
    act(world.lake, RELEASE, who="Counsel", facts={"name": "case-1", "lifts": held, "reason": "x"})
    seal(world)


def found(world: World, *, fatal: bool = True) -> list[Finding]:
    told = examine(world.path, signer(world).vkey, world.path.parent / "witness")
    return [finding for finding in told if finding.fatal is fatal]


def subjects(world: World, kind: str = "jira.issue") -> list[str]:
    with connect(world.lake) as connection:
        sql = f"SELECT subject FROM evidence WHERE kind = '{kind}' ORDER BY subject"
        return [row[0] for row in ask(connection, sql).rows]


def test_what_is_due_goes_and_verification_accounts_for_it(world: World) -> None:
    assert len(planned(world).ids) == 6
    assert go(world).items == 6
    assert subjects(world) == ["AI-100", "AI-101"]
    assert found(world) == []
    told = [f.sentence for f in found(world, fatal=False) if f.kind == "disposed"]
    assert len(told) == 1
    assert "6 items were disposed of" in told[0]
    assert "under class tickets by Ann: yearly" in told[0]
    with connect(world.lake) as connection:
        assert ask(connection, "SELECT count(*) FROM tags").rows == ((4,),)
        payload = ask(connection, f"SELECT payload FROM evidence WHERE kind = '{DISPOSAL_KIND}'")
    assert [i["leaf_index"] for i in json.loads(payload.rows[0][0])["items"]] == list(range(6))


def test_nothing_of_it_is_left_on_disk_nor_in_older_copies(world: World) -> None:
    for n in range(20):
        world.land(item(200 + n, at=START + days(1)), cursor=f"c{n}")
    seal(world)
    maintain(world.lake, signer(world).verifier)
    gone = {item(n, at=START + days(4 * n)).item_id for n in range(6)}
    assert go(world).deleted >= 2
    import pyarrow.parquet as pq

    for path in (world.path / "evidence").rglob("month=*/*.parquet"):
        assert not gone & set(pq.read_table(path, partitioning=None)["item_id"].to_pylist())
    assert found(world) == []


def test_disposing_twice_disposes_once_and_what_is_gone_does_not_come_back(world: World) -> None:
    go(world)
    assert go(world) == Done()
    landed = world.land(item(0, at=START), item(300, at=world.clock.now), cursor="again")
    assert landed.new == 1
    assert "AI-0" not in subjects(world)


HOLDS = {
    "kind": {"kinds": ("jira.*",)},
    "system": {"systems": ("credit-scoring",)},
    "subjects": {"subjects": ("AI-1", "AI-2")},
    "items": {"item_ids": (item(1, at=START + days(4)).item_id,)},
    "narrowed": {"kinds": ("*",), "subjects": ("AI-1",)},
}


@pytest.mark.parametrize("name", HOLDS)
def test_a_hold_wins_until_it_is_lifted(world: World, name: str) -> None:
    held = hold(world, **HOLDS[name])
    due = planned(world)
    assert sum(due.classes[0].held.values()) + len(due.ids) == 6
    go(world)
    assert "AI-1" in subjects(world)
    assert found(world) == []
    lift(world, held)
    go(world)
    assert subjects(world) == ["AI-100", "AI-101"]
    assert found(world) == []


def test_a_hold_ends_by_its_own_date(world: World) -> None:
    hold(world, kinds=("*",), until=world.clock.now + days(2))
    assert not planned(world).ids
    world.clock.now += days(3)
    assert len(planned(world).ids) == 6


def test_a_hold_set_after_the_record_still_wins(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stop_before(monkeypatch, "_take_out")
    with pytest.raises(InterruptedError):
        go(world)
    monkeypatch.undo()
    assert unfinished(world.lake, signer(world)) == 6
    held = hold(world, subjects=("AI-3",))
    assert unfinished(world.lake, signer(world)) == 5
    go(world)
    assert "AI-3" in subjects(world)
    assert [f for f in found(world, fatal=False) if "unless they are on hold" in f.sentence]
    assert found(world) == []
    lift(world, held)
    assert finish(world.lake, signer(world), lambda: seal(world)).items == 1
    assert "AI-3" not in subjects(world)


def test_a_hold_set_while_the_plan_lies_there_is_not_missed(world: World) -> None:
    """The records land on the very state at which the plan was made, or it is made again."""
    late = iter([True])

    def planning() -> Plan:
        due = planned(world)
        if next(late, False):
            hold(world, subjects=("AI-2",))
        return due

    dispose(world.lake, signer(world), planning, by="Ann", reason="x", seal=lambda: seal(world))
    assert "AI-2" in subjects(world)
    assert found(world) == []


def test_a_disposal_that_passed_over_a_hold_is_named(world: World) -> None:
    """By somebody with the key and a program of their own."""
    ids = (item(1, at=START + days(4)).item_id,)
    due = planned(world)
    held = hold(world, item_ids=ids)
    for holds, told in (({}, "passed over the hold case-1"), ({held: ANY}, "names 1 items that")):
        records = list(disposal._records(signer(world), due.classes[0],
                                         replace(due, holds=holds), "M", "x"))  # fmt: skip
        land_own(world.lake, lambda _, r=tuple(records): (r, None))
        seal(world)
        assert [told in f.sentence for f in found(world)][-1:] == [True]


def test_a_disposal_that_passed_over_a_freeze_is_named(world: World) -> None:
    """A freeze keeps the first items of the ledger: by their places each record can be judged."""
    due = planned(world)
    held = hold(world, first=3)
    assert {i.leaf_index for c in planned(world).classes for i in c.due} == {3, 4, 5}
    for holds, told in (({}, "passed over the hold case-1"), ({held: ANY}, "names 3 items that")):
        records = list(disposal._records(signer(world), due.classes[0],
                                         replace(due, holds=holds), "M", "x"))  # fmt: skip
        land_own(world.lake, lambda _, r=tuple(records): (r, None))
        seal(world)
        assert [told in f.sentence for f in found(world)][-1:] == [True]


def test_a_hold_that_cannot_be_read_lets_nothing_go(world: World) -> None:
    act(world.lake, HOLD, facts={"name": "case-1"})
    with pytest.raises(LakeError, match="cannot be read"):
        planned(world)


@pytest.mark.parametrize("point", ["_take_out", "_delete_copies", "replace", "append_only"])
def test_stopped_anywhere_it_is_finished_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    _stop_before(monkeypatch, point)
    with pytest.raises(InterruptedError):
        go(world)
    monkeypatch.undo()
    seal(world)
    assert found(world) == []
    assert disposal.unfinished(world.lake, signer(world)) > 0, "nobody would know"
    go(world)
    assert disposal.unfinished(world.lake, signer(world)) == 0
    assert subjects(world) == ["AI-100", "AI-101"]
    assert found(world) == []
    assert not world.lake.table("evidence").append_only(True)


def _stop_before(monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """Stop where a kill would: nothing after it runs, not even what cleans up."""
    calls = {"left": 3 if point == "append_only" else 0}

    def stop(*given: Any, **named: Any) -> Any:
        if calls["left"]:
            calls["left"] -= 1
            return real(*given, **named)
        raise InterruptedError

    where: Any = disposal if hasattr(disposal, point) else disposal.Table
    real = getattr(where, point)
    monkeypatch.setattr(where, point, stop)


def test_items_missing_beside_a_disposal_are_named(world: World) -> None:
    go(world)
    file = next(f for f in world.lake.files("evidence") if f.greatest["kind"] == "jira.issue")
    file.path.unlink()
    assert {f.kind for f in found(world)} >= {"missing"}


def _record(world: World, key: Signer) -> EvidenceItem:
    """A record of all that is due, by any key; it has landed."""
    due = planned(world)
    (record,) = disposal._records(key, due.classes[0], due, "M", "x")
    land_own(world.lake, lambda _: ((record,), None))
    return record


def _remove(world: World, ids: Any, record: EvidenceItem) -> None:
    """Take rows out as a disposal does, in the name of a record."""
    table, wanted = world.lake.table("evidence"), pa.array(sorted(ids))
    files = [f for f in table.files() if disposal._holds(f.path, wanted)]
    named = Disposal(record.item_id, b"", "", "", "", stamp(world.clock.now), (), ())
    disposal._take_out(table, files, wanted, [named])


def test_a_forged_record_excuses_nothing(world: World, tmp_path: Path) -> None:
    """Who can write to the lake and has a key of their own seals nothing with ours."""
    make_key(tmp_path / "other", origin="test.example/lake")
    ids = planned(world).ids
    record = _record(world, load_key(tmp_path / "other"))
    seal(world)
    assert finish(world.lake, signer(world), lambda: None) == Done()
    assert len(subjects(world)) == 8
    assert [f.kind for f in found(world)] == ["disposal"]
    _remove(world, ids, record)
    assert {"missing", "log", "disposal"} <= {f.kind for f in found(world)}


def test_an_unsealed_record_excuses_nothing(world: World) -> None:
    ids = planned(world).ids
    record = _record(world, signer(world))
    assert finish(world.lake, signer(world), lambda: None) == Done()
    _remove(world, ids, record)
    assert "missing" in {f.kind for f in found(world)}


def test_more_rows_than_the_record_names_are_named(world: World) -> None:
    ids = planned(world).ids
    record = _record(world, signer(world))
    seal(world)
    _remove(world, ids | {item(100, at=world.clock.now).item_id}, record)
    assert {"missing", "log"} <= {f.kind for f in found(world)}


def test_an_edited_record_excuses_nothing(world: World) -> None:
    go(world)
    import pyarrow.parquet as pq

    (file,) = (f for f in world.lake.files("evidence")
               if f.least["kind"] <= DISPOSAL_KIND <= f.greatest["kind"]
               and subjects_in(f.path, DISPOSAL_KIND))  # fmt: skip
    rows = pq.read_table(file.path, partitioning=None)
    at = rows["kind"].to_pylist().index(DISPOSAL_KIND)
    texts = rows["payload"].to_pylist()
    texts[at] = texts[at].replace('"by":"Ann"', '"by":"Bob"')
    place = rows.schema.get_field_index("payload")
    rows = rows.set_column(place, "payload", pa.array(texts))
    pq.write_table(rows, file.path)
    assert {"disposal", "missing", "edited"} <= {f.kind for f in found(world)}


def subjects_in(path: Path, kind: str) -> list[str]:
    return [row["subject"] for row in rows_of_kind(path, kind)]


def test_a_replayed_record_of_another_lake_excuses_nothing(world: World, tmp_path: Path) -> None:
    go(world)
    with connect(world.lake) as connection:
        ((payload,),) = ask(
            connection, f"SELECT payload FROM evidence WHERE kind = '{DISPOSAL_KIND}'"
        ).rows
    other = World(tmp_path / "second" / "lake")
    shutil.copy(world.path.parent / "key", other.path.parent / "key")
    other.land(*(item(n) for n in range(50, 60)), cursor="1")
    told = json.loads(payload)
    at = other.clock.now
    replayed = EvidenceItem(source=OWN_SOURCE, kind=DISPOSAL_KIND, subject="x", observed_from=at,
                            observed_to=at, collected_at=at, payload=told)  # fmt: skip
    land_own(other.lake, lambda _: ((replayed,), None))
    seal(other)
    assert "names 6 items that the ledger has elsewhere" in found(other)[0].sentence


def test_what_stands_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest version of a state, the last pulls, and pulls that items still point to."""
    monkeypatch.setattr(living, "USUAL_OF", 1)
    state = {"nature": Nature.STATE, "kind": "jira.setting"}
    world = World(tmp_path / "states" / "lake")
    make_key(world.path.parent / "key", origin="test.example/lake")
    first = item(1, payload={"v": 1}, **state)
    second = item(1, at=START + days(1), payload={"v": 2}, change=Change.CHANGED, **state)
    lost = item(2, payload={"v": 1}, **state)
    gone = item(2, at=START + days(1), payload={"v": 2}, change=Change.GONE, **state)
    world.land(first, lost, cursor="1", outcome=PullOutcome.COMPLETE)
    world.clock.now += days(1)
    world.land(gone, second, cursor="2", outcome=PullOutcome.COMPLETE)
    world.clock.now += days(800)
    world.land(cursor="3", outcome=PullOutcome.BUSY)
    world.land(cursor="4", outcome=PullOutcome.COMPLETE)
    seal(world)
    everything = RetentionClass("all", ("*", "headwater.pull"), timedelta(days=365), "test")
    go(world, everything)
    with connect(world.lake) as connection:
        left = ask(connection, "SELECT item_id FROM evidence WHERE subject = 'AI-2'").rows
    assert left == ((gone.item_id,),)  # its loss stays until no older version is there
    go(world, everything)
    with connect(world.lake) as connection:
        states = ask(connection, "SELECT item_id FROM evidence WHERE nature = 'state'").rows
        assert states == ((second.item_id,),)
        pulls = ask(connection, "SELECT pull_id FROM pulls ORDER BY pull_id").rows
    assert [row[0] for row in pulls] == ["pull-2", "pull-3", "pull-4"]
    assert found(world) == []
    assert go(world, everything).items == 0


def test_an_older_version_on_hold_does_not_rise_again(world: World) -> None:
    old, new = item(7, at=START), item(7, at=START + days(1), change=Change.GONE)
    world.clock.now = START + days(500)
    world.land(old, cursor="h1")
    world.clock.now += days(1)
    world.land(new, cursor="h2")
    world.clock.now += days(400)
    seal(world)
    hold(world, item_ids=(old.item_id,))
    go(world)
    with connect(world.lake) as connection:
        told = ask(connection, "SELECT change FROM latest WHERE subject = 'AI-7'").rows
    assert told == (("gone",),)


def test_of_two_classes_the_longer_counts_and_own_records_stay(world: World) -> None:
    longer = RetentionClass("longer", ("jira.issue",), timedelta(days=3650), "law")
    every = RetentionClass("every", ("*",), timedelta(days=1), "short")
    world.clock.now += days(30)
    classes = planned(world, YEAR, longer, every).classes
    due = {p.retention.name: len(p.due) for p in classes}
    assert due == {"longer": 0, "tickets": 0, "every": 0}


def test_what_landed_late_is_kept_from_then_on(world: World) -> None:
    world.land(item(400, at=START), cursor="late")
    seal(world)
    assert item(400, at=START).item_id not in planned(world).ids


def test_what_today_rests_on_stays(world: World) -> None:
    """The plan is told what verdicts need; the last event that makes evidence stale it finds."""
    first = item(0, at=START).item_id
    world.tag("event:model_change", "changes", "subject = 'AI-5'", digest="m2")
    kept = {item(5, at=START + days(20)).item_id, first}
    assert not kept & planned(world, needed=[first]).ids
    assert len(planned(world, needed=[first]).ids) == 4


def test_tags_made_after_a_disposal_speak_of_what_is_left(world: World) -> None:
    go(world)
    assert world.tag("iso42001:5.2", "tickets", "kind = 'jira.issue'", digest="m3") == 2


def test_a_plan_is_what_was_looked_at(world: World) -> None:
    first = planned(world)
    world.clock.now += days(1)
    assert planned(world).digest == first.digest
    hold(world, subjects=("AI-4",))
    assert planned(world).digest != first.digest
    assert len(planned(world).only(frozenset([item(0, at=START).item_id])).ids) == 1


def test_what_went_and_what_is_missing_are_counted_apart(world: World) -> None:
    go(world)
    size = read_checkpoint(world.lake).size
    with connect(world.lake) as connection:
        assert absent(connection, size) == (6, 0)
        gone = disposal_of(connection, item(0, at=START).item_id[:12])
    assert len(gone) == 1
    assert "under class tickets by Ann: yearly" in gone[0][1]
    record = next(f for f in world.lake.files("evidence") if subjects_in(f.path, DISPOSAL_KIND))
    with connect_files(
        {name: [p for p in world.lake.local_files(name) if p != record.path]
         for name in world.lake.tables}
    ) as connection:  # fmt: skip
        assert absent(connection, size)[0] == 0
        assert absent(connection, size)[1] >= 7


def test_a_secret_in_the_reason_is_refused(world: World) -> None:
    with pytest.raises(LakeError, match="say it again"):
        dispose(world.lake, signer(world), lambda: planned(world), by="Ann",
                reason="ghp_" + "a1B2" * 9, seal=lambda: None)  # fmt: skip
    assert len(subjects(world)) == 8


@pytest.mark.parametrize(
    "given",
    [{"kinds": ()}, {"keep": timedelta(hours=1)}, {"reason": ""}, {"kinds": ("headwater.action",)},
     {"kinds": ("headwater.*",)}, {"name": ""}],
    ids=["no kinds", "too short", "no reason", "own", "all own", "no name"],
)  # fmt: skip
def test_a_class_that_cannot_be_meant_is_refused(given: dict[str, Any]) -> None:
    whole = {"name": "x", "kinds": ("jira.*",), "keep": timedelta(days=2), "reason": "y"}
    with pytest.raises(ValueError, match=r"kinds|keep|reason|name"):
        RetentionClass(**(whole | given))


def test_a_list_of_leaves_of_another_shape_is_one_clear_error(world: World) -> None:
    for path in world.lake.local_files("leaves"):
        with pq.ParquetFile(path) as opened:
            there = opened.read()
        pq.write_table(pa.table({n: [[1]] * there.num_rows for n in there.column_names}), path)
    with pytest.raises(LakeError, match="nothing is due"):
        planned(world)
