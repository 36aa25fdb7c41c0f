"""Log files as they really come: late, twice, broken, withheld; and an S3 that has bad days."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from collectors.base import Window
from collectors.cloudtrail import CloudTrail
from demo import cloud
from evidence.errors import ConfigError, SourceBroken, SourceBusy, SourceRefused
from evidence.model import Batch, Cursor, Outcome
from tests.collectors.trail_world import (
    HOUR,
    NOW,
    Moody,
    Refusal,
    Trail,
    event,
    packed,
    payload,
    pull,
)


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    made = cloud.build(tmp_path, NOW, days=1, bucket="plain-cloudtrail")
    with cloud.serve(tmp_path) as store:
        yield Trail(made, store)


def test_events_say_who_what_when_and_where(trail: Trail) -> None:
    got = trail.pull()
    created = next(i for i in got.events if payload(i)["eventName"] == "CreateTrail")
    assert created.actor == "tomas.lind"
    assert created.title == "cloudtrail.amazonaws.com CreateTrail by tomas.lind"
    assert created.subject == payload(created)["eventID"]
    assert created.locator == f"s3://{trail.cloud.bucket}/{trail.logs()[0]}"
    assert created.observed_from == created.observed_to
    assert got.facts.received == len(got.items)
    assert got.facts.window_from == min(i.observed_from for i in got.items)
    assert got.facts.identity == "credentials from the configuration"
    assert trail.cloud.bucket in got.facts.query
    assert "demo-secret-key" not in str(got.facts)


def test_only_what_is_new_is_brought(trail: Trail) -> None:
    first = trail.pull()
    assert trail.pull(first.cursor).items == []
    cloud.later(trail.cloud, NOW + HOUR)
    second = trail.pull(first.cursor)
    assert {i.kind for i in second.items} == {"aws.cloudtrail", "aws.cloudtrail.digest"}
    both = {i.item_id for i in (*first.items, *second.items)}
    assert len(both) == len(first.items) + len(second.items)
    assert both == {i.item_id for i in trail.pull().items}


def test_a_file_of_yesterday_that_comes_today_is_found(trail: Trail) -> None:
    first = trail.pull()
    at = NOW - 20 * HOUR
    trail.extra_log(at, [event(5, at - HOUR)])
    assert [i.subject[-1] for i in trail.pull(first.cursor).events] == ["5"]


def test_one_event_in_two_files_is_one_item_but_counted(trail: Trail) -> None:
    whole = trail.pull()
    trail.extra_log(NOW, trail.read(trail.logs()[-1])["Records"])
    got = trail.pull()
    assert len(got.events) == len(whole.events)
    assert got.facts.received == whole.facts.received + 3


def test_two_records_of_one_id_are_both_kept(trail: Trail) -> None:
    trail.extra_log(NOW, [event(5, NOW), event(5, NOW, eventName="DeleteObject")])
    subjects = [i.subject for i in trail.pull().events]
    assert len(subjects) == len(set(subjects)) + 1


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "0 bytes"),
        (b"plain text", "not gzip"),
        (gzip.compress(b'{"Records": []}', mtime=0)[:-9], "cut short"),
        (gzip.compress(b'{"Records": [', mtime=0), "not JSON"),
        (gzip.compress(b'{"records": []}', mtime=0), "no list named Records"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_gap_with_its_key(
    trail: Trail, raw: bytes, why: str
) -> None:
    whole = trail.pull()
    key = trail.extra_log(NOW, [])
    trail.write(key, raw)
    got = trail.pull()
    (gap,) = got.facts.gaps
    assert gap.what == f"s3://{trail.cloud.bucket}/{key}"
    assert why in gap.why
    (told,) = (i for i in got.items if i.item_id not in {w.item_id for w in whole.items})
    assert (told.subject, told.outcome) == (key, Outcome.ERROR)
    assert trail.pull(got.cursor).facts.gaps == (), "so the finding is what is left of it"


def test_one_bad_record_is_a_gap_and_its_neighbours_are_kept(trail: Trail) -> None:
    key = trail.extra_log(NOW, [event(1, NOW), {"eventID": "x"}, "line", event(2, NOW)])
    got = trail.pull()
    where = f"s3://{trail.cloud.bucket}/{key}"
    assert [gap.what for gap in got.facts.gaps] == [f"{where} record 1", f"{where} record 2"]
    assert {"1", "2"} <= {i.subject[-1] for i in got.events if "00000000-0000" in i.subject}


def test_bytes_after_the_gzip_member_are_a_gap_and_the_events_are_kept(trail: Trail) -> None:
    key = trail.extra_log(NOW, [])
    trail.write(key, packed({"Records": [event(9, NOW)]}) + b"tail")
    got = trail.pull()
    assert "4 trailing bytes" in got.facts.gaps[0].why
    assert any(i.subject.endswith("009") for i in got.events)


def test_a_large_file_comes_in_one_batch_with_its_cursor(trail: Trail) -> None:
    start = NOW - timedelta(minutes=5)
    for number in range(3):
        records = [event(number * 10_000 + n, start) for n in range(2_500)]
        trail.extra_log(NOW, records, name="L" * (10 + number))
    trail.store.refresh()
    cursor = None
    seen: list[str] = []
    batches = 0
    for _ in range(10):  # every batch is the last before a crash
        batch = next(iter(trail.collector().collect(cursor)))
        if batch.items == () and batch.cursor == cursor:
            break
        seen += [i.item_id for i in batch.items]
        cursor, batches = batch.cursor, batches + 1
    assert batches >= 4
    assert len(seen) == len(set(seen))
    assert set(seen) == {i.item_id for i in trail.pull().items}


def test_start_leaves_out_older_days_and_says_so(trail: Trail) -> None:
    got = trail.pull(start="2026-11-20")
    assert {i.locator.split("/CloudTrail/eu-central-1/")[1][:10] for i in got.events} == {
        "2026/11/20"
    }
    assert "2026-11-20" in got.facts.query
    assert got.bad() == []


def test_a_window_is_read_alone_and_says_nothing_of_what_is_not_there(trail: Trail) -> None:
    whole = trail.pull()
    last = max(i.observed_to for i in whole.events)
    window = Window(last - 2 * HOUR, last + timedelta(seconds=1))
    trail.delete(*trail.digests()[:4])
    got = trail.pull(window=window)
    wanted = {i.item_id for i in whole.events if window.holds(i)}
    assert wanted
    assert {i.item_id for i in got.events} == wanted
    assert got.outcomes() == {"passed": 2}
    assert got.facts.gaps == ()
    assert trail.pull(got.cursor, window=window).items == []


def test_a_window_leaves_later_days_unread(trail: Trail) -> None:
    cloud.later(trail.cloud, NOW + 8 * 24 * HOUR)
    trail.store.refresh()
    with Moody() as door:
        trail.url = door.url
        got = trail.pull(window=Window(NOW - 12 * HOUR, NOW))
        assert got.events
        read = {path.split("/CloudTrail/eu-central-1/")[-1][:10] for path in door.asked}
    assert "2026/11/22" in read
    assert not {day for day in read if day.startswith("2026/11/2") and day > "2026/11/22"}


def test_an_organisation_trail_lies_one_folder_deeper(trail: Trail) -> None:
    trail.store.refresh()
    source = trail.root / "AWSLogs" / trail.cloud.account
    target = trail.root / "org" / "AWSLogs" / "o-brookside" / trail.cloud.account
    target.parent.mkdir(parents=True)
    source.rename(target)
    got = trail.pull(prefix="org/", organisation="o-brookside")
    assert got.events
    assert {name for name, _ in got.problems()} >= {"digest moved"}


def test_a_place_where_nothing_lies_is_a_gap(trail: Trail) -> None:
    got = trail.pull(regions=(trail.cloud.region, "eu-west-1"))
    assert got.events
    assert [gap.what for gap in got.facts.gaps] == [
        f"s3://{trail.cloud.bucket}/AWSLogs/{trail.cloud.account}/{kind}/eu-west-1/"
        for kind in ("CloudTrail", "CloudTrail-Digest")
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("503 Slow Down", "SlowDown"),
        ("400 Bad Request", "ThrottlingException"),
        ("500 Internal Server Error", "InternalError"),
    ],
)
def test_throttling_and_server_errors_are_busy(trail: Trail, status: str, code: str) -> None:
    with Moody([Refusal(trail.cloud.bucket, status, code)]) as door:
        trail.url = door.url
        with pytest.raises(SourceBusy, match=code):
            trail.collector().probe()


def test_a_short_throttle_is_waited_out(trail: Trail) -> None:
    with Moody([Refusal(trail.logs()[0], "503 Slow Down", "SlowDown", times=1)]) as door:
        trail.url = door.url
        assert trail.pull().facts.gaps == ()


def test_throttling_in_the_middle_keeps_what_came_and_loses_nothing(trail: Trail) -> None:
    for number in range(60):
        trail.extra_log(NOW, [event(number, NOW)], name=f"file{number:02d}")
    whole = trail.pull()
    batches: list[Batch] = []
    with Moody([Refusal("file55", "503 Slow Down", "SlowDown")]) as door:
        trail.url = door.url
        with pytest.raises(SourceBusy):
            batches.extend(trail.collector().collect(None))
        door.refusals.clear()
        rest = pull(trail.collector(), batches[-1].cursor)
    landed = {item.item_id for batch in batches for item in batch.items}
    later = {item.item_id for item in rest.items}
    assert landed
    assert landed & later == set()
    assert landed | later == {i.item_id for i in whole.items}


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_a_refused_listing_is_refused(trail: Trail, code: str) -> None:
    with Moody([Refusal("list-type", "403 Forbidden", code)]) as door:
        trail.url = door.url
        with pytest.raises(SourceRefused, match=code):
            trail.collector().probe()
        with pytest.raises(SourceRefused, match=code):
            pull(trail.collector())


def test_a_bucket_that_may_be_listed_but_not_read_is_refused(trail: Trail) -> None:
    for number in range(30):
        trail.extra_log(NOW, [event(number, NOW)], name=f"file{number:02d}")
    trail.store.refresh()
    with Moody([Refusal(".json.gz", "403 Forbidden", "AccessDenied")]) as door:
        trail.url = door.url
        with pytest.raises(SourceRefused, match=r"s3:GetObject"):
            pull(trail.collector())


def test_an_answer_that_is_not_s3_is_broken(trail: Trail) -> None:
    with Moody([Refusal("list-type", "418 Teapot", "IAmATeapot")]) as door:
        trail.url = door.url
        with pytest.raises(SourceBroken, match="IAmATeapot"):
            trail.collector().probe()


def test_a_page_of_a_portal_is_broken(trail: Trail) -> None:
    with Moody([Refusal("list-type", "200 OK", "<html>Please sign in</html>")]) as door:
        trail.url = door.url
        with pytest.raises(SourceBroken, match="not a listing"):
            pull(trail.collector())
        with pytest.raises(SourceBroken, match="not a listing"):
            trail.collector().probe()


def test_no_credentials_is_refused(
    trail: Trail, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    bare = trail.collector(access_key=None, secret_key=None)
    with pytest.raises(SourceRefused, match="no AWS credentials"):
        bare.probe()
    with pytest.raises(SourceRefused, match="profile"):
        trail.collector(access_key=None, secret_key=None, profile="nobody").probe()


def test_a_role_is_assumed_and_again_before_its_hour_has_ended(trail: Trail) -> None:
    role = "arn:aws:iam::123456789012:role/evidence"
    with Moody() as door:
        trail.url = door.url
        got = trail.pull(role=role, external_id="headwater")
        assert got.facts.identity == f"credentials from assume-role of {role}"
        assert door.assumed == 1
        door.lasts = timedelta(minutes=5)
        assert trail.pull(role=role).events
    assert door.assumed > 2


def test_a_role_that_may_not_be_assumed_is_refused_and_named(trail: Trail) -> None:
    role = "arn:aws:iam::123456789012:role/evidence"
    denied = Refusal("", "403 Forbidden", "AccessDenied")
    with Moody([denied]) as door, pytest.raises(SourceRefused, match="assuming arn:aws:iam"):
        trail.collector(role=role, endpoint_url=door.url).probe()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"scopes": 1}', '{"scopes": {"a/b": {"newest": ""}}}', '{"seen": {}}']
)
def test_a_foreign_bookmark_is_broken(trail: Trail, text: str) -> None:
    with pytest.raises(SourceBroken, match="cursor"):
        pull(trail.collector(), Cursor(text))


def test_mistaken_settings_are_told_together() -> None:
    with pytest.raises(ConfigError) as told:
        CloudTrail(source="aws", bucket="", accounts=(), regions=("eu-central-1",))
    assert len(told.value.mistakes) == 2
    with pytest.raises(ConfigError, match="aws: role = 'evidence' is no ARN"):
        CloudTrail(source="aws", bucket="b", accounts=("1",), regions=("r",), role="evidence")
    with pytest.raises(ConfigError, match="2026-01-31"):
        CloudTrail(source="aws", bucket="b", accounts=("1",), regions=("r",), start="last week")


def test_the_bookmark_stays_small(trail: Trail) -> None:
    first = trail.pull()
    later = first
    for day in range(1, 5):
        cloud.later(trail.cloud, NOW + day * 24 * HOUR)
        later = trail.pull(later.cursor)
    assert later.bad() == []
    assert len(later.cursor.value) < 3 * len(first.cursor.value)
    assert len(json.loads(later.cursor.value)["scopes"]) == 1
