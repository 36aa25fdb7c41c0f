"""Which parts of a text are secrets: the formats that detect-secrets knows, found in linear time.

Only formats that nothing else looks like: no guessing by entropy, no words such as `password`.
All patterns are run by RE2 (through Arrow), never by `re` over a whole text: a text or a pattern
that is made to be slow is as quick as any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_PLUGINS = (
    "azure_storage_key:AzureStorageKeyDetector", "github_token:GitHubTokenDetector",
    "gitlab_token:GitLabTokenDetector", "mailchimp:MailchimpDetector", "npm:NpmDetector",
    "openai:OpenAIDetector", "pypi_token:PypiTokenDetector", "sendgrid:SendGridDetector",
    "slack:SlackDetector", "square_oauth:SquareOAuthDetector", "stripe:StripeDetector",
)  # fmt: skip
_URL_WORDS = (
    r"access_token|api_?key|client_secret|id_token|password|private_token|refresh_token|secret|"
    r"sig|signature|token|x-amz-security-token|x-amz-signature"
)
_NAMED_AWS = r"(?i:aws.{0,44}(?:key|pwd|pw|password|pass|token)|secret_?access_?key)"
_HINTS = (
    r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}",
    _NAMED_AWS + r""".{0,44}["'\\ :=nt][0-9a-zA-Z/+]{40}""",
    r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[A-Za-z0-9_-]{20}", r"GR1348941",
    r"eyJ[A-Za-z0-9_=-]+\.", r"(?i:xox[abpors]-\d|hooks\.slack\.com/services/T)", r":_authToken=",
    r"T3BlbkFJ", r"pypi-Ag", r"SG\.[a-zA-Z0-9_-]{22}\.", r"sq0csp-", r"[rs]k_live_",
    r"[0-9a-z]{32}-us[0-9]", r"AccountKey=", r"gh[pousr]_[A-Za-z0-9_]{36}", r"PRIVATE KEY",
    r"PuTTY-User-Key", r"://[^\s/@:]*:[^\s/@]+@", rf"[?&](?i:{_URL_WORDS})=", r"\\u00[2-7]",
)  # fmt: skip
AWS_KEY_ID, AWS_SECRET = "aws access key id", "aws secret key"
HINT = "|".join(_HINTS)
"""What every item with a secret has in its JSON: each alternative is a part of a pattern that no
escaping alters. A test holds it against all patterns."""

