"""Who may read what right now, as headwater.toml says it right now."""

from __future__ import annotations

import logging
import secrets
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from dashboards.access import Grant, digest_of
from dashboards.accesses import OPEN, Accesses, ReadRow, SignedIn, by
from evidence.errors import ConfigError
from evidence.own import READ_KIND
from evidence.times import stamp
from flows.config import Config, load, now
from flows.read_log import waiting
from flows.sessions import end_all, sessions
from flows.terminal import Screen, Table, printable
from mappings.catalogue import Catalogue
from storage.lake import Lake
from storage.pages import all_rows
from storage.views import connect

if TYPE_CHECKING:
    from dashboards.login import Login

FROM_FILE = "file:"
NOT_WRITTEN = "No [[access]] is written: nobody but the owner of the board's token may look."
_Mark = tuple[int, int, int]
_LOG = logging.getLogger("headwater.access")


@dataclass(slots=True)
class Granted:
    """The [[access]] tables, read again whenever the file is another, or one that a token is kept
    in: what is taken out ends with the next request. Nobody is granted anything while the file
    cannot be read."""

    file: Path
    _seen: tuple[_Mark, ...] = ()
    _tokens: tuple[Path, ...] = ()
    _grants: tuple[Grant, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> Sequence[Grant]:
        """The grants in force or not; each says so itself."""
        with self._lock:
            try:
                if not self._seen or self._marks() != self._seen:
                    self._grants, self._tokens = (), tuple(_token_files(self.file))
                    self._seen = self._marks()
                    self._grants = checked(load(self.file)).access
            except (OSError, ConfigError) as error:
                self._grants, self._seen = (), ()
                _LOG.error("nobody is granted anything: %s cannot be read: %s", self.file, error)
            return self._grants

    def _marks(self) -> tuple[_Mark, ...]:
        """What of the files differs once they are others, also by a copy that keeps their times."""
        facts = (file.stat() for file in (self.file, *self._tokens))
        return tuple((one.st_ino, one.st_ctime_ns, one.st_size) for one in facts)


def _token_files(file: Path) -> Iterator[Path]:
    """The files in which tokens of accesses are kept."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8")).get("access", [])
    except ValueError:
        return  # which reading it as a configuration tells
    for table in tables if isinstance(tables, list) else ():
        token = table.get("token") if isinstance(table, dict) else None
        if isinstance(token, str) and token.startswith(FROM_FILE):
            yield file.parent / token.removeprefix(FROM_FILE)


def checked(config: Config, catalogue: Catalogue | None = None) -> Config:
    """The configuration, if every control that [[access]] names is in the catalogue.

    Raises ConfigError: a mistyped name would show less than was meant, and nobody would know.
    """
    if not any(grant.excerpt.controls is not None for grant in config.access):
        return config
    known = {str(c.id) for c in (catalogue or config.mapping().catalogue).controls}
    wrong = [
        f"{config.file}: access {grant.name}: {control!r} is no control of the catalogue"
        for grant in config.access
        for control in grant.excerpt.controls or ()
        if control not in known
    ]
    if wrong:
        raise ConfigError(*wrong)
    return config


def show(file: Path) -> int:
    """Print the accesses; 3 if one of them is over, else 0. Raises ConfigError."""
    config, at = checked(load(file)), now()
    grants = config.access
    table = Table("access", "role", "by", "from", "until", "shows", "now")
    for grant in grants:
        ends = [stamp(moment) if moment else "" for moment in (grant.since, grant.until)]
        cells = (grant.name, grant.role, by(grant), *ends, grant.excerpt.sentence)
        row = (*cells, grant.closed(at) or OPEN)
        table.add_row(*(escape(printable(cell)) for cell in row))
    Screen().print(table if grants else escape(NOT_WRITTEN))
    _show_reads(config)
    _show_sessions(config)
    return 3 if any(grant.until and at >= grant.until for grant in grants) else 0


def _show_reads(config: Config) -> None:
    """Who read how much, as it landed, and what waits to land."""
    table = Table("access", "person", "role", "first", "last", "reads", "questions")
    for row in (rows := _reads(config)):
        times = (stamp(row["first"]), stamp(row["last"]))
        cells = (row["grant"], row["person"], row["role"], *times)
        counts = (str(row["reads"]), str(row["questions"]))
        table.add_row(*(escape(printable(cell or "")) for cell in (*cells, *counts)))
    Screen().print(table if rows else "No auditor has read anything that has landed.")
    if number := waiting(config):
        Screen().print(f"{number} reads wait on this machine to land.")


def _show_sessions(config: Config) -> None:
    """Who is signed in at a board of this machine."""
    if config.login is None:
        return
    table = Table("signed in", "subject", "access", "since", "until")
    for one in (found := sessions(config).open()):
        cells = (one.person, one.subject, one.access, stamp(one.since), stamp(one.until))
        table.add_row(*(escape(printable(cell)) for cell in cells))
    Screen().print(table if found else "Nobody is signed in at a board of this machine.")


def accesses(config: Config, granted: Granted, login: Login | None) -> Accesses:
    """Where the page of who may look comes from."""
    signed_in = SignedIn(login.kept.open, partial(end_all, config, via="board")) if login else None
    return Accesses(
        config.organisation, granted, lambda: [_read_row(row) for row in _reads(config)],
        lambda: waiting(config), signed_in, now,
    )  # fmt: skip


def _read_row(row: Mapping[str, Any]) -> ReadRow:
    names = ("grant", "person", "first", "last", "reads", "questions")
    return ReadRow(**{name: row[name] for name in names})


def _reads(config: Config) -> list[dict[str, Any]]:
    with connect(Lake.open(config.lake, clock=now)) as connection:
        return all_rows(connection, _READS, {"kind": READ_KIND})


_READS = """SELECT "grant", person, role, min(observed_from) AS first, max(observed_to) AS last,
        sum(len(reads))::BIGINT AS reads,
        sum(len(list_filter(reads, lambda r: (r->>'$.question') <> '')))::BIGINT AS questions
    FROM (SELECT payload->>'$.grant' AS "grant", payload->>'$.person' AS person,
            payload->>'$.role' AS role, (payload->'$.reads')::JSON[] AS reads, observed_from,
            observed_to
        FROM evidence WHERE source = 'headwater' AND kind = $kind)
    GROUP BY ALL ORDER BY last DESC"""


def new_token(say: Callable[[str], None]) -> None:
    """Say a new token and what to write into the file for it."""
    token = secrets.token_urlsafe(32)
    say(f"token         {token}")
    say(f'token_sha256 = "{digest_of(token)}"')
