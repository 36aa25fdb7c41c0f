"""The benchmarks still run, on lakes too small to measure; each counts its rows by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import bulk, commits, growth, lake, ledger, peer, records, rest, tagging

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="they read the process's memory from /proc"
)


@pytest.mark.parametrize(
    ("main", "heading", "last"),
    [
        pytest.param(lambda: lake.main([40]), "| items | 40 |", "memory", id="lake"),
        pytest.param(lambda: commits.main(1), "| after commits |", "| 1 |", id="commits"),
        pytest.param(lambda: bulk.main(60), "| 60 items |", "| sealed |", id="bulk"),
        pytest.param(lambda: ledger.main(60), "| 60 items |", "until sealed", id="ledger"),
        pytest.param(lambda: peer.main("headwater", 60), "| headwater, 60", "memory", id="peer"),
        pytest.param(lambda: tagging.main([60]), "| items | 60 |", "--help", id="tagging"),
        pytest.param(lambda: rest.main(120), "| 120 records |", "| pipeline |", id="rest"),
    ],
)
def test_a_benchmark_runs_to_its_end(
    main: Callable[[], None], heading: str, last: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(lake, "COMMITS", 2)
    monkeypatch.setattr(growth, "BATCH", 40)
    monkeypatch.setattr(commits, "WINDOW", 2)
    monkeypatch.setattr(ledger, "COMMITS", 2)
    monkeypatch.setattr(peer, "RUNS", 2)
    monkeypatch.setattr(rest, "ROUNDS", 1)
    monkeypatch.setattr(tagging, "KEPT", tmp_path)
    monkeypatch.setattr(tagging, "ROUNDS", 1)
    main()
    told = capsys.readouterr().out
    assert heading in told
    assert last in told.splitlines()[-1]


def test_millions_of_tickets_lie_within_the_months() -> None:
    times = [records.moment(number, 0, 10**9) for number in (0, 1, 10**9 // 2, 10**9)]
    assert times == sorted(times)
    assert times[0] == records.START
    assert times[-1] == records.START + records.SPAN
