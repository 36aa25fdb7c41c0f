"""A lake in a bucket keeps every promise of a lake in a folder: told on a real S3 API."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from deltalake.exceptions import DeltaError

from evidence.errors import LakeBusy, LakeConflict, LakeError, LakeRefused, VerificationFailed
from evidence.model import Cursor
from evidence.runs import PullOutcome
from storage.checkpoints import CHECKPOINT, history_name, history_sizes, read_checkpoint
from storage.keys import Signer, load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.maintain import maintain
from storage.place import Place, place_of
from storage.place_local import LocalPlace
from storage.place_s3 import ObjectPlace
from storage.proof import check_inclusion, inclusion_proof
from storage.verify import examine, verify
from storage.views import ask, connect
from tests.nursery import NURSERY
from tests.storage import crasher
from tests.storage.buckets import Store, serving, spoiling
from tests.storage.makers import World, days, item

WHERE = ["folder", "bucket"]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with serving() as running:
        yield running


@pytest.fixture
def place(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Place:
    if request.param == "folder":
        return LocalPlace(tmp_path / "lake")
    return store.place(tmp_path)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_key(tmp_path / "key", origin="bucket.example/lake")
    return load_key(tmp_path / "key")


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    return World(store.place(tmp_path))  # type: ignore[arg-type]


def _ids(lake: Lake) -> list[str]:
    with connect(lake) as connection:
        rows = ask(connection, "SELECT item_id FROM evidence WHERE kind = 'jira.issue'").rows
    return [row[0] for row in rows]


@pytest.mark.parametrize("place", WHERE, indirect=True)
def test_an_error_of_the_table_format_is_one_plain_line(place: Place) -> None:
    drawn = DeltaError("Generic error\n  \x1b[31m↳\x1b[0m Unable to copy\n   ╰─▶ No space left\n")
    told = str(place.told("table tags cannot be created", drawn))
    assert told.startswith("table tags cannot be created: Generic error Unable to copy No space")
    assert told.isprintable()


@pytest.mark.parametrize("place", WHERE, indirect=True)
def test_a_file_is_put_once_replaced_listed_and_removed(place: Place) -> None:
    assert place.read("a/b") is None
    assert place.put_new("a/b", b"1")
    assert place.put_new("a/b", b"1"), "an answer that was lost: the same content is ours"
    assert not place.put_new("a/b", b"2")
    assert place.read("a/b") == b"1"
    place.replace("a/b", b"2")
    for name in ("a/c", "b/a", "a/b.d/e", "c"):
        place.put_new(name, name.encode())
    assert list(place.names()) == ["a/b", "a/b.d/e", "a/c", "b/a", "c"]
    assert list(place.names("a")) == ["a/b", "a/b.d/e", "a/c"]
    assert list(place.names("a", after="a/b.d/e")) == ["a/c"]
    assert list(place.at("a").names()) == ["b", "b.d/e", "c"]
    with place.fresh("c") as path:
        assert path.read_bytes() == b"c"
    facts = place.facts("a/b")
    assert facts is not None
    assert (facts.size, place.facts("nothing")) == (1, None)
    place.move("a", "kept/a")
    assert list(place.names("kept")) == ["kept/a/b", "kept/a/b.d/e", "kept/a/c"]
    place.remove("b/a")
    place.remove("b/a")
    assert list(place.names("b")) == []


@pytest.mark.parametrize("place", WHERE, indirect=True)
def test_what_lands_is_bookmarked_tagged_sealed_proved_and_verified(
    place: Place, signer: Signer, tmp_path: Path
) -> None:
    world = World(place)  # type: ignore[arg-type]
    assert world.land(item(0), item(30), cursor="1", outcome=PullOutcome.COMPLETE).new == 2
    again = world.land(item(0), item(1), cursor="2")
    assert (again.new, again.known) == (1, 1)
    assert world.tag("iso42001:A.1", "ticket", "kind = 'jira.issue'") == 3
    assert integrate(world.lake, signer, witness=tmp_path / "witness").size == 4
    assert sorted(_ids(world.lake)) == sorted(item(n).item_id for n in (0, 1, 30))
    proof = inclusion_proof(world.lake, item(30).item_id)
    assert check_inclusion(proof, signer.vkey).size == 4
    found = verify(place, signer.vkey, witness=tmp_path / "witness")
    assert (found.size, found.items) == (4, 4)
    opened = Lake.open(place, clock=world.clock)
    assert opened.bookmark("jira").cursor == Cursor("2")
    with pytest.raises(LakeConflict):
        opened.land("jira", [item(5)], bookmark=type(again.bookmark)(), cursor=None, pull_id="p")


def test_a_lake_in_a_bucket_is_tidied(world: World, signer: Signer) -> None:
    for number in range(12):
        world.land(item(number), cursor=str(number))
    integrate(world.lake, signer)
    before = len(world.lake.files("evidence"))
    world.clock.now += days(200)
    maintain(world.lake, signer.verifier)
    assert len(world.lake.files("evidence")) < before
    assert verify(world.lake.place, signer.vkey).items == 12
    assert len(_ids(world.lake)) == 12


def _object(world: World, number: int = 0) -> tuple[Any, str, str]:
    place: Any = world.lake.place
    file = world.lake.files("evidence")[number]
    client = Store(place.access.endpoint).client
    return client, place.bucket, f"{place.prefix}/evidence/{file.name}"


def test_bytes_that_did_not_land_are_neither_read_nor_cached(world: World) -> None:
    world.land(item(0), cursor="1")
    file = world.lake.files("evidence")[0]
    file.path.unlink()  # the copy may be deleted at any time
    client, bucket, key = _object(world)
    client.put_object(Bucket=bucket, Key=key, Body=b"PAR1 forged PAR1")
    for _ in range(2):
        with pytest.raises(LakeError, match="does not have the bytes that landed"):
            _ids(world.lake)


def test_a_copy_on_this_machine_does_not_deceive_verification(world: World, signer: Signer) -> None:
    world.land(item(0), cursor="1")
    world.land(item(30), cursor="2")
    integrate(world.lake, signer)
    assert len(_ids(world.lake)) == 2, "both are cached"
    client, bucket, key = _object(world)
    client.put_object(Bucket=bucket, Key=key, Body=b"PAR1 forged PAR1")
    assert "does not have the bytes" in str(
        [f.sentence for f in examine(world.lake.place, signer.vkey)]
    )
    client.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(VerificationFailed, match="is gone: 1 rows"):
        verify(world.lake.place, signer.vkey)


def test_the_last_seal_is_found_when_the_hint_lags(world: World, signer: Signer) -> None:
    world.land(item(0), cursor="1")
    integrate(world.lake, signer)
    lagging = world.lake.place.read(CHECKPOINT)
    assert lagging is not None
    world.land(item(1), cursor="2")
    integrate(world.lake, signer)
    world.lake.place.replace(CHECKPOINT, lagging)
    assert read_checkpoint(world.lake).size == 2
    assert verify(world.lake.place, signer.vkey).size == 2
    world.land(item(2), cursor="3")
    assert integrate(world.lake, signer).size == 3
    assert history_sizes(world.lake.place) == [1, 2, 3]


def test_another_seal_of_the_same_size_is_refused(world: World, signer: Signer) -> None:
    world.land(item(0), cursor="1")
    head = integrate(world.lake, signer)
    other = signer.sign(2, b"\x01" * 32, head.chain)
    assert world.lake.place.put_new(history_name(2), other.text.encode())
    world.land(item(1), cursor="2")
    with pytest.raises(VerificationFailed):
        integrate(world.lake, signer)


def test_a_store_that_is_away_and_one_that_refuses_are_told_apart(
    store: Store, tmp_path: Path
) -> None:
    away = store.place(tmp_path, "lake", url="http://127.0.0.1:9", tries=1)
    with pytest.raises(LakeBusy, match=r"s3://lake/the/lake/lake\.json.*try again"):
        Lake.open(away, clock=crasher.now)
    with pytest.raises(LakeRefused, match=r"NoSuchBucket.*check address") as refused:
        Lake.open(store.place(tmp_path, "no-such-bucket"), clock=crasher.now)
    assert "test-secret" not in f"{refused.value!r}{away!r}"
    with pytest.raises(LakeError, match="headwater init"):
        Lake.open(store.place(tmp_path), clock=crasher.now)


@pytest.mark.parametrize("text", ["ftp://x/y", "s3://", "s3://lake/a=b", "gs://lake"])
def test_an_address_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(LakeError):
        place_of(text)


@pytest.fixture
def shared(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectPlace:
    """A lake that other processes reach by its address and the environment."""
    for name, value in store.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(crasher, "BATCHES", 8)
    place = store.place(tmp_path)
    Lake.create(place, clock=crasher.now)
    return place


def _check(place: ObjectPlace) -> Lake:
    """What landed is whole batches, each item once, up to the cursor."""
    lake = Lake.open(place, clock=crasher.now)
    cursor = lake.bookmark("jira").cursor
    landed = json.loads(cursor.value) + 1 if cursor else 0
    ids = _ids(lake)
    assert len(ids) == len(set(ids)), "nothing twice"
    assert set(ids) == {one.item_id for n in range(landed) for one in crasher.batch(n)}
    return lake


def test_eight_processes_of_one_source_land_each_item_once(shared: ObjectPlace) -> None:
    given = (dict(os.environ), shared.uri)
    children = [NURSERY.Process(target=_among_others, args=(*given, n)) for n in range(8)]
    for child in children:
        child.start()
    for child in children:
        child.join(100)
    assert [child.exitcode for child in children] == [0] * 8
    lake = _check(shared)
    assert lake.bookmark("jira").cursor == Cursor("2")
    stored = [n for n in lake.place.at("evidence").names() if not n.startswith("_")]
    assert sorted(stored) == sorted(f.name for f in lake.files("evidence")), "losers tidy up"


def _among_others(environment: dict[str, str], uri: str, number: int) -> None:
    os.environ.update(environment)
    crasher.work_among_others(uri, number, 3)  # type: ignore[arg-type]


def test_killed_while_landing_and_run_again_nothing_is_lost_or_twice(
    shared: ObjectPlace, signer: Signer, tmp_path: Path
) -> None:
    killed = 0
    for point, count in [("commit", 1), ("commit after", 2), ("timer", 150), ("commit after", 4)]:
        given = (dict(os.environ), shared.uri, tmp_path / "key", point, count)
        child = NURSERY.Process(target=_run, args=given)
        child.start()
        child.join(60)
        killed += child.exitcode == -signal.SIGKILL
        _check(shared)
    assert killed >= 3
    crasher.work(shared.uri, tmp_path / "key")  # type: ignore[arg-type]
    lake = _check(shared)
    assert lake.bookmark("jira").cursor == Cursor("7")
    assert verify(shared, signer.vkey, witness=tmp_path / "witness").items == len(_ids(lake)) + 1


def _run(environment: dict[str, str], uri: str, key: Path, point: str, count: int) -> None:
    os.environ.update(environment)
    crasher.BATCHES = 8
    crasher.run(uri, key, point, count)  # type: ignore[arg-type]


def test_behind_a_network_that_spoils_answers_nothing_is_lost_or_twice(
    store: Store, tmp_path: Path, signer: Signer
) -> None:
    """Throttling, errors, resets, cut bodies, answers lost after the deed, slowness."""
    clean = store.place(tmp_path)
    Lake.create(clean, clock=crasher.now)
    refused = 0
    with spoiling(store, 0.12) as (url, seen):
        spoilt = store.place(tmp_path, clean.bucket, url=url)
        for number in range(6):
            for _ in range(20):
                try:
                    lake = Lake.open(spoilt, clock=crasher.now)
                    bookmark = lake.bookmark("jira")
                    if bookmark.cursor and json.loads(bookmark.cursor.value) >= number:
                        break
                    lake.land("jira", crasher.batch(number), bookmark=bookmark,
                              cursor=Cursor(str(number)), pull_id=f"p{number}")  # fmt: skip
                    if number % 5 == 0:
                        integrate(lake, signer)
                    break
                except (LakeBusy, LakeConflict):
                    refused += 1
            else:
                raise AssertionError(f"batch {number} never landed")
    assert len(seen) >= 5, seen
    assert sum(seen.values()) > 20
    lake = _check(clean)
    assert lake.bookmark("jira").cursor == Cursor("5")
    integrate(lake, signer)
    assert verify(clean, signer.vkey).items == len(_ids(lake))


def _first(place: ObjectPlace) -> str:
    return Lake.open(place, clock=crasher.now).files("evidence")[0].name


def test_with_every_object_locked_landing_sealing_and_verifying_go_on(
    store: Store, tmp_path: Path, signer: Signer
) -> None:
    """Retention on the whole bucket: what is written over becomes a new version of itself."""
    client, bucket = store.client, "locked-lake"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}
    client.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
    )
    with spoiling(store, 0.0) as (url, _):
        world = World(store.place(tmp_path, bucket, url=url))  # type: ignore[arg-type]
        for number in range(8):
            world.land(item(number), cursor=str(number))
            if number % 4 == 3:
                integrate(world.lake, signer)
    place = store.place(tmp_path, bucket)
    assert verify(place, signer.vkey).items == 8
    key = f"{place.prefix}/evidence/{_first(place)}"
    (version,) = client.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
    client.delete_object(Bucket=bucket, Key=key)  # a marker hides it; the version stays
    with pytest.raises(VerificationFailed, match="is gone"):
        verify(place, signer.vkey)
    marker = client.list_object_versions(Bucket=bucket, Prefix=key)["DeleteMarkers"][0]
    client.delete_object(Bucket=bucket, Key=key, VersionId=marker["VersionId"])
    assert verify(place, signer.vkey).items == 8


def test_eight_sources_land_and_three_integrators_seal_at_once(
    store: Store, tmp_path: Path, signer: Signer
) -> None:
    place = store.place(tmp_path)
    Lake.create(place, clock=crasher.now)

    def land(number: int) -> None:
        lake, source = Lake.open(place, clock=crasher.now), f"source-{number}"
        for turn in range(2):
            rows = [item(n, source=source) for n in (turn, turn + 1)]
            lake.land(source, rows, bookmark=lake.bookmark(source), cursor=Cursor(str(turn)),
                      pull_id=f"p{number}-{turn}")  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(land, range(8)))
    with ThreadPoolExecutor(3) as pool:
        lake = Lake.open(place, clock=crasher.now)
        heads = list(pool.map(lambda _: integrate(lake, signer), range(3)))
    assert {head.size for head in heads} == {24}
    found = verify(place, signer.vkey)
    assert (found.size, found.items) == (24, 24)


def test_copies_that_rest_go_when_the_cache_is_full(store: Store, tmp_path: Path) -> None:
    place = store.place(tmp_path)
    old, young = (f"u-{sha256(content).hexdigest()}.parquet" for content in (b"old" * 4, b"young"))
    place.store(old, b"old" * 4)
    rested = place.local(old)
    os.utime(rested, (1, 1))
    (place.access.cache.folder / ".swept").unlink()
    full = replace(place, access=replace(place.access, cache=replace(place.access.cache, most=8)))
    full.store(young, b"young")
    assert not rested.exists(), "not used for longest"
    assert full.local(young).read_bytes() == b"young", "used within the hour"
    assert full.local(old).read_bytes() == b"old" * 4, "fetched again"
