"""What an auditor reads is noted before it is answered; what cannot be noted is not answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.access import Reader


@dataclass(frozen=True, slots=True)
class Read:
    """One answer: to whom, of what address, how it ended, and how many rows it held.

    `rows` is None where nothing was counted; `question` is the SQL that was asked, if any.
    """

    at: datetime
    reader: Reader
    method: str
    address: str
    status: int
    rows: int | None = None
    question: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


Note = Callable[[Read], None]
"""Keeps one read for good before it returns. Raises OSError."""


class NotNoted(Exception):
    """The read could not be kept, so nothing may be answered."""


@dataclass(frozen=True, slots=True)
class Noted:
    """An application whose answers are noted before their first byte is sent."""

    inner: ASGIApp
    note: Note
    clock: Callable[[], datetime]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises NotNoted, with nothing sent."""
        request = Request(scope)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                try:
                    await run_in_threadpool(self.note, self._read(request, message["status"]))
                except OSError as error:
                    raise NotNoted(str(error)) from error
            await send(message)

        await self.inner(scope, receive, noting)

    def _read(self, request: Request, status: int) -> Read:
        told = request.state
        return Read(
            self.clock(), told.reader, request.method, address_of(request.scope), status,
            getattr(told, "rows", None), getattr(told, "question", ""),
            getattr(told, "values", {}),
        )  # fmt: skip


def address_of(scope: Scope) -> str:
    """The path and the query that were asked, as one line of ASCII."""
    query = scope["query_string"].decode("latin-1")
    return quote(scope["path"], safe="/:@!$&'()*+,;=-._~") + (f"?{query}" if query else "")
