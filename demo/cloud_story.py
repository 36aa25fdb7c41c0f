"""What people and services of Brookside Lending did in AWS: CloudTrail records, hour by hour."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

ACCOUNT, REGION, TRAIL = "111122223333", "eu-central-1", "brookside-trail"
BUCKET = "brookside-cloudtrail"
MIRA, JONAS, PRIYA, TOMAS = "mira.osei", "jonas.frey", "priya.nair", "tomas.lind"
ROUTINE_HOURS = (9, 14)


@dataclass(frozen=True, slots=True)
class Deed:
    """One call: who made it, on which service, with what, from where, and how it was answered."""

    who: str
    service: str
    name: str
    parameters: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    error: str = ""
    address: str = "203.0.113.24"
    read_only: bool = False


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


_PACKAGE = _arn("sagemaker", "model-package/credit-risk/7")
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject"}],
}
_ALL_EVENTS = [{"readWriteType": "All", "includeManagementEvents": True, "dataResources": []}]
_FEW_EVENTS = [{"readWriteType": "ReadOnly", "includeManagementEvents": False, "dataResources": []}]

# (days since the trail began, hour): what happened then. The two calls on day 21 are the odd ones:
# at night a contractor's role narrows what the trail records, and in the morning it is put back.
STORY: dict[tuple[int, int], tuple[Deed, ...]] = {
    (2, 10): (
        Deed(
            MIRA, "sagemaker", "CreateModelPackage",
            {
                "modelPackageGroupName": "credit-risk",
                "modelApprovalStatus": "PendingManualApproval",
            },
            {"modelPackageArn": _PACKAGE},
        ),
    ),
    (3, 13): (
        Deed(
            PRIYA, "sagemaker", "UpdateModelPackage",
            {"modelPackageArn": _PACKAGE, "modelApprovalStatus": "Approved"},
            {"modelPackageArn": _PACKAGE},
        ),
    ),
    (4, 11): (
        Deed(
            TOMAS, "sagemaker", "CreateEndpointConfig",
            {"endpointConfigName": "credit-scoring-endpoint-v7", "kmsKeyId": "alias/credit"},
        ),
        Deed(
            TOMAS, "sagemaker", "UpdateEndpoint",
            {
                "endpointName": "credit-scoring-endpoint",
                "endpointConfigName": "credit-scoring-endpoint-v7",
            },
        ),
    ),
    (9, 15): (
        Deed(
            JONAS, "s3", "PutBucketPolicy",
            {"bucketName": "brookside-credit-training-data", "bucketPolicy": _POLICY},
        ),
    ),
    (12, 10): (
        Deed(
            TOMAS, "bedrock", "PutModelInvocationLoggingConfiguration",
            {"loggingConfig": {"s3Config": {"bucketName": "brookside-ticket-triage-invocations"}}},
        ),
    ),
    (15, 16): (
        Deed(JONAS, "cloudtrail", "DeleteTrail", {"name": TRAIL}, error="AccessDenied"),
    ),
    (17, 9): (
        Deed(TOMAS, "iam", "CreateUser", {"userName": "churn-predictor-batch"}),
        Deed(
            TOMAS, "iam", "CreateLoginProfile",
            {"userName": "churn-predictor-batch", "password": "Spring-Tide-4711"},
        ),
    ),
    (21, 2): (
        Deed(
            "role:contractor-data/r.vance", "cloudtrail", "PutEventSelectors",
            {"trailName": TRAIL, "eventSelectors": _FEW_EVENTS}, address="198.51.100.77",
        ),
    ),
    (21, 8): (
        Deed(
            TOMAS, "cloudtrail", "PutEventSelectors",
            {"trailName": TRAIL, "eventSelectors": _ALL_EVENTS},
        ),
    ),
    (24, 14): (
        Deed(
            MIRA, "sagemaker", "CreateEndpoint",
            {
                "endpointName": "churn-predictor-endpoint",
                "endpointConfigName": "churn-predictor-endpoint-v3",
            },
            {"endpointArn": _arn("sagemaker", "endpoint/churn-predictor-endpoint")},
        ),
    ),
}  # fmt: skip
BEGIN = (
    Deed(
        TOMAS, "cloudtrail", "CreateTrail",
        {"name": TRAIL, "s3BucketName": BUCKET, "enableLogFileValidation": True},
    ),
    Deed(TOMAS, "cloudtrail", "StartLogging", {"name": TRAIL}),
)  # fmt: skip
ROUTINE = (
    Deed(
        "role:ticket-triage/runtime", "bedrock", "InvokeModel",
        {"modelId": "anthropic.claude-3-sonnet-20240229-v1:0"}, read_only=True,
    ),
    Deed(
        "service:sagemaker.amazonaws.com", "sts", "AssumeRole",
        {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/credit-scoring-endpoint"},
        {"credentials": {"accessKeyId": "ASIAEXAMPLEEXAMPLE00", "sessionToken": "IQoJb3JpZ2lu"}},
    ),
    Deed(
        MIRA, "sagemaker", "DescribeEndpoint",
        {"endpointName": "credit-scoring-endpoint"}, read_only=True,
    ),
    Deed(
        JONAS, "s3", "GetBucketPolicy",
        {"bucketName": "brookside-credit-training-data"}, read_only=True,
    ),
    Deed(
        "role:churn-predictor/batch", "sagemaker", "CreateTransformJob",
        {"transformJobName": "churn-predictor-weekly", "modelName": "churn-v3"},
    ),
)  # fmt: skip


def deeds(begun: datetime, hour: datetime) -> tuple[Deed, ...]:
    """What was done in the hour that starts at `hour`, for a trail begun at `begun`."""
    if hour <= begun < hour + timedelta(hours=1):
        return BEGIN
    told = STORY.get(((hour.date() - begun.date()).days, hour.hour), ())
    if hour.hour not in ROUTINE_HOURS:
        return told
    dice = random.Random(f"routine {hour.isoformat()}")
    return (*told, *dice.sample(ROUTINE, k=3))


def record(deed: Deed, at: datetime, number: int) -> dict[str, Any]:
    """The CloudTrail record of a deed; the same arguments give the same record."""
    dice = random.Random(f"{deed.who} {deed.name} {at.isoformat()} {number}")
    told: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(deed.who),
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{deed.service}.amazonaws.com",
        "eventName": deed.name,
        "awsRegion": REGION,
        "sourceIPAddress": deed.address,
        "userAgent": "Boto3/1.44.5 md/Botocore#1.44.5",
        "requestParameters": deed.parameters,
        "responseElements": deed.answer,
        "requestID": _uuid(dice),
        "eventID": _uuid(dice),
        "readOnly": deed.read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    if deed.error:
        refusal = f"User: {deed.who} is not authorized to perform: {deed.service}:{deed.name}"
        told |= {"errorCode": deed.error, "errorMessage": refusal}
    return told


def _uuid(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def _identity(who: str) -> dict[str, Any]:
    kind, _, name = who.rpartition(":")
    if kind == "service":
        return {"type": "AWSService", "invokedBy": name}
    if kind == "role":
        role, _, session = name.partition("/")
        issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "userName": role}
        return {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLEEXAMPLE00:{session}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
            "accountId": ACCOUNT,
            "sessionContext": {"sessionIssuer": issuer},
        }
    return {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLEEXAMPLE00",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "userName": name,
    }
