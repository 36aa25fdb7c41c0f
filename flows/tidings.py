"""What happened, as events for Prefect's automations; the lake holds it in any case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prefect.events import emit_event

from evidence.freshness import State, Verdict
from flows.pull import Attempt
from flows.report import pull_rows
from flows.terminal import printable
from flows.watching import Watched
from storage.verdicts import Said

PREFIX = "headwater"
_LONGEST = 500
"""Signs of a sentence in an event: it tells that something is, the lake tells what."""
EVENTS: Sequence[str] = (
    *(f"source.{word}" for word in ("complete", "partial", "busy", "refused", "broken")),
    *(f"evidence.{w}" for w in ("fresh", "due", "stale", "recovered", "failed", "missing")),
    "trouble.begun", "trouble.ended",
)  # fmt: skip
"""Every event there is, without the prefix."""


def tell_pulls(ended: Mapping[str, Attempt | BaseException]) -> None:
    """`headwater.source.complete`, `.partial`, `.busy`, `.refused` or `.broken` for each source."""
    for row in pull_rows(ended):
        name, outcome = str(row["source"]), str(row["outcome"])
        told = {"outcome": outcome, "new": str(row["new"]), "why": str(row["note"])}
        _tell(f"source.{outcome}", f"source.{name}", name, told)


def tell_verdicts(changed: Iterable[tuple[Verdict, Said | None]]) -> None:
    """`headwater.evidence.stale`, `.due`, `.failed`, `.missing`, `.fresh` or `.recovered` for each
    verdict that is another than the one before; the first of all only where it is a bad one."""
    for verdict, said in changed:
        word = _word(verdict.state.value, failed=verdict.failed)
        before = _word(said[0], failed=said[1]) if said else None
        if word == before or (before is None and word in {"fresh", "missing"}):
            continue
        told = {
            "control": verdict.control, "evidence": verdict.evidence, "system": verdict.system,
            "before": before or "", "why": verdict.why,
        }  # fmt: skip
        where = "/".join(filter(None, (verdict.control, verdict.evidence, verdict.system)))
        _tell(f"evidence.{word}", f"evidence.{where}", where, told)


def _word(state: str, *, failed: bool) -> str:
    return "failed" if failed else "missing" if state == State.UNKNOWN else state


def tell_watch(watched: Watched) -> None:
    """`headwater.trouble.begun` and `.ended` for each trouble of Headwater itself."""
    for trouble in watched.begun:
        told = {"sentence": trouble.sentence, "action": trouble.action}
        _tell("trouble.begun", f"itself.{trouble.what}", trouble.what, told)
    for one in watched.ended:
        _tell("trouble.ended", f"itself.{one.what}", one.what, {"sentence": one.sentence})


def _tell(event: str, resource: str, name: str, told: Mapping[str, str]) -> None:
    short = {key: printable(text)[:_LONGEST] for key, text in told.items()}
    emit_event(
        f"{PREFIX}.{event}",
        {
            "prefect.resource.id": f"{PREFIX}.{printable(resource)}"[:_LONGEST],
            "prefect.resource.name": printable(name)[:200],
        },
        payload=dict(short),
    )
