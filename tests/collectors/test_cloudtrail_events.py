"""Genuine and odd CloudTrail records become items without secrets and without guesses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors._trail.events import REDACTED, actor, item, names, records, redacted
from evidence.errors import InvalidItem
from evidence.model import EvidenceItem, Outcome
from tests.collectors.trail_world import SYSTEMS, event, payload

GENUINE = Path(__file__).parent / "payloads" / "cloudtrail"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _item(record: Any, systems: Mapping[str, str] = SYSTEMS) -> EvidenceItem:
    return item(record, source="aws", systems=systems, locator="s3://b/k", at=NOW)


def _genuine() -> list[dict[str, Any]]:
    files = sorted(GENUINE.glob("*.json"))
    assert len(files) == 5
    return [record for file in files for record in json.loads(file.read_text())]


def test_genuine_events_become_items() -> None:
    made = [_item(record) for record in _genuine()]
    assert len(made) == 24
    assert len({i.subject for i in made}) == 24
    assert all(i.actor not in {"", "unknown"} for i in made)
    assert {i.outcome for i in made} == {Outcome.RECORDED}
    titles = [i.title for i in made]
    assert "cloudtrail.amazonaws.com PutEventSelectors by christophe" in titles
    assert any(title.endswith(": AccessDenied") for title in titles)


def test_genuine_session_tokens_are_not_kept() -> None:
    raw = (GENUINE / "aws.persistence.sts-federation-token.json").read_text()
    tokens = [
        record["responseElements"]["credentials"]["sessionToken"]
        for record in json.loads(raw)
        if (record.get("responseElements") or {}).get("credentials")
    ]
    assert tokens
    landed = b"".join(_item(record).content for record in json.loads(raw))
    assert not any(token.encode() in landed for token in tokens)
    assert REDACTED.encode() in landed


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (None, "unknown"),
        ("HIDDEN", "unknown"),
        ({}, "unknown"),
        ({"type": "Root", "accountId": "111122223333"}, "root of 111122223333"),
        ({"type": "IAMUser", "userName": "mira.osei"}, "mira.osei"),
        ({"arn": "arn:aws:iam::111122223333:user/mira.osei"}, "mira.osei"),
        ({"arn": "arn:aws:sts::111122223333:assumed-role/Deploy/run-7"}, "Deploy/run-7"),
        ({"type": "AWSService", "invokedBy": "sagemaker.amazonaws.com"}, "sagemaker.amazonaws.com"),
        ({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "94482"}}, "94482"),
        ({"type": "AWSAccount", "accountId": "444455556666"}, "444455556666"),
        ({"type": "WebIdentityUser", "principalId": "idp:app:u", "userName": None}, "idp:app:u"),
    ],
)  # fmt: skip
def test_the_actor_is_found_in_whatever_identity_says(identity: Any, expected: str) -> None:
    assert actor(identity) == expected


def test_systems_are_found_by_resource_parameter_and_actor() -> None:
    resource = event(1, NOW, resources=[{"ARN": "arn:aws:s3:::credit-training", "type": "x"}])
    parameter = event(2, NOW, requestParameters={"config": {"endpointName": "credit-endpoint"}})
    arn = event(3, NOW, requestParameters={
        "modelPackageArn": "arn:aws:sagemaker:eu-central-1:111122223333:model-package/credit-risk/7"
    })  # fmt: skip
    role = event(4, NOW, userIdentity={"arn": "arn:aws:sts::1:assumed-role/ticket-triage/run"})
    assert [_item(r).system for r in (resource, parameter, arn)] == ["credit-scoring"] * 3
    assert _item(role).system == "ticket-triage"
    assert _item(event(5, NOW)).system == ""
    assert _item(event(6, NOW), {"s3.amazonaws.com": "lake"}).system == "lake"


def test_names_survive_odd_shapes() -> None:
    odd = event(1, NOW, resources="none", requestParameters=[1], responseElements=None)
    assert "s3.amazonaws.com" in names(odd)


def test_secrets_go_and_what_names_them_stays() -> None:
    given_ = {
        "requestParameters": {
            "password": "hunter2", "masterUserPassword": "hunter3", "userName": "x",
            "secretId": "prod/db", "environment": {"variables": {"DB_PASSWORD": "hunter4"}},
            "clientToken": 12345678, "tokens": ["a"], "apiKey": ["k1", {"secret": "hunter5"}],
            "passwordResetRequired": True, "newPassword": "", "loginToken": None,
            "certificateBody": "-----BEGIN RSA PRIVATE KEY-----\nhunter6",
            "value": "HIDDEN_DUE_TO_SECURITY_REASONS",
        },
        "responseElements": {"credentials": {"accessKeyId": "ASIA1", "sessionToken": "hunter7"}},
    }  # fmt: skip
    told = redacted(given_)
    assert "hunter" not in json.dumps(told)
    assert "12345678" not in json.dumps(told)
    parameters = told["requestParameters"]
    assert parameters["secretId"] == "prod/db"
    assert parameters["passwordResetRequired"] is True
    assert parameters["newPassword"] == ""
    assert parameters["loginToken"] is None
    assert parameters["value"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert told["responseElements"]["credentials"]["accessKeyId"] == "ASIA1"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(record=st.dictionaries(st.sampled_from([*event(0, NOW), "resources"]), _JSON))
def test_any_json_is_an_item_or_a_named_refusal(record: dict[str, Any]) -> None:
    try:
        made = _item(record)
    except InvalidItem:
        return
    assert made.subject
    assert made.actor


def test_a_record_without_id_or_time_is_refused() -> None:
    with pytest.raises(InvalidItem, match="subject is empty"):
        _item(event(1, NOW) | {"eventID": None})
    with pytest.raises(InvalidItem, match="eventTime"):
        _item(event(1, NOW) | {"eventTime": "yesterday"})
    with pytest.raises(InvalidItem, match="not an object"):
        _item("a line")


def test_a_nest_without_end_is_refused() -> None:
    deep: Any = "bottom"
    for _ in range(5000):
        deep = {"in": deep}
    with pytest.raises(InvalidItem, match="nested too deep"):
        _item(event(1, NOW, requestParameters=deep))


def test_truncated_and_null_fields_are_kept_as_they_are() -> None:
    record = event(1, NOW, requestParameters={"omitted": True, "reason": "too large"},
                   responseElements=None, errorCode="AccessDenied")  # fmt: skip
    made = _item(record)
    assert payload(made) == record
    assert made.title.endswith("by mira.osei: AccessDenied")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"records": []}', b"\xff\xfe", b'{"Records": 1}']
)
def test_what_holds_no_records_says_so(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not JSON|no list named Records"):
        records(data)
