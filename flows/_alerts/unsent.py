"""What of alerting itself needs a person: channels that take nothing, and what is hushed."""

from __future__ import annotations

from collections.abc import Iterator

from dashboards.model import Attention
from evidence.errors import LakeError
from flows._alerts.channel import line_cause
from flows._alerts.memory import Hush, Line
from flows.config import Config, now
from storage.lake import Lake

UNSENT = "Mend its address, key or network: `headwater alert test`. What it missed is sent again."
UNREAD = "See what the lake says with `headwater verify`; nobody is told anything until then."
TAKEN = "Nothing, if they still have it; `headwater alert unack` gives it back."
AWARE = "Nothing, if that is still wanted; `headwater alert unhush` ends it."


def unsent(config: Config) -> Iterator[Attention]:
    """Whatever keeps somebody from hearing of something, one sentence each."""
    if not config.channels:
        return
    from flows._alerts.deliver import remembered

    try:
        memory = remembered(Lake.open(config.lake, clock=now, redactor=config.redactor()))
    except LakeError as error:
        yield Attention("failed", f"No alerts are sent: {error}.", UNREAD, cause="alerts")
        return
    for name, line in memory.lines.items():
        if line.failing is not None:
            yield Attention("source", _failing(name, line), UNSENT, cause=line_cause(name))
    for key, one in memory.causes.items():
        if one.gone is None and (taken := one.in_hand(now())):
            told = f"{one.cause.sentence} {taken.sentence}."
            yield Attention(
                "overridden", told, TAKEN, system=one.cause.system, cause=f"taken {key}"
            )
    for hush in memory.hushes.values():
        if now() < hush.until:
            yield Attention("overridden", _hushed(hush), AWARE, cause=f"hush {hush.name}")


def _failing(name: str, line: Line) -> str:
    since = f"{line.failing:%Y-%m-%d %H:%M} UTC"
    return f"Alerts to {name} are not taken since {since}: {line.error} ({line.tries} tries)."


def _hushed(hush: Hush) -> str:
    narrow = [f"source {hush.source}"] * bool(hush.source) + [f"{hush.system}"] * bool(hush.system)
    about = " and ".join(narrow) or "anything"
    return (
        f"Nobody is told of {about} until {hush.until:%Y-%m-%d %H:%M} UTC: {hush.by} wants that "
        f"because {hush.why}."
    )
