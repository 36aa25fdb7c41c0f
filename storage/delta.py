"""The only module that knows the table format: Delta tables with our own writer under them."""

from __future__ import annotations

import hashlib
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from evidence.errors import HeadwaterError, LakeConflict, LakeError
from evidence.times import from_ms, parse, stamp
from storage.files import DataFile, Written, write_files
from storage.log_packs import LOG, Packed, commit_name, entry, listed_versions, packs
from storage.place import Place
from storage.schema import TableSpec
from storage.spans import Span, may_hold

_KEPT = "delta.deletedFileRetentionDuration"
_PROPERTIES = {
    "delta.appendOnly": "true",
    "delta.checkpointInterval": "10",
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 3650 days",
    _KEPT: "interval 30 days",
}
_RETRIES = 100
_OURS = "headwater"
_CHECKPOINT = ".checkpoint.parquet"
REPLACE = "replace"
"""The marker that every replacement of files carries: of two at once, one is refused."""


@dataclass(frozen=True, slots=True)
class Add:
    """One file that a commit added to the table; `path` is relative to the table."""

    path: str
    partition: Mapping[str, str]
    rows: int
    data_change: bool
    least: Mapping[str, Any]
    greatest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of the log as written: files in their order, `txn` markers, our metadata.

    `removes` are the paths taken out; `drops_data` says whether that removed rows; `at` is when it
    was written, by the clock of who wrote it; `digest` is the SHA-256 of the log entry's bytes,
    which in turn name the digest of each file.
    """

    version: int
    adds: tuple[Add, ...]
    removes: tuple[str, ...]
    drops_data: bool
    transactions: Mapping[str, int]
    metadata: Mapping[str, Any]
    at: datetime
    digest: bytes
    written_at: datetime


class Table:
    """One table as of the moment it was opened; every decision is made on that snapshot."""

    def __init__(
        self, place: Place, spec: TableSpec, clock: Callable[[], datetime] | None = None
    ) -> None:
        self.place, self.spec = place, spec
        self._clock = clock or (lambda: datetime.now(UTC))
        try:
            self._handle = DeltaTable(place.uri, storage_options=place.options)
        except (DeltaError, OSError) as error:
            raise place.told(f"table {spec.name} cannot be opened", error) from error

    @property
    def version(self) -> int:
        """The version of the snapshot; creation is version 0."""
        return self._handle.version()

    def marker(self, app: str) -> int | None:
        """The last `txn` version committed under `app`, None if there is none."""
        return self._handle.transaction_version(app)

    @property
    def rows(self) -> int:
        """How many rows the files of this snapshot hold together."""
        return pc.sum(self._actions()["num_records"]).as_py() or 0

    def files(self, spans: Mapping[str, Span] | None = None) -> tuple[DataFile, ...]:
        """The table's data files in this snapshot.

        With `spans` (partition value → least and greatest `observed_to`) only the files of
        `evidence` that may hold a row of one of them.
        """
        actions = self._actions()
        if spans is not None:
            actions = actions.filter(may_hold(actions, spans))
        return tuple(self._file(action) for action in actions.to_pylist())

    def _actions(self) -> pa.Table:
        return pa.table(self._handle.get_add_actions(flatten=True))

    def _file(self, action: Mapping[str, Any]) -> DataFile:
        ends: dict[str, dict[str, Any]] = {"min": {}, "max": {}, "partition": {}}
        for key, value in action.items():
            group, _, name = key.partition(".")
            if group in ends and name and value is not None:
                ends[group][name] = value
        return DataFile(
            place=self.place, name=action["path"], rows=action["num_records"] or 0,
            partition=ends["partition"], least=ends["min"], greatest=ends["max"],
            size=action["size_bytes"],
        )  # fmt: skip

    def commit(
        self, rows: Iterable[pa.Table], *, app: str = "", marker: int = 0,
        also: Sequence[str] = (), metadata: Mapping[str, Any] | None = None,
    ) -> int:  # fmt: skip
        """Append all rows, the marker and the metadata in one durable version; returns it.

        With `app`, the commit is refused if that app, or one that carries the marker `also`,
        committed since this snapshot. Raises LakeConflict (own files deleted again) or LakeError;
        either way nothing is visible.
        """
        self.widen()
        written: list[Written] = []
        token = str(uuid.uuid4())
        since = self.version
        try:
            for table in rows:
                written.extend(write_files(self.place, self.spec, table))
            self.place.settle(file.relative for file in written)
            self._transact(
                [_action(file) for file in written], _digests(written), (app, *also), marker,
                {**(metadata or {}), "commit": token},
            )  # fmt: skip
        except LakeError:
            self._undo(written)
            raise
        except (DeltaError, OSError, pa.ArrowException) as error:
            # An error after the log entry was linked (a checkpoint on a full disk) is a success.
            version = self._landed(token, since)
            if version is None:
                raise self._given_up(error, written) from error
        else:
            version = self._landed(token, since)
        return self._settle(version)

    def replace(
        self, old: Sequence[DataFile], new: Sequence[Written], *,
        metadata: Mapping[str, Any] | None = None, data_change: bool = False,
    ) -> int:  # fmt: skip
        """Take files out and put their successors in, in one durable version; returns it.

        The caller has shown that the rows are the same; with `data_change` they are not, and the
        log says so. Appends beside it pass; of two replacements since one snapshot the second is
        refused, because Delta would let both in and show the rows twice. Raises LakeConflict or
        LakeError, the new files deleted again.
        """
        self.widen()
        token, since = str(uuid.uuid4()), self.version
        now = int(self._clock().timestamp() * 1000)
        try:
            if strangers := {file.name for file in old} - {file.name for file in self.files()}:
                raise LakeConflict(f"table {self.spec.name} no longer has {sorted(strangers)[0]}")
            self._transact(
                [*(_removal(file, now, data_change) for file in old),
                 *(_action(file, data_change) for file in new)],
                _digests(new), (REPLACE,), since + 1, {**(metadata or {}), "commit": token},
            )  # fmt: skip
        except LakeError:
            self._undo(new)
            raise
        except (DeltaError, OSError) as error:
            version = self._landed(token, since)
            if version is None:
                raise self._given_up(error, new) from error
        else:
            version = self._landed(token, since)
        return self._settle(version)

    def _transact(
        self, actions: Sequence[AddAction | RemoveAction], digests: Mapping[str, str],
        apps: Sequence[str], marker: int, metadata: Mapping[str, Any],
    ) -> None:  # fmt: skip
        markers = [Transaction(app, marker) for app in apps if app]
        ours = {**metadata, "files": digests, "at": stamp(self._clock())}
        self._handle.create_write_transaction(
            list(actions), "append", self.spec.schema, list(self.spec.partition),
            commit_properties=CommitProperties(
                custom_metadata={_OURS: ours}, max_commit_retries=_RETRIES,
                app_transactions=markers,
            ),
            post_commithook_properties=PostCommitHookProperties(
                create_checkpoint=True, cleanup_expired_logs=False
            ),
        )  # fmt: skip

    def _landed(self, token: str, since: int) -> int | None:
        for version in count(since + 1):
            commit = read_commit(self.place, version)
            if commit is None:
                return None
            if commit.metadata.get("commit") == token:
                return version
        return None

    def _undo(self, written: Sequence[Written]) -> None:
        for file in written:
            self.place.remove(file.relative)

    def _given_up(self, error: Exception, written: Sequence[Written]) -> LakeError:
        """What to raise for a commit that is not in the log, its files deleted if that is sure."""
        refusal = self._refusal(error)
        # A store may still carry out a call that was given up: then its files must be there.
        if self.place.certain or isinstance(refusal, LakeConflict):
            self._undo(written)
        return refusal

    def _refusal(self, error: Exception) -> LakeError:
        if isinstance(error, CommitFailedError):
            return LakeConflict(f"table {self.spec.name}: another writer landed first ({error})")
        return self.place.told(f"table {self.spec.name} cannot be written", error)

    def _settle(self, version: int | None) -> int:
        if version is None:
            raise LakeError(f"table {self.spec.name}: the log lost a commit; verify the lake")
        self.place.settle(
            [commit_name(version), checkpoint_name(version), f"{LOG}/_last_checkpoint"]
        )
        try:
            self._handle.update_incremental()
        except (DeltaError, OSError) as error:
            raise self.place.told(f"table {self.spec.name} cannot be read", error) from error
        return version

    def find(self, app: str, marker: int, *, since: int) -> Commit:
        """The commit that carries the marker, looked for from version `since` onwards.

        Raises LakeError if the log does not hold it.
        """
        packed = Packed(self.place)
        for version in range(max(since, 0), self.version + 1):
            commit = read_commit(self.place, version, packed)
            if commit is not None and commit.transactions.get(app) == marker:
                return commit
        raise LakeError(
            f"table {self.spec.name}: the log from version {since} lacks the commit of {app}; "
            "restore the missing files in _delta_log from a backup"
        )

    def latest(self, app: str) -> Commit | None:
        """The newest commit that carries a marker of `app`, looked for from the head backwards."""
        if self.marker(app) is None:
            return None
        for commit in self.backwards():
            if app in commit.transactions:
                return commit
        raise LakeError(f"table {self.spec.name}: the log lacks every commit of {app}")

    def backwards(self) -> Iterator[Commit]:
        """The commits from this snapshot's back to the first; what is gone is left out."""
        packed = Packed(self.place)
        for version in range(self.version, -1, -1):
            commit = read_commit(self.place, version, packed)
            if commit is not None:
                yield commit

    def commits(self, since: int) -> Iterator[Commit]:
        """The commits after version `since` up to this snapshot, in ledger order.

        Raises LakeError for a version whose log file is gone.
        """
        packed = Packed(self.place)
        for version in range(since + 1, self.version + 1):
            commit = read_commit(self.place, version, packed)
            if commit is None:
                raise LakeError(f"table {self.spec.name}: log file {version} is gone")
            yield commit

    def version_at(self, moment: datetime) -> int:
        """The last version written by `moment`, -1 if there was none yet."""
        versions = range(self.version + 1)
        return bisect_right(versions, moment, key=self._written_at) - 1

    def _written_at(self, version: int) -> datetime:
        commit = read_commit(self.place, version)
        if commit is None:
            raise LakeError(f"table {self.spec.name}: log file {version} is gone")
        return commit.at

    def keep_deleted(self, keep: timedelta) -> bool:
        """Say in the table for how long files taken out stay; True if that was another time.

        Checkpoints forget files taken out longer ago, and other engines delete none before.
        """
        wanted = f"interval {int(keep.total_seconds())} seconds"
        if self._handle.metadata().configuration.get(_KEPT) == wanted:
            return False
        try:
            self._handle.alter.set_table_properties(
                {_KEPT: wanted},
                commit_properties=CommitProperties(
                    custom_metadata={_OURS: {"at": stamp(self._clock())}}
                ),
            )
        except (DeltaError, OSError) as error:
            raise self._refusal(error) from error
        self._handle.update_incremental()
        self._settle(self.version)
        return True

    def widen(self) -> tuple[str, ...]:
        """Add the columns that came since the table was made; which they were. No row changes.

        Another process may do so at the same moment. Raises LakeError.
        """
        lacking = self._lacking()
        if not lacking:
            return ()
        fields = DeltaSchema.from_arrow(pa.schema([self.spec.schema.field(n) for n in lacking]))
        try:
            self._handle.alter.add_columns(
                list(fields.fields),
                commit_properties=CommitProperties(
                    custom_metadata={_OURS: {"added": lacking, "at": stamp(self._clock())}}
                ),
            )
        except (DeltaError, OSError) as error:
            self._handle.update_incremental()
            if self._lacking():
                raise self._refusal(error) from error
            return ()
        self._handle.update_incremental()
        self._settle(self.version)
        return tuple(lacking)

    def _lacking(self) -> list[str]:
        if not self.spec.added:
            return []
        there = {field.name for field in self._handle.schema().fields}
        return [name for name in self.spec.added if name not in there]

    def fold(self) -> None:
        """Fold the log into a checkpoint, so that readers need only what came after it."""
        try:
            self._handle.create_checkpoint()
        except (DeltaError, OSError) as error:
            raise self.place.told(f"table {self.spec.name}: no checkpoint", error) from error
        self._settle(self.version)

    def opens_at(self, version: int) -> bool:
        """Whether a reader can open the table as it was at a version."""
        try:
            opened = DeltaTable(self.place.uri, version, storage_options=self.place.options)
            return opened.version() == version
        except (DeltaError, OSError):
            return False


