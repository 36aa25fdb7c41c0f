"""Late assessments, deletions, overridden verdicts and private text: traces on a real store."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import AssessmentSource, Expectation, TraceState

from collectors.base import Window
from collectors.mlflow_traces import MlflowTraces
from evidence.errors import ConfigError, SourceBroken
from evidence.model import Change, Cursor, EvidenceItem
from mappings.rules import load_rules
from tests.collectors.mlflow_stores import PRIVATE, SYSTEMS, Store

DAY = timedelta(days=1)
NOON = datetime.combine(datetime.now(UTC).date() - 3 * DAY, time(12), UTC)
JUDGE = AssessmentSource("LLM_JUDGE", "judge-4")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def reader(store: Store, **more: Any) -> MlflowTraces:
    given = {"systems": SYSTEMS, "reread_every": timedelta(0), **more}
    return MlflowTraces("traces", store.uri, **given)


def pull(
    store: Store, cursor: Cursor | None = None, **more: Any
) -> tuple[list[EvidenceItem], Cursor]:
    batches = list(reader(store, **more).collect(cursor))
    return [item for batch in batches for item in batch.items], batches[-1].cursor


def of(items: list[EvidenceItem], kind: str) -> list[EvidenceItem]:
    return [item for item in items if item.kind == f"mlflow.{kind}"]


def test_a_day_is_summed_up(store: Store) -> None:
    for step, took in enumerate((100, 200, 400)):
        about = {"mlflow.trace.session": f"s{step // 2}", "mlflow.source.git.commit": "f00"}
        store.trace(at=NOON + timedelta(minutes=step), took=took, **about)
    failed = store.trace(at=NOON, state=TraceState.ERROR, took=None)
    store.feedback(failed, "correct", value=False)
    store.feedback(failed, "score", value=0.25, source=JUDGE)
    store.feedback(failed, "score", value=0.75, source=JUDGE)
    items, _ = pull(store)
    (day,) = of(items, "trace")
    said = day.payload
    assert (day.system, said["count"], said["states"]) == (
        "credit-scoring", 4, {"OK": 3, "ERROR": 1},
    )  # fmt: skip
    assert day.observed_to == NOON + timedelta(minutes=2), "the last trace, not the end of the day"
    assert said["durations_ms"] == {"p50": 200, "p95": 400, "max": 400}
    assert (said["sessions"], said["errors"], said["commits"]) == (2, [failed], {"f00": 3})
    assert (said["assessed"], said["assessed_by_people"]) == (1, 1)
    by_name = {one["name"]: one for one in said["assessments"]}
    assert by_name["correct"]["values"] == {"false": 1}
    assert by_name["score"]["numbers"] == {
        "count": 2, "least": 0.25, "mean": 0.5, "greatest": 0.75,
    }  # fmt: skip


def test_what_was_asked_and_answered_is_never_kept(store: Store) -> None:
    trace_id = store.trace(at=NOON)
    store.feedback(trace_id, "opinion", value=PRIVATE, rationale=PRIVATE)
    store.feedback(trace_id, "list", value=[PRIVATE])
    source = AssessmentSource("HUMAN", "li.wen")
    store.tracking.create_assessment(
        Expectation(name="answer", value={"rent": PRIVATE}, source=source, trace_id=trace_id)
    )
    items, cursor = pull(store)
    assert len(of(items, "assessment")) == 3
    for item in items:
        assert PRIVATE.encode() not in item.content
        assert PRIVATE not in item.title
    assert PRIVATE not in cursor.value
    opinion = next(i for i in items if i.payload.get("name") == "opinion")
    assert opinion.payload["value"]["characters"] == len(PRIVATE)


def test_a_person_is_quoted_by_name_and_a_judge_only_counted(store: Store) -> None:
    trace_id = store.trace(at=NOON)
    store.feedback(trace_id, "correct", value=True)
    store.feedback(trace_id, "fluent", value="yes", source=JUDGE)
    (said,) = of(pull(store)[0], "assessment")
    assert (said.actor, said.payload["value"], said.payload["trace_id"]) == (
        "li.wen", True, trace_id,
    )  # fmt: skip
    assert said.observed_to > NOON + DAY, "when it was said, not when the trace was"


def test_a_late_assessment_changes_its_day_and_comes_by_itself(store: Store) -> None:
    trace_id = store.trace(at=NOON)
    (before,), cursor = pull(store)
    store.feedback(trace_id, "correct", value=True)
    items, cursor = pull(store, cursor)
    (day,) = of(items, "trace")
    assert (day.change, day.observed_to) == (Change.CHANGED, before.observed_to)
    assert day.payload["supersedes"] == before.content_sha256[:16]
    assert len(of(items, "assessment")) == 1
    assert of(pull(store, cursor)[0], "trace") == []


def test_a_verdict_overridden_by_another_shows_both(store: Store) -> None:
    trace_id = store.trace(at=NOON)
    first = store.feedback(trace_id, "correct", value=False)
    _, cursor = pull(store)
    store.feedback(trace_id, "correct", value=True, source=JUDGE, overrides=first)
    items, _ = pull(store, cursor)
    told = {i.subject == first: (i.change, i.payload["valid"]) for i in of(items, "assessment")}
    assert told == {True: (Change.CHANGED, False), False: (Change.NEW, True)}
    (day,) = of(items, "trace")
    assert day.payload["assessed_by_people"] == 0, "the person's word counts no more"


def test_deleted_traces_are_told_and_a_day_without_any_is_gone(store: Store) -> None:
    made = [store.trace(at=NOON + timedelta(seconds=n)) for n in range(3)]
    experiment = store.experiment("credit-agent")
    (before,), cursor = pull(store)
    store.client.delete_traces(experiment, trace_ids=made[:1])
    (fewer,), cursor = pull(store, cursor)
    assert (fewer.change, fewer.payload["fewer"], fewer.payload["count"]) == (Change.CHANGED, 1, 2)
    store.client.delete_traces(experiment, trace_ids=made[1:])
    (gone,), cursor = pull(store, cursor)
    assert (gone.change, gone.subject, gone.payload["fewer"]) == (Change.GONE, before.subject, 2)
    assert pull(store, cursor)[0] == []
    store.trace(at=NOON)
    (back,), _ = pull(store, cursor)
    assert back.change is Change.RESTORED


def test_a_trace_can_name_its_system(store: Store) -> None:
    store.trace("shared", at=NOON, **{"headwater.system": "churn-predictor"})
    store.trace("shared", at=NOON, **{"headwater.system": "credit-card"})
    store.trace("shared", at=NOON)
    days = of(pull(store)[0], "trace")
    assert sorted((i.system, i.payload["count"]) for i in days) == [
        ("", 1), ("churn-predictor", 1), ("credit-scoring", 1),
    ]  # fmt: skip
    assert len({i.subject for i in days}) == 3


def test_days_are_those_of_utc_and_today_is_not_over(store: Store) -> None:
    midnight = datetime.combine(NOON.date(), time(), UTC)
    for at in (midnight - timedelta(milliseconds=1), midnight, datetime.now(UTC)):
        store.trace(at=at)
    days = [str(i.payload["day"]) for i in of(pull(store)[0], "trace")]
    assert days == [(midnight - DAY).date().isoformat(), midnight.date().isoformat()]


@pytest.mark.parametrize("size", [1, 2, 3, 500])
def test_many_traces_of_one_millisecond_over_small_pages(store: Store, size: int) -> None:
    for step in (0, 1, 1, 1, 1, 2):
        store.trace(at=NOON + timedelta(milliseconds=step))
    (day,) = of(pull(store, page_size=size)[0], "trace")
    assert day.payload["count"] == 6


def test_a_day_is_read_again_only_when_it_is_time(store: Store) -> None:
    trace_id = store.trace(at=NOON)
    _, cursor = pull(store, reread_every=DAY)
    store.feedback(trace_id, "correct", value=True)
    assert pull(store, cursor, reread_every=DAY)[0] == []
    tomorrow = lambda: datetime.now(UTC) + DAY  # noqa: E731
    items, _ = pull(store, cursor, reread_every=DAY, clock=tomorrow)
    assert {i.kind for i in items} == {"mlflow.trace", "mlflow.assessment"}


def test_a_window_reads_days_that_lie_before_the_lookback(store: Store) -> None:
    old = NOON - 60 * DAY
    store.trace(at=old)
    store.trace(at=NOON)
    window = Window(old - DAY, old + DAY)
    (day,), cursor = pull(store, window=window)
    assert (day.payload["day"], window.holds(day)) == (old.date().isoformat(), True)
    assert pull(store, cursor, window=window)[0] == []


def test_a_narrower_setting_is_no_loss(store: Store) -> None:
    store.trace("credit-agent", at=NOON)
    store.trace("churn-agent", at=NOON)
    _, cursor = pull(store)
    assert pull(store, cursor, experiments=("churn-agent",))[0] == []


def test_rules_take_live_traces_and_what_people_said_of_them(store: Store) -> None:
    trace_id = store.trace(at=NOON)
    store.feedback(trace_id, "in_scope", value=True)
    rules = load_rules()
    claimed = set()
    for item in pull(store)[0]:
        row = {
            "item_id": item.item_id, "source": item.source, "kind": item.kind, "nature": "event",
            "system": item.system, "subject": item.subject, "title": item.title,
            "change": item.change.value, "outcome": item.outcome.value, "actor": item.actor,
            "locator": item.locator, "payload": item.content.decode(),
        }  # fmt: skip
        claimed |= {control for match in rules.explain(row).matched for control in match.controls}
    assert claimed == {f"iso42001:A.{number}" for number in ("6.2.6", "6.2.8", "9.3", "9.4")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tracking_uri": "mlruns"},
        {"page_size": 501},
        {"lookback": timedelta(hours=1)},
        {"reread_every": -DAY},
    ],
)
def test_settings_that_cannot_work_are_refused_at_birth(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        MlflowTraces(**{"source": "m", "tracking_uri": "http://host", **wrong})


@pytest.mark.parametrize("cursor", ["{}", "[]", '{"form": "mlflow.traces/1", "seen": [[1]]}'])
def test_a_bookmark_of_another_form_is_broken(store: Store, cursor: str) -> None:
    with pytest.raises(SourceBroken):
        pull(store, Cursor(cursor))