_MARKS = ("\ufdd0", "\ufdd1")  # code points that are no characters
_NO_PART = re.compile(r"(?s)(.*)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """An RE2 pattern under the name of what it finds.

    `part` narrows a match to its first group, `holds` says whether a match really is one.
    """

    name: str
    text: str
    part: re.Pattern[str] = _NO_PART
    holds: Callable[[str], bool] | None = None

    def spans(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Where it matches in each text, from left to right; the time grows with the texts only."""
        plain = [n for n, text in enumerate(texts) if _MARKS[0] not in text]
        found = [[(0, len(text))] for text in texts]  # what holds code points of no character
        marked = _marked(self.text, [texts[n] for n in plain])
        for n, text in zip(plain, marked, strict=True):
            found[n] = list(self._between_marks(text))
        return found

    def _between_marks(self, marked: str) -> Iterator[tuple[int, int]]:
        head, *pieces = marked.split(_MARKS[0])
        place = len(head)
        for piece in pieces:
            match, _, after = piece.partition(_MARKS[1])
            found = self.part.search(match)
            if match and found and (self.holds is None or self.holds(match)):
                yield place + found.start(1), place + found.end(1)
            place += len(match) + len(after)


Spans = list[tuple[int, int, str]]


def search(texts: Sequence[str], patterns: Sequence[Pattern]) -> dict[str, Spans]:
    """The texts in which a pattern matches, with where and the pattern's name.

    Each pattern is prepared once for all texts: that takes longer than most texts do.
    """
    found: dict[str, Spans] = {}
    for pattern in patterns:
        hit = [texts[n] for n in matches(texts, pattern.text)]
        for text, spans in zip(hit, pattern.spans(hit) if hit else (), strict=True):
            found.setdefault(text, []).extend((*span, pattern.name) for span in spans)
    return {text: spans for text, spans in found.items() if spans}


def matches(texts: Sequence[str | bytes], pattern: str) -> list[int]:
    """The places of the texts in which the RE2 pattern matches. Raises ValueError if it is none."""
    if not texts:
        return []
    kind: Any = pa.large_binary() if isinstance(texts[0], bytes) else pa.large_string()
    found: Any = pc.match_substring_regex(pa.array(texts, kind), pattern)
    return list(pc.indices_nonzero(found).to_pylist())


def _marked(pattern: str, texts: Sequence[str]) -> list[str]:
    given = pa.array(texts, pa.large_string())
    done: Any = pc.replace_substring_regex(given, pattern, f"{_MARKS[0]}\\0{_MARKS[1]}")
    return list(done.to_pylist())


@cache
def known_secrets() -> tuple[Pattern, ...]:
    """The formats that are hidden wherever they stand."""
    # detect-secrets is imported late: it brings an HTTP library that no reader of a lake needs.
    found = [*_own(), *(p for plugin in _PLUGINS for p in _of_plugin(plugin))]
    return tuple(found)


@cache
def detector_version() -> str:
    """Which formats are known: part of the digest of the rules."""
    return f"detect-secrets {version('detect-secrets')}; headwater 1"


def _of_plugin(name: str) -> Iterator[Pattern]:
    detector = _load(name)
    for denied in detector.denylist:
        # RE2 has no look-ahead and repeats at most 1000 times: the same, or a little more, is hit.
        text = denied.pattern.replace(r"(?!\w)", "").replace(",1024}", ",1000}")
        flags = "(?i)" if denied.flags & re.IGNORECASE else ""
        yield Pattern(detector.secret_type.lower(), flags + text)


def _load(name: str) -> Any:
    module, _, detector = name.partition(":")
    return getattr(import_module(f"detect_secrets.plugins.{module}"), detector)


def _own() -> Iterator[Pattern]:
    """Where the plugins find that there is a secret, but not the whole of what must be hidden."""
    aws, jwt = _load("aws:AWSKeyDetector"), _load("jwt:JwtTokenDetector")
    yield Pattern(AWS_KEY_ID, aws.denylist[0].pattern)
    named = rf"(?i)(?:aws.{{0,20}}?{aws.secret_keyword}|secret_?access_?key)"
    forty = re.compile(r"([0-9a-zA-Z/+]{40})[^0-9a-zA-Z/+]*$")
    quoted = rf"{named}.{{0,20}}?['\"][0-9a-z/+]{{40}}\\*['\"]"
    yield Pattern(AWS_SECRET, quoted, forty)
    bare = r"(?i)secret_?access_?key\s*[:=]\s*[0-9a-z/+]{40}(?:[^0-9a-z/+=]|\z)"
    yield Pattern(AWS_SECRET, bare, forty)
    yield Pattern(
        "private key",
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)|PuTTY-User-Key-File-\d.*\z",
    )
    whole = r"eyJ[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+(?:\.[A-Za-z0-9_.+/=-]*)?"
    yield Pattern("json web token", whole, holds=lambda token: _is_jwt(jwt, token))
    in_url = r"://[^\s/@:]*:([^\s/@]+)@"
    yield Pattern("url credentials", in_url, re.compile(in_url))
    asked = rf"(?i)[?&](?:{_URL_WORDS})=([^&#\s\"'<>]+)"
    yield Pattern("url credentials", asked, re.compile(asked))


def _is_jwt(detector: Any, token: str) -> bool:
    head, body, *_ = token.split(".")
    return bool(detector.is_formally_valid(f"{head}.{body}"))