def create(place: Place, spec: TableSpec) -> None:
    """Make the table if it is not there, also when others do so just now. Raises LakeError."""
    if _begun(place):
        return
    try:
        DeltaTable.create(
            place.uri, spec.schema, partition_by=list(spec.partition),
            configuration=_PROPERTIES, storage_options=place.options,
        )  # fmt: skip
    except (DeltaError, OSError) as error:
        if not _begun(place):
            raise place.told(f"table {spec.name} cannot be created", error) from error


def _begun(place: Place) -> bool:
    return any(name.endswith((".json", ".parquet")) for name in place.names(LOG))


def shown_files(place: Place, spec: TableSpec) -> dict[str, DataFile]:
    """The files, by path relative to the table, as a reader of the format is given them now."""
    return {file.name: file for file in Table(place, spec).files()}


def log_versions(place: Place) -> list[int]:
    """The versions whose log entries are there, in the log or in packs, ascending."""
    packed = (range(pack.first, pack.last + 1) for pack in packs(place))
    return sorted(set(listed_versions(place)).union(*packed))


def read_commit(place: Place, version: int, packed: Packed | None = None) -> Commit | None:
    """One log entry, also out of its pack; None if it is not there. Raises LakeError if damaged.

    Who reads many in a row gives a `packed` of their own.
    """
    content = _entry(place, version, packed)
    if content is None:
        return None
    try:
        actions = [orjson.loads(line) for line in content.splitlines() if line.strip()]
        return _commit(version, actions, hashlib.sha256(content).digest())
    except (ValueError, KeyError, TypeError, AttributeError, HeadwaterError) as error:
        where = place.shown(commit_name(version))
        raise LakeError(f"{where} is no log entry: {error}; restore it from a backup") from error


