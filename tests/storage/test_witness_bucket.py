"""A bucket as witness, on a real S3 API: locked, set back, away, and behind a spoilt network."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.errors import LakeError, LakeRefused, VerificationFailed
from storage.keys import Signer, load_key, make_key
from storage.ledger import integrate
from storage.place_local import LocalPlace
from storage.place_s3 import ObjectPlace
from storage.publication import silent
from storage.verify import verify
from storage.witness_bucket import BucketWitness
from tests.storage.buckets import Store, serving, spoiling
from tests.storage.makers import World
from tests.storage.test_witness import rewritten, said, seal

RETENTION = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 3650}}


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with serving() as running:
        yield running


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_key(tmp_path / "key", origin="brookside.example/lake")
    return load_key(tmp_path / "key")


@pytest.fixture
def locked(store: Store, tmp_path: Path) -> Iterator[BucketWitness]:
    """A bucket whose objects nobody can delete for ten years."""
    bucket = f"witness-{uuid.uuid4().hex[:12]}"
    store.client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    store.client.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": RETENTION}
    )
    with spoiling(store, 0.0) as (url, _):
        yield BucketWitness(store.place(tmp_path, bucket, url=url))


def _bucket(witness: BucketWitness) -> ObjectPlace:
    assert isinstance(witness.place, ObjectPlace)
    return witness.place


def test_every_note_is_an_object_that_stays(
    world: World, signer: Signer, store: Store, locked: BucketWitness
) -> None:
    seal(world, signer, locked, n=3)
    integrate(world.lake, signer, witnesses=[locked])
    notes = locked.kept("", whole=True)
    assert [note.text.split("\n")[1] for note in notes] == ["1", "2", "3"]
    assert list(locked.kept("", whole=False)) == list(notes[-1:])
    assert verify(world.path, signer.vkey, witnesses=[locked]).outside == 3
    place = _bucket(locked)
    listed = store.client.list_object_versions(Bucket=place.bucket)["Versions"]
    assert len(listed) == 3, "nothing was written twice"
    for version in listed:
        given = {"Bucket": place.bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
        assert store.client.head_object(**given)["ObjectLockMode"] == "COMPLIANCE"
        with pytest.raises(store.client.exceptions.ClientError, match="AccessDenied"):
            store.client.delete_object(**given)


def test_an_administrator_with_the_key_is_caught(
    world: World, signer: Signer, locked: BucketWitness
) -> None:
    seal(world, signer, locked, n=3)
    other = rewritten(world, signer, size=5)
    assert "not those that were sealed by the witness s3://" in said(other, signer, locked)
    with pytest.raises(VerificationFailed):
        integrate(other.lake, signer, witnesses=[locked])


def test_a_deleted_note_is_named_and_lies_beneath_its_marker(
    world: World, signer: Signer, store: Store, locked: BucketWitness
) -> None:
    seal(world, signer, locked, n=2)
    place, last = _bucket(locked), list(_bucket(locked).names())[-1]
    deleted = {"Bucket": place.bucket, "Key": f"{place.prefix}/{last}"}
    marker = store.client.delete_object(**deleted)
    assert f"the note {last} that it took is gone" in said(world, signer, locked)
    store.client.delete_object(**deleted, VersionId=marker["VersionId"])
    assert verify(world.path, signer.vkey, witnesses=[locked]).outside == 2


def test_another_object_in_its_place_is_neither_taken_nor_written_over(
    world: World, signer: Signer, store: Store, tmp_path: Path
) -> None:
    witness = BucketWitness(store.place(tmp_path))
    seal(world, signer, witness)
    (name,) = witness.place.names()
    witness.place.replace(name, b"something else\n")
    witness.place.replace("README", b"other objects do not matter")
    assert name in said(world, signer, witness)
    with pytest.raises(LakeError, match="is not the note that its name tells"):
        witness.publish(integrate(world.lake, signer), "")


def test_a_store_that_is_away_stops_no_seal(
    world: World, signer: Signer, store: Store, tmp_path: Path
) -> None:
    there = store.place(tmp_path)
    gone = ObjectPlace("no-such-bucket", "", store.access(tmp_path, tries=0))
    witnesses = [BucketWitness(there), BucketWitness(gone)]
    seal(world, signer, *witnesses)
    (told,) = silent(LocalPlace(world.path / "log"), witnesses)
    assert "s3://no-such-bucket" in told
    assert "cannot be read, so nothing was compared with it" in said(world, signer, *witnesses)
    with pytest.raises(LakeRefused):
        witnesses[1].kept("", whole=False)


def test_behind_a_network_that_spoils_answers_each_seal_arrives_in_the_end(
    world: World, signer: Signer, store: Store, tmp_path: Path
) -> None:
    clean = store.place(tmp_path)
    with spoiling(store, 0.2) as (url, seen):
        spoilt = BucketWitness(store.place(tmp_path, clean.bucket, url=url))
        for number in range(8):
            seal(world, signer, spoilt, start=number)
        for _ in range(20):
            if not list(silent(LocalPlace(world.path / "log"), [spoilt])):
                break
            integrate(world.lake, signer, witnesses=[spoilt])
    assert sum(seen.values()) >= 3, seen
    assert verify(world.path, signer.vkey, witnesses=[BucketWitness(clean)]).size == 8
    assert "\n8\n" in BucketWitness(clean).kept("", whole=False)[0].text
