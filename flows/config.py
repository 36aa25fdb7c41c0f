"""headwater.toml once it is read: sources, lake, keys and what the organisation changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evidence.errors import ConfigError
from flows.config_values import resolve
from flows.outside import Anchor, WitnessAt
from mappings.in_force import InForce, mapping_in_force
from mappings.overrides import Override
from mappings.rules import RULES, RuleSet, load_rules
from storage.place import Place
from storage.redaction import Redactor, Rule
from storage.redaction_key import load_redaction_key
from storage.retention import RetentionClass

if TYPE_CHECKING:
    from dashboards.access import Grant
    from dashboards.provider import Provider
    from flows._alerts.channel import Channel
    from flows._alerts.settings import Alerts
    from flows.draft_model import Drafting
    from flows.suggest_model import Suggest
    from storage.mail import MailServer

FILE = "headwater.toml"


@dataclass(frozen=True, slots=True)
class Source:
    """One source: its name, the class that collects it, when, and that class's settings.

    `schedule` is a cron line in the time zone `timezone` (IANA); `time_limit` is how long
    one pull may wait for it; `lacking` says which of its secrets are not there, and why.
    """

    name: str
    uses: str
    schedule: str
    settings: Mapping[str, Any]
    time_limit: timedelta = timedelta(hours=1)
    timezone: str = "UTC"
    lacking: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """Whom it asks, as its settings say; without an address, whom all of its class ask."""
        texts = (value for value in self.settings.values() if isinstance(value, str))
        return tuple(sorted(set(filter(None, map(_host, texts))))) or (self.uses,)

    def collector(self, clock: Callable[[], datetime]) -> Any:
        """The collector, built. Raises ConfigError when its own checks refuse the settings."""
        try:
            return resolve(self.uses)(source=self.name, clock=clock, **self.settings)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"source {self.name}: {error}") from error

    def asking(self, clock: Callable[[], datetime]) -> Any:
        """The collector, to ask its source. Raises ConfigError, also for a secret that lacks."""
        if self.lacking:
            raise ConfigError(*self.lacking)
        return self.collector(clock)


@dataclass(frozen=True, slots=True)
class Verifying:
    """[verify]: when everything is recomputed, and by how many processes."""

    schedule: str = "40 3 * * *"
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Watching:
    """[watch]: when Headwater looks at itself, and where it leaves what others watch it by.

    Below `free_gb` the disk counts as nearly full. `listen` is the HOST:PORT at which `serve`
    answers them, under its own name and `names`. `ask_clocks` says whether the sources' servers are
    asked what time it is.
    """

    schedule: str = "*/15 * * * *"
    folder: Path = Path("watch")
    free_gb: float = 2.0
    listen: str = ""
    names: tuple[str, ...] = ()
    ask_clocks: bool = True


@dataclass(frozen=True, slots=True)
class Showing:
    """[board]: a served board that was judged longer ago than `oldest` is shown to nobody."""

    oldest: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Binding:
    """[law]: which laws with deadlines bind the organisation, and as what; empty: nobody says.

    Days and hours of deadlines are those of `zone`; `country` (and `subdivision`) says which
    holidays are no working days, beside weekends.
    """

    binds: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    zone: str = "Europe/Brussels"
    country: str = ""
    subdivision: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """headwater.toml, checked. All paths are absolute."""

    file: Path
    organisation: str
    lake: Place
    key: Path
    witness: Path
    origin: str
    own_rules: tuple[Path, ...]
    own_frameworks: tuple[Path, ...]
    freshness_schedule: str
    maintain_schedule: str
    keep_snapshots: timedelta
    patience: int
    wait: timedelta
    sources: tuple[Source, ...]
    at_once: int = 4
    hosts: Mapping[str, int] = field(default_factory=dict)
    run_limit: timedelta = timedelta(hours=12)
    overrides: tuple[Override, ...] = ()
    witnesses: tuple[WitnessAt, ...] = ()
    mail: MailServer | None = None
    redaction_key: Path = Path("keys/redaction.key")
    detect: bool = True
    redact: tuple[Rule, ...] = ()
    retention: tuple[RetentionClass, ...] = ()
    anchor: Anchor | None = None
    own_questions: tuple[Path, ...] = ()
    own_documents: tuple[Path, ...] = ()
    alerts: Alerts | None = None
    channels: tuple[Channel, ...] = ()
    suggest: Suggest | None = None
    draft: Drafting | None = None
    verify: Verifying = field(default_factory=Verifying)
    watch: Watching = field(default_factory=Watching)
    board: Showing = field(default_factory=Showing)
    law: Binding = field(default_factory=Binding)
    access: tuple[Grant, ...] = ()
    login: Provider | None = None

    @property
    def folder(self) -> Path:
        """The folder that headwater.toml lies in: relative paths start here."""
        return self.file.parent

    def redactor(self) -> Redactor:
        """What hides values at landing; without its key file it refuses what it would hide.

        Raises LakeError if others may read the key.
        """
        missing = (
            f"there is no key at {self.redaction_key}: restore it, or if there never was one run "
            "`headwater init` in this folder"
        )
        key = load_redaction_key(self.redaction_key)
        return Redactor(self.redact, key, self.detect, missing)

    def rules(self) -> RuleSet:
        """The shipped rules and the organisation's own. Raises MappingError: file and line."""
        return load_rules((RULES, *self.own_rules))

    def mapping(self) -> InForce:
        """What is judged by today: catalogue, rules, overrides. Raises MappingError."""
        return mapping_in_force((RULES, *self.own_rules), self.overrides, self.own_frameworks)


def load(file: Path, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration in `file`. Raises ConfigError with every mistake found."""
    from flows.config_reader import Reader

    return Reader(file.resolve(), os.environ if environment is None else environment).read()


def _host(text: str) -> str:
    """The host of an address, in small letters; empty if the text is no address of one."""
    try:
        return urlsplit(text).hostname or "" if "://" in text else ""
    except ValueError:
        return ""


def now() -> datetime:
    """The wall clock in UTC: the one place flows take time from."""
    return datetime.now(UTC)
