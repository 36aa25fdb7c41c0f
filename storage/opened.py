"""A table as it was when it was opened: its files, its markers, its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from evidence.errors import LakeError
from storage.commits import Commit
from storage.files import DataFile
from storage.log import Log
from storage.log_packs import LOG
from storage.place import MOST_BYTES, Place, inside
from storage.schema import TableSpec
from storage.spans import Span, may_hold


class Opened(Log):
    """One table as of the moment it was opened; every decision is made on that snapshot."""

    def __init__(self, place: Place, spec: TableSpec) -> None:
        super().__init__(place, spec)
        for told in place.strange(
            LOG, MOST_BYTES
        ):  # the library would open it, and perhaps never come back
            raise LakeError(f"table {spec.name} cannot be opened: {told}")
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
                raise self._unreadable(error) from error
            self._behind = False
        return self._opened

    @property
    def version(self) -> int:
        """The version of the snapshot; creation is version 0."""
        return self._handle.version()

    def marker(self, app: str) -> int | None:
        """The last `txn` version committed under `app`, None if there is none."""
        try:
            return self._handle.transaction_version(app)
        except DeltaError as error:  # the library reads these entries only when it is asked
            raise self._unreadable(error) from error

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
        try:
            return pa.table(self._handle.get_add_actions(flatten=True))
        except (DeltaError, pa.ArrowException) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> LakeError:
        return self.place.told(f"table {self.spec.name} cannot be read", error)

    def _file(self, action: Mapping[str, Any]) -> DataFile:
        ends: dict[str, dict[str, Any]] = {"min": {}, "max": {}, "partition": {}}
        for key, value in action.items():
            group, _, name = key.partition(".")
            if group in ends and name and value is not None:
                ends[group][name] = value
        return DataFile(
            place=self.place, name=inside(action["path"]), rows=action["num_records"] or 0,
            partition=ends["partition"], least=ends["min"], greatest=ends["max"],
            size=action["size_bytes"],
        )  # fmt: skip

    def latest(self, app: str) -> Commit | None:
        """The newest commit that carries a marker of `app`, looked for from the head backwards."""
        if self.marker(app) is None:
            return None
        for commit in self.backwards():
            if app in commit.transactions:
                return commit
        raise LakeError(f"table {self.spec.name}: the log lacks every commit of {app}")

    def opens_at(self, version: int) -> bool:
        """Whether a reader can open the table as it was at a version."""
        try:
            opened = DeltaTable(self.place.uri, version, storage_options=self.place.options)
            return opened.version() == version
        except (DeltaError, OSError):
            return False
