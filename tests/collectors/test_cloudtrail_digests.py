"""Whatever is done to the log after delivery, an item names it."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from demo import cloud
from evidence.errors import SourceBusy
from evidence.model import Cursor, Outcome
from tests.collectors.trail_world import HOUR, NOW, Moody, Refusal, Trail, event, packed, payload


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    made = cloud.build(tmp_path, NOW, days=2, bucket="tampered-cloudtrail")
    with cloud.serve(tmp_path) as store:
        yield Trail(made, store)


def test_an_untouched_log_is_proved_hour_by_hour(trail: Trail) -> None:
    got = trail.pull()
    assert got.outcomes() == {"passed": 48}
    assert got.facts.gaps == ()
    chains = [payload(item)["chain"] for item in got.digests]
    assert chains == ["start"] + ["continued"] * 47
    assert sum(payload(item)["log_files"] for item in got.digests) == len(trail.logs())
    hours = [(item.observed_from, item.observed_to) for item in got.digests]
    assert all(one[1] == two[0] for one, two in itertools.pairwise(hours))


def test_an_edited_log_is_named(trail: Trail) -> None:
    key = cloud.tamper(trail.cloud.folder)
    got = trail.pull()
    assert got.problems() == [("edited log", key)]
    (bad,) = got.bad()
    assert bad.outcome is Outcome.FAILED
    assert bad.subject == trail.naming(key)
    assert "edited log" in bad.title


def test_a_log_edited_after_it_was_read_is_named(trail: Trail) -> None:
    first = trail.pull()
    key = trail.logs()[-1]
    told = trail.read(key)
    told["Records"][0]["eventName"] = "NothingHappened"
    trail.write(key, packed(told))
    second = trail.pull(first.cursor)
    assert second.problems() == [("edited log", key)]
    assert [i.subject for i in second.bad()] == [key]
    assert "NothingHappened" in {payload(i)["eventName"] for i in second.events}
    assert trail.pull(second.cursor).items == []


def test_a_deleted_log_is_named(trail: Trail) -> None:
    key = trail.logs()[2]
    trail.delete(key)
    got = trail.pull()
    assert got.problems() == [("missing log", key)]


def test_trailing_bytes_in_a_log_are_named_and_its_events_are_kept(trail: Trail) -> None:
    whole = trail.pull()
    key = trail.logs()[2]
    trail.write(key, (trail.root / key).read_bytes() + b"\0\0")
    got = trail.pull()
    assert got.problems() == [("trailing bytes", key)]
    assert {i.item_id for i in got.events} == {i.item_id for i in whole.events}
    assert [gap.what for gap in got.facts.gaps] == [f"s3://{trail.cloud.bucket}/{key}"]


def test_an_extra_log_that_no_digest_names_is_named(trail: Trail) -> None:
    at = NOW - 5 * HOUR
    key = trail.extra_log(at, [event(1, at)])
    got = trail.pull()
    assert got.problems() == [("unlisted extra log", key)]
    (bad,) = got.bad()
    assert (bad.subject, bad.outcome, bad.observed_to) == (key, Outcome.FAILED, at)


def test_an_extra_log_is_given_time_until_its_digest_is_due(trail: Trail) -> None:
    key = trail.extra_log(NOW - timedelta(minutes=5), [event(1, NOW - timedelta(minutes=9))])
    first = trail.pull()
    assert first.bad() == []
    cloud.later(trail.cloud, NOW + 2 * HOUR)
    second = trail.pull(first.cursor)
    assert second.problems() == [("unlisted extra log", key)]
    assert trail.pull(second.cursor).items == []


def test_an_extra_log_put_into_yesterday_after_the_pull_is_named(trail: Trail) -> None:
    first = trail.pull()
    at = NOW - 26 * HOUR
    key = trail.extra_log(at, [event(1, at)])
    second = trail.pull(first.cursor)
    assert second.problems() == [("unlisted extra log", key)]
    assert [payload(i)["eventName"] for i in second.events] == ["PutObject"]


def test_a_stray_object_is_named_and_not_read(trail: Trail) -> None:
    place = trail.logs()[3].rsplit("/", 1)[0]
    trail.write(f"{place}/notes.json.gz", packed({"Records": [event(1, NOW)]}), NOW)
    digest_place = trail.digests()[3].rsplit("/", 1)[0]
    trail.write(f"{digest_place}/more.json.gz", b"", NOW)
    got = trail.pull()
    assert set(got.problems()) == {
        ("unlisted extra log", f"{place}/notes.json.gz"),
        ("stray object", f"{digest_place}/more.json.gz"),
    }
    assert "PutObject" not in {payload(i)["eventName"] for i in got.events}


def test_a_deleted_digest_is_a_missing_hour_and_its_logs_are_unproved(trail: Trail) -> None:
    log = trail.logs()[2]
    digest = trail.naming(log)
    trail.delete(digest)
    got = trail.pull()
    names = [name for name, _ in got.problems()]
    assert sorted(names) == ["gap in chain", "missing digest", "unlisted extra log"]
    assert ("missing digest", digest) in got.problems()
    assert ("unlisted extra log", log) in got.problems()
    assert got.outcomes()["passed"] == 46


def test_digests_cut_off_at_the_end_are_noticed(trail: Trail) -> None:
    cloud.later(trail.cloud, NOW + 6 * HOUR)
    trail.delete(*trail.digests()[-6:])
    got = trail.pull()
    (bad,) = got.bad()
    assert bad.subject == f"{trail.cloud.account}/{trail.cloud.region}"
    assert bad.outcome is Outcome.FAILED
    assert "digests stop at 2026-11-20T12:24:11" in bad.title


def test_digests_cut_off_at_the_beginning_are_noticed(trail: Trail) -> None:
    trail.delete(*trail.digests()[:30])
    got = trail.pull()
    (bad,) = got.bad()
    assert bad.outcome is Outcome.ERROR
    assert "have no digest" in bad.title


def test_an_edited_digest_breaks_its_signature_and_the_link_to_it(trail: Trail) -> None:
    log = trail.logs()[2]
    digest = trail.naming(log)
    told = trail.read(digest)
    told["logFiles"] = []
    trail.write(digest, packed(told))
    got = trail.pull()
    assert ("bad signature", digest) in got.problems()
    assert ("edited digest", digest) in got.problems()
    assert ("unlisted extra log", log) in got.problems()


def test_a_digest_without_its_signature_fails(trail: Trail) -> None:
    digest = trail.digests()[10]
    trail.manifest(digest, trail.manifest(digest) | {"metadata": {}})
    got = trail.pull()
    assert got.problems() == [("bad signature", digest)] * 2
    assert got.outcomes()["failed"] == 2


def test_a_damaged_digest_fails_and_is_a_gap(trail: Trail) -> None:
    digest = trail.digests()[10]
    trail.write(digest, (trail.root / digest).read_bytes()[:-40])
    got = trail.pull()
    assert got.problems() == [("damaged digest", digest)]
    assert [gap.what for gap in got.facts.gaps] == [f"s3://{trail.cloud.bucket}/{digest}"]


def test_trailing_bytes_in_a_digest_are_named(trail: Trail) -> None:
    digest = trail.digests()[10]
    trail.write(digest, (trail.root / digest).read_bytes() + b"x")
    assert trail.pull().problems() == [("trailing bytes", digest)]


def test_a_digest_laid_in_the_place_of_another_is_moved(trail: Trail) -> None:
    here, there = trail.digests()[10], trail.digests()[11]
    trail.write(there, (trail.root / here).read_bytes())
    trail.manifest(there, trail.manifest(there) | {"metadata": trail.manifest(here)["metadata"]})
    assert ("digest moved", there) in trail.pull().problems()


def test_a_swapped_public_key_fails_every_digest(trail: Trail, tmp_path: Path) -> None:
    told = json.loads(trail.cloud.public_keys.read_text())
    other = cloud.build(tmp_path / "other", NOW, days=1)
    told["PublicKeyList"][0]["Value"] = json.loads(other.public_keys.read_text())["PublicKeyList"][
        0
    ]["Value"]
    trail.cloud.public_keys.write_text(json.dumps(told))
    got = trail.pull()
    assert got.outcomes() == {"failed": 48}
    assert {name for name, _ in got.problems()} == {"bad signature"}


def test_a_key_that_cloudtrail_does_not_list_is_wrong(trail: Trail) -> None:
    digest = trail.digests()[-1]
    told = trail.read(digest) | {"digestPublicKeyFingerprint": "0" * 32}
    trail.sign(digest, told, rsa.generate_private_key(65537, 2048))
    assert trail.pull().problems() == [("wrong key", digest)]


def test_keys_may_be_a_pem_file(trail: Trail, tmp_path: Path) -> None:
    private = serialization.load_pem_private_key(
        (trail.cloud.folder / "signing_key.pem").read_bytes(), None
    )
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "keys.pem").write_bytes(b"from CloudTrail:\n" + pem)
    assert trail.pull(public_keys=str(tmp_path / "keys.pem")).outcomes() == {"passed": 48}


def test_hours_without_a_trail_are_a_gap_though_the_chain_restarts(trail: Trail) -> None:
    path = trail.cloud.folder / "cloud.json"
    told = json.loads(path.read_text())
    off = datetime.fromisoformat(told["digested"])
    told |= {"previous": {}, "digested": (off + 5 * HOUR).isoformat()}
    path.write_text(json.dumps(told))
    first = trail.pull()
    cloud.later(trail.cloud, NOW + 7 * HOUR)
    second = trail.pull(first.cursor)
    (bad,) = second.bad()
    assert payload(bad)["chain"] == "restarted"
    assert [name for name, _ in second.problems()] == ["gap in chain"]
    assert "2026-11-20T12:24:11.000000Z to 2026-11-20T17:24:11.000000Z" in bad.content.decode()


def test_a_backfill_digest_is_a_chain_of_its_own(trail: Trail) -> None:
    last = trail.digests()[-1]
    key = last.replace(".json.gz", "_backfill.json.gz")
    told = trail.read(last) | dict.fromkeys(
        ("previousDigestS3Bucket", "previousDigestS3Object", "previousDigestHashValue",
         "previousDigestHashAlgorithm", "previousDigestSignature")
    )  # fmt: skip
    trail.sign(key, told | {"digestS3Object": key})
    got = trail.pull()
    assert got.outcomes() == {"passed": 49}
    assert payload(got.digests[-1])["backfill"] is True


def test_without_digests_the_region_is_an_error_not_a_silence(trail: Trail) -> None:
    trail.delete(*trail.digests())
    got = trail.pull()
    (bad,) = got.digests
    assert bad.outcome is Outcome.ERROR
    assert "log file validation is off" in bad.title
    assert got.events
    assert trail.pull(got.cursor).items == []


def test_the_named_trail_must_have_digests(trail: Trail) -> None:
    (bad,) = trail.pull(trail="another-trail").bad()
    assert bad.outcome is Outcome.ERROR
    assert "no digest of trail another-trail" in bad.title


def test_unusable_keys_are_an_error_and_later_everything_is_judged(trail: Trail) -> None:
    first = trail.pull(public_keys="/nowhere/keys.json")
    (bad,) = first.digests
    assert bad.outcome is Outcome.ERROR
    assert "/nowhere/keys.json" in bad.title
    assert first.events
    assert trail.pull(first.cursor, public_keys="/nowhere/keys.json").items == []
    second = trail.pull(first.cursor)
    assert second.outcomes() == {"passed": 49}
    assert second.digests[-1].subject == bad.subject
    assert second.events == []


def test_cloudtrail_itself_is_asked_for_its_keys(trail: Trail) -> None:
    with Moody(keys=json.loads(trail.cloud.public_keys.read_text())) as door:
        trail.url = door.url
        got = trail.pull(public_keys="")
    assert got.outcomes() == {"passed": 48}
    assert sum("ListPublicKeys" in path for path in door.asked) == 1


def test_denied_keys_are_an_error_with_a_sentence(trail: Trail) -> None:
    denied = Refusal("ListPublicKeys", "400 Bad Request", "AccessDeniedException")
    with Moody([denied]) as door:
        trail.url = door.url
        got = trail.pull(public_keys="")
    (bad,) = got.digests
    assert bad.outcome is Outcome.ERROR
    assert "cloudtrail:ListPublicKeys: AccessDeniedException" in bad.title


def test_throttled_keys_make_the_source_busy(trail: Trail) -> None:
    slow = Refusal("ListPublicKeys", "400 Bad Request", "ThrottlingException")
    with Moody([slow]) as door:
        trail.url = door.url
        with pytest.raises(SourceBusy, match="ListPublicKeys"):
            trail.pull(public_keys="")


def test_one_denied_log_is_a_gap_until_it_can_be_read(trail: Trail) -> None:
    whole = trail.pull()
    log = trail.logs()[2]
    with Moody([Refusal(log, "403 Forbidden", "AccessDenied")]) as door:
        trail.url = door.url
        first = trail.pull()
        again = trail.pull(first.cursor)
        door.refusals.clear()
        healed = trail.pull(first.cursor)
    where = f"s3://{trail.cloud.bucket}/{log}"
    assert where in {gap.what for gap in first.facts.gaps}
    assert where in {gap.what for gap in again.facts.gaps}
    assert first.problems() == [("unreadable log", log)]
    assert [i.outcome for i in first.bad()] == [Outcome.ERROR]
    assert healed.facts.gaps == ()
    assert [(i.subject, i.outcome) for i in healed.digests] == [(trail.naming(log), Outcome.PASSED)]
    together = {i.item_id for i in (*first.events, *healed.events)}
    assert together == {i.item_id for i in whole.events}


def test_one_denied_digest_is_a_gap_until_it_can_be_read(trail: Trail) -> None:
    digest = trail.digests()[20]
    with Moody([Refusal(digest, "403 Forbidden", "AccessDenied")]) as door:
        trail.url = door.url
        first = trail.pull()
        door.refusals.clear()
        healed = trail.pull(first.cursor)
    assert ("unreadable digest", digest) in first.problems()
    assert [(i.subject, i.outcome) for i in healed.digests] == [(digest, Outcome.PASSED)]


def test_a_log_put_late_into_an_old_folder_is_found_through_its_digest(trail: Trail) -> None:
    first = trail.pull()
    cloud.later(trail.cloud, NOW + 4 * HOUR)
    between = trail.pull(first.cursor)
    old = NOW - 66 * HOUR
    late = trail.extra_log(old, [event(7, old)])
    raw = (trail.root / late).read_bytes()
    cloud.later(trail.cloud, NOW + 5 * HOUR)
    last = trail.digests()[-1]
    told = trail.read(last)
    told["logFiles"].append(
        {
            "s3Bucket": trail.cloud.bucket,
            "s3Object": late,
            "hashValue": hashlib.sha256(gzip.decompress(raw)).hexdigest(),
            "hashAlgorithm": "SHA-256",
        }
    )
    trail.sign(last, told)
    got = trail.pull(between.cursor)
    assert "00000000-0000-4000-8000-000000000007" in {i.subject for i in got.events}
    assert got.bad() == []


def test_a_log_that_comes_long_after_its_digest_is_read_and_its_digest_judged_again(
    trail: Trail,
) -> None:
    key = trail.logs()[2]
    raw = (trail.root / key).read_bytes()
    trail.delete(key)
    first = trail.pull()
    assert first.problems() == [("missing log", key)]
    cloud.later(trail.cloud, NOW + timedelta(days=5))
    second = trail.pull(first.cursor)
    assert second.bad() == []
    trail.write(key, raw)
    third = trail.pull(second.cursor)
    assert {payload(i)["eventID"] for i in third.events} == {
        record["eventID"] for record in trail.read(key)["Records"]
    }
    assert [(i.subject, i.outcome) for i in third.digests] == [(trail.naming(key), Outcome.PASSED)]
    assert third.facts.gaps == ()
    assert trail.pull(third.cursor).items == []


def test_digests_that_come_days_late_bring_the_events_of_their_logs(trail: Trail) -> None:
    late = trail.digests()[20:23]
    logs = [entry["s3Object"] for key in late for entry in trail.read(key)["logFiles"]]
    kept = {key: (trail.root / key).read_bytes() for key in (*late, *logs)}
    assert logs
    trail.delete(*kept)
    first = trail.pull()
    assert ("missing digest", late[-1]) in first.problems()
    cloud.later(trail.cloud, NOW + timedelta(days=5))
    second = trail.pull(first.cursor)
    for key in (late[0], late[2], *logs):
        trail.write(key, kept[key])
    third = trail.pull(second.cursor)
    assert [i.subject for i in third.digests] == [late[2]]
    trail.write(late[1], kept[late[1]])
    fourth = trail.pull(third.cursor)
    assert [i.subject for i in fourth.digests] == [late[1], late[0]]
    found = (*third.digests, *fourth.digests)
    assert {(i.outcome, payload(i)["chain"]) for i in found} == {(Outcome.PASSED, "late")}
    came = {payload(i)["eventID"] for i in (*third.events, *fourth.events)}
    assert came == {record["eventID"] for key in logs for record in trail.read(key)["Records"]}
    assert trail.pull(fourth.cursor).items == []


def test_late_digests_that_name_each_other_are_read_once(trail: Trail) -> None:
    late = trail.digests()[20:22]
    kept = {key: (trail.root / key).read_bytes() for key in late}
    trail.delete(*late)
    first = trail.pull()
    told = json.loads(gzip.decompress(kept[late[0]]))
    trail.write(late[1], kept[late[1]])
    trail.sign(late[0], told | {"previousDigestS3Object": late[1]})
    second = trail.pull(first.cursor)
    assert [i.subject for i in second.digests] == [late[1], late[0]]


def test_a_bookmark_of_before_lateness_was_kept_still_counts(trail: Trail) -> None:
    first = trail.pull()
    told = json.loads(first.cursor.value)
    for scope in told["scopes"].values():
        del scope["awaited"], scope["lost"]
    assert trail.pull(Cursor(json.dumps(told))).items == []
