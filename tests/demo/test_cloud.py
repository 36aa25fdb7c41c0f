"""The demo's cloud: built once, kept on disk, served again, and grown hour by hour."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from demo import cloud

NOW = datetime(2026, 11, 20, 12, 40, tzinfo=UTC)


def _disk(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _client(store: cloud.CloudStore) -> Any:
    return boto3.client(
        "s3", endpoint_url=store.endpoint_url, region_name="eu-central-1",
        aws_access_key_id="x", aws_secret_access_key="y",
    )  # fmt: skip


def _listed(store: cloud.CloudStore) -> dict[str, dict[str, Any]]:
    pages = _client(store).get_paginator("list_objects_v2").paginate(Bucket=store.bucket)
    return {line["Key"]: line for page in pages for line in page.get("Contents", [])}


def test_building_twice_changes_nothing(tmp_path: Path) -> None:
    cloud.build(tmp_path, NOW, days=2)
    before = _disk(tmp_path)
    again = cloud.build(tmp_path, NOW + timedelta(days=1), days=30)
    assert _disk(tmp_path) == before
    assert again.public_keys.exists()


def test_a_build_that_was_cut_short_is_built_again(tmp_path: Path) -> None:
    cloud.build(tmp_path, NOW, days=2)
    (tmp_path / "cloud.json").unlink()
    cloud.build(tmp_path, NOW + timedelta(days=5), days=1)
    told = json.loads((tmp_path / "cloud.json").read_text())["objects"]
    assert {str(p.relative_to(tmp_path / "bucket")) for p in tmp_path.rglob("*.gz")} == set(told)


def test_what_is_served_is_what_lies_on_disk_and_again_after_a_restart(tmp_path: Path) -> None:
    made = cloud.build(tmp_path, NOW, days=2)
    with cloud.serve(tmp_path) as store:
        first = _listed(store)
    with cloud.serve(tmp_path) as store:
        second = _listed(store)
        key = next(key for key in second if "Digest" in key)
        answer = _client(store).get_object(Bucket=made.bucket, Key=key)
        assert answer["Body"].read() == (tmp_path / "bucket" / key).read_bytes()
        assert len(bytes.fromhex(answer["Metadata"]["signature"])) == 256
    assert {k: (v["ETag"], v["LastModified"]) for k, v in first.items()} == {
        k: (v["ETag"], v["LastModified"]) for k, v in second.items()
    }
    assert len(first) == len(list((tmp_path / "bucket").rglob("*.gz")))
    assert all(line["LastModified"] <= NOW for line in first.values())


def test_a_month_has_a_digest_every_hour_and_tells_the_story(tmp_path: Path) -> None:
    cloud.build(tmp_path, NOW)
    digests = list((tmp_path / "bucket").rglob("*Digest_*.gz"))
    assert len(digests) == 30 * 24
    records = [
        record
        for log in (tmp_path / "bucket").rglob("*_CloudTrail_*.gz")
        for record in json.loads(gzip.decompress(log.read_bytes()))["Records"]
    ]
    names = {record["eventName"] for record in records}
    assert {"CreateTrail", "UpdateModelPackage", "PutEventSelectors", "InvokeModel"} <= names
    assert len({record["eventID"] for record in records}) == len(records)


def test_later_adds_the_hours_gone_by_and_always_one_log(tmp_path: Path) -> None:
    made = cloud.build(tmp_path, NOW, days=2)
    with cloud.serve(tmp_path) as store:
        before = _listed(store).keys()
        assert cloud.later(made, NOW + timedelta(hours=3)) >= 4
        store.refresh()
        added = _listed(store).keys() - before
    assert sum("Digest" in key for key in added) == 3
    assert any("/CloudTrail/" in key for key in added)
    assert cloud.later(made, NOW + timedelta(hours=3, minutes=1)) == 1


def test_tampering_changes_one_log_and_shows_after_a_refresh(tmp_path: Path) -> None:
    made = cloud.build(tmp_path, NOW, days=4)
    with cloud.serve(tmp_path) as store:
        before = _listed(store)
        key = cloud.tamper(tmp_path)
        store.refresh()
        after = _listed(store)
    assert [k for k in before if before[k]["ETag"] != after[k]["ETag"]] == [key]
    assert NOW - before[key]["LastModified"] >= timedelta(hours=40)
    assert made.account in key
