"""Amazon Bedrock: is it logged, what do guardrails hold back, which models can be called?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from collectors._aws import bedrock_settings as settings
from collectors._aws.bedrock_models import MODELS, models
from collectors._aws.source import AwsStates, Reader


@dataclass(frozen=True)
class Bedrock(AwsStates):
    """Logging of invocations, guardrails and models, region by region; never a prompt.

    Logging is off unless somebody turns it on, in each region by itself: `aws.bedrock.logging` has
    failed where it is off or has nowhere to deliver to. Every version of a guardrail is an
    `aws.bedrock.guardrail`, also DRAFT, which is edited in place: a digest of all its settings
    shows that. Which words and patterns it holds back is told by count and digest only. The models
    that can be called, others' and one's own, are one `aws.bedrock.models`.
    """

    kinds: ClassVar[tuple[str, ...]] = (settings.LOGGING, settings.GUARDRAIL, MODELS)
    states: ClassVar[tuple[str, ...]] = kinds

    def _readers(self) -> Mapping[str, Reader]:
        return {
            settings.LOGGING: settings.logging, settings.GUARDRAIL: settings.guardrails,
            MODELS: models,
        }  # fmt: skip
