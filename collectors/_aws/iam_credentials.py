"""The credential report of one account, held against limits."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from collectors._aws.source import Place
from collectors._json import moment
from evidence.errors import SourceBroken, SourceBusy
from evidence.model import EvidenceItem, Outcome

CREDENTIALS = "aws.iam.credentials"
NAMED = 100
ROOT = "<root_account>"
# AWS makes the report within seconds, and gives the same for four hours.
_WAITS = (0.2, 0.5, 1, 2, 4, 8, 16)
_NEEDED = ("user", "password_enabled", "mfa_active", "access_key_1_active")


@dataclass(frozen=True, slots=True)
class Limits:
    """How old a key may be, and how long a key or a password may stay unused."""

    rotate: timedelta
    unused: timedelta


def credentials(place: Place, limits: Limits) -> Iterator[EvidenceItem]:
    """One state: what of the account's credentials is not as it should be, and whose."""
    rows = _report(place)
    found = [
        {"user": row["user"], "what": what}
        for row in rows
        for what in _wrong(row, limits, place.asking.now)
    ]
    told = {
        "users": sum(row["user"] != ROOT for row in rows),
        "rotate_days": limits.rotate.days, "unused_days": limits.unused.days,
        "wrong": found[:NAMED], "wrong_count": len(found),
    }  # fmt: skip
    said = f"{len(found)} things wrong with credentials" if found else "credentials are in order"
    yield place.state(
        CREDENTIALS, "", told, f"IAM of account {place.asking.account}: {said}",
        Outcome.FAILED if found else Outcome.PASSED,
    )  # fmt: skip


def _report(place: Place) -> list[dict[str, str]]:
    """Every row as text. Raises SourceBusy while it is not made yet, SourceBroken."""
    for wait in _WAITS:
        made = place.one("iam", "generate_credential_report", "State")
        if made["State"] == "COMPLETE":
            break
        time.sleep(wait)
    else:
        what = "iam:GenerateCredentialReport"
        raise SourceBusy(f"{what}: the report is not made yet", what=what)
    content = place.one("iam", "get_credential_report", "Content")["Content"]
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8", "replace"))))
    if not rows or any(row.get(name) is None for row in rows for name in _NEEDED):
        raise SourceBroken("the credential report lacks rows or columns", what="credential report")
    return rows


def _wrong(row: Mapping[str, str], limits: Limits, now: datetime) -> Iterator[str]:
    root = row["user"] == ROOT
    signs_in = _is(row, "password_enabled")
    if (root or signs_in) and not _is(row, "mfa_active"):
        yield "signs in without a second factor"
    if signs_in and not root:
        last = _last(row, "password_last_used", "password_last_changed", "user_creation_time")
        if _past(last, limits.unused, now):
            yield f"has a password unused for over {limits.unused.days} days"
    for number in ("1", "2"):
        key = f"access_key_{number}"
        if _is(row, f"{key}_active"):
            yield from _key(row, key, limits, now, root=root)


def _is(row: Mapping[str, str], column: str) -> bool:
    return row.get(column) == "true"


def _key(
    row: Mapping[str, str], key: str, limits: Limits, now: datetime, *, root: bool
) -> Iterator[str]:
    name = key.replace("_", " ")
    if root:
        yield f"root has {name}"
    if _past(_last(row, f"{key}_last_rotated"), limits.rotate, now):
        yield f"has {name} of over {limits.rotate.days} days"
    last = _last(row, f"{key}_last_used_date", f"{key}_last_rotated")
    if _past(last, limits.unused, now):
        yield f"has {name} unused for over {limits.unused.days} days"


def _last(row: Mapping[str, Any], *names: str) -> datetime | None:
    """The first of these that is a time: `N/A` and `no_information` are none."""
    for name in names:
        text = str(row.get(name) or "")
        if text[:4].isdigit():
            return moment(text, f"credential report: {name} of {row['user']}")
    return None


def _past(last: datetime | None, limit: timedelta, now: datetime) -> bool:
    """What has no time at all is past every limit."""
    return last is None or now - last > limit