def _entry(place: Place, version: int, packed: Packed | None) -> bytes | None:
    content = place.read(commit_name(version))
    if content is not None:
        return content
    return packed.entry(version) if packed else entry(place, version)


def checkpoints(place: Place) -> list[int]:
    """The versions at which the log was folded into a checkpoint, ascending."""
    names = (name.removeprefix(f"{LOG}/") for name in place.names(LOG))
    stems = (name.split(".")[0] for name in names if name.endswith(_CHECKPOINT))
    return sorted(int(stem) for stem in stems if stem.isdigit())


def checkpoint_name(version: int) -> str:
    """Where the checkpoint of a version lies."""
    return f"{LOG}/{version:020}{_CHECKPOINT}"


def _commit(version: int, actions: Sequence[Mapping[str, Any]], digest: bytes) -> Commit:
    removes = [action["remove"] for action in actions if "remove" in action]
    infos = [action["commitInfo"] for action in actions if "commitInfo" in action]
    ours = infos[0].get(_OURS, {}) if infos else {}
    return Commit(
        version=version,
        adds=tuple(_add(action["add"]) for action in actions if "add" in action),
        removes=tuple(remove["path"] for remove in removes),
        drops_data=any(remove.get("dataChange", True) for remove in removes),
        transactions={a["txn"]["appId"]: a["txn"]["version"] for a in actions if "txn" in a},
        metadata=ours,
        at=_time(ours.get("at"), infos),
        digest=digest,
        written_at=from_ms(infos[0].get("timestamp", 0) if infos else 0),
    )


