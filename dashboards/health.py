"""What an outside watcher asks over HTTP: does it answer, does the watch run, and the figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from evidence.times import stamp

FIGURES_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OPEN = frozenset({"/healthz", "/heartbeat"})
"""Answered to anybody: they say nothing about the evidence."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """When the watch last looked (None: never), until when it must look again, and as of when."""

    last: datetime | None
    late_after: datetime | None
    now: datetime

    @property
    def beats(self) -> bool:
        """Whether the watch runs as it should."""
        return self.last is not None and self.late_after is not None and self.now < self.late_after


@dataclass(frozen=True, slots=True)
class Health:
    """Where the answers come from; both are asked once per request, in a worker thread."""

    pulse: Callable[[], Pulse]
    figures: Callable[[], bytes]

    def routes(self) -> list[Route]:
        """`/healthz`, `/heartbeat` and `/metrics`."""
        return [
            Route("/healthz", answers),
            Route("/heartbeat", self._heartbeat),
            Route("/metrics", self._metrics),
        ]

    def _heartbeat(self, _request: Request) -> Response:
        pulse = self.pulse()
        told = {
            "beats": pulse.beats,
            "at": stamp(pulse.last) if pulse.last else None,
            "late_after": stamp(pulse.late_after) if pulse.late_after else None,
        }
        return JSONResponse(told, 200 if pulse.beats else 503)

    def _metrics(self, _request: Request) -> Response:
        return Response(self.figures(), media_type=FIGURES_TYPE)


def answers(_request: Request) -> Response:
    """Says that this process answers, and nothing about the evidence."""
    return PlainTextResponse("answering\n")
