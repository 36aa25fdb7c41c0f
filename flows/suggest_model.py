"""Which model proposes controls: what [suggest] says, and the model made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.errors import ConfigError
from evidence.secret import Secret
from flows.model_endpoint import Endpoint, wrong_endpoint

if TYPE_CHECKING:
    from mappings.catalogue import Catalogue
    from mappings.suggest.asks import Ask
    from mappings.suggest.models import Model

MEASURED = {"words": 0.15, "local": 0.22}
"""Model → the threshold that was chosen by the labelled texts (docs/suggest.md)."""
_ENDPOINT = ("embeddings", "chat")


@dataclass(frozen=True, slots=True)
class Suggest:
    """[suggest]: the `model` that proposes, one of words, local, embeddings and chat.

    The last two are asked at `url` under the name `name` with `key`; `timeout` is in seconds.
    `threshold` 0 stands for the one that was measured. One run looks at `items` items.
    """

    model: str = ""
    url: str = ""
    name: str = ""
    key: Secret = field(default_factory=lambda: Secret(""))
    threshold: float = 0.0
    at_most: int = 3
    items: int = 50
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if wrong := tuple(self._wrong()):
            raise ConfigError(*(f"[suggest] {sentence}" for sentence in wrong))

    def _wrong(self) -> list[str]:
        known = (*MEASURED, *_ENDPOINT)
        wrong = []
        if self.model and self.model not in known:
            wrong.append(f"model {self.model!r}: choose one of {', '.join(known)}, or leave it out")
        if not 0 <= self.threshold <= 1:
            wrong.append(f"threshold {self.threshold:g} lies not between 0 and 1")
        if self.at_most < 1 or self.items < 1 or self.timeout <= 0:
            wrong.append("at_most, items and timeout must be more than 0")
        return wrong + (self._wrong_endpoint() if self.model in _ENDPOINT else [])

    def _wrong_endpoint(self) -> list[str]:
        wrong = wrong_endpoint(self.model, self.url, self.name)
        if not self.threshold:
            wrong.append(
                f'model = "{self.model}" needs a threshold: run `headwater suggest measure`, which '
                "chooses one by the labelled texts (write 1.0 until then)"
            )
        return wrong

    @property
    def least(self) -> float:
        """The score under which nothing is proposed."""
        return self.threshold or MEASURED[self.model]


def model_of(settings: Suggest, catalogue: Catalogue) -> Model:
    """The model that the configuration names. Raises ConfigError without one, SourceError when an
    endpoint does not answer as needed."""
    from mappings.suggest.asks import asks

    if not settings.model:
        raise ConfigError(
            "suggestions are off: name a model in [suggest] (docs/suggest.md); everything else "
            "works without"
        )
    needs = asks(catalogue)
    if settings.model == "chat":
        from mappings.suggest.chat import Chat

        endpoint = _endpoint(settings)
        return Chat(endpoint.say, endpoint.name, endpoint.digest, catalogue, needs)
    return _alike(settings, needs)


def _alike(settings: Suggest, needs: Sequence[Ask]) -> Model:
    from mappings.suggest.alike import Alike, Together
    from mappings.suggest.words import Words

    words = Words(needs)
    if settings.model == "words":
        return Alike(words, needs)
    if settings.model == "embeddings":
        return Alike(Together(_endpoint(settings), words), needs)
    from mappings.suggest.local import Local

    return Alike(Together(Local(), words), needs)


def _endpoint(settings: Suggest) -> Endpoint:
    return Endpoint(settings.url, settings.name, settings.key, settings.timeout)