def _add(action: Mapping[str, Any]) -> Add:
    stats = orjson.loads(action["stats"]) if action.get("stats") else {}
    return Add(
        path=action["path"], partition=action["partitionValues"],
        rows=stats.get("numRecords", 0), data_change=action["dataChange"],
        least=stats.get("minValues", {}), greatest=stats.get("maxValues", {}),
    )  # fmt: skip


def _time(ours: str | None, infos: Sequence[Mapping[str, Any]]) -> datetime:
    """Our own stamp, else that of the library that wrote the entry."""
    if ours is not None:
        return parse(ours)
    written = infos[0].get("timestamp", 0) if infos else 0
    return datetime.fromtimestamp(written / 1000, UTC)


def _digests(written: Sequence[Written]) -> dict[str, str]:
    return {file.relative: file.sha256 for file in written}


def _action(file: Written, data_change: bool = True) -> AddAction:
    return AddAction(
        path=file.relative, size=file.size, partition_values=dict(file.partition),
        modification_time=file.modified_ms, data_change=data_change, stats=file.stats,
    )  # fmt: skip


def _removal(file: DataFile, at_ms: int, data_change: bool) -> RemoveAction:
    return RemoveAction(
        path=file.name, data_change=data_change,
        deletion_timestamp=at_ms, size=file.size, partition_values=dict(file.partition),
    )  # fmt: skip
