"""The lake: items, their source's cursor and the pull's record land in one commit or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from evidence.canonical import digest
from evidence.errors import LakeConflict, LakeError
from evidence.model import Cursor, EvidenceItem
from evidence.own import OWN_SOURCE
from evidence.runs import PULL_KIND, Pull
from storage import bookmarks, delta, known, sql_follower
from storage.admission import admit
from storage.disposed import gone_among
from storage.files import DataFile
from storage.index import open_index
from storage.log import Log
from storage.place import Place, place_of
from storage.redaction import Redactor
from storage.redaction_key import is_sealed
from storage.rows import evidence_steps
from storage.schema import TABLES, TableSpec

FORM = "headwater.lake/1"
FORMS = (FORM,)
"""Every form that can be read; older ones are read as they are (docs/lake.md)."""
REDACTION_FILE = "redaction.json"


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where a source stands in the lake.

    `version` is the marker of its last commit (None: it never landed), which the next commit must
    still find; `kept_in` the table version whose log entry holds the cursor's text; `sealed` says
    that it lies there so that only the redaction key opens it. `line` names a second cursor of the
    source, such as that of a backfill, which leaves the first where it stands.
    """

    cursor: Cursor | None = None
    version: int | None = None
    kept_in: int | None = None
    sealed: bool = False
    line: str = ""


