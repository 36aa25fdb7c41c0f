"""Who may do what with AI: the policies of users, groups and roles, read for certain actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors._aws.iam_policy import Statement, allows, principals_of, statements_of
from collectors._aws.source import Place
from collectors._text import clean
from evidence.model import EvidenceItem

GRANT = "aws.iam.grant"
ABILITIES: Mapping[str, tuple[str, ...]] = {
    "train": ("sagemaker:CreateTrainingJob", "bedrock:CreateModelCustomizationJob"),
    "promote": (
        "sagemaker:UpdateModelPackage", "sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint",
    ),
    "invoke": (
        "sagemaker:InvokeEndpoint", "bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream",
    ),
    "guard": (
        "bedrock:UpdateGuardrail", "bedrock:DeleteGuardrail",
        "bedrock:PutModelInvocationLoggingConfiguration",
        "bedrock:DeleteModelInvocationLoggingConfiguration",
    ),
}  # fmt: skip
_DATA = {"read data": ("s3:GetObject",), "change data": ("s3:PutObject", "s3:DeleteObject")}
_DETAILS = (("User", "UserDetailList", "UserName"), ("Role", "RoleDetailList", "RoleName"))


@dataclass(frozen=True, slots=True)
class _Policies:
    """The documents of managed policies by ARN, and of groups by name."""

    managed: Mapping[str, Sequence[Statement]]
    groups: dict[str, list[tuple[str, Sequence[Statement]]]] = field(default_factory=dict)

    def of(self, told: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Sequence[Statement]]]:
        """What a user, a group or a role is given by itself: (name of the policy, statements)."""
        for inline in told.get(f"{kind}PolicyList") or []:
            yield str(inline["PolicyName"]), statements_of(inline.get("PolicyDocument"))
        for attached in told.get("AttachedManagedPolicies") or []:
            arn = str(attached["PolicyArn"])
            yield str(attached["PolicyName"]), self.managed.get(arn, ())

    def all_of(
        self, told: Mapping[str, Any], kind: str
    ) -> Iterator[tuple[str, Sequence[Statement]]]:
        """With those of a user's groups."""
        yield from self.of(told, kind)
        for group in told.get("GroupList") or []:
            yield from self.groups.get(str(group), [])


def grants(place: Place, data: Sequence[str]) -> Iterator[EvidenceItem]:
    """A state for each user and role that may do any of it."""
    policies = _policies(place)
    for kind, holds, name in _DETAILS:
        for told in _details(place, [kind], holds):
            given = list(policies.all_of(told, kind))
            may = dict(_abilities(given, data, place.region.removesuffix("-global")))
            if may:
                yield _grant(place, kind.lower(), str(told[name]), told, given, may)


def _details(place: Place, kinds: list[str], holds: str) -> list[dict[str, Any]]:
    return place.every("iam", "get_account_authorization_details", holds, Filter=kinds)


def _policies(place: Place) -> _Policies:
    managed = {}
    for told in _details(place, ["LocalManagedPolicy", "AWSManagedPolicy"], "Policies"):
        versions = told.get("PolicyVersionList") or []
        current = [v for v in versions if v.get("IsDefaultVersion")]
        managed[str(told["Arn"])] = statements_of(current[0].get("Document") if current else None)
    found = _Policies(managed)
    for group in _details(place, ["Group"], "GroupDetailList"):
        found.groups[str(group["GroupName"])] = list(found.of(group, "Group"))
    return found


def _abilities(
    given: Iterable[tuple[str, Sequence[Statement]]], data: Sequence[str], partition: str
) -> Iterator[tuple[str, list[str]]]:
    statements = [one for _, found in given for one in found]
    for ability, actions in ABILITIES.items():
        if allowed := [action for action in actions if allows(statements, action)]:
            yield ability, allowed
    for ability, actions in _DATA.items():
        places = [
            f"{action} {bucket}"
            for bucket in data
            for action in actions
            if allows(statements, action, f"arn:{partition}:s3:::{bucket}/object")
        ]
        if places:
            yield ability, places


def _grant(
    place: Place, kind: str, name: str, told: Mapping[str, Any],
    given: Iterable[tuple[str, Sequence[Statement]]], may: Mapping[str, list[str]],
) -> EvidenceItem:  # fmt: skip
    arn = str(told["Arn"])
    content = {
        "name": name, "type": kind, "arn": arn, "may": sorted(may),
        "actions": sorted(action for found in may.values() for action in found),
        "through": sorted({policy for policy, found in given if found}),
        "conditional": any(one.conditional for _, found in given for one in found if one.allow),
        "boundary": told.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        "assumed_by": sorted(principals_of(told.get("AssumeRolePolicyDocument"))),
    }  # fmt: skip
    return place.state(
        GRANT, f"{kind}/{name}", content, clean(f"{kind} {name} may {', '.join(sorted(may))}"),
        names=(name, arn), locator=arn,
    )  # fmt: skip
