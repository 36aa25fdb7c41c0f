"""Keep verdicts and standings in the lake, only where they differ from what was judged before."""

from __future__ import annotations

from evidence.freshness import ControlStanding, Verdict
from flows.judgement import Judged
from storage.lake import Lake
from storage.verdicts import Said, append_verdicts, last_judged


def record(lake: Lake, judged: Judged) -> list[tuple[Verdict, Said | None]]:
    """Append the verdicts and standings that changed; gives the changed verdicts, each with what
    was said before (None: nothing)."""
    old, before = last_judged(lake)
    fresh = [v for v in judged.verdicts if _said(v) != old.get((v.control, v.evidence, v.system))]
    stands = [s for s in judged.standings.values() if _stood(s) != before.get(s.control)]
    append_verdicts(lake, fresh, stands, judged.at)
    return [(v, old.get((v.control, v.evidence, v.system))) for v in fresh]


def _said(verdict: Verdict) -> tuple[object, ...]:
    return (verdict.state.value, verdict.failed, verdict.item_id, verdict.why)


def _stood(standing: ControlStanding) -> tuple[object, ...]:
    return (standing.standing.value, standing.why, standing.in_date, standing.expected)