@dataclass(frozen=True, slots=True)
class Landed:
    """What came of one `land`: new and already known items (the pull's own record not counted),
    the evidence version after it, the bookmark to go on with, and how many values were hidden, by
    why."""

    new: int
    known: int
    version: int
    bookmark: Bookmark
    hidden: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lake:
    """An evidence lake in a folder or a bucket. Get one from `create` or `open`."""

    place: Place
    clock: Callable[[], datetime] = field(repr=False, compare=False)
    redactor: Redactor = field(default_factory=Redactor, repr=False, compare=False)

    @classmethod
    def create(
        cls,
        place: Path | str | Place,
        *,
        clock: Callable[[], datetime],
        redactor: Redactor | None = None,
    ) -> Lake:
        """Make what is missing of the lake at `place`, also when others do so at the same moment.

        Raises LakeError if the place cannot be used.
        """
        place = place_of(place)
        with place.locked(".lock"):
            for spec in TABLES.values():
                delta.create(place.at(spec.name), spec)
            if not place.put_new("lake.json", json.dumps({"form": FORM}).encode() + b"\n"):
                return cls.open(place, clock=clock, redactor=redactor)
        return cls(place, clock, redactor or Redactor())

    @classmethod
    def open(
        cls,
        place: Path | str | Place,
        *,
        clock: Callable[[], datetime],
        redactor: Redactor | None = None,
    ) -> Lake:
        """The lake at `place`. Raises LakeError if there is none, or one of another form.

        Without `redactor` known secrets are looked for all the same; having no key to hide them
        with, an item that holds one does not land.
        """
        place = place_of(place)
        check_form(place)
        return cls(place, clock, redactor or Redactor())

    @property
    def version(self) -> int:
        """The version of the evidence table: how many commits it has seen."""
        return self.table("evidence").version

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the lake's tables."""
        return tuple(TABLES)

    def evolve(self) -> dict[str, tuple[str, ...]]:
        """Make tables and add columns that came since the lake was made: which, by table.

        Rows do not change: older ones have null in a new column. Raises LakeError.
        """
        with self.place.locked(".lock"):
            made = {name: self.table(name).widen() for name in self._made()}
        return {name: columns for name, columns in made.items() if columns}

    def _made(self) -> Iterator[str]:
        for name, spec in TABLES.items():
            delta.create(self.place.at(name), spec)
            yield name

    def table(self, name: str) -> delta.Table:
        """A table as of now. Raises LakeError if it is unknown or cannot be opened."""
        return delta.Table(self.place.at(name), _spec(name), self.clock)

    def log(self, name: str, since: int = 0) -> Log:
        """A table's log as of now, the table itself unopened; of interest from version `since` on.

        Raises LakeError if it is unknown.
        """
        return Log(self.place.at(name), _spec(name), since)

    def files(self, table: str, as_of: datetime | None = None) -> tuple[DataFile, ...]:
        """The data files of a table, without those in which every row is later than `as_of`."""
        clock, files = _spec(table).clock, self.table(table).files()
        if as_of is None or not clock:
            return files
        return tuple(f for f in files if f.least.get(clock) is None or f.least[clock] <= as_of)

    def local_files(self, table: str, as_of: datetime | None = None) -> list[Path]:
        """`files` as paths of this machine: what lies in a bucket is fetched, several at once."""
        files = self.files(table, as_of)
        return self.place.at(table).locals(file.name for file in files)

    def followed(self, table: str, app: str) -> int | None:
        """The evidence version up to which a follower has come, None if it never ran."""
        return self.table(table).marker(app)

    def unfollowed(self, table: str, app: str) -> sql_follower.Unfollowed:
        """The items that a follower has yet to see. Raises LakeError."""
        return sql_follower.unfollowed(self.table, table, app)

    def bookmark(self, source: str, line: str = "") -> Bookmark:
        """The last landed cursor of a source, or of one of its lines.

        Raises LakeError if the log that holds it is gone.
        """
        table = self.table("evidence")
        marker = table.marker(_app(source))
        own = bookmarks.held(table, _app(source, line))
        if marker is None or own is None:
            return Bookmark(version=marker, line=line)
        kept_in, text = own
        if text is None:
            return Bookmark(None, marker, kept_in, line=line)
        sealed = is_sealed(text)
        cursor = Cursor(self.redactor.unseal(text) if sealed else text)
        return Bookmark(cursor, marker, kept_in, sealed, line)

    def land(
        self,
        source: str,
        items: Iterable[EvidenceItem],
        *,
        bookmark: Bookmark,
        cursor: Cursor | None,
        pull_id: str,
        pull: Pull | None = None,
    ) -> Landed:
        """Land what is new of `items`, the cursor and the pull's record in one durable commit.

        Everything passes the redactor first; what was disposed of counts as known. `cursor` None
        keeps the bookmark's. Nothing is committed when nothing is new. Another line of the source
        that landed meanwhile disturbs nothing. Raises LakeConflict when another writer moved this
        cursor since `bookmark`, LakeError when the items are not this source's, something must be
        hidden and cannot be, or the lake cannot be written.
        """
        batch = tuple(items)
        _check(source, batch, pull)
        while True:
            try:
                return self._land(source, batch, bookmark, cursor, pull_id, pull)
            except LakeConflict:
                # What Headwater lands itself is decided by what landed before: it decides again.
                if source == OWN_SOURCE:
                    raise
                stands = self.bookmark(source, bookmark.line)
                if stands.kept_in != bookmark.kept_in or stands.version == bookmark.version:
                    raise
                bookmark = stands

    def _land(
        self, source: str, batch: tuple[EvidenceItem, ...], bookmark: Bookmark,
        cursor: Cursor | None, pull_id: str, pull: Pull | None,
    ) -> Landed:  # fmt: skip
        table = self.table("evidence")
        if table.marker(_app(source)) != bookmark.version:
            raise LakeConflict(f"{source}: another run landed since this one read its cursor")
        index = open_index(self.place.derived("index"), table)
        kept = cursor or bookmark.cursor
        admitted = admit(self.redactor, batch, pull, kept, sealed=bookmark.sealed)
        if admitted.sealed or admitted.hidden:
            self._bind()
        fresh = known.unknown((*admitted.items, *admitted.record), table, index)
        if gone := gone_among(fresh, table):
            fresh = tuple(item for item in fresh if item.item_id not in gone)
        new = sum(item.kind != PULL_KIND for item in fresh)
        if not fresh and kept == bookmark.cursor:
            return Landed(0, len(batch), table.version, bookmark, admitted.hidden)
        ids = [item.item_id for item in fresh]
        marker = table.version + 1
        pointed = kept == bookmark.cursor and bookmark.kept_in is not None
        metadata: dict[str, object] = {"source": source, "pull_id": pull_id, "batch": digest(ids)}
        version = table.commit(
            evidence_steps(fresh, landed_at=self.clock(), pull_id=pull_id),
            app=_app(source), marker=marker,
            also=[_app(source, bookmark.line)] if bookmark.line else [],
            metadata=metadata | bookmarks.told(
                table, _app(source), bookmark.line, bookmark.kept_in if pointed else None,
                self._cursor(kept, admitted.sealed),
            ),
        )  # fmt: skip
        index.landed(table, version, ids)
        stands = (
            replace(bookmark, version=marker)
            if pointed
            else Bookmark(kept, marker, version, admitted.sealed, bookmark.line)
        )
        return Landed(new, len(batch) - new, version, stands, admitted.hidden)

    def _cursor(self, cursor: Cursor | None, sealed: bool) -> str | None:
        """The cursor's text as the log may hold it."""
        if cursor is None or not sealed:
            return cursor.value if cursor else None
        return self.redactor.seal(cursor.value)

    def _bind(self) -> None:
        """Hidden values of one lake are hidden with one key: with another, ids would not last."""
        ours = self.redactor.bound()
        if not self.place.put_new(REDACTION_FILE, json.dumps(ours).encode() + b"\n"):
            raise LakeError(
                f"{self.place.shown(REDACTION_FILE)} names another redaction key than "
                f"{ours['key']}: restore that key; to go on with a new one, delete the file (what "
                "was hidden comes again as new)"
            )

    def append(self, table: str, rows: pa.Table) -> int:
        """Append rows to a table of judgements (`verdicts`, `standings`); returns its version.

        Raises LakeError for another table or other columns.
        """
        spec = _spec(table)
        if table not in {"verdicts", "standings"}:
            raise LakeError(f"{table} is not appended to by hand: it follows the evidence")
        if set(rows.column_names) != set(spec.schema.names):
            raise LakeError(f"{table} has the columns {', '.join(spec.schema.names)}")
        target = self.table(table)
        return target.commit([rows]) if rows.num_rows else target.version

    def follow_sql(self, table: str, sql: str, *, app: str) -> int:
        """Append `sql` over the evidence that `app` has not yet seen to `table`; rows appended.

        `sql` is one SELECT over the relation `items` (the columns of `evidence`); the table's time
        column is filled here. May run twice or die at any moment: no row comes twice, the table is
        only behind. Raises LakeError.
        """
        return sql_follower.follow(self.table, table, sql, app=app, clock=self.clock)


