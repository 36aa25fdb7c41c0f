"""Who drafts: what [draft] says, and the writer made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.errors import ConfigError
from evidence.secret import Secret
from flows.model_endpoint import Endpoint, wrong_endpoint

if TYPE_CHECKING:
    from flows._draft.writers import Writer

_MODELS = ("none", "chat")
_MOST = 60


@dataclass(frozen=True, slots=True)
class Drafting:
    """[draft]: the `model` that drafts, none (code alone) or chat.

    The latter is asked at `url` under the name `name` with `key`; `timeout` is in seconds. One
    draft rests on at most `items` items and has at most `sentences` sentences.
    """

    model: str = "none"
    url: str = ""
    name: str = ""
    key: Secret = field(default_factory=lambda: Secret(""))
    items: int = 20
    sentences: int = 20
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if wrong := tuple(self._wrong()):
            raise ConfigError(*(f"[draft] {sentence}" for sentence in wrong))

    def _wrong(self) -> list[str]:
        wrong = []
        if self.model not in _MODELS:
            wrong.append(f"model {self.model!r}: choose one of {', '.join(_MODELS)}")
        if not (1 <= self.items <= _MOST and 1 <= self.sentences <= _MOST):
            wrong.append(f"items and sentences must lie between 1 and {_MOST}")
        if self.timeout <= 0:
            wrong.append("timeout must be more than 0")
        if self.model != "none" and self.name == "none":
            wrong.append('name "none" stands for no model: name the one to ask')
        return wrong + (wrong_endpoint(self.model, self.url, self.name)
                        if self.model == "chat" else [])  # fmt: skip


def writer_of(settings: Drafting) -> Writer:
    """The writer that the configuration names."""
    from flows._draft.writers import Chat, Extract
    from storage.code import code_version

    if settings.model == "none":
        return Extract(code_version(), settings.sentences)
    endpoint = Endpoint(settings.url, settings.name, settings.key, settings.timeout)
    return Chat(endpoint.say, endpoint.name, endpoint.digest, settings.sentences)
