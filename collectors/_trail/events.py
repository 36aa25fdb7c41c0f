"""One CloudTrail record becomes one item: who did what when, without secret-looking values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from collectors.base import system_of
from evidence.errors import InvalidItem
from evidence.model import EvidenceItem
from evidence.times import parse

KIND = "aws.cloudtrail"
REDACTED = "[redacted]"

# Ends of key names, lower case without separators. `secretId` and `accessKeyId` name a secret
# without being one, and say what was touched: they stay.
_SECRET_KEYS = (
    "password", "passwd", "passphrase", "secret", "secretstring", "secretbinary", "secretvalue",
    "secretkey", "secretaccesskey", "token", "privatekey", "apikey", "authorization", "credential",
    "credentials", "authkey", "connectionstring", "plaintext", "userdata", "privatekeyplaintext",
)  # fmt: skip
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_SEPARATORS = re.compile(r"[^a-z0-9]")
_NAMING = re.compile(r"(?:name|id|arn|names|ids|arns|identifier)$", re.IGNORECASE)


def records(data: bytes) -> list[Any]:
    """The records of an unpacked log file. Raises ValueError saying what it is instead."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error})") from error
    if not isinstance(told, dict) or not isinstance(told.get("Records"), list):
        raise ValueError("it holds no list named Records")
    return list(told["Records"])


def item(
    record: Any, *, source: str, systems: Mapping[str, str], locator: str, at: datetime
) -> EvidenceItem:
    """The item for one record, collected at `at`. Raises InvalidItem if it has no id or time."""
    if not isinstance(record, dict):
        raise InvalidItem(f"the record is a {type(record).__name__}, not an object")
    observed = parse(str(record.get("eventTime") or ""), what="eventTime")
    who = actor(record.get("userIdentity"))
    call = f"{record.get('eventSource') or 'unknown source'} {record.get('eventName') or 'event'}"
    error = record.get("errorCode")
    try:
        return EvidenceItem(
            source=source, kind=KIND, subject=str(record.get("eventID") or ""),
            observed_from=observed, observed_to=observed, collected_at=at,
            payload=redacted(record), system=system_of(systems, *names(record)),
            title=f"{call} by {who}" + (f": {error}" if error else ""), actor=who, locator=locator,
        )  # fmt: skip
    except RecursionError as deep:
        raise InvalidItem("the record is nested too deep") from deep


def actor(identity: Any) -> str:
    """Who did it, as far as `userIdentity` says: user name, role/session, service, account."""
    if not isinstance(identity, dict):
        return "unknown"
    kind = str(identity.get("type") or "")
    arn = str(identity.get("arn") or "")
    if kind == "Root":
        return f"root of {identity.get('accountId') or 'unknown account'}"
    if kind == "AWSService":
        return str(identity.get("invokedBy") or "an AWS service")
    if ":assumed-role/" in arn:
        return arn.split(":assumed-role/", 1)[1]
    behalf = identity.get("onBehalfOf")
    wanted = (
        identity.get("userName"),
        arn.rsplit(":", 1)[-1].removeprefix("user/"),
        behalf.get("userId") if isinstance(behalf, dict) else None,
        identity.get("principalId"),
        identity.get("invokedBy"),
        identity.get("accountId"),
    )
    return next((str(name) for name in wanted if name), "unknown")


def names(record: Mapping[str, Any]) -> list[str]:
    """Native names a record speaks of: resources first, then its parameters, source and actor."""
    found = [*_resources(record.get("resources"))]
    for part in ("requestParameters", "responseElements"):
        found += _named(record.get(part))
    tails = [re.split(r"[/:]", name)[-1] for name in found if name.startswith("arn:")]
    middle = [part for name in found if name.startswith("arn:") for part in name.split("/")[1:]]
    who = actor(record.get("userIdentity"))
    return [*found, *tails, *middle, str(record.get("eventSource") or ""), who]


def _resources(resources: Any) -> Iterator[str]:
    for resource in resources if isinstance(resources, list) else []:
        if isinstance(resource, dict):
            yield from (str(v) for k, v in resource.items() if v and _NAMING.search(str(k)))


def _named(part: Any, depth: int = 3) -> list[str]:
    found: list[str] = []
    for key, value in part.items() if isinstance(part, dict) else []:
        if isinstance(value, str) and (_NAMING.search(str(key)) or value.startswith("arn:")):
            found.append(value)
        elif isinstance(value, list) and depth:
            found += [v for v in value if isinstance(v, str) and _NAMING.search(str(key))]
            for entry in value:
                found += _named(entry, depth - 1)
        elif isinstance(value, dict) and depth:
            found += _named(value, depth - 1)
    return found


def redacted(value: Any) -> Any:
    """The same JSON with `[redacted]` for private keys and under keys that say password or secret.

    Nothing is left of the value, not even a hash: short secrets can be guessed from it.
    """
    if isinstance(value, dict):
        return {k: _hidden(v) if _is_secret(k) else redacted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [redacted(entry) for entry in value]
    if isinstance(value, str) and _PRIVATE_KEY.search(value):
        return REDACTED
    return value


def _is_secret(key: object) -> bool:
    return _SEPARATORS.sub("", str(key).lower()).endswith(_SECRET_KEYS)


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return redacted(value)
    if isinstance(value, list):
        return [_hidden(entry) for entry in value]
    return value if value is None or isinstance(value, bool) or value == "" else REDACTED
