"""How CloudTrail names what it writes to S3: one folder a day, the delivery time in every name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from evidence.errors import ConfigError

_DAY = re.compile(r"\d{4}/\d{2}/\d{2}(?=/)")
_LOG = re.compile(
    r"\d{4}/\d{2}/\d{2}/(?P<account>\d{12})_CloudTrail_(?P<region>[a-z0-9-]+)"
    r"_(?P<at>\d{8}T\d{4}Z)_[0-9A-Za-z]+\.json\.gz"
)
_DIGEST = re.compile(
    r"\d{4}/\d{2}/\d{2}/(?P<account>\d{12})_CloudTrail-Digest_(?P<region>[a-z0-9-]+)"
    r"_(?P<trail>.+)_(?P<home>[a-z0-9-]+)_(?P<at>\d{8}T\d{6}Z)(?P<backfill>_backfill)?\.json\.gz"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """One account in one region below one prefix: within it logs and digests are chained."""

    account: str
    region: str
    prefix: str = ""
    organisation: str = ""

    @property
    def name(self) -> str:
        """`111122223333/eu-central-1`."""
        return f"{self.account}/{self.region}"

    @property
    def logs(self) -> str:
        """The key prefix of the log files, ending in `/`."""
        return self._folder("CloudTrail")

    @property
    def digests(self) -> str:
        """The key prefix of the digest files, ending in `/`."""
        return self._folder("CloudTrail-Digest")

    def _folder(self, kind: str) -> str:
        parts = (self.prefix.strip("/"), "AWSLogs", self.organisation, self.account, kind)
        return "/".join(part for part in (*parts, self.region) if part) + "/"

    def log(self, suffix: str) -> datetime | None:
        """When the log file below `logs` was delivered; None if CloudTrail does not name so."""
        return _moment(_LOG.fullmatch(suffix), self, "%Y%m%dT%H%M%SZ", seconds="00")

    def digest(self, suffix: str) -> DigestName | None:
        """The parts of a digest's name below `digests`; None if CloudTrail does not name so."""
        match = _DIGEST.fullmatch(suffix)
        at = _moment(match, self, "%Y%m%dT%H%M%SZ")
        if match is None or at is None:
            return None
        return DigestName(suffix, match["trail"], match["home"], at, bool(match["backfill"]))


@dataclass(frozen=True, slots=True)
class DigestName:
    """What a digest's name says: its trail, the trail's home region, the end of its hour."""

    suffix: str
    trail: str
    home: str
    at: datetime
    backfill: bool

    @property
    def chain(self) -> str:
        """Digests with one name here are linked each to the one before."""
        return f"{self.trail}@{self.home}" + ("+backfill" if self.backfill else "")


def _moment(
    match: re.Match[str] | None, scope: Scope, form: str, seconds: str = ""
) -> datetime | None:
    if match is None or (match["account"], match["region"]) != (scope.account, scope.region):
        return None
    try:
        return datetime.strptime(match["at"][:-1] + seconds + "Z", form).replace(tzinfo=UTC)
    except ValueError:
        return None


def day_of(suffix: str) -> str:
    """The `YYYY/MM/DD` a name begins with, empty if it does not."""
    match = _DAY.match(suffix)
    return match[0] if match else ""


def back(day: str, days: int) -> str:
    """The day folder so many days earlier; empty stays empty (from the very first)."""
    try:
        return (date(*map(int, day.split("/"))) - timedelta(days)).strftime("%Y/%m/%d")
    except (ValueError, TypeError, OverflowError):
        return ""


def day_folder(moment: datetime) -> str:
    """The day folder of what was delivered at a moment."""
    return moment.astimezone(UTC).strftime("%Y/%m/%d")


def start_day(start: str) -> str:
    """A setting `2026-01-31` as a day folder. Raises ConfigError."""
    if not start:
        return ""
    try:
        return date.fromisoformat(start).strftime("%Y/%m/%d")
    except ValueError as error:
        raise ConfigError(f"start = {start!r} is not a date like 2026-01-31") from error
