"""Delta tables with our own writer under them: the only module that writes in the table format."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from evidence.errors import LakeConflict, LakeError
from evidence.times import stamp
from storage.commits import OURS, checkpoint_name, read_commit
from storage.files import DataFile, Written, write_files
from storage.log_packs import LOG, commit_name
from storage.opened import Opened
from storage.place import Place
from storage.schema import TableSpec

_KEPT = "delta.deletedFileRetentionDuration"
_PROPERTIES = {
    "delta.appendOnly": "true",
    "delta.checkpointInterval": "10",
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 3650 days",
    _KEPT: "interval 2592000 seconds",  # 30 days, as `keep_deleted` writes it
}
_RETRIES = 100
_APPEND_ONLY = "delta.appendOnly"
REPLACE = "replace"
"""The marker that every replacement of files carries: of two at once, one is refused."""
DISPOSAL = "disposal"
"""Marks the versions that took rows out for good: whoever lands looks up what they were."""


class Table(Opened):
    """One table to write to; every commit is decided on the snapshot that was opened."""

    def __init__(
        self, place: Place, spec: TableSpec, clock: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(place, spec)
        self._clock = clock or (lambda: datetime.now(UTC))

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
            pa.default_memory_pool().release_unused()  # each writing thread keeps some megabytes
            self.place.settle((file.relative for file in written), stored=True)
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

        The caller has shown that the rows are the same; with `data_change` some of the old ones
        are left out for good, and the log says so. No row is new in either case. Appends beside it
        pass; of two replacements since one snapshot the second is refused, because Delta would let
        both in and show the rows twice. Raises LakeConflict or LakeError, the new files deleted
        again.
        """
        self.widen()
        token, since = str(uuid.uuid4()), self.version
        now = int(self._clock().timestamp() * 1000)
        try:
            if strangers := {file.name for file in old} - {file.name for file in self.files()}:
                raise LakeConflict(f"table {self.spec.name} no longer has {sorted(strangers)[0]}")
            self._transact(
                [*(_removal(file, now, data_change) for file in old),
                 *(_action(file, False) for file in new)],
                _digests(new), (REPLACE, DISPOSAL) if data_change else (REPLACE,), since + 1,
                {**(metadata or {}), "commit": token},
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
                custom_metadata={OURS: ours}, max_commit_retries=_RETRIES,
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
        checkpoint = checkpoint_name(version)
        if checkpoint in self.place.settle([commit_name(version), checkpoint]):
            self.place.settle([f"{LOG}/_last_checkpoint"])
        self._behind = True
        return version

    def keep_deleted(self, keep: timedelta) -> bool:
        """Say in the table for how long files taken out stay; True if that was another time.

        Checkpoints forget files taken out longer ago, and other engines delete none before.
        """
        return self._set(_KEPT, f"interval {int(keep.total_seconds())} seconds")

    def append_only(self, on: bool) -> bool:
        """Let rows be taken out (off) or refuse it to every writer (on); True if that changed."""
        return self._set(_APPEND_ONLY, "true" if on else "false")

    def _set(self, name: str, wanted: str) -> bool:
        if self._handle.metadata().configuration.get(name) == wanted:
            return False
        try:
            self._handle.alter.set_table_properties(
                {name: wanted},
                commit_properties=CommitProperties(
                    custom_metadata={OURS: {"at": stamp(self._clock())}}
                ),
            )
        except (DeltaError, OSError) as error:
            raise self._refusal(error) from error
        self._behind = True
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
                    custom_metadata={OURS: {"added": lacking, "at": stamp(self._clock())}}
                ),
            )
        except (DeltaError, OSError) as error:
            self._behind = True
            if self._lacking():
                raise self._refusal(error) from error
            return ()
        self._behind = True
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
