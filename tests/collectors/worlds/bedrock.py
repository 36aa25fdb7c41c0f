"""Invocation logging in moto, and guardrails answered as Bedrock's service model says."""

from __future__ import annotations

from pathlib import Path

from collectors.bedrock import Bedrock
from tests.collectors.aws_models_world import Guardrails, guardrail
from tests.collectors.aws_server import Aws


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.aws = Aws().__enter__()
        self.guardrails = Guardrails(self.aws)

    def collector(self) -> Bedrock:
        return self._collector(self.aws.url)

    def grow(self) -> None:
        """The draft is edited in place, in a word only."""
        words = {"words": [{"text": "codename-eagle"}]}
        self.guardrails.known["abcd1234"]["DRAFT"] = guardrail("DRAFT", wordPolicy=words)

    def down(self) -> Bedrock:
        return self._collector("http://127.0.0.1:9")

    def refused(self) -> Bedrock:
        """Credentials of another account."""
        return self._collector(self.aws.url, account="999999999999")

    def close(self) -> None:
        self.aws.close()

    def _collector(self, url: str, account: str = "") -> Bedrock:
        return Bedrock(
            source="cloud-bedrock", regions=("eu-south-1",), account=account,
            systems={"credit-*": "credit-scoring"}, **{**self.aws.keys(), "endpoint_url": url},
        )  # fmt: skip
