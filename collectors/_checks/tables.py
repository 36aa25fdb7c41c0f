"""Documents in a table of a database: a row each, key columns and `value`, the JSON text."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from collectors._checks.json_files import LARGEST, Listing, Unreadable, parsed
from collectors._checks.places import nothing
from collectors._disk import shown
from evidence.errors import SourceBroken, SourceBusy, SourceRefused
from evidence.runs import Gap
from evidence.secret import Secret

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

_VALUE = "value"
_ROWS = 200
_REFUSED = re.compile(r"password|authenticat|denied|unknown|does not exist", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TablePlace:
    """The rows of one table, read only; a row is named by its key columns."""

    engine: Engine
    table: Table
    where: str

    def __str__(self) -> str:
        return f"{self.where}, table {self.table.fullname}"

    def listing(self) -> Listing:
        """Every row is read: only its text tells whether it changed."""
        from sqlalchemy import select

        prints: dict[str, str] = {}
        gaps: list[Gap] = []
        columns = [*self._keys(), self.table.columns[_VALUE]]
        with asking(str(self)), self.engine.connect() as connection:
            rows = connection.execution_options(yield_per=_ROWS).execute(select(*columns))
            for *key, value in rows:
                name = "/".join(quote(str(part), safe=" :+,@=") for part in key)
                if not isinstance(value, str):
                    gaps.append(Gap(shown(name), "its `value` is no text"))
                elif len(value) > LARGEST:
                    gaps.append(Gap(shown(name), f"is larger than {LARGEST // 2**20} MiB"))
                else:
                    prints[name] = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
        return Listing(prints, tuple(gaps) or nothing(self, prints))

    def load(self, name: str) -> tuple[Any, str]:
        from sqlalchemy import select

        key = [unquote(part) for part in name.split("/")]
        query = select(self.table.columns[_VALUE])
        for column, part in zip(self._keys(), key, strict=True):
            query = query.where(column == part)
        with asking(str(self)), self.engine.connect() as connection:
            value = connection.execute(query).scalar()
        if not isinstance(value, str):
            raise Unreadable("is no longer there")
        return parsed(value.encode("utf-8", "replace"))

    def locator(self, name: str) -> str:
        return shown(f"{self.table.fullname}/{name}")

    def identity(self) -> str:
        return self.where

    def close(self) -> None:
        self.engine.dispose()

    def _keys(self) -> list[Any]:
        return [column for column in self.table.columns if column.name != _VALUE]


def open_table(url: Secret, name: str) -> TablePlace:
    """A table (`name` or `schema.name`) behind an SQLAlchemy URL. Raises SourceError."""
    from sqlalchemy import MetaData, Table, create_engine, exc, make_url

    try:
        parts = make_url(url.reveal())
    except exc.ArgumentError:
        # Its text may hold the password.
        raise SourceRefused("database: no URL such as postgresql://user:…@host/name") from None
    where = f"{parts.get_backend_name()} {parts.host or parts.database}"
    where += f" as {parts.username}" if parts.username else ""
    schema, _, table = name.rpartition(".")
    with asking(where):
        if parts.get_backend_name() == "sqlite":
            engine = create_engine("sqlite://", creator=_read_only(parts.database or ""))
        else:
            engine = create_engine(parts, pool_pre_ping=True)
        found = Table(table, MetaData(schema=schema or None), autoload_with=engine)
    if _VALUE not in found.columns or len(found.columns) < 2:
        engine.dispose()
        raise SourceBroken(f"{where}: table {name} has no key columns beside `{_VALUE}`")
    return TablePlace(engine, found, where)


def _read_only(path: str) -> Any:
    """SQLite makes a file that is not there, unless it is told not to."""
    if not path.startswith("/") or not Path(path).is_file():
        raise SourceRefused(f"database: {path!r} is no file; give its absolute path: sqlite:////…")
    address = f"file:{quote(path)}?mode=ro"
    return lambda: sqlite3.connect(address, uri=True, timeout=1, check_same_thread=False)


@contextmanager
def asking(where: str) -> Iterator[None]:
    """Turns SQLAlchemy's errors into those of the house; none of their text is told."""
    from sqlalchemy import exc

    try:
        yield
    except exc.NoSuchTableError as error:
        told = f"{where}: there is no table {error}; name it as it is"
        raise SourceRefused(told, what=where) from error
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
        if _REFUSED.search(str(getattr(error, "orig", ""))):
            raise SourceRefused(f"{where}: refused; check user and database", what=where) from error
        raise SourceBusy(f"{where}: the database does not answer now", what=where) from error
    except (exc.ArgumentError, ImportError) as error:
        why = "no driver for this database is installed, or its URL is wrong"
        raise SourceRefused(f"{where}: {why}", what=where) from error
    except exc.SQLAlchemyError as error:
        why = type(getattr(error, "orig", None) or error).__name__
        raise SourceRefused(f"{where}: refused ({why}); may it be read?", what=where) from error
