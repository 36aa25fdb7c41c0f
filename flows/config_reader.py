"""What each table of headwater.toml may hold."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence.errors import ConfigError, LakeError
from evidence.secret import Secret
from flows.config import Binding, Config, Showing, Verifying, Watching
from flows.config_access import AccessTables
from flows.config_overrides import FRESHNESS, Overrides
from flows.config_sources import COLLECT
from flows.config_tables import Made, records
from flows.draft_model import Drafting
from flows.outside import Anchor, WitnessAt
from flows.suggest_model import Suggest
from mappings.files import contents
from storage.bucket import Access
from storage.cache import Cache
from storage.place import Place, place_of
from storage.place_local import LocalPlace
from storage.redaction import Rule
from storage.retention import RetentionClass

if TYPE_CHECKING:
    from storage.mail import MailServer

_GB = 1 << 30
_MOST = 1_000_000
LAKE = (
    "path", "endpoint", "region", "access_key", "secret_key", "session_token", "cache", "cache_gb",
)  # fmt: skip
MAPPING = ("rules", "frameworks", "questions", "documents")
TABLES = (
    "organisation", "lake", "ledger", "mapping", "collect", "freshness", "maintain", "redaction",
    "source", "override", "redact", "retention", "witness", "mail", "anchor",
    "alerts", "alert", "suggest", "draft", "verify", "watch", "board", "access", "login", "law",
)  # fmt: skip


class Reader(Overrides, AccessTables):
    """headwater.toml, table by table; every mistake is told at once."""

    __slots__ = ()

    def read(self) -> Config:
        """The configuration. Raises ConfigError with every mistake found."""
        raw = _toml(self.file)
        self.unknown("", raw, TABLES)
        lake = self.table(raw, "lake", LAKE)
        ledger = self.table(raw, "ledger", ("key", "witness", "origin"))
        mapping = self.table(raw, "mapping", MAPPING)
        collect = self.table(raw, "collect", COLLECT)
        freshness = self.table(raw, "freshness", FRESHNESS)
        maintain = self.table(raw, "maintain", ("schedule", "keep_snapshots"))
        redaction = self.table(raw, "redaction", ("key", "detect"))
        organisation = self.table(raw, "organisation", ("name",))
        name = self.text(organisation, "organisation", "name", "")
        if not name:
            self.mistakes.append(f'{self.file}: [organisation] needs a name = "…"')
        config = Config(
            file=self.file, organisation=name,
            lake=self._place(lake),
            key=self.path(self.text(ledger, "ledger", "key", "keys/ledger.key")),
            witness=self.path(self.text(ledger, "ledger", "witness", "witness/checkpoint")),
            origin=self.text(ledger, "ledger", "origin", usual_origin(name)),
            freshness_schedule=self.cron(
                "[freshness]", self.text(freshness, "freshness", "schedule", "*/30 * * * *")
            ),
            maintain_schedule=self.cron(
                "[maintain]", self.text(maintain, "maintain", "schedule", "20 */6 * * *")
            ),
            keep_snapshots=self._kept(maintain),
            own_rules=self._own(mapping, "rules"),
            own_frameworks=self._own(mapping, "frameworks"),
            own_questions=self._own(mapping, "questions"),
            own_documents=self._own(mapping, "documents"),
            patience=self.given(collect, "collect", "patience", int, 2),
            wait=self.given(collect, "collect", "wait", timedelta, timedelta(seconds=5)),
            sources=tuple(self.sources(
                raw.get("source", []), self.limit("[collect]", collect, timedelta(hours=1))
            )),
            at_once=self.some("at_once", self.given(collect, "collect", "at_once", int, 4)),
            hosts=self.hosts(collect),
            run_limit=self.limit("[collect]", collect, timedelta(hours=12), "run_limit"),
            overrides=tuple(self.overrides(raw.get("override", []), freshness)),
            witnesses=tuple(self._witnesses(raw.get("witness", []))),
            mail=self._mail(raw),
            redaction_key=self.path(
                self.text(redaction, "redaction", "key", "keys/redaction.key")
            ),
            detect=self.given(redaction, "redaction", "detect", bool, True),
            redact=self._records(raw, "redact", Rule),
            retention=self._records(raw, "retention", RetentionClass),
            anchor=self._anchor(raw),
            alerts=self.alerts(raw),
            channels=tuple(self.channels(raw)),
            suggest=self.single(raw, "suggest", Suggest),
            draft=self.single(raw, "draft", Drafting),
            verify=self._verify(raw),
            watch=self._watch(raw),
            board=self._board(raw),
            law=self._law(raw),
            access=tuple(self.grants(raw)),
            login=self.login(raw),
        )  # fmt: skip
        if self.mistakes:
            told = (f"{self.file}: {why}" for why in self.lacking)
            raise ConfigError(*self.mistakes, *told)
        return config

    def _records(self, raw: Mapping[str, Any], name: str, cls: type[Made]) -> tuple[Made, ...]:
        wrong: list[str] = []
        made = tuple(records(raw.get(name, []), name, cls, wrong))
        self.mistakes += [f"{self.file}: {sentence}" for sentence in wrong]
        return made

    def _kept(self, table: Mapping[str, Any]) -> timedelta:
        default = timedelta(days=30)
        kept: timedelta = self.given(table, "maintain", "keep_snapshots", timedelta, default)
        if kept < timedelta(hours=1):
            self.mistakes.append(
                f"{self.file}: [maintain] keep_snapshots must be an hour (PT1H) at least: readers "
                "under way need the files that they began with"
            )
        return kept

    def _own(self, mapping: Mapping[str, Any], key: str) -> tuple[Path, ...]:
        """A folder of the organisation's own, beside what is shipped."""
        text = self.text(mapping, "mapping", key, "")
        if not text:
            return ()
        folder = self.path(text)
        if not folder.is_dir():
            self.mistakes.append(f"{self.file}: [mapping] {key}: {folder} is no folder")
        return (folder,)

    def _place(self, table: Mapping[str, Any]) -> Place:
        """The lake's folder or bucket. Credentials that are not given are the environment's."""
        most = self.given(table, "lake", "cache_gb", float, 20.0)
        access = Access(
            endpoint=self.text(table, "lake", "endpoint", "") or None,
            region=self.text(table, "lake", "region", "") or None,
            key=self._hidden(table, "access_key"), secret=self._hidden(table, "secret_key"),
            token=self._hidden(table, "session_token"),
            cache=Cache(self.path(self.text(table, "lake", "cache", "cache")), int(most * _GB)),
        )  # fmt: skip
        try:
            text = self.text(table, "lake", "path", "lake")
            return place_of(text, relative_to=self.file.parent, access=access)
        except LakeError as error:
            self.mistakes.append(f"{self.file}: [lake] path: {error}")
            return LocalPlace(self.file.parent)

    def _hidden(self, table: Mapping[str, Any], key: str) -> Secret | None:
        return self.secret(f"[lake] {key}", table[key]) if key in table else None

    def _witnesses(self, tables: object) -> Iterator[WitnessAt]:
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.mistakes.append(f"{self.file}: witnesses are written as [[witness]] tables")
            return
        seen: set[str] = set()
        for number, table in enumerate(tables, 1):
            found = self.built(f"witness {number}", WitnessAt, table)
            if found is None:
                continue
            if found.to in seen:
                self.mistakes.append(f"{self.file}: two witnesses are at {found.to!r}")
            seen.add(found.to)
            yield found

    def _mail(self, raw: Mapping[str, Any]) -> MailServer | None:
        from storage.mail import MailServer

        return self.single(raw, "mail", MailServer)

    def _anchor(self, raw: Mapping[str, Any]) -> Anchor | None:
        found = self.single(raw, "anchor", Anchor)
        if found is not None:
            self.cron("[anchor]", found.schedule)
        return found

    def _verify(self, raw: Mapping[str, Any]) -> Verifying:
        found = self.single(raw, "verify", Verifying) or Verifying()
        self.cron("[verify]", found.schedule)
        if found.processes < 1:
            self.mistakes.append(f"{self.file}: [verify] processes must be 1 at least")
        return found

    def _watch(self, raw: Mapping[str, Any]) -> Watching:
        given = raw.get("watch", {})
        table = {"folder": "watch", **given} if isinstance(given, dict) else given
        found = self.single({"watch": table}, "watch", Watching) or Watching()
        self.cron("[watch]", found.schedule)
        if found.free_gb < 0:
            self.mistakes.append(f"{self.file}: [watch] free_gb must not be less than nothing")
        return found

    def _law(self, raw: Mapping[str, Any]) -> Binding:
        found = self.single(raw, "law", Binding)
        if found is None:
            return Binding()
        from flows.notification import place_of
        from mappings.law import load_law

        told = load_law().deadlines
        for key, given, known in (
            ("binds", found.binds, dict.fromkeys(one.framework for one in told)),
            ("roles", found.roles, dict.fromkeys(one.role for one in told)),
        ):
            self.mistakes += [
                f"{self.file}: [law] {key}: {name!r} has no deadline here; known: "
                f"{', '.join(known)}" for name in given if name not in known
            ]  # fmt: skip
        try:
            place_of(found)
        except (ValueError, KeyError, OSError) as error:
            self.mistakes.append(f"{self.file}: [law] zone, country: {error}")
        return found

    def _board(self, raw: Mapping[str, Any]) -> Showing:
        found = self.single(raw, "board", Showing) or Showing()
        if found.oldest < timedelta(seconds=10):
            self.mistakes.append(
                f"{self.file}: [board] oldest must be ten seconds (PT10S) at least: judging takes "
                "its time"
            )
        return found


def _toml(file: Path) -> dict[str, Any]:
    try:
        data = contents(file, _MOST)
    except FileNotFoundError as error:
        raise ConfigError(f"{file} is not there; `headwater init` writes a first one") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    if len(data) > _MOST:
        raise ConfigError(f"{file} is larger than {_MOST} bytes: that is no configuration")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: {error}") from error


def usual_origin(name: str) -> str:
    """The name that a ledger signs under where the configuration says none."""
    return "headwater/" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "lake")
