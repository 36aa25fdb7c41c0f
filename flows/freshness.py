"""The flow that judges, on its own schedule: a dead collector cannot silence its own alarm."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from evidence.freshness import Standing, overridden_words
from flows._alerts.show import failing
from flows.alerting import tell
from flows.board_kept import keep_judged
from flows.config import FILE, load, now
from flows.consistency import land_findings
from flows.document_drift import land_drift
from flows.due import done_since, late_since
from flows.follow import follow, seal
from flows.judgement import Judged, judge_lake
from flows.moment import present
from flows.record import record
from flows.report import verdict_rows
from flows.tidings import tell_verdicts
from storage.beats import beat, last_beat
from storage.lake import Lake


@flow(name="freshness", timeout_seconds=3600, validate_parameters=True)
def freshness(config: str = FILE) -> State[Any]:
    """Judge every expectation as of now, keep what changed, tell whom it concerns, and show the
    table. Alerts that are not taken are a failed run, of which the judgement stands. The board of
    what was judged is kept for the server that starts next."""
    settings = load(Path(config))
    lake, began = Lake.open(settings.lake, clock=now), now()
    if overtaken := done_since(late_since(began), last_beat(lake.place, "freshness")):
        return overtaken
    land_drift(lake, settings)
    follow(lake, settings)
    if land_findings(lake, present(lake, settings)):
        follow(lake, settings)
    judged = judge_lake(lake, present(lake, settings))
    changed = record(lake, judged)
    tell_verdicts(changed)
    seal(lake, settings)
    beat(lake.place, "freshness", began)
    poor = [v for v in judged.verdicts if v.failed or not v.in_date]
    create_table_artifact(
        verdict_rows(poor), key="headwater-freshness", description=headline(judged)
    )
    create_markdown_artifact(f"{headline(judged)}\n", key="headwater-headline")
    told = tell(settings, judged)
    if settings.alerts and settings.alerts.board:
        create_link_artifact(settings.alerts.board, link_text="the board", key="headwater-board")
    unkept = keep_judged(lake, settings, judged)
    said = "; ".join(filter(None, (f"{headline(judged)}; {len(changed)} verdicts changed", unkept)))
    if told is not None and (silent := failing(told.memory)):
        return Failed(message=f"{said}; alerts are not taken by {', '.join(silent)}")
    return Completed(message=said)


def headline(judged: Judged) -> str:
    """How many controls stand where, in words, with the denominator."""
    counts = Counter(standing.standing for standing in judged.standings.values())
    told = ", ".join(f"{counts[word]} {word.value}" for word in Standing if counts[word])
    items = {item_id for verdict in judged.verdicts for item_id in verdict.overridden}
    beside = f"; {overridden_words(len(items))}" if items else ""
    return f"Of {len(judged.standings)} clauses and controls: {told}{beside}"
