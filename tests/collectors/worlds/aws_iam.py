"""Users, roles and policies in moto's IAM, and an access analyzer as its service model says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.backends import get_backend

from collectors.aws_iam import AwsIam
from tests.collectors.aws_server import ACCOUNT, Aws

REGION = "eu-south-1"
NOW = datetime.now(UTC).replace(microsecond=0)


def policy(*actions: str, resource: str = "*", **more: Any) -> str:
    """A document that allows these."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trusting(service: str) -> str:
    """A role's trust in a service."""
    allow = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.aws = Aws().__enter__()
        get_backend("iam")[ACCOUNT]["aws"].reset()
        self.client = self.aws.client("iam", "us-east-1")
        self.client.create_user(UserName="ada")
        self.client.create_group(GroupName="scientists")
        self.client.add_user_to_group(GroupName="scientists", UserName="ada")
        self.client.put_group_policy(
            GroupName="scientists", PolicyName="train",
            PolicyDocument=policy("sagemaker:Create*", "s3:Get*"),
        )  # fmt: skip
        self.role("credit-api", "invoke", policy("bedrock:InvokeModel*"))
        self.role("auditor", "look", policy("s3:ListAllMyBuckets"))
        self.found: list[dict[str, Any]] = []
        self.analyzers = [self.analyzer("ACCOUNT")]
        self.aws.answers |= {
            "ListAnalyzers": lambda *_: {"analyzers": self.analyzers},
            "ListFindingsV2": self._findings,
        }

    def role(self, name: str, called: str, document: str) -> None:
        """A role with an inline policy."""
        self.client.create_role(
            RoleName=name, AssumeRolePolicyDocument=trusting("ecs-tasks.amazonaws.com")
        )
        self.client.put_role_policy(RoleName=name, PolicyName=called, PolicyDocument=document)

    def analyzer(self, kind: str, status: str = "ACTIVE") -> dict[str, Any]:
        arn = f"arn:aws:access-analyzer:{REGION}:{ACCOUNT}:analyzer/{kind.lower()}"
        return {
            "arn": arn, "name": kind.lower(), "type": kind, "status": status, "createdAt": NOW,
        }  # fmt: skip

    def open_to_outsiders(self, bucket: str, kind: str = "ExternalAccess") -> None:
        """A finding that nobody archived."""
        self.found.append({
            "id": f"f-{bucket}", "resource": f"arn:aws:s3:::{bucket}", "status": "ACTIVE",
            "resourceType": "AWS::S3::Bucket", "resourceOwnerAccount": ACCOUNT,
            "analyzedAt": NOW, "createdAt": NOW, "updatedAt": NOW, "findingType": kind,
        })  # fmt: skip

    def _findings(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        assert asked["filter"] == {"status": {"eq": ["ACTIVE"]}}
        return {"findings": self.found}

    def collector(self, **changed: Any) -> AwsIam:
        plain = AwsIam(
            source="cloud-people", regions=(REGION,), systems={"credit-*": "credit-scoring"},
            data=("credit-raw",), **self.aws.keys(),
        )  # fmt: skip
        return replace(plain, **changed)

    def grow(self) -> None:
        """The auditor may invoke models, too."""
        self.client.put_role_policy(
            RoleName="auditor", PolicyName="more", PolicyDocument=policy("sagemaker:InvokeEndpoint")
        )

    def down(self) -> AwsIam:
        return self.collector(endpoint_url="http://127.0.0.1:9")

    def refused(self) -> AwsIam:
        """Credentials of another account."""
        return self.collector(account="999999999999")

    def close(self) -> None:
        self.aws.close()
