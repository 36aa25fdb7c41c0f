"""AWS CloudTrail as it lies in S3: who did what, and whether its log is as delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from collectors._aws import clients, s3
from collectors._trail.draft import Draft
from collectors._trail.events import KIND as EVENT_KIND
from collectors._trail.findings import KIND as DIGEST_KIND
from collectors._trail.findings import Reporter
from collectors._trail.judge import Judge
from collectors._trail.keys import FileKeys, KeyRing, ServiceKeys
from collectors._trail.logs import LogReader
from collectors._trail.names import Scope, day_folder, start_day
from collectors._trail.state import RELIST_DAYS, Progress, read, write
from collectors._trail.walk import Walk
from collectors.base import Clock, Window, utc_now
from evidence.errors import ConfigError
from evidence.model import Batch, Cursor
from evidence.secret import Secret

if TYPE_CHECKING:
    from boto3.session import Session


@dataclass(frozen=True, slots=True)
class CloudTrail:
    """Reads CloudTrail's log files and digests below `s3://bucket/prefix/AWSLogs/organisation/`.

    Every event becomes an item `aws.cloudtrail` (an access denied is recorded, not failed);
    values under keys that say password, secret, token and the like become `[redacted]`. Every
    digest becomes an item `aws.cloudtrail.digest`: passed, failed with each problem named, or an
    error where it could not be judged. So does every log file that no digest names, and every
    region that cannot be validated at all. A digest is judged when it arrives, not again later.

    `trail` is one whose digests must be there (empty: any). `start` (`2026-01-31`) is the first
    day folder read. `public_keys` is a file, either ListPublicKeys' JSON or PEM; empty asks
    CloudTrail. `endpoint_url` serves both S3 and CloudTrail. `role` is an ARN to assume, with
    `external_id` if its trust asks for one. Without `access_key` and `secret_key` boto3's own chain
    finds credentials, of `profile` if given. `systems` maps globs over resource, parameter, source
    and user names to AI systems. Raises ConfigError.
    """

    source: str
    bucket: str
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    trail: str = ""
    prefix: str = ""
    organisation: str = ""
    endpoint_url: str = ""
    role: str = ""
    external_id: str = ""
    profile: str = ""
    access_key: Secret | None = None
    secret_key: Secret | None = None
    region_name: str = "us-east-1"
    public_keys: str = ""
    start: str = ""
    systems: Mapping[str, str] = field(default_factory=dict)
    window: Window | None = None
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    kinds: ClassVar[tuple[str, ...]] = (EVENT_KIND, DIGEST_KIND)
    states: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        mistakes = [
            f"{self.source}: {name} is empty; CloudTrail's folders are named by it"
            for name in ("bucket", "accounts", "regions")
            if not getattr(self, name)
        ]
        mistakes += (f"{self.source}: {mistake}" for mistake in self._access().mistakes())
        if mistakes:
            raise ConfigError(*mistakes)
        start_day(self.start)

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Account by account, region by region, day by day; see Collector.collect."""
        scopes = read(cursor)
        aws = self._session()
        bucket = self._bucket(aws)
        draft = Draft(self._query(), self._identity(aws), s3.API_VERSION, self.window)
        start, until = self._days()
        now = self.clock()
        for scope in self._scopes():
            progress = scopes.setdefault(scope.name, Progress())
            report = Reporter(self.source, self.bucket, scope, now)
            logs = LogReader(
                bucket=bucket, report=report, systems=self.systems, draft=draft, progress=progress,
                start=start, since=progress.window(start), resumed=bool(progress.newest),
            )  # fmt: skip
            judge = Judge(logs, self._ring(aws, scope.region), self.trail, past=bool(self.window))
            yield from Walk(logs, judge, lambda: write(scopes), until).batches()

    def probe(self) -> str:
        """Lists one key; says which bucket answered and where the credentials came from."""
        aws, place = self._session(), self._scopes()[0].logs
        identity = self._identity(aws)
        what = "log files found" if self._bucket(aws).first(place) else f"none yet under {place}"
        return f"s3://{self.bucket} with {identity}: {what}"

    def _days(self) -> tuple[str, str]:
        """The first day folder that is read, and the last ("": there is none).

        A day folder is of the delivery, which comes after the event: by minutes, or by days.
        """
        if self.window is None:
            return start_day(self.start), ""
        last = self.window.until + timedelta(days=RELIST_DAYS)
        return day_folder(self.window.since), day_folder(last)

    def _scopes(self) -> list[Scope]:
        return [
            Scope(account, region, self.prefix, self.organisation)
            for account in self.accounts
            for region in self.regions
        ]

    def _access(self) -> clients.Access:
        return clients.Access(
            self.profile, self.access_key, self.secret_key, self.role, self.external_id,
            self.endpoint_url,
        )  # fmt: skip

    def _session(self) -> Session:
        return self._access().session(self.region_name)

    def _bucket(self, aws: Session) -> s3.Bucket:
        client = s3.s3_client(aws, self.region_name, self.endpoint_url)
        return s3.Bucket(client, self.bucket)

    def _ring(self, aws: Session, region: str) -> Callable[[], KeyRing]:
        def ring() -> KeyRing:
            if self.public_keys:
                return FileKeys.read(self.public_keys)
            return ServiceKeys(clients.client(aws, "cloudtrail", region, self.endpoint_url))

        return ring

    def _identity(self, aws: Session) -> str:
        told = clients.identity(aws, self.profile)
        return f"{told} of {self.role}" if self.role else told

    def _query(self) -> str:
        where = "/".join(
            part for part in (self.prefix.strip("/"), "AWSLogs", self.organisation) if part
        )
        since = self.start or "the first object"
        accounts, regions = ",".join(self.accounts), ",".join(self.regions)
        return f"s3://{self.bucket}/{where} accounts {accounts} regions {regions} from {since}"
