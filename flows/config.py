"""Read headwater.toml: every mistake is told at once, none is guessed away."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from evidence.errors import ConfigError, LakeError
from evidence.own import OWN_SOURCE
from evidence.secret import Secret
from evidence.times import duration
from flows.config_tables import Made, records, table_of, tables_of
from flows.outside import Anchor, WitnessAt
from mappings.catalogue import EVERYWHERE, Override
from mappings.controls import NAMESPACE
from mappings.in_force import InForce, mapping_in_force
from mappings.rules import RULES, RuleSet, load_rules
from storage.bucket import Access
from storage.cache import Cache
from storage.place import Place, place_of
from storage.place_local import LocalPlace
from storage.redaction import Redactor, Rule
from storage.redaction_key import load_redaction_key
from storage.retention import RetentionClass

if TYPE_CHECKING:
    from storage.mail import MailServer

T = TypeVar("T")

FILE = "headwater.toml"
_GB = 1 << 30
LAKE = (
    "path", "endpoint", "region", "access_key", "secret_key", "session_token", "cache", "cache_gb",
)  # fmt: skip
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
OWN = ("name", "uses", "schedule")
TABLES = (
    "organisation", "lake", "ledger", "mapping", "collect", "freshness", "maintain", "redaction",
    "source", "override", "redact", "retention", "witness", "mail", "anchor",
)  # fmt: skip
GIVEN = frozenset({"source", "clock", "window"})
PATHS = frozenset({"roots", "folder", "repository", "public_keys"})


@dataclass(frozen=True, slots=True)
class Source:
    """One source: its name, the class that collects it, when, and that class's settings."""

    name: str
    uses: str
    schedule: str
    settings: Mapping[str, Any]

    def collector(self, clock: Callable[[], datetime]) -> Any:
        """The collector, built. Raises ConfigError when its own checks refuse the settings."""
        try:
            return _resolve(self.uses)(source=self.name, clock=clock, **self.settings)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"source {self.name}: {error}") from error


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
    freshness_schedule: str
    maintain_schedule: str
    keep_snapshots: timedelta
    patience: int
    wait: timedelta
    sources: tuple[Source, ...]
    overrides: tuple[Override, ...] = ()
    witnesses: tuple[WitnessAt, ...] = ()
    mail: MailServer | None = None
    redaction_key: Path = Path("keys/redaction.key")
    detect: bool = True
    redact: tuple[Rule, ...] = ()
    retention: tuple[RetentionClass, ...] = ()
    anchor: Anchor | None = None

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
        return mapping_in_force((RULES, *self.own_rules), self.overrides)


