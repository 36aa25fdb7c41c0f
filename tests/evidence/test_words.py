"""Small words: times, durations, secrets, the facts of a pull."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.canonical import digest
from evidence.errors import InvalidItem, MappingError
from evidence.runs import Gap, Pull, PullFacts, PullOutcome, Total
from evidence.secret import Secret
from evidence.times import duration, from_ms, parse, stamp

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


@given(st.datetimes(timezones=st.timezones()))
def test_a_stamp_reads_back_as_the_same_moment(moment: datetime) -> None:
    try:
        written = stamp(moment)
    except OverflowError:
        return
    # In UTC: Python calls times of two zones unequal in the hour that a zone skips or repeats.
    assert parse(written) == moment.astimezone(UTC)


def test_text_order_is_time_order_even_before_the_year_1000() -> None:
    assert stamp(datetime(999, 1, 1, tzinfo=UTC)) < stamp(datetime(1000, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("text", ["2026-11-23T12:00:00", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_a_time_without_zone_or_sense_is_refused(text: str) -> None:
    with pytest.raises(InvalidItem):
        parse(text)


def test_offsets_with_and_without_colon() -> None:
    assert parse("2026-11-23T14:00:00+0200") == parse("2026-11-23T12:00:00Z") == AT
    assert from_ms(1_700_000_000_123).microsecond == 123_000


@pytest.mark.parametrize(
    ("text", "days"), [("P90D", 90), ("P2W", 14), ("PT36H", 1.5), ("P1DT12H", 1.5)]
)
def test_durations(text: str, days: float) -> None:
    assert duration(text) == timedelta(days=days)


@pytest.mark.parametrize("text", ["P", "PT", "P1M", "P1Y", "90D", "P1DT", "-P1D"])
def test_durations_without_a_fixed_length_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        duration(text)


def test_a_secret_leaves_by_one_door() -> None:
    secret = Secret("hunter2")
    shown = f"{secret} {secret!r} {[secret]} {secret!s:>20}"
    assert "hunter2" not in shown
    assert secret.reveal() == "hunter2"
    for write in (json.dumps, pickle.dumps, digest):
        with pytest.raises((TypeError, InvalidItem)):
            write(secret)  # type: ignore[operator]


def test_facts_add_up_and_a_shortfall_shows() -> None:
    one = PullFacts(pages=1, received=2, promised=5, gaps=(Gap("f", "torn"),), window_from=AT)
    two = PullFacts(pages=1, received=2, query="q", states=("k",))
    total = one + two
    assert (total.pages, total.received, total.promised, total.query) == (2, 4, 5, "q")
    assert total.shortfall() == 1
    assert total.gaps == one.gaps
    assert two.shortfall() == 0


def test_a_pull_is_plain_json() -> None:
    pull = Pull("p", "s", "c:C", AT, AT, PullOutcome.PARTIAL, PullFacts(gaps=(Gap("a", "b"),)), 3)
    written = pull.payload()
    assert written["outcome"] == "partial"
    assert written["gaps"] == [{"what": "a", "why": "b"}]
    assert written["started_at"] == stamp(AT)
    assert digest(written)


def test_a_mapping_error_points_at_its_line() -> None:
    assert str(MappingError("bad", file="r.yaml", line=7)) == "r.yaml:7: bad"


def test_more_of_one_question_does_not_hide_less_of_another() -> None:
    grown = PullFacts(promised=5, received=9, totals=(Total("A", 5, 9),))
    short = PullFacts(promised=5, received=3, totals=(Total("B", 5, 3),))
    assert (grown + short).received > 10
    assert (grown + short).shortfall() == 2


def test_a_question_asked_in_parts_adds_up() -> None:
    first = PullFacts(totals=(Total("A", 7, 3),))
    rest = PullFacts(totals=(Total("A", 0, 4),))
    assert (first + rest).totals == (Total("A", 7, 7),)
    assert (first + rest).shortfall() == 0
