"""A Great Expectations project of Brookside Lending, with results that Great Expectations wrote."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

_DONE = ".demo-built"


@dataclass(frozen=True)
class _Story:
    """One system's checked table: its suite, and how many days ago it was checked."""

    system: str
    asset: str
    days_ago: tuple[int, ...]
    failing: tuple[int, ...] = ()

    @property
    def suite(self) -> str:
        return f"{self.system}-inputs"


_STORIES = (
    _Story("credit-scoring", "loan_applications", (29, 22, 15, 8, 1)),
    _Story("churn-predictor", "customer_months", (22, 15, 8, 1), failing=(1,)),
    _Story("ticket-triage", "support_tickets", (44, 37, 30)),
)


def build(folder: Path, now: datetime, frames: Mapping[str, pd.DataFrame] | None = None) -> Path:
    """The `gx/` folder of the project below `folder`; builds it unless it is there.

    `frames` maps a system to the table to check, with the columns that `tables()` shows. The
    run times are the story's; `ge_load_time` in each result tells when it really ran.
    """
    root = folder / "gx"
    if (root / _DONE).exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    context = _context(folder)
    given = dict(frames) if frames is not None else tables()
    for story in _STORIES:
        _define(context, story)
        for days in story.days_ago:
            table = given[story.system]
            table = _spoiled(table) if days in story.failing else table
            _run(context, story, table, now - timedelta(days=days))
    (root / _DONE).write_text("built whole\n", encoding="utf-8")
    return root


def later(folder: Path, now: datetime) -> None:
    """One more run: the repaired churn table, checked at `now`."""
    churn = _STORIES[1]
    _run(_context(folder), churn, tables()[churn.system], now)


def tables() -> dict[str, pd.DataFrame]:
    """A table for each system, made by scikit-learn, the same at each call."""
    return {
        "credit-scoring": _table(11, "income", "debt_ratio", "age_of_file", "loan_amount"),
        "churn-predictor": _table(12, "tenure_months", "monthly_fee", "calls", "complaints"),
        "ticket-triage": _table(13, "length", "attachments", "reply_hours", "reopened"),
    }


def _table(seed: int, *columns: str) -> pd.DataFrame:
    from sklearn.datasets import make_classification

    values, label = make_classification(
        n_samples=600, n_features=len(columns), n_informative=3, n_redundant=0, random_state=seed
    )
    table = pd.DataFrame(values - values.min(axis=0), columns=list(columns)).round(4)
    table.insert(0, "id", range(1, len(table) + 1))
    table["label"] = label
    return table


def _spoiled(table: pd.DataFrame) -> pd.DataFrame:
    """What a broken upstream job did: a fifth of the fees unknown, refunds booked as fees."""
    spoiled = table.copy()
    spoiled.loc[spoiled.index[::5], "monthly_fee"] = None
    spoiled.loc[spoiled.index[1::50], "monthly_fee"] = -25.0
    return spoiled


def _library() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        # Great Expectations 1.24 imports modules that Python 3.11 has deprecated.
        warnings.filterwarnings("ignore", "module 'sre_", DeprecationWarning)
        import great_expectations
    return great_expectations


def _context(folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    context = _library().get_context(mode="file", project_root_dir=str(folder))
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _define(context: Any, story: _Story) -> None:
    gx = _library()
    source = context.data_sources.add_pandas(story.system)
    batch = source.add_dataframe_asset(story.asset).add_batch_definition_whole_dataframe("whole")
    suite = context.suites.add(gx.ExpectationSuite(name=story.suite))
    for expectation in _criteria(story):
        suite.add_expectation(expectation)
    suite.save()
    definition = gx.ValidationDefinition(name=story.suite, data=batch, suite=suite)
    checkpoint = gx.Checkpoint(
        name=story.suite,
        validation_definitions=[context.validation_definitions.add(definition)],
        result_format={"result_format": "SUMMARY"},
    )
    context.checkpoints.add(checkpoint)


def _criteria(story: _Story) -> list[Any]:
    expect = _library().expectations
    amount = {"credit-scoring": "income", "churn-predictor": "monthly_fee"}.get(
        story.system, "length"
    )
    return [
        expect.ExpectTableRowCountToBeBetween(min_value=500, max_value=100_000),
        expect.ExpectColumnValuesToBeUnique(column="id"),
        expect.ExpectColumnValuesToNotBeNull(column="label"),
        expect.ExpectColumnValuesToBeInSet(column="label", value_set=[0, 1]),
        expect.ExpectColumnValuesToNotBeNull(column=amount, mostly=0.95),
        expect.ExpectColumnValuesToBeBetween(column=amount, min_value=0, severity="warning"),
    ]


def _run(context: Any, story: _Story, table: pd.DataFrame, at: datetime) -> None:
    run = _library().RunIdentifier(run_name="weekly", run_time=at)
    checkpoint = context.checkpoints.get(story.suite)
    checkpoint.run(batch_parameters={"dataframe": table}, run_id=run)
