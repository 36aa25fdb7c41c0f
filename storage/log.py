"""A table's log up to where it had come: forwards, backwards, found by a marker or by a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime

from evidence.errors import LakeError
from storage.commits import Commit, read_commit
from storage.log_packs import Packed, listed_versions
from storage.place import Place
from storage.schema import TableSpec


class Log:
    """The log as of the moment it was first asked; its table is not opened.

    So what it costs does not grow with the table, nor with the log before version `since`, from
    which on the newest is looked for.
    """

    def __init__(self, place: Place, spec: TableSpec, since: int = 0) -> None:
        self.place, self.spec = place, spec
        self._since = since
        self._head: int | None = None

    @property
    def version(self) -> int:
        """The newest version; creation is version 0. Raises LakeError if the log is gone."""
        if self._head is None:
            listed = listed_versions(self.place, self._since) or listed_versions(self.place)
            if not listed:
                raise LakeError(f"table {self.spec.name} cannot be opened: its log is gone")
            self._head = listed[-1]
        return self._head

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

    def backwards(self) -> Iterator[Commit]:
        """The commits from the newest back to the first; what is gone is left out."""
        packed = Packed(self.place)
        for version in range(self.version, -1, -1):
            commit = read_commit(self.place, version, packed)
            if commit is not None:
                yield commit

    def commits(self, since: int) -> Iterator[Commit]:
        """The commits after version `since` up to the newest, in ledger order.

        Raises LakeError for a version whose log file is gone.
        """
        packed = Packed(self.place)
        for version in range(since + 1, self.version + 1):
            commit = read_commit(self.place, version, packed)
            if commit is None:
                raise LakeError(f"table {self.spec.name}: log file {version} is gone")
            yield commit

    def entry_digest(self, version: int) -> str:
        """SHA-256 of the log entry of a version, in hex. Raises LakeError if it is gone."""
        return self._commit_of(version).digest.hex()

    def version_at(self, moment: datetime) -> int:
        """The last version written by `moment`, -1 if there was none yet."""
        versions = range(self.version + 1)
        return bisect_right(versions, moment, key=self._written_at) - 1

    def _written_at(self, version: int) -> datetime:
        return self._commit_of(version).at

    def _commit_of(self, version: int) -> Commit:
        commit = read_commit(self.place, version)
        if commit is None:
            raise LakeError(f"table {self.spec.name}: log file {version} is gone")
        return commit
