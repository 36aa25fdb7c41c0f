"""A model behind an OpenAI-compatible endpoint: its answers are read as a stranger's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evidence.canonical import digest
from evidence.errors import SourceBroken
from evidence.secret import Secret

if TYPE_CHECKING:
    from collectors.http import Http

_MAX_BYTES = 16 << 20
_AT_ONCE = 64
_LONGEST = 4096
_HERE = {"localhost", "127.0.0.1", "::1"}


def wrong_endpoint(model: str, url: str, name: str) -> list[str]:
    """What is wrong with the settings of a model at an endpoint, a sentence each."""
    wrong = []
    if not url or not name:
        wrong.append(f'model = "{model}" needs url and name: whom to ask for which model')
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return [*wrong, f"url {url!r} is no address"]
    if parts.scheme != "https" and host not in _HERE and url:
        wrong.append(f"url {url!r}: evidence goes there, so it must begin with https://")
    return wrong


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`name` is the model at `url`; its weights are elsewhere, so its digest is that of both words.

    Every call raises SourceBusy, SourceRefused or SourceBroken; `timeout` is in seconds.
    """

    url: str
    name: str
    key: Secret
    timeout: float = 60.0

    @property
    def digest(self) -> str:
        """SHA-256 over address and name: all that is known of a model that runs elsewhere."""
        return digest({"url": self.url, "name": self.name})

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text, all of one length (POST /embeddings)."""
        found: list[list[float]] = []
        with self._open() as http:
            for start in range(0, len(texts), _AT_ONCE):
                part = list(texts[start : start + _AT_ONCE])
                asked = {"model": self.name, "input": part, "encoding_format": "float"}
                found += _vectors(http.post("/embeddings", asked, safe=True).data, len(part))
        if len({len(vector) for vector in found}) > 1:
            raise SourceBroken("POST /embeddings: vectors of different lengths")
        return found

    def say(self, orders: str, record: str) -> str:
        """The text of the answer to one record under these orders (POST /chat/completions)."""
        messages = [{"role": "system", "content": orders}, {"role": "user", "content": record}]
        asked = {"model": self.name, "messages": messages, "temperature": 0}
        with self._open() as http:
            answer = http.post("/chat/completions", asked, safe=True).data
        try:
            content = answer["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError) as error:
            raise SourceBroken("POST /chat/completions: no choice with a message") from error
        # A model that refuses to speak says null: it proposes nothing that could be read.
        return content if isinstance(content, str) else ""

    def _open(self) -> Http:
        from collectors.http import Auth, Http

        auth = Auth.bearer(self.key) if self.key.reveal() else Auth()
        return Http(
            self.url, auth, connect_timeout=min(self.timeout, 10), read_timeout=self.timeout,
            deadline=self.timeout, attempts=3, max_bytes=_MAX_BYTES,
        )  # fmt: skip


def _vectors(answer: Any, wanted: int) -> list[list[float]]:
    """The vectors in the order of the texts: each answer says to which it belongs."""
    try:
        rows = {row["index"]: row["embedding"] for row in answer["data"]}
        vectors = [[float(number) for number in rows[at]] for at in range(wanted)]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SourceBroken("POST /embeddings: not a vector of numbers for each text") from error
    if len(rows) != wanted or any(not _sound(vector) for vector in vectors):
        raise SourceBroken("POST /embeddings: not one sound vector for each text")
    return vectors


def _sound(vector: Sequence[float]) -> bool:
    return 0 < len(vector) <= _LONGEST and all(map(math.isfinite, vector)) and any(vector)