def check_form(place: Place) -> None:
    """Raise LakeError unless a lake of a known form lies there."""
    try:
        content = place.read("lake.json")
        if content is None:
            raise LakeError(f"there is no lake at {place}; run `headwater init`")
        form = json.loads(content).get("form")
    except (ValueError, AttributeError, RecursionError) as error:
        raise LakeError(f"{place.shown('lake.json')} cannot be read: {error}") from error
    if form not in FORMS:
        raise LakeError(
            f"the lake {place} has form {form!r}; this Headwater reads {', '.join(FORMS)}: if "
            "a newer one made it, upgrade Headwater"
        )


def _spec(name: str) -> TableSpec:
    if name not in TABLES:
        raise LakeError(f"there is no table {name!r}; the lake has {', '.join(TABLES)}")
    return TABLES[name]


def _app(source: str, line: str = "") -> str:
    return f"source:{source}:{line}" if line else f"source:{source}"


def _check(source: str, items: Sequence[EvidenceItem], pull: Pull | None) -> None:
    strangers = {item.source for item in items} | ({pull.source} if pull else set())
    if strangers - {source}:
        raise LakeError(f"{source} may not land items of {', '.join(sorted(strangers - {source}))}")
    kinds = {item.kind for item in items}
    if PULL_KIND in kinds:
        raise LakeError(f"{source}: only a pull's own record may have the kind {PULL_KIND}")
    own = {kind for kind in kinds if kind.startswith(f"{OWN_SOURCE}.")}
    if own and source != OWN_SOURCE:
        raise LakeError(f"{source}: only Headwater itself lands {', '.join(sorted(own))}")
