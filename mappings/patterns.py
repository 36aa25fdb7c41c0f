"""Text patterns that mean the same in Python and in the query engine, and that cannot run away."""

from __future__ import annotations

import re
from functools import cache

MAX_TEXT = 500
_MAX_PATTERN = 200
_MAX_VARYING = 3
_MAX_GROUPS = 4
_TOKEN = re.compile(
    r"""(?P<varying>[*+?]|\{[0-9]{1,2},[0-9]{0,2}\})
      | (?P<times>\{[0-9]{1,2}\})
      | (?P<open>\()(?!\?) | (?P<close>\)) | (?P<either>\|)
      | (?P<atom>
            [\w\ :/@\#=,;%&!<>'"~`-] | \.
          | \\[dw.\-+*?()\[\]{}|^$\\/]
          | \[\^?(?:[A-Za-z0-9](?:-[A-Za-z0-9])?|[_.:/@\#=,;%+\ ]|\\[dw.\-\]\\])+\]
        )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\.", re.DOTALL)


def glob_expression(glob: str) -> str:
    """RE2 text of a glob in which `*` is any text and `?` any one character, all else itself."""
    return "".join({"*": ".*", "?": "."}.get(part) or re.escape(part) for part in glob)


def literal_expression(text: str) -> str:
    """RE2 text that takes one text alone."""
    return re.escape(text)


@cache
def glob(pattern: str) -> re.Pattern[str]:
    """The same glob for Python; atomic groups keep it from ever going back over long text."""
    first, *rest = (
        "".join("." if c == "?" else re.escape(c) for c in p) for p in pattern.split("*")
    )
    if not rest:
        return re.compile(first, re.DOTALL)
    inner = "".join(f"(?>.*?{part})" for part in rest[:-1] if part)
    return re.compile(f"{first}{inner}.*{rest[-1]}", re.DOTALL)


@cache
def expression(pattern: str) -> re.Pattern[str]:
    """A regular expression in the part of the language that both engines read alike.

    Always anchored at both ends. Literals, `.`, `\\d`, `\\w`, classes, groups for alternatives and
    counts; no look-around, no references, no repeated group, at most three varying counts, so that
    no text can make it slow. Raises ValueError with the reason.
    """
    if len(pattern) > _MAX_PATTERN:
        raise ValueError(f"it is longer than {_MAX_PATTERN} characters")
    _check(pattern)
    try:
        return re.compile(pattern, re.DOTALL | re.ASCII)
    except re.error as error:
        raise ValueError(f"it is not a regular expression: {error}") from error


def _check(pattern: str) -> None:
    before, groups, varying, at = "", 0, 0, 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            raise ValueError(f"{pattern[at : at + 8]!r} is not allowed (it is anchored already)")
        word = str(token.lastgroup)
        if word in {"varying", "times"} and not _countable(before, token.group()):
            raise ValueError(f"{token.group()!r} repeats a group or a count: it could run for ever")
        groups, varying = groups + (word == "open"), varying + (word == "varying")
        before, at = word, token.end()
    if varying > _MAX_VARYING or groups > _MAX_GROUPS:
        raise ValueError(f"more than {_MAX_VARYING} varying counts or {_MAX_GROUPS} groups: slow")


def _countable(before: str, count: str) -> bool:
    return before == "atom" or (before == "close" and count == "?")


def ascii_only(pattern: str) -> str:
    """The same expression for an engine whose `\\d` and `\\w` also take other alphabets'."""
    return "".join(_ascii(token.group()) for token in _TOKEN.finditer(pattern))


def _ascii(token: str) -> str:
    members = {r"\d": "0-9", r"\w": "0-9A-Za-z_"}
    form = "{}" if token.startswith("[") else "[{}]"
    return _ESCAPE.sub(lambda m: form.format(members[m[0]]) if m[0] in members else m[0], token)
