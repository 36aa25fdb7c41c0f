"""Packages and a card in moto, and monitors answered as SageMaker's service model says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from collectors.sagemaker import SageMaker
from tests.collectors.aws_models_world import Models, run
from tests.collectors.aws_server import Aws


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.aws = Aws().__enter__()
        self.models = Models(self.aws, "eu-south-1")
        self.models.fill()

    def collector(self, **changed: Any) -> SageMaker:
        return replace(self._collector(self.aws.url), **changed)

    def grow(self) -> None:
        self.models.runs.append(run(0, "Completed"))

    def down(self) -> SageMaker:
        return self._collector("http://127.0.0.1:9")

    def refused(self) -> SageMaker:
        """Credentials of another account."""
        return self._collector(self.aws.url, account="999999999999")

    def close(self) -> None:
        self.aws.close()

    def _collector(self, url: str, account: str = "") -> SageMaker:
        return SageMaker(
            source="cloud-models", regions=("eu-south-1",), account=account,
            systems={"credit-*": "credit-scoring"}, **{**self.aws.keys(), "endpoint_url": url},
        )  # fmt: skip
