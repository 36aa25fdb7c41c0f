"""What a code host must answer so that its merged changes can be pulled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Protocol

from collectors._git.register_files import DOCUMENT_ENDINGS, REGISTER_ENDINGS
from collectors._review.deployment import Deployment, Origin
from collectors._review.protection import Protection
from collectors._review.pull import Merged, Repository
from collectors._review.push import Push
from collectors._review.release import Release
from collectors._review.walk import Seen
from collectors.http import Reply
from evidence.errors import SourceBusy, SourceError

PAPERS = (*REGISTER_ENDINGS, *DOCUMENT_ENDINGS)
"""How the names of registers and documents end."""
_ABSENT = {403, 404, 409, 410, 422, 451}
"""Not for this key, or not there; 409 and 422 are what commits that do not exist get."""


def absent(error: SourceError) -> bool:
    """Is what was asked for not there or not for this key, rather than the call a failure?"""
    return error.status in _ABSENT and not isinstance(error, SourceBusy)


class Host(Protocol):
    """One code host, asked with one key. Every method raises SourceError."""

    @property
    def name(self) -> str:
        """`github` or `gitlab`."""

    @property
    def api(self) -> str:
        """Which API in which version is asked."""

    def identity(self) -> tuple[str, Reply | None]:
        """Who the key belongs to, and the answer that said so."""

    def repository(self, name: str) -> Repository:
        """A repository by its configured name."""

    def count(self, of: Repository, since: datetime | None, until: datetime) -> int | str:
        """How many changes were merged from `since` to `until`, both included, as the host counts
        them by another way than the list; or why it does not."""

    def newest_first(self, of: Repository) -> Iterator[list[Any]]:
        """The rows of the list of changes, page by page, the last changed first."""

    def seen(self, row: Any) -> Seen:
        """A row of that list."""

    def merged(self, of: Repository, number: int) -> Merged:
        """One merged change, whole."""

    def files(self, of: Repository, merged: Merged) -> dict[str, str]:
        """The registers and documents that a change touched → the id of the blob at its head, as
        far as the host tells it."""

    def pushes(self, of: Repository, floor: datetime | None) -> Iterator[Push | None]:
        """What changed the repository at or after `floor` (None: ever), read bit by bit; None
        stands for what came by review, or to a branch that is not watched."""

    def deployments(self, of: Repository) -> Iterator[list[Any]]:
        """The rows of the list of deployments, page by page, newest first."""

    def deployment_seen(self, row: Any) -> Seen:
        """A row of that list; `merged` is when it was asked for, None where nobody is served."""

    def deployment(
        self, of: Repository, number: int, merged: Callable[[int], Merged]
    ) -> Deployment:
        """One deployment, whole; `merged` reads the merged changes that it came of."""

    def releases(self, of: Repository, floor: datetime | None) -> Iterator[Release]:
        """What was published at or after `floor` (None: ever), in any order."""

    def tagged(self, of: Repository, release: Release) -> str:
        """The commit that a release's tag names, empty where that is not told."""

    def origin(self, of: Repository, commit: str, merged: Callable[[int], Merged]) -> Origin:
        """How a commit came to be; `merged` reads the merged changes that it came of."""

    def protection(self, of: Repository, branch: str) -> Protection:
        """What is enforced on a branch."""
