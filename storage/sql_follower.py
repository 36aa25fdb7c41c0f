"""Tables that follow the evidence by SQL: each step's rows and how far it went are one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from pathlib import Path

import duckdb
import pyarrow as pa

from evidence.errors import LakeConflict, LakeError
from evidence.times import utc
from storage.ahead import ahead
from storage.delta import Table
from storage.engine import Limits, enough, open_engine, rows_of, sentence
from storage.schema import TABLES, TableSpec

STEP_ROWS = 50_000
_LIMITS = Limits(memory_mb=2048)
_TRIES = 20
_SHARES = 2
_WORTH_SHARING = 32 << 20
"""Bytes of files: some hundred thousand items."""


def follow(
    table: Callable[[str], Table], name: str, sql: str, *, app: str,
    clock: Callable[[], datetime],
) -> int:  # fmt: skip
    """Bring table `name` up to the newest evidence; how many rows this call appended.

    Another process following at the same time is no error: each step lands once. Raises LakeError.
    """
    appended = 0
    for _ in range(_TRIES):
        try:
            for rows in _steps(table, name, sql, app, clock):
                appended += rows
        except LakeConflict:
            continue
        return appended
    raise LakeConflict(f"{name}: other followers of {app} keep landing first; run it again later")


def _steps(
    table: Callable[[str], Table], name: str, sql: str, app: str, clock: Callable[[], datetime]
) -> Iterator[int]:
    evidence, target = table("evidence"), table(name)
    done = target.marker(app)
    if done is not None and done > evidence.version:
        raise LakeError(f"{name} has followed to version {done}, but the evidence is at "
                        f"{evidence.version}: it was cut; run `headwater verify`")  # fmt: skip
    for version, items in _ranges(evidence, table("leaves"), done or 0):
        counted = _Counted(select(sql, items, target.spec, clock))
        target.commit(counted, app=app, marker=version, metadata={"evidence_version": version})
        yield counted.rows
        if target.marker(app) != version:
            raise LakeConflict(f"{name}: another follower of {app} went on from version {version}")


def unfollowed(table: Callable[[str], Table], name: str, app: str) -> Unfollowed:
    """What landed that table `name` has yet to follow under `app`, as its next steps would read it.

    Raises LakeError.
    """
    evidence, since = table("evidence"), table(name).marker(app) or 0
    added = [a for commit in evidence.commits(since) for a in commit.adds if a.data_change]
    names = [add.path for add in added]
    _, items = _range(evidence, table("leaves"), since, evidence.version, names)
    return Unfollowed(sum(add.rows for add in added), items.sql, tuple(items.files))


@dataclass(frozen=True, slots=True)
class Unfollowed:
    """How many items a table has yet to follow, their SQL, and the files that it reads."""

    items: int
    sql: str
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """What one step reads: files that landed, files that took the place of others, and the sealed
    items among those that landed up to version `since` and were seen before."""

    landed: Sequence[Path]
    compacted: Sequence[Path] = ()
    leaves: Sequence[Path] = ()
    since: int = 0

    @property
    def files(self) -> list[Path]:
        return [*self.landed, *self.compacted, *self.leaves]

    def shares(self) -> list[Items]:
        """The same items shared out among as many engines as are worth their start."""
        files = [file for file in (*self.landed, *self.compacted) if file.exists()]
        size = sum(file.stat().st_size for file in files)
        count = _SHARES if size > _WORTH_SHARING else 1
        shares = (
            replace(self, landed=self.landed[n::count], compacted=self.compacted[n::count])
            for n in range(count)
        )
        return [share for share in shares if share.landed or share.compacted]

    @property
    def sql(self) -> str:
        evidence = TABLES["evidence"]
        landed = rows_of(evidence, self.landed)
        if not self.compacted:
            return landed
        sealed = rows_of(TABLES["leaves"], self.leaves)
        return f"""{landed} UNION ALL BY NAME SELECT * FROM ({rows_of(evidence, self.compacted)})
            ANTI JOIN (SELECT item_id FROM ({sealed}) WHERE evidence_version <= {self.since})
            USING (item_id)"""  # noqa: S608  names and paths are ours


def _ranges(evidence: Table, leaves: Table, since: int) -> Iterator[tuple[int, Items]]:
    """Consecutive versions whose rows together are about one step, with what to read of them.

    A little more than a step is one too: few rows more, such as a pull's record, need no plan of
    all rules of their own. After maintenance the files of long ago are gone, and who follows from
    there reads all that is left to follow in one step, from the files that took their place.
    """
    names: list[str] = []
    rows, last, most = 0, since, STEP_ROWS + STEP_ROWS // 10
    for commit in evidence.commits(since):
        added = [add for add in commit.adds if add.data_change]
        more = sum(add.rows for add in added)
        if rows and rows + more > most:
            step = _range(evidence, leaves, since, last, names)
            yield step
            if step[0] > last:
                return
            names, rows, since = [], 0, last
        names += [add.path for add in added]
        rows, last = rows + more, commit.version
    if last > since:
        yield _range(evidence, leaves, since, last, names)


def _range(
    evidence: Table, leaves: Table, since: int, last: int, names: Sequence[str]
) -> tuple[int, Items]:
    """The versions after `since` up to `last`, which brought these files; all that is left to
    follow where one of the files is gone."""
    if all(map(evidence.place.has, names)):
        return last, Items(evidence.place.locals(names))
    return evidence.version, _left(evidence, leaves, since)


def _left(evidence: Table, leaves: Table, since: int) -> Items:
    """All rows of the snapshot that landed after version `since`; only sealed ones were moved."""
    landed = {
        add.path
        for commit in evidence.commits(since) for add in commit.adds if add.data_change
    }  # fmt: skip
    shown = {file.name for file in evidence.files()}
    moved = {
        add.path
        for commit in evidence.commits(-1) for add in commit.adds if not add.data_change
    }  # fmt: skip
    sealed = leaves.place.locals(file.name for file in leaves.files())
    here = evidence.place.locals
    return Items(here(sorted(landed & shown)), here(sorted(moved & shown)), sealed, since)


class _Counted:
    """Tables passed on one by one, their rows counted."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables, self.rows = tables, 0

    def __iter__(self) -> Iterator[pa.Table]:
        for table in self._tables:
            self.rows += table.num_rows
            yield table


