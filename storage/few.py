"""Kinds of which also a large lake holds few items: the relation `lake_few` has at least all items
of these, so that who asks for one of them need not look through millions of tickets."""

from __future__ import annotations

from storage.engine import literal

MODELS = ("aws.sagemaker.model_package", "aws.bedrock.invocations", "mlflow.model_alias")
OFFERED = "aws.bedrock.models"
_BEGIN = ("git.", "human.", "headwater.")
FEW = " OR ".join(
    (
        *(f"starts_with(kind, {literal(begin)})" for begin in _BEGIN),
        f"kind IN ({', '.join(map(literal, (*MODELS, OFFERED)))})",
    )
)
"""The condition in SQL. A question to `lake_few` names kinds that it holds for, and no others."""
