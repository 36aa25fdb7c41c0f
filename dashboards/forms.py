"""Forms that are sent to us, and pages that say one thing."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dashboards.access import Reader
from dashboards.render import render_message

CSRF = "csrf"
_LARGEST = 400_000


def single(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The pairs by name, each given once. Raises HTTPException."""
    given = dict(pairs)
    if len(given) < len(pairs):
        raise HTTPException(400, "Something is asked twice; give each value once.")
    return given


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that was sent, of bounded size. Raises HTTPException."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Send a form: application/x-www-form-urlencoded.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise HTTPException(413, f"A question has {_LARGEST} bytes at most.")
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=9, errors="strict")
    except ValueError as error:
        raise HTTPException(400, "This form cannot be read.") from error
    return single(pairs)


def foreign(request: Request, given: str) -> Response | None:
    """What a form is told that did not come from a page of ours; None if it did."""
    reader: Reader = request.state.reader
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return say(403, "From elsewhere", "Another site sent this form: nothing was asked.")
    if reader.csrf and not hmac.compare_digest(given.encode(), reader.csrf.encode()):
        return say(403, "From elsewhere", "Open the page anew: its form was not made for you.")
    return None


def say(status: int, heading: str, sentence: str, *, back: str = "", **headers: str) -> Response:
    """A page that says one thing, and leads `back` to an address of ours."""
    return HTMLResponse(render_message(heading, sentence, back), status, headers)
