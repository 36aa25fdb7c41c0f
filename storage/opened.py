"""A table as it was when it was opened: its files, its markers, its log forwards and backwards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from evidence.errors import LakeError
from storage.commits import Commit, read_commit
from storage.files import DataFile
from storage.log_packs import Packed
from storage.place import Place
from storage.schema import TableSpec
from storage.spans import Span, may_hold


class Opened:
    """One table as of the moment it was opened; every decision is made on that snapshot."""

    def __init__(self, place: Place, spec: TableSpec) -> None:
        self.place, self.spec = place, spec
        try:
            self._opened = DeltaTable(place.uri, storage_options=place.options)
        except (DeltaError, OSError) as error:
            raise place.told(f"table {spec.name} cannot be opened", error) from error
        self._behind = False

    @property
    def _handle(self) -> DeltaTable:
        """The snapshot; after a commit of ours it is taken anew, but only if it is asked for."""
        if self._behind:
            try:
                self._opened.update_incremental()
            except (DeltaError, OSError) as error:
                raise self.place.told(f"table {self.spec.name} cannot be read", error) from error
            self._behind = False
        return self._opened

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

    def opens_at(self, version: int) -> bool:
        """Whether a reader can open the table as it was at a version."""
        try:
            opened = DeltaTable(self.place.uri, version, storage_options=self.place.options)
            return opened.version() == version
        except (DeltaError, OSError):
            return False
