"""What `serve` and the board answer to an outside watcher."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime

from cronsim import CronSim

from dashboards.health import Health, Pulse
from dashboards.server import gated, serving
from evidence.errors import ConfigError
from evidence.secret import Secret
from flows.config import Config, now
from flows.figures import figures
from flows.troubles import LATE
from storage.beats import last_beat

TOKEN = "HEADWATER_BOARD_TOKEN"  # noqa: S105  the name of a variable, not a token


def health(config: Config) -> Health:
    """The answers, each made anew when asked for."""
    return Health(lambda: pulse(config), lambda: figures(config))


def pulse(config: Config, clock: Callable[[], datetime] = now) -> Pulse:
    """When the watch last looked, and when it must have looked again."""
    last = last_beat(config.lake, "watch")
    late = next(CronSim(config.watch.schedule, last)) + LATE if last else None
    return Pulse(last, late, clock())


@contextlib.contextmanager
def answering(config: Config) -> Iterator[str]:
    """Answer at [watch] listen from a thread while the block runs; yields the URL, empty if
    nothing is to be listened at. Without the board's token only this machine is told figures.

    Raises ConfigError if the address cannot be used.
    """
    if not config.watch.listen:
        yield ""
        return
    token = os.environ.get(TOKEN, "")
    host, _, port = config.watch.listen.rpartition(":")
    app = gated(
        health(config).routes(), token=Secret(token) if token else None,
        allow_loopback=not token, hosts=(host, *config.watch.names),
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(serving(app, host.strip("[]"), int(port)))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{config.file}: [watch] listen {config.watch.listen!r} cannot be used: {error}"
            ) from error
        yield url
