"""What headwater.toml says of alerts: [alerts] for all of them, [[alert]] for each channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from evidence.errors import ConfigError
from flows._alerts.channel import Channel, Recipient
from flows._alerts.letter import is_address


@dataclass(frozen=True, slots=True)
class Alerts:
    """When channels are told, how long something must be gone to be over (`settle`), where the
    `board` is, and the addresses of `people` by name, before those of the register of roles."""

    schedule: str = "15,45 * * * *"
    settle: timedelta = timedelta(hours=1)
    board: str = ""
    people: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = [f"people: {name}: no plain address" for name, a in self.people.items()
                 if not is_address(a)]  # fmt: skip
        parts = urlsplit(self.board)
        if self.board and (parts.scheme not in {"http", "https"} or not parts.hostname):
            wrong.append(f"board: {self.board!r} is no http(s) address")
        if wrong:
            raise ConfigError(*(f"[alerts] {sentence}" for sentence in wrong))


def recipients(channels: tuple[Channel, ...], people: Mapping[str, str]) -> tuple[Recipient, ...]:
    """Every line of every channel."""
    return tuple(line for channel in channels for line in channel.lines(people))
