"""The data sets of scikit-learn that stand in for the company's, and what is measured on them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pandas as pd

LABEL = "label"


@dataclass(frozen=True, slots=True)
class Task:
    """One model's work: `frame` holds the features, the label, and `groups`' columns beside them.

    A third of the rows, the same every time, is kept for evaluation.
    """

    model: str
    purpose: str
    data: str
    stands_for: str
    frame: pd.DataFrame = field(repr=False)
    groups: pd.DataFrame = field(repr=False)

    @property
    def honest(self) -> str:
        """What the model really learned from."""
        return f"Demo: trained on scikit-learn's {self.data} in place of {self.stands_for}."

    def split(self, part: str) -> pd.DataFrame:
        """The rows for `training` or `evaluation`."""
        held_out = pd.Series(range(len(self.frame)), index=self.frame.index) % 3 == 0
        return self.frame[held_out if part == "evaluation" else ~held_out]

    def dataset(self, part: str) -> Any:
        """The rows as MLflow's dataset, with digest, schema and profile."""
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.pandas_dataset import from_pandas

        source = CodeDatasetSource({"loader": f"sklearn.datasets.load_{self.data}"})
        name = f"{self.model}-{part}"
        with warnings.catch_warnings():
            # MLflow's digest calls DataFrame.all in the way that pandas 4 will no longer take.
            warnings.filterwarnings("ignore", "Starting with pandas version 4", DeprecationWarning)
            return from_pandas(self.split(part), source, targets=LABEL, name=name)

    def fit(self, params: dict[str, Any]) -> Any:
        """A fitted pipeline."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        rows = self.split("training")
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000, **params))
        return model.fit(rows.drop(columns=LABEL), rows[LABEL].astype(int))

    def scores(self, fitted: Any) -> dict[str, float]:
        """Accuracy on both parts, and macro-averaged recall on the held-out one."""
        from sklearn.metrics import recall_score

        parts = {part: self.split(part) for part in ("training", "evaluation")}
        guesses = {part: fitted.predict(rows.drop(columns=LABEL)) for part, rows in parts.items()}
        scores = {
            f"{part}_accuracy": float((guesses[part] == rows[LABEL]).mean())
            for part, rows in parts.items()
        }
        truth = parts["evaluation"][LABEL].astype(int)
        recall = recall_score(truth, guesses["evaluation"], average="macro")
        return scores | {"evaluation_recall": float(recall)}

    def by_group(self, fitted: Any) -> dict[str, float]:
        """Accuracy, selection rate and size of each group, and the widest gaps between groups."""
        rows = self.split("evaluation")
        guess = pd.Series(fitted.predict(rows.drop(columns=LABEL)), index=rows.index)
        scores: dict[str, float] = {}
        for column in self.groups.columns:
            of = self.groups.loc[rows.index, column]
            right = (guess == rows[LABEL]).groupby(of).mean()
            chosen = (guess > 0).groupby(of).mean()
            for group in right.index:
                scores[f"accuracy/{column}/{group}"] = float(right[group])
                scores[f"selection_rate/{column}/{group}"] = float(chosen[group])
                scores[f"count/{column}/{group}"] = float((of == group).sum())
            scores[f"accuracy_gap/{column}"] = float(right.max() - right.min())
            scores[f"selection_rate_gap/{column}"] = float(chosen.max() - chosen.min())
        return scores


@cache
def task_of(system: str) -> Task:
    """The work of one AI system's model."""
    return {"credit-scoring": _credit, "churn-predictor": _churn, "ticket-triage": _triage}[
        system
    ]()


def _credit() -> Task:
    from sklearn.datasets import load_diabetes

    loaded = load_diabetes(as_frame=True, scaled=False)
    frame = loaded.data.astype(float)
    groups = pd.DataFrame({
        "sex_code": frame["sex"].astype(int).astype(str),
        "age": (frame["age"] >= 50).map({True: "50_and_over", False: "under_50"}),
    })  # fmt: skip
    frame[LABEL] = (loaded.target > loaded.target.median()).astype(float)
    return Task(
        "credit-risk", "Scores loan applications.", "diabetes", "loan applications", frame, groups
    )


def _churn() -> Task:
    from sklearn.datasets import load_breast_cancer

    loaded = load_breast_cancer(as_frame=True)
    frame = loaded.data.astype(float)
    large = frame["mean radius"] >= frame["mean radius"].median()
    groups = pd.DataFrame({"size": large.map({True: "large", False: "small"})})
    frame[LABEL] = loaded.target.astype(float)
    return Task(
        "churn", "Predicts who will leave.", "breast_cancer", "customer months", frame, groups
    )


def _triage() -> Task:
    from sklearn.datasets import load_digits

    loaded = load_digits(as_frame=True)
    frame = loaded.data.astype(float)
    groups = pd.DataFrame({"queue": "queue_" + loaded.target.astype(str)})
    frame[LABEL] = loaded.target.astype(float)
    return Task("triage", "Routes support tickets.", "digits", "support tickets", frame, groups)
