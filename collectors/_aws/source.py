"""What every collector of one AWS account shares: settings, regions, and denials that show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from collectors._aws.asking import Asking
from collectors._aws.clients import Access
from collectors._states import compared
from collectors._text import clean
from collectors.base import Clock, system_of, utc_now
from evidence.errors import ConfigError, SourceRefused
from evidence.model import Batch, Cursor, EvidenceItem, Nature, Outcome
from evidence.secret import Secret
from evidence.snapshot import Snapshot

Reader = Callable[["Place"], Iterable[EvidenceItem]]
Asked = Sequence[tuple[str, str, Reader]]
"""Kind, region and what reads it there."""


@dataclass(frozen=True)
class AwsSource:
    """The settings of one account and its regions; a collector adds what it reads of them.

    `account` is the one that the credentials must belong to (empty: any). `role` is an ARN to
    assume, with `external_id` if its trust asks for one. Without `access_key` and `secret_key`
    boto3's own chain finds credentials, of `profile` if given. `endpoint_url` serves every service.
    `systems` maps globs over native names to AI systems. Raises ConfigError.
    """

    source: str
    regions: tuple[str, ...]
    account: str = ""
    role: str = ""
    external_id: str = ""
    profile: str = ""
    access_key: Secret | None = None
    secret_key: Secret | None = None
    endpoint_url: str = ""
    systems: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    kinds: ClassVar[tuple[str, ...]] = ()
    states: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        mistakes = tuple(self._mistakes())
        if mistakes:
            raise ConfigError(*(f"{self.source}: {mistake}" for mistake in mistakes))

    def _mistakes(self) -> Iterator[str]:
        if isinstance(self.regions, str) or not self.regions:
            yield "regions must be a list with at least one text, such as eu-central-1"
        elif len(set(self.regions)) != len(self.regions):
            yield "regions names one region twice"
        yield from self._access().mistakes()

    def _access(self) -> Access:
        return Access(
            self.profile, self.access_key, self.secret_key, self.role, self.external_id,
            self.endpoint_url,
        )  # fmt: skip

    def _asking(self) -> Asking:
        """Raises SourceRefused where the credentials belong to another account than told."""
        session = self._access().session(self.regions[0])
        asking = Asking(session, self.endpoint_url, self.clock())
        asking.who(self.regions[0])
        if self.account and asking.account != self.account:
            told = f"{asking.identity} belongs to account {asking.account}, not {self.account}"
            raise SourceRefused(f"{told}: correct `account`, `role` or the credentials", what=told)
        return asking


@dataclass(frozen=True, slots=True)
class Place:
    """One region as one pull asks it, and how what it holds becomes items."""

    source: AwsSource
    asking: Asking
    region: str

    def every(self, service: str, operation: str, holds: str, **asked: Any) -> list[dict[str, Any]]:
        """See Asking.every."""
        return self.asking.every(service, self.region, operation, holds, **asked)

    def each(
        self, service: str, operation: str, holds: str, **asked: Any
    ) -> Iterator[dict[str, Any]]:
        """See Asking.each."""
        return self.asking.each(service, self.region, operation, holds, **asked)

    def one(self, service: str, operation: str, holds: str = "", **asked: Any) -> dict[str, Any]:
        """See Asking.one."""
        return self.asking.one(service, self.region, operation, holds, **asked)

    def subject(self, name: str = "") -> str:
        """`account/region/name`: what tells one account's rule from another's of that name."""
        return "/".join(part for part in (self.asking.account, self.region, name) if part)

    def state(
        self, kind: str, name: str, told: Mapping[str, Any], title: str,
        outcome: Outcome = Outcome.RECORDED, *,
        names: Iterable[str] = (), system: str | None = None, locator: str = "", actor: str = "",
    ) -> EvidenceItem:  # fmt: skip
        """A setting as it stands; `names` are matched with `systems` unless `system` is given."""
        at = self.asking.at
        found = system_of(self.source.systems, *names) if system is None else system
        where = {"account": self.asking.account, "region": self.region}
        return EvidenceItem(
            source=self.source.source, kind=kind, subject=self.subject(name), observed_from=at,
            observed_to=at, collected_at=at, payload={**where, **told}, nature=Nature.STATE,
            system=found, title=clean(title), outcome=outcome, actor=actor,
            locator=locator or f"aws:{self.subject(name)}",
        )  # fmt: skip


@dataclass(frozen=True)
class AwsStates(AwsSource, ABC):
    """A collector of settings as they stand: each kind is read in each region by itself."""

    @abstractmethod
    def _readers(self) -> Mapping[str, Reader]:
        """For each kind, what reads it in one region."""

    def _asked(self) -> Asked:
        """Which kind is read where: each in each region, unless a collector says otherwise."""
        return everywhere(self.regions, self._readers())

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """One batch with what differs from the last snapshot; see Collector.collect.

        A kind that is denied in a region is a gap that names the call; nothing of it is said to be
        gone. Raises SourceRefused when nothing may be read anywhere.
        """
        before, asking = Snapshot.read(cursor), self._asking()
        items, withheld = read(self, asking, self._asked())
        changed, after = compared(
            before, items, lambda kind, subject: hides(withheld, asking, kind, subject),
            at=asking.at, source=self.source,
        )  # fmt: skip
        cut = {kind for kind, _ in withheld}
        states = tuple(kind for kind in self.states if kind not in cut)
        yield Batch(changed, after.cursor(), asking.facts(self._query(asking), states))

    def probe(self) -> str:
        """Asks who the credentials belong to."""
        asking = self._asking()
        return f"{asking.identity} in account {asking.account}, {len(self.regions)} regions"

    def _query(self, asking: Asking) -> str:
        kinds, regions = ", ".join(self.states), ", ".join(self.regions)
        return f"{kinds} of account {asking.account} in {regions}"


def everywhere(regions: Sequence[str], readers: Mapping[str, Reader]) -> Asked:
    """Each kind in each region."""
    return [(kind, region, reader) for region in regions for kind, reader in readers.items()]


def read(
    source: AwsSource, asking: Asking, asked: Asked
) -> tuple[list[EvidenceItem], set[tuple[str, str]]]:
    """All items, and the (kind, region) of which not all may be seen.

    Raises SourceRefused when everything was denied.
    """
    items: list[EvidenceItem] = []
    withheld: set[tuple[str, str]] = set()
    refused: SourceRefused | None = None
    for kind, region, reader in asked:
        gaps = len(asking.gaps)
        try:
            items += reader(Place(source, asking, region))
        except SourceRefused as error:
            asking.gap(f"{kind} in {region}", str(error))
            refused = error
        if len(asking.gaps) > gaps:
            withheld.add((kind, region))
    asking.received = len(items)
    if refused and not items and len(withheld) == len(asked):
        raise refused
    return items, withheld


def hides(withheld: set[tuple[str, str]], asking: Asking, kind: str, subject: str) -> bool:
    """Whether a subject may be there though it was not seen: its kind is denied in its region."""
    account, _, rest = subject.partition("/")
    return account == asking.account and (kind, rest.split("/", 1)[0]) in withheld