def select(
    sql: str, items: Items, spec: TableSpec, clock: Callable[[], datetime]
) -> Iterator[pa.Table]:
    """What the SELECT makes of these items, as rows for the table `spec` in parts of STEP_ROWS.

    The engine keeps one processor busy while it hands over what it makes, so many files are shared
    by two of them. Their parts come in turns: the order is always the same. Raises LakeError.
    """
    now, shares = utc(clock()), items.shares()
    if len(shares) == 1:
        yield from _select(sql, shares[0], spec, now, _LIMITS)
        return
    half = replace(_LIMITS, threads=1, memory_mb=_LIMITS.memory_mb // _SHARES)
    with ExitStack() as stack:
        made = [
            stack.enter_context(closing(ahead(_select(sql, share, spec, now, half), depth=1)))
            for share in shares
        ]
        yield from (rows for turn in zip_longest(*made) for rows in turn if rows is not None)


def _select(
    sql: str, items: Items, spec: TableSpec, now: datetime, limits: Limits
) -> Iterator[pa.Table]:
    with open_engine(enough(limits, items.files)) as engine:
        try:
            engine.execute(f"CREATE VIEW items AS {items.sql}")
        except duckdb.Error as error:
            told = f"what {spec.name} follow cannot be read: {sentence(error)}"
            raise LakeError(f"{told}; run `headwater verify`") from error
        engine.lock(items.files)
        try:
            for batch in engine.execute(sql).to_arrow_reader(STEP_ROWS):
                yield _fitted(pa.Table.from_batches([batch]), spec, now)
        except duckdb.Error as error:
            raise LakeError(
                f"the query that fills {spec.name} failed: {sentence(error)}"
            ) from error


def _fitted(rows: pa.Table, spec: TableSpec, now: datetime) -> pa.Table:
    if spec.clock and spec.clock not in rows.column_names:
        stamped = pa.repeat(pa.scalar(now, spec.schema.field(spec.clock).type), rows.num_rows)
        rows = rows.append_column(spec.clock, stamped)
    if set(rows.column_names) != set(spec.schema.names):
        raise LakeError(f"the query that fills {spec.name} gives {', '.join(rows.column_names)}")
    return rows.select(spec.schema.names).cast(spec.schema)