def load(file: Path, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration in `file`. Raises ConfigError with every mistake found."""
    environment = os.environ if environment is None else environment
    return _Reader(file.resolve(), environment).read()


@dataclass(slots=True)
class _Reader:
    """Collects mistakes while it reads, so that one run shows them all."""

    file: Path
    environment: Mapping[str, str]
    mistakes: list[str] = field(default_factory=list)

    def read(self) -> Config:
        raw = _toml(self.file)
        self._unknown("", raw, TABLES)
        lake = self._table(raw, "lake", LAKE)
        ledger = self._table(raw, "ledger", ("key", "witness", "origin"))
        mapping = self._table(raw, "mapping", ("rules",))
        collect = self._table(raw, "collect", ("patience", "wait"))
        freshness = self._table(raw, "freshness", ("schedule",))
        maintain = self._table(raw, "maintain", ("schedule", "keep_snapshots"))
        redaction = self._table(raw, "redaction", ("key", "detect"))
        organisation = self._table(raw, "organisation", ("name",))
        name = self._text(organisation, "organisation", "name", "")
        if not name:
            self.mistakes.append(f'{self.file}: [organisation] needs a name = "…"')
        config = Config(
            file=self.file, organisation=name,
            lake=self._place(lake),
            key=self._path(self._text(ledger, "ledger", "key", "keys/ledger.key")),
            witness=self._path(self._text(ledger, "ledger", "witness", "witness/checkpoint")),
            origin=self._text(ledger, "ledger", "origin", _slug(name)),
            freshness_schedule=self._cron(
                "[freshness]", self._text(freshness, "freshness", "schedule", "*/30 * * * *")
            ),
            maintain_schedule=self._cron(
                "[maintain]", self._text(maintain, "maintain", "schedule", "20 */6 * * *")
            ),
            keep_snapshots=self._kept(maintain),
            own_rules=self._own_rules(self._text(mapping, "mapping", "rules", "")),
            patience=self._given(collect, "collect", "patience", int, 2),
            wait=self._given(collect, "collect", "wait", timedelta, timedelta(seconds=5)),
            sources=tuple(self._sources(raw.get("source", []))),
            overrides=tuple(self._overrides(raw.get("override", []))),
            witnesses=tuple(self._witnesses(raw.get("witness", []))),
            mail=self._mail(raw),
            redaction_key=self._path(
                self._text(redaction, "redaction", "key", "keys/redaction.key")
            ),
            detect=self._given(redaction, "redaction", "detect", bool, True),
            redact=self._records(raw, "redact", Rule),
            retention=self._records(raw, "retention", RetentionClass),
            anchor=self._anchor(raw),
        )  # fmt: skip
        if self.mistakes:
            raise ConfigError(*self.mistakes)
        return config

    def _records(self, raw: Mapping[str, Any], name: str, cls: type[Made]) -> tuple[Made, ...]:
        wrong: list[str] = []
        made = tuple(records(raw.get(name, []), name, cls, wrong))
        self.mistakes += [f"{self.file}: {sentence}" for sentence in wrong]
        return made

    def _table(self, raw: Mapping[str, Any], key: str, known: tuple[str, ...]) -> dict[str, Any]:
        table = raw.get(key, {})
        if not isinstance(table, dict):
            self.mistakes.append(f"{self.file}: {key} must be a table: write [{key}]")
            return {}
        self._unknown(f"[{key}] ", table, known)
        return table

    def _unknown(self, where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                self.mistakes.append(f"{self.file}: {where}unknown key {key!r}; {hint}")

    def _text(self, table: Mapping[str, Any], where: str, key: str, default: str) -> str:
        value = table.get(key, default)
        if isinstance(value, str):
            return value
        self.mistakes.append(f"{self.file}: [{where}] {key} must be text, not {value!r}")
        return default

    def _given(
        self, table: Mapping[str, Any], where: str, key: str, hint: Any, default: Any
    ) -> Any:
        if key not in table:
            return default
        value = self._typed(f"[{where}] {key}", hint, table[key])
        return default if value is None else value

    def _kept(self, table: Mapping[str, Any]) -> timedelta:
        default = timedelta(days=30)
        kept: timedelta = self._given(table, "maintain", "keep_snapshots", timedelta, default)
        if kept < timedelta(hours=1):
            self.mistakes.append(
                f"{self.file}: [maintain] keep_snapshots must be an hour (PT1H) at least: readers "
                "under way need the files that they began with"
            )
        return kept

    def _own_rules(self, text: str) -> tuple[Path, ...]:
        if not text:
            return ()
        folder = self._path(text)
        if not folder.is_dir():
            self.mistakes.append(f"{self.file}: [mapping] rules: {folder} is no folder")
        return (folder,)

    def _path(self, text: str) -> Path:
        return (self.file.parent / Path(text).expanduser()).resolve()

    def _place(self, table: Mapping[str, Any]) -> Place:
        """The lake's folder or bucket. Credentials that are not given are the environment's."""
        most = self._given(table, "lake", "cache_gb", float, 20.0)
        access = Access(
            endpoint=self._text(table, "lake", "endpoint", "") or None,
            region=self._text(table, "lake", "region", "") or None,
            key=self._hidden(table, "access_key"), secret=self._hidden(table, "secret_key"),
            token=self._hidden(table, "session_token"),
            cache=Cache(self._path(self._text(table, "lake", "cache", "cache")), int(most * _GB)),
        )  # fmt: skip
        try:
            text = self._text(table, "lake", "path", "lake")
            return place_of(text, relative_to=self.file.parent, access=access)
        except LakeError as error:
            self.mistakes.append(f"{self.file}: [lake] path: {error}")
            return LocalPlace(self.file.parent)

    def _hidden(self, table: Mapping[str, Any], key: str) -> Secret | None:
        return self._secret(f"[lake] {key}", table[key]) if key in table else None

    def _cron(self, where: str, text: str) -> str:
        # Prefect's own parser is the judge, and it comes with a heavy import: only check the shape.
        if len(text.split()) != 5 or not re.fullmatch(r"[\d*/,\-\sA-Za-z]+", text):
            self.mistakes.append(
                f"{self.file}: {where} schedule {text!r} is not a cron line of five fields"
            )
        return text

    def _sources(self, tables: object) -> Iterator[Source]:
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.mistakes.append(f"{self.file}: sources are written as [[source]] tables")
            return
        names: set[str] = set()
        for number, table in enumerate(tables, 1):
            source = self._source(number, table)
            if source is None:
                continue
            if source.name in names:
                self.mistakes.append(f"{self.file}: two sources are named {source.name!r}")
            names.add(source.name)
            yield source

    def _source(self, number: int, table: Mapping[str, Any]) -> Source | None:
        name, uses = table.get("name"), table.get("uses")
        where = f"source {name or number}"
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self.mistakes.append(
                f"{self.file}: {where}: name must be lower-case letters, digits, '.', '_' or '-'"
            )
            return None
        if name == OWN_SOURCE:
            self.mistakes.append(
                f"{self.file}: {where}: that name is Headwater's own; take another"
            )
            return None
        if not isinstance(uses, str):
            self.mistakes.append(f'{self.file}: {where}: needs uses = "collectors.module:Class"')
            return None
        try:
            collector = _resolve(uses)
        except ConfigError as error:
            self.mistakes.append(f"{self.file}: {where}: {error}")
            return None
        schedule = self._cron(where, str(table.get("schedule", "0 * * * *")))
        given = {key: value for key, value in table.items() if key not in OWN}
        return Source(name, uses, schedule, self._settings(where, collector, given))

    def _settings(self, where: str, cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
        hints = get_type_hints(cls)
        fields = {f.name: f for f in dataclasses.fields(cls) if f.init and f.name not in GIVEN}
        self._unknown(f"{where}: ", given, tuple(fields))
        settings = {}
        for name, spec in fields.items():
            if name in given:
                settings[name] = self._value(f"{where}: {name}", hints[name], name, given[name])
            elif _required(spec):
                self.mistakes.append(f"{self.file}: {where}: {name} is missing")
        return settings

    def _value(self, where: str, hint: Any, name: str, value: object) -> object:
        if hint is Secret or (Secret in getattr(hint, "__args__", ())):
            return self._secret(where, value)
        if name in PATHS and isinstance(value, str) and value:
            path = self._path(value)
            return path if hint is Path else str(path)
        if (inner := table_of(hint)) is not None:
            return self._inner(where, inner, value)
        if (inner := tables_of(hint)) is not None:
            return self._inners(where, inner, value)
        return self._typed(where, hint, value)

    def _inner(self, where: str, cls: type, value: object) -> object:
        """A table within a source's own; what its class refuses is told with its place."""
        if not isinstance(value, dict):
            self.mistakes.append(f"{self.file}: {where} must be a table: {{ … }}")
            return None
        before = len(self.mistakes)
        settings = self._settings(where, cls, value)
        if len(self.mistakes) > before:
            return None
        try:
            return cls(**settings)
        except ConfigError as error:
            self.mistakes += [f"{self.file}: {where}: {mistake}" for mistake in error.mistakes]
            return None

    def _inners(self, where: str, cls: type, value: object) -> object:
        if not isinstance(value, list):
            name = where.rpartition(": ")[2]
            self.mistakes.append(f"{self.file}: {where} must be tables: [[source.{name}]]")
            return ()
        named = (
            one.get("name", n) if isinstance(one, dict) else n for n, one in enumerate(value, 1)
        )
        made = [
            self._inner(f"{where} {name}", cls, one) for name, one in zip(named, value, strict=True)
        ]
        return tuple(one for one in made if one is not None)

    def _typed(self, where: str, hint: Any, value: object) -> object:
        from pydantic import ConfigDict, TypeAdapter, ValidationError

        try:
            if hint is timedelta and isinstance(value, str):
                return duration(value)
            adapter = TypeAdapter(hint, config=ConfigDict(strict=not _loose(hint)))
            return adapter.validate_python(value)
        except ValidationError as error:
            why = "; ".join(e["msg"] for e in error.errors(include_input=False))
            why = why.replace("a valid tuple", 'a list, such as ["one", "two"]')
            self.mistakes.append(f"{self.file}: {where}: {why}")
        except ValueError as error:
            self.mistakes.append(f"{self.file}: {where}: {error}")
        return None

    def _secret(self, where: str, value: object) -> Secret:
        text = value if isinstance(value, str) else ""
        kind, _, rest = text.partition(":")
        if kind == "env" and rest:
            if rest not in self.environment:
                self.mistakes.append(f"{self.file}: {where}: set the environment variable {rest}")
            return Secret(self.environment.get(rest, ""))
        if kind == "file" and rest:
            try:
                return Secret(self._path(rest).read_text().strip())
            except (OSError, UnicodeDecodeError) as error:
                self.mistakes.append(f"{self.file}: {where}: {rest} cannot be read: {error}")
                return Secret("")
        # The value itself is not repeated: it may be the very secret that must not be shown.
        self.mistakes.append(
            f'{self.file}: {where}: no secrets in this file; write "env:NAME" or "file:PATH"'
        )
        return Secret("")

    def _witnesses(self, tables: object) -> Iterator[WitnessAt]:
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.mistakes.append(f"{self.file}: witnesses are written as [[witness]] tables")
            return
        seen: set[str] = set()
        for number, table in enumerate(tables, 1):
            found = self._built(f"witness {number}", WitnessAt, table)
            if found is None:
                continue
            if found.to in seen:
                self.mistakes.append(f"{self.file}: two witnesses are at {found.to!r}")
            seen.add(found.to)
            yield found

    def _mail(self, raw: Mapping[str, Any]) -> MailServer | None:
        from storage.mail import MailServer

        return self._single(raw, "mail", MailServer)

    def _anchor(self, raw: Mapping[str, Any]) -> Anchor | None:
        found = self._single(raw, "anchor", Anchor)
        if found is not None:
            self._cron("[anchor]", found.schedule)
        return found

    def _single(self, raw: Mapping[str, Any], name: str, cls: type[T]) -> T | None:
        if name not in raw:
            return None
        if not isinstance(raw[name], dict):
            self.mistakes.append(f"{self.file}: {name} must be a table: write [{name}]")
            return None
        return self._built(f"[{name}]", cls, raw[name])

    def _built(self, where: str, cls: type[T], given: Mapping[str, Any]) -> T | None:
        """The dataclass from its table, None if there is a mistake in it."""
        before = len(self.mistakes)
        settings = self._settings(where, cls, given)
        if len(self.mistakes) > before:
            return None
        try:
            return cls(**settings)
        except ConfigError as error:
            self.mistakes += [f"{self.file}: {mistake}" for mistake in error.mistakes]
            return None

    def _overrides(self, tables: object) -> Iterator[Override]:
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.mistakes.append(f"{self.file}: overrides are written as [[override]] tables")
            return
        for number, table in enumerate(tables, 1):
            where = f"override {number}"
            known = tuple(f.name for f in dataclasses.fields(Override))
            self._unknown(f"{where}: ", table, known)
            missing = [k for k in ("control", "evidence", "reason") if not table.get(k)]
            if missing:
                self.mistakes.append(f"{self.file}: {where}: {', '.join(missing)} missing")
                continue
            age = table.get("max_age")
            yield Override(
                _control(str(table["control"])), str(table["evidence"]), str(table["reason"]),
                bool(table.get("applies", True)),
                None if age is None else self._typed(f"{where}: max_age", timedelta, age),  # type: ignore[arg-type]
            )  # fmt: skip


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{file} is not there; `headwater init` writes a first one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}") from error


def _resolve(uses: str) -> type:
    module, _, name = uses.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"uses = {uses!r} cannot be loaded: {error}") from error
    if not (
        dataclasses.is_dataclass(found) and isinstance(found, type) and hasattr(found, "collect")
    ):
        raise ConfigError(f"uses = {uses!r} is no collector: a frozen dataclass with collect()")
    return found


def _required(spec: dataclasses.Field[Any]) -> bool:
    return spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING


def _loose(hint: Any) -> bool:
    """TOML has lists and dates; tuples and times are made from them, text from nothing else."""
    return "tuple" in str(hint) or "date" in str(hint) or "Mapping" in str(hint)


def _control(text: str) -> str:
    """`A.6.2.4` and `5.2` are the standard's own; another framework's id says which it is."""
    return text if ":" in text or text == EVERYWHERE else f"{NAMESPACE}:{text}"


def _slug(name: str) -> str:
    return "headwater/" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "lake")


def now() -> datetime:
    """The wall clock in UTC: the one place flows take time from."""
    return datetime.now(UTC)
