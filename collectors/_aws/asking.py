"""One pull's questions to AWS: every page is asked for and counted, none taken for another."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from collectors._aws import clients
from collectors._waits import moment_of
from collectors.base import tell
from evidence.errors import SourceBroken
from evidence.runs import Gap, PullFacts

if TYPE_CHECKING:
    from boto3.session import Session


_ABSENT = frozenset({
    "ResourceNotFoundException", "ResourceNotFound", "NoSuchConfigRuleException",
})  # fmt: skip
# SageMaker has no code of its own for most of what is not there.
_NOT_THERE = re.compile(r"not exist|not find|not found", re.IGNORECASE)


class Absent(SourceBroken):
    """What was asked about is not there: it may have gone since it was listed."""


@dataclass(slots=True)
class Pace:
    """Lets `seconds` pass between two calls of one region, repetitions among them."""

    seconds: float
    free: dict[str, float] = field(default_factory=dict)

    def keep(self, region: str) -> None:
        """Wait until the next call may be made."""
        wait = self.free.get(region, 0.0) - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        self.free[region] = time.monotonic() + self.seconds


@dataclass(slots=True)
class Asking:
    """Answers of one account, whose facts are those of one batch after another.

    `at` is when the pull began, `now` what AWS's own clock said last; `pace` keeps calls apart that
    AWS counts. All calls raise SourceBusy,
    SourceRefused (also for one region or call that is denied) and SourceBroken.
    """

    aws: Session
    endpoint_url: str
    at: datetime
    account: str = ""
    identity: str = ""
    now: datetime = field(init=False)
    pages: int = 0
    received: int = 0
    raw: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    pace: Pace | None = None

    def __post_init__(self) -> None:
        self.now = self.at

    def who(self, region: str) -> None:
        """Note the account and the identity that the credentials belong to."""
        told = self.one("sts", region, "get_caller_identity", "Account")
        self.account, self.identity = str(told["Account"]), str(told.get("Arn", ""))

    def one(
        self, service: str, region: str, operation: str, holds: str = "", **asked: Any
    ) -> dict[str, Any]:
        """One answer; `holds` is a name that must be in it."""
        made = self._client(service, region)
        try:
            answer: dict[str, Any] = getattr(made, operation)(**asked)
        except Exception as error:
            raise _told(error, _what(service, operation, region)) from error
        return self._checked(answer, holds, _what(service, operation, region))

    def every(
        self, service: str, region: str, operation: str, holds: str, **asked: Any
    ) -> list[dict[str, Any]]:
        """The rows under `holds` of all pages."""
        return list(self.each(service, region, operation, holds, **asked))

    def each(
        self, service: str, region: str, operation: str, holds: str, **asked: Any
    ) -> Iterator[dict[str, Any]]:
        """The same as they come; pages may be empty and still lead on."""
        what = _what(service, operation, region)
        pages = iter(self._client(service, region).get_paginator(operation).paginate(**asked))
        while True:
            try:
                page = next(pages, None)
            except Exception as error:
                raise _told(error, what) from error
            if page is None:
                return
            yield from self._checked(page, holds, what)[holds]

    def facts(self, query: str, states: tuple[str, ...] = ()) -> PullFacts:
        """What was asked and answered since the last facts."""
        told = PullFacts(
            pages=self.pages, received=self.received, query=query, window_to=self.at,
            api_version="AWS", identity=self.identity, raw_sha256=tuple(self.raw),
            gaps=tuple(self.gaps), states=states,
        )  # fmt: skip
        self.pages, self.received, self.raw, self.gaps = 0, 0, [], []
        return told

    def gap(self, what: str, why: str) -> None:
        """Something that could not be examined: the pull is partial then."""
        self.gaps.append(Gap(what, why))

    def _checked(self, answer: dict[str, Any], holds: str, what: str) -> dict[str, Any]:
        """An answer without what it must hold is another service's, never an empty list."""
        if holds and holds not in answer:
            raise SourceBroken(f"{what}: the answer holds no {holds}", what=what)
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        self.now = moment_of(headers.get("date", "")) or self.now
        return answer

    def _client(self, service: str, region: str) -> Any:
        known = self.clients.get((service, region))
        if known is None:
            known = clients.client(self.aws, service, region, self.endpoint_url)
            known.meta.events.register("before-parse", self._heard)
            known.meta.events.register("before-send", lambda **_: self._paced(region))
            self.clients[service, region] = known
        return known

    def _paced(self, region: str) -> None:
        if self.pace:
            self.pace.keep(region)

    def _heard(self, response_dict: Mapping[str, Any], **_: object) -> None:
        """The bytes as they came, before anything is made of them; refusals are no pages."""
        if response_dict["status_code"] < 300:
            self.pages += 1
            tell("AWS")
            self.raw.append(hashlib.sha256(response_dict["body"] or b"").hexdigest())


def _what(service: str, operation: str, region: str) -> str:
    """The call as IAM policies write it: `config:DescribeConfigRules in eu-central-1`."""
    return f"{service}:{''.join(part.title() for part in operation.split('_'))} in {region}"


def _told(error: Exception, what: str) -> Exception:
    from botocore.exceptions import PaginationError

    code, _ = clients.code_of(error)
    if code in _ABSENT or (code == "ValidationException" and _NOT_THERE.search(str(error))):
        return Absent(f"{what}: it is not there ({code})", what=what)
    if isinstance(error, PaginationError):
        return SourceBroken(f"{what}: the same page token came twice", what=what)
    return clients.explain(error, what)
