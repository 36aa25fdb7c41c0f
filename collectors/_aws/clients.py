"""How AWS is reached: credentials, roles and clients, and what its errors ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence.errors import SourceBroken, SourceBusy, SourceError, SourceRefused
from evidence.secret import Secret

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config
    from botocore.credentials import RefreshableCredentials

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 30, 3

_BUSY = frozenset({
    "SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded",
    "TooManyRequestsException", "RequestTimeout", "RequestTimeoutException", "InternalError",
    "ServiceUnavailable", "BandwidthLimitExceeded", "OperationAborted",
    "LimitExceededException",
})  # fmt: skip
_REFUSED = frozenset({
    "NoSuchBucket", "AccessDenied", "AccessDeniedException", "InvalidAccessKeyId",
    "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidToken",
    "UnrecognizedClientException", "AccountProblem", "AllAccessDisabled", "InvalidBucketName",
    "PermanentRedirect", "AuthorizationHeaderMalformed", "InvalidClientTokenId",
    "IncompleteSignature", "RequestTimeTooSkewed", "NotSignedUp", "OptInRequired",
    "InvalidSecurity", "MalformedQueryException", "401", "403", "404", "301",
})  # fmt: skip


def code_of(error: Exception) -> tuple[str, int]:
    """The service's error code and the HTTP status; ("", 0) if no answer came."""
    answer = getattr(error, "response", None)
    if not isinstance(answer, dict):
        return "", 0
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return str(answer.get("Error", {}).get("Code", "")), int(status)


def explain(error: Exception, what: str) -> SourceError:
    """The house's error for one of botocore's; any other error is raised as it is."""
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    code, status = code_of(error)
    if isinstance(error, aws.ClientError):
        told = f"{what}: {code} (HTTP {status})"
        if code in _BUSY or status in {429, 500, 502, 503, 504}:
            return SourceBusy(f"{told}: AWS asks to try again later", what=what)
        if code in _REFUSED or status in {401, 403}:
            return SourceRefused(f"{told}: check bucket, key and permissions", what=what)
        return SourceBroken(f"{told}: an answer this collector does not know", what=what)
    if isinstance(error, ResponseParserError):
        return SourceBroken(f"{what}: the answer is not one of AWS: {_plain(error)}", what=what)
    if isinstance(error, aws.SSLError):
        return SourceRefused(f"{what}: the server's certificate was not accepted", what=what)
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError | aws.IncompleteReadError):
        return SourceBusy(f"{what}: no answer ({type(error).__name__})", what=what)
    if isinstance(error, aws.BotoCoreError | ValueError):
        kind = type(error).__name__
        return SourceRefused(f"{what}: {kind}: {_plain(error)}", what=what)
    raise error


def _plain(error: Exception) -> str:
    """botocore's settings errors name profiles, regions and parameters, not values of keys."""
    return " ".join(str(error).split())[:300]


@dataclass(frozen=True, slots=True)
class Access:
    """Whose credentials are used: `profile`'s or the given keys', or boto3's own chain's.

    With `role` (an ARN) they only assume it, with `external_id` if given, and again before its hour
    has ended. `region` is asked who that is; `endpoint_url` serves all services.
    """

    profile: str = ""
    access_key: Secret | None = None
    secret_key: Secret | None = None
    role: str = ""
    external_id: str = ""
    endpoint_url: str = ""

    def mistakes(self) -> Iterator[str]:
        """What is wrong with the settings, a sentence each."""
        if (self.access_key is None) != (self.secret_key is None):
            yield "give access_key and secret_key together, or neither"
        if self.role and not self.role.startswith("arn:"):
            yield f"role = {self.role!r} is no ARN such as arn:aws:iam::111122223333:role/evidence"

    def session(self, region: str) -> Session:
        """A session of the role, or of the credentials themselves. Raises SourceError."""
        own = session(self.profile, self.access_key, self.secret_key)
        identity(own, self.profile)
        return self._assumed(own, region) if self.role else own

    def _assumed(self, own: Session, region: str) -> Session:
        import boto3
        from botocore import credentials
        from botocore.session import get_session

        asked = {"RoleArn": self.role, "RoleSessionName": "headwater"}
        if self.external_id:
            asked["ExternalId"] = self.external_id
        again = credentials.create_assume_role_refresher(
            client(own, "sts", region, self.endpoint_url), asked
        )
        try:
            given = credentials.RefreshableCredentials.create_from_metadata(
                again(), again, "assume-role"
            )
        except Exception as error:
            raise explain(error, f"assuming {self.role}") from error
        core = get_session()
        core.register_component("credential_provider", _Given(given))
        return boto3.Session(botocore_session=core)


@dataclass(frozen=True, slots=True)
class _Given:
    """Stands where botocore looks for credentials, and has some."""

    credentials: RefreshableCredentials

    def load_credentials(self) -> RefreshableCredentials:
        return self.credentials


def session(profile: str, access_key: Secret | None, secret_key: Secret | None) -> Session:
    """boto3's own credential chain, unless keys are given. Raises SourceRefused."""
    import boto3

    try:
        return boto3.Session(
            profile_name=profile or None,
            aws_access_key_id=access_key.reveal() if access_key else None,
            aws_secret_access_key=secret_key.reveal() if secret_key else None,
        )
    except Exception as error:
        raise explain(error, "AWS credentials") from error


def client(aws: Session, service: str, region: str, endpoint_url: str) -> Any:
    """A client of a service in a region. Raises SourceRefused for settings that make none."""
    try:
        return aws.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=endpoint_url or None,
            config=settings(),
        )
    except Exception as error:
        raise explain(error, f"{service} client in {region}") from error


def identity(aws: Session, profile: str) -> str:
    """Where the credentials came from, never what they are. Raises SourceRefused without any."""
    try:
        found = aws.get_credentials()
    except Exception as error:
        raise explain(error, "AWS credentials") from error
    if found is None:
        raise SourceRefused("no AWS credentials: boto3's chain found none", what="AWS credentials")
    origin = "the configuration" if found.method == "explicit" else found.method
    return f"credentials from {origin}" + (f", profile {profile}" if profile else "")


def settings(*, by_path: bool = False) -> Config:
    """Bounded waiting: a dead endpoint is told within seconds, not minutes."""
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        s3={"addressing_style": "path"} if by_path else {},
    )
