"""Text from sources made safe to look at: nothing invisible, nothing that turns the line around."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from markupsafe import Markup, escape

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS = re.compile(r"(?P<kept>[̀-ͯ҃-҉᷀-᷿⃐-⃿︠-︯]{4})[̀-ͯ҃-҉᷀-᷿⃐-⃿︠-︯]+")
_PART = re.compile(r"([_.:/])(?=\w)")


def visible(text: str) -> str:
    """The text with every character that hides, breaks or reorders a line spelled out.

    Control and format characters become `[U+202E]`; of a pile of combining marks four are kept.
    """
    shown = text if text.isprintable() else "".join(map(_seen, text))
    return shown if shown.isascii() else _MARKS.sub(r"\g<kept>[more marks]", shown)


def _seen(character: str) -> str:
    hides = unicodedata.category(character) in _HIDDEN
    return f"[U+{ord(character):04X}]" if hides else character


def block(text: str) -> Markup:
    """A preformatted text: as `visible`, but its line breaks stay line breaks."""
    return Markup("\n").join(escape(visible(line)) for line in text.split("\n"))


def parted(name: str) -> Markup:
    """A name of many parts, which may break after one of them: a narrow column cuts no word."""
    return Markup(_PART.sub(r"\1<wbr>", str(escape(visible(name)))))  # noqa: S704  escaped


def tame(text: str) -> str:
    """A spreadsheet would run what begins like a formula: make it plain text."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r", "\n", "＝"} else text


def anchor(kind: str, key: str) -> str:
    """The element id of a control, source or item: readable, and without white space."""
    return f"{kind}-{'_'.join(visible(key).split())}"


def fragment(kind: str, key: str) -> str:
    """The link to `anchor(kind, key)` on the same page."""
    return "#" + quote(anchor(kind, key), safe=":.~@!$'()*+,;=/?")


def web_address(text: str) -> str:
    """The text if it may become a link: plain http(s) with a host and no user; else ''."""
    try:
        parts = urlsplit(text)
        port_is_a_number = parts.port is None or parts.port >= 0
    except ValueError:
        return ""
    sound = text.isascii() and text.isprintable() and not re.search(r"[\s\\\"<>]", text)
    named = bool(parts.hostname) and parts.username is None and port_is_a_number
    return text if sound and named and parts.scheme in {"http", "https"} else ""


def coded(text: str) -> Markup:
    """A sentence of ours, with what stands between backticks as code."""
    parts = visible(text).split("`")
    if len(parts) % 2 == 0:
        return escape(visible(text))
    told = (Markup("<code>{}</code>").format(part) if n % 2 else escape(part)
            for n, part in enumerate(parts))  # fmt: skip
    return Markup("").join(told)


def when(moment: datetime | None) -> Markup:
    """`2026-11-23 19:43 UTC` as a time element, or `never`."""
    return _time(moment, "%Y-%m-%d %H:%M")


def day(moment: datetime | None) -> Markup:
    """`2026-11-23` as a time element, or `never`; in UTC."""
    return _time(moment, "%Y-%m-%d", zone="")


def tick(moment: datetime) -> str:
    """The day as it fits under a bar: `23 Nov`."""
    at = moment.astimezone(UTC)
    return f"{at.day} {at.strftime('%b')}"


def exact(moment: datetime | None) -> Markup:
    """As `when`, to the microsecond that the hash was computed over."""
    return _time(moment, "%Y-%m-%d %H:%M:%S.%f")


def _time(moment: datetime | None, form: str, zone: str = " UTC") -> Markup:
    if moment is None:
        return Markup("never")
    at = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), at.strftime(form) + zone)


def lasting(span: timedelta) -> str:
    """How long something took, in one unit: `45 s`, `3 h`, `12 days`."""
    seconds = max(0, round(span.total_seconds()))
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def long_day(moment: datetime) -> Markup:
    """`23 November 2026, 19:43 UTC` as a time element."""
    at = moment.astimezone(UTC)
    text = f"{at.day} {at.strftime('%B %Y, %H:%M')} UTC"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), text)


def many(count: int, one: str, more: str = "") -> str:
    """`1 item`, `2 items`, `1,200 items`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def context_words(items: int, declarations: int) -> str:
    """What is counted apart from what waits for a rule."""
    verb = "is" if items == 1 else "are"
    return f"{many(items, 'item')} {verb} context only, by {many(declarations, 'declaration')}"


def listed(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
